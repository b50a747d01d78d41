"""Where somebody wanted to go who has to log in first: a session, and perhaps a process of it; nothing else is kept."""

from __future__ import annotations

import re

from twisted.web.http import Request

_PATH = re.compile(rb".*/(?:s/([A-Za-z0-9_-]{1,64})|exec/([A-Za-z0-9_-]{1,64})\.(\d{1,9}))/?")
_SESSION = re.compile(rb"[A-Za-z0-9_-]{1,64}")
_PROCESS = re.compile(rb"\d{1,9}")


def destination(request: Request) -> bytes:
    """The query of the login page: what the path of *request* names, or what its own query says that another did."""
    found = _PATH.fullmatch(request.path)
    if found is not None:
        session, process = found[1] or found[2], found[3] or b""
    else:
        session, process = _parameter(request, b"s", _SESSION), _parameter(request, b"p", _PROCESS)
    return (b"s=" + session + (b"&p=" + process if process else b"")) if session else b""


def landing(request: Request) -> tuple[bytes, str]:
    """The query and the fragment of the page's address that the login page's address leads to."""
    session, process = _parameter(request, b"s", _SESSION), _parameter(request, b"p", _PROCESS)
    return (b"s=" + session, process.decode()) if session else (b"", "")


def _parameter(request: Request, name: bytes, form: re.Pattern[bytes]) -> bytes:
    """Only what looks like nothing but itself: it goes into addresses and into a page."""
    values = (request.args or {}).get(name, [])
    return values[0] if len(values) == 1 and form.fullmatch(values[0]) else b""
