"""The leaf at ``ws``: which dialect will be spoken on a WebSocket."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from twisted.web.http import Request
from twisted.web.resource import Resource

from webshell.dialects import Dialect
from webshell.dialects.native import SUBPROTOCOL, Native
from webshell.dialects.plain import Plain
from webshell.sessions import Sessions
from webshell.web.websocket import Sockets

DIALECTS: Mapping[str, Callable[[], Dialect]] = {SUBPROTOCOL: Native}
"""By subprotocol; a client that offers none speaks plainly."""


class Endpoint(Resource):
    """Upgrades to the native dialect, or to the plain one."""

    isLeaf = True

    def __init__(self, sessions: Sessions, sockets: Sockets) -> None:
        super().__init__()
        self._sessions = sessions
        self._sockets = sockets

    def render_GET(self, request: Request) -> bytes | int:
        """Upgrade, or say what this address is for."""
        if (request.getHeader(b"upgrade") or b"").lower() != b"websocket":
            request.setResponseCode(426)
            request.setHeader(b"upgrade", b"websocket")
            return _text(request, "this is a WebSocket: connect to it with a WebSocket client")
        offered = [
            name.strip()
            for header in request.requestHeaders.getRawHeaders("sec-websocket-protocol", [])
            for name in header.split(",")
        ]
        subprotocol = next((name for name in offered if name in DIALECTS), None)
        if subprotocol is not None:
            return self._sockets.accept(request, DIALECTS[subprotocol](), subprotocol)
        if offered:
            request.setResponseCode(400)
            return _text(request, f"unknown subprotocol: offer {SUBPROTOCOL}, or none for the plain dialect")
        runner = request.args.get(b"run", [b""])[0].decode("utf-8", "replace")
        if runner and runner not in self._sessions.runners:
            request.setResponseCode(400)
            return _text(request, f"no such runner: there are {', '.join(sorted(self._sessions.runners))}")
        return self._sockets.accept(request, Plain(runner))


def _text(request: Request, text: str) -> bytes:
    request.setHeader(b"content-type", b"text/plain; charset=utf-8")
    return text.encode() + b"\n"
