"""What Autobahn is shown of a request."""

from __future__ import annotations

from typing import Any

from twisted.web.http_headers import Headers
from twisted.web.test.requesthelper import DummyRequest

from webshell.web.handshake import bare


def test_only_what_makes_a_websocket_is_left() -> None:
    needed = {
        b"Host": [b"localhost:8080"],
        b"Upgrade": [b"websocket"],
        b"Connection": [b"keep-alive", b"Upgrade"],
        b"Sec-WebSocket-Key": [b"dGhlIHNhbXBsZSBub25jZQ=="],
        b"Sec-WebSocket-Version": [b"13"],
        b"Sec-WebSocket-Protocol": [b"webshell.v1"],
        b"Sec-WebSocket-Extensions": [b"permessage-deflate"],
    }
    others = {
        b"Origin": [b"http://localhost:8080"],
        b"Authorization": [b"Bearer secret"],
        b"Cookie": [b"webshell=secret"],
        b"User-Agent": [b"a browser"],
        b"X-Upgrade": [b"no"],
    }
    request: Any = DummyRequest([])
    request.requestHeaders = Headers({**needed, **others})
    assert bare(request) is request
    assert dict(request.requestHeaders.getAllRawHeaders()) == dict(Headers(needed).getAllRawHeaders())
