"""The headers that every answer has, and the line that the access log gets: both keep secrets where they are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import unquote_to_bytes

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.web.http import Request
from twisted.web.iweb import IAccessLogFormatter
from zope.interface import provider

_HOST = re.compile(rb"[A-Za-z0-9._:\[\]-]{1,262}")
_TOKEN = re.compile(rb"token", re.IGNORECASE)


def secure_headers(request: Request, nonce: str | None = None, frame_ancestors: Sequence[str] = ()) -> None:
    """Set the headers that every answer has; with a *nonce*, those of a page.

    :param frame_ancestors: origins whose pages may show this one in a frame.
    """
    headers = request.responseHeaders
    ancestors = "frame-ancestors " + (" ".join(frame_ancestors) or "'none'")
    policy = ["default-src 'none'", ancestors]
    if nonce is not None:
        hosts = request.requestHeaders.getRawHeaders(b"host", [])
        # older browsers do not count ws://ourselves as 'self'
        sockets = f" {'wss' if request.isSecure() else 'ws'}://{hosts[0].decode()}" if _plain(hosts) else ""
        policy += [
            "script-src 'self'", f"style-src 'self' 'nonce-{nonce}'", "img-src 'self' data: blob:", "font-src 'self'",
            f"connect-src 'self'{sockets}", "manifest-src 'self'", "base-uri 'none'", "form-action 'self'",
        ]  # fmt: skip
    for name, value in {
        "Content-Security-Policy": "; ".join(policy),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-store",
    }.items():
        headers.setRawHeaders(name, [value])
    if frame_ancestors:
        headers.removeHeader("X-Frame-Options")  # it knows no list
    else:
        headers.setRawHeaders("X-Frame-Options", ["DENY"])
    headers.removeHeader("Server")


def _plain(hosts: Sequence[bytes]) -> bool:
    return len(hosts) == 1 and _HOST.fullmatch(hosts[0]) is not None


# --- the access log


@provider(IAccessLogFormatter)
def access_line(timestamp: str, request: Request) -> str:
    """Return a line in the combined format: no tokens, no control characters."""
    headers = request.requestHeaders
    peer = request.getClientAddress()
    client = peer.host if isinstance(peer, IPv4Address | IPv6Address) else "-"
    line = b" ".join((request.method, without_token(request.uri), request.clientproto))
    referer = without_token(headers.getRawHeaders(b"referer", [b"-"])[0])
    agent = headers.getRawHeaders(b"user-agent", [b"-"])[0]
    length = request.sentLength or "-"
    return f'"{client}" - - {timestamp} "{_shown(line)}" {request.code} {length} "{_shown(referer)}" "{_shown(agent)}"'


def without_token(uri: bytes) -> bytes:
    """Return *uri* without parameters that are a token, or might be taken for one."""
    path, *parameters = re.split(b"[?&;#]", uri)
    kept = [part for part in parameters if not _TOKEN.search(unquote_to_bytes(part))]
    return path + (b"?" + b"&".join(kept) if kept else b"")


def _shown(text: bytes) -> str:
    return repr(text)[2:-1].replace('"', "\\x22")
