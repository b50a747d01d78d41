"""What all of further-link's addresses have in common: pages of configured origins may use them, and know it."""

from __future__ import annotations

import json

from twisted.web.resource import Resource
from twisted.web.server import Request

from webshell.web.access import visited
from webshell.web.answers import Refused

PRIVATE_NETWORK = ("Access-Control-Allow-Private-Network", "true")
"""Without it Chromium keeps pages of the internet from servers of the local network."""


class Leaf(Resource):
    """A leaf that answers pages of other origins, which the gate has checked."""

    isLeaf = True

    def render(self, request: Request) -> bytes | int:
        """Every answer has the headers, refusals too."""
        request.responseHeaders.setRawHeaders(PRIVATE_NETWORK[0], [PRIVATE_NETWORK[1]])
        request.responseHeaders.setRawHeaders("Vary", ["Origin"])
        origin = visited(request).origin
        if origin is not None:
            allow(request, {"Origin": origin, "Credentials": "true"})
            exposed = ", ".join(name.decode() for name, _ in request.responseHeaders.getAllRawHeaders())
            request.responseHeaders.setRawHeaders("Access-Control-Expose-Headers", [exposed])
        body: bytes | int = super().render(request)
        return body

    def render_OPTIONS(self, request: Request) -> bytes:
        """What a browser asks before it lets a page ask; the gate has refused those without an Origin of ours."""
        headers = request.requestHeaders
        wanted = headers.getRawHeaders("access-control-request-method", [""])[0]
        served = [name.removeprefix("render_") for name in dir(self) if name in ("render_GET", "render_POST")]
        if wanted not in served:
            raise Refused(f"CORS preflight request failed: request method {wanted[:16]!r} is not allowed")
        asked = headers.getRawHeaders("access-control-request-headers", [])
        allow(request, {"Methods": wanted, **({"Headers": ",".join(asked).upper()} if asked else {})})
        return b""


def allow(request: Request, allowed: dict[str, str]) -> None:
    """Set ``Access-Control-Allow-…`` headers."""
    for name, value in allowed.items():
        request.responseHeaders.setRawHeaders(f"Access-Control-Allow-{name}", [value])


def text(request: Request, body: str) -> bytes:
    """The body of an answer; everything is plain text here, JSON included."""
    request.setHeader(b"content-type", b"text/plain; charset=utf-8")
    return body.encode()


def said(request: Request, value: object) -> bytes:
    """The same, of a value as JSON."""
    return text(request, json.dumps(value))


def argument(request: Request, name: str) -> str | None:
    """The first value of a parameter of the query; None: it is not there."""
    values = request.args.get(name.encode(), [])
    return values[0].decode("utf-8", "replace") if values else None
