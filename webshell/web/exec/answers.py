"""How the process API answers: JSON for programs that people can read too, and an error's status by its kind."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from twisted.web.server import NOT_DONE_YET, Request

from webshell import errors as e
from webshell.web.answers import Malformed, Refused

RETRY_SECONDS = 1
"""What a client that came at a bad time is told to wait."""

_STATUS: Mapping[type[e.WebshellError], int] = {
    e.NotAllowed: 403,
    e.NoSuchSession: 404,
    e.NoSuchProcess: 404,
    e.OutOfOrder: 409,
    e.Occupied: 409,
    e.WrongState: 409,
    e.Gone: 410,
    e.OutOfRange: 416,
    e.SpawnFailed: 422,
    e.LimitReached: 429,
    e.InputFull: 503,
}
"""Of errors that have none of their own; everything else is 400."""

NUMBER_DIGITS = 18
"""Of offsets and times: more do not fit into 64 bits."""


def status_of(error: e.WebshellError) -> int:
    """The status that *error* is answered with."""
    return error.status if isinstance(error, Refused) else _STATUS.get(type(error), 400)


def described(error: e.WebshellError) -> dict[str, object]:
    """*error* for a program, with a message for people."""
    body: dict[str, object] = {"error": error.code, "message": str(error)}
    if isinstance(error, e.OutOfRange):
        body |= {"base": error.base, "end": error.end}
    elif isinstance(error, e.Gone) and error.exit is not None:
        body["exit"] = error.exit
    return body


def said(request: Request, status: int, value: object) -> None:
    """Answer with *value* as JSON."""
    body = json.dumps(value).encode() + b"\n"
    request.setResponseCode(status)
    request.setHeader(b"content-type", b"application/json")
    request.setHeader(b"content-length", b"%d" % len(body))
    request.write(body)
    request.finish()


def nothing(request: Request, **headers: int) -> None:
    """Answer 204, with *headers*: their names with ``_`` for a dash."""
    for name, value in headers.items():
        request.setHeader(name.replace("_", "-").encode(), b"%d" % value)
    request.setResponseCode(204)
    request.finish()


def failed(request: Request, error: e.WebshellError) -> int:
    """Answer with *error*."""
    status = status_of(error)
    if isinstance(error, e.OutOfRange):
        request.setHeader(b"x-range", b"%d-%d" % (error.base, error.end))
    elif isinstance(error, e.Gone) and error.exit is not None:
        request.setHeader(b"x-exit", b"%d" % error.exit)
    elif status in (429, 503):
        request.setHeader(b"retry-after", b"%d" % RETRY_SECONDS)
    if isinstance(error, Refused):
        for name, value in error.headers.items():
            request.setHeader(name, value)
    said(request, status, described(error))
    return NOT_DONE_YET


def body_of(request: Request) -> bytes:
    """The whole body, which the site has bounded."""
    assert request.content is not None
    return request.content.read()


def object_of(body: bytes) -> dict[str, Any]:
    """The JSON object that *body* is.

    :raises BadRequest: it is none.
    """
    try:
        members = json.loads(body)
    except (ValueError, RecursionError):
        raise e.BadRequest("the body is not JSON") from None
    if not isinstance(members, dict):
        raise e.BadRequest("the body must be a JSON object")
    return members


def argument(request: Request, name: str) -> str:
    """The parameter of the query; empty: it is not there."""
    values = (request.args or {}).get(name.encode(), [])
    if len(values) > 1:
        raise Malformed(f"'{name}' is given twice")
    return values[0].decode("utf-8", "replace") if values else ""


def flag(request: Request, name: str) -> bool:
    """Whether the parameter is given, and not 0."""
    return argument(request, name) not in ("", "0")


def number(request: Request, name: str) -> int | None:
    """The parameter as a whole number; None: it is not there."""
    text = argument(request, name)
    if text and not (text.isascii() and text.isdecimal() and len(text) <= NUMBER_DIGITS):
        raise Malformed(f"'{name}' must be a number")
    return int(text) if text else None


def seconds(request: Request, name: str, most: float) -> float | None:
    """The parameter as seconds, at most *most*; None: it is not there."""
    text = argument(request, name)
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not value >= 0:  # NaN compares false
        raise Malformed(f"'{name}' must be a number of seconds")
    return min(value, most)
