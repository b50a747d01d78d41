"""Which Host and Origin headers this server answers to: exact lists, no patterns; and what that says of a request."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv6Address as IPv6
from ipaddress import IPv6Network, ip_address
from urllib.parse import quote

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.web.server import Request

from webshell.errors import WebshellError
from webshell.web.answers import Malformed, Refused, UnknownHost

LONGEST_HOST = 262  # a name of 255 bytes, a colon, five digits and a spare
LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
ADDRESSES = 256
"""Of clients, remembered as they are written: one is looked at a dozen times for each request (5 µs each, measured)."""

UNIX = "unix"
"""The address of a client on a unix socket."""

_HOST = re.compile(r"(?P<name>[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::(?P<port>[1-9][0-9]{0,4}))?")
_ORIGIN = re.compile(r"(?P<scheme>https?)://(?P<host>.+)")
_DEFAULT_PORTS = {"http": "80", "https": "443"}


class BadRule(WebshellError):
    """A configured host, origin or proxy is not written in its exact normal form."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """How a request reached us.

    :ivar secure: over TLS, or a trusted proxy says so.
    :ivar address: the IP address it arrived at; None on a unix socket.
    :ivar port: the listener's port; None on a unix socket.
    :ivar client: where it comes from: an IP address, or ``"unix"``.
    """

    secure: bool
    address: str | None
    port: int | None
    client: str

    @property
    def scheme(self) -> str:
        """The scheme that the client's page must have been loaded by."""
        return "https" if self.secure else "http"


@dataclass(frozen=True, slots=True, eq=False)
class Visit:
    """A request whose Host and Origin are right: what the rest of access control decides on.

    :ivar host: the Host in normal form.
    :ivar origin: the Origin, which is one of ours; None if the request had none.
    :ivar base: the URL path that the application hangs at, with a slash at both ends.
    :ivar secure: whether cookies must be marked ``Secure``.
    """

    request: Request
    arrival: Arrival
    host: str
    origin: str | None
    base: str
    secure: bool

    @property
    def upgrade(self) -> bool:
        """Whether anything might take this for a WebSocket handshake."""
        headers = self.request.requestHeaders
        return any(b"websocket" in value.lower() for value in headers.getRawHeaders(b"upgrade", []))

    @property
    def unproven(self) -> bool:
        """Whether this changes something, and no header says that one of our own pages asked for it."""
        return self.origin is None and (self.upgrade or self.request.method not in (b"GET", b"HEAD"))

    @property
    def navigation(self) -> bool:
        """Whether a browser loads a page into a window."""
        headers = self.request.requestHeaders
        return (
            self.request.method == b"GET"
            and not self.upgrade
            and any(b"text/html" in value for value in headers.getRawHeaders(b"accept", []))
            and headers.getRawHeaders(b"sec-fetch-mode", [b"navigate"]) == [b"navigate"]
        )

    @property
    def foreign(self) -> bool:
        """Whether a page of another site embeds or fetches this; other ports of localhost are "same-site"."""
        sites = self.request.requestHeaders.getRawHeaders(b"sec-fetch-site", [])
        return self.origin is None and not self.navigation and not {*sites} <= {b"same-origin", b"none"}


@dataclass(frozen=True, slots=True)
class Rules:
    """The exact Hosts and Origins besides this machine's own, and the proxies whose word is taken.

    :ivar hosts: names, ``name`` or ``name:port``.
    :ivar origins: ``scheme://name`` or ``scheme://name:port``; their hosts are answered to as well.
    :ivar proxies: IP addresses, or ``"unix"``, whose ``X-Forwarded-For`` and ``-Proto`` are believed.
    """

    hosts: Sequence[str] = ()
    origins: Sequence[str] = ()
    proxies: Sequence[str] = ()
    _names: frozenset[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Refuse what would never match."""
        for host in self.hosts:
            if not _is_host(host):
                raise BadRule(f"{host!r} is no host: write name or name:port, in lower case, without http://")
        for origin in self.origins:
            if _origin_host(origin) is None:
                raise BadRule(f"{origin!r} is no origin: write https://name or https://name:port, nothing after it")
        for proxy in self.proxies:
            if proxy != UNIX and _literal(proxy) is None:
                raise BadRule(f"{proxy!r} is no proxy: write its IP address, or {UNIX!r}")
        object.__setattr__(self, "_names", frozenset({*self.hosts, *filter(None, map(_origin_host, self.origins))}))

    def visit(self, request: Request) -> Visit:
        """Return *request* with its Host and Origin checked, or raise the refusal."""
        arrival, headers = self.arrival(request), request.requestHeaders
        host = self.host(headers.getRawHeaders(b"host", []), arrival)
        origin = self.origin(headers.getRawHeaders(b"origin", []), host, arrival)
        base = "/" + "".join(quote(step, safe="") + "/" for step in request.prepath or [])
        return Visit(request, arrival, host, origin, base, arrival.secure or f"https://{host}" in self.origins)

    def arrival(self, request: Request) -> Arrival:
        """Return where *request* comes from; forwarding headers count only when a configured proxy sent them."""
        here, peer = request.getHost(), request.getClientAddress()
        client = plain(peer.host) if isinstance(peer, IPv4Address | IPv6Address) else UNIX
        secure = bool(request.isSecure())
        if client in self.proxies:
            headers = request.requestHeaders
            secure = secure or headers.getRawHeaders(b"x-forwarded-proto", []) == [b"https"]
            hops = b",".join(headers.getRawHeaders(b"x-forwarded-for", [])).decode("latin-1").split(",")
            # from the right: each trusted hop appended the address it saw, the rest is whatever the client wrote
            last = next((hop.strip() for hop in reversed(hops) if hop.strip() not in self.proxies), "")
            client = client if _literal(last) is None else plain(last)
        if isinstance(here, IPv4Address | IPv6Address):
            return Arrival(secure, here.host, here.port, client)
        return Arrival(secure, None, None, client)

    def host(self, values: Sequence[bytes], arrival: Arrival) -> str:
        """Return the Host in normal form, or raise :class:`Malformed` or :class:`UnknownHost`."""
        if len(values) != 1:
            raise Malformed("a request must have exactly one Host header")
        text = values[0].decode("latin-1").lower()
        if not _is_host(text):
            raise Malformed("the Host header is not of the form name or name:port")
        # the scheme's own port is left out, as in an Origin
        normal = text.removesuffix(":" + _DEFAULT_PORTS[arrival.scheme])
        if {text, normal} & self._answered(arrival):
            return normal
        name = text.rpartition(":")[0] if re.search(r":[0-9]+$", text) else text
        raise UnknownHost(f"This server does not answer to the name {text}. If it should, start it with --host {name}")

    def origin(self, values: Sequence[bytes], host: str, arrival: Arrival) -> str | None:
        """Return the Origin if it is ours, None if there is none, or raise :class:`Malformed` or :class:`Refused`."""
        if not values:
            return None
        if len(values) != 1 or not values[0]:
            raise Malformed("a request must not have more than one Origin header, nor an empty one")
        text = values[0].decode("latin-1")
        if text == f"{arrival.scheme}://{host}" or text in self.origins:
            return text
        raise Refused("pages of another origin may not do this; if they should, start the server with --origin")

    def _answered(self, arrival: Arrival) -> set[str]:
        if arrival.address is None or arrival.port is None:
            return {"localhost", *self._names}
        # an IP address that the connection really arrived at cannot be a rebound DNS name
        own = {*LOOPBACK, *self.hosts, *filter(None, [_literal(arrival.address)])}
        port = "" if str(arrival.port) == _DEFAULT_PORTS[arrival.scheme] else f":{arrival.port}"
        return {*self._names, *(name + port for name in own)}


@lru_cache(ADDRESSES)
def plain(address: str) -> str:
    """Return an IP address without zone, and as IPv4 if a listener for both has made it IPv6."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    return str((parsed.ipv4_mapped if isinstance(parsed, IPv6) else None) or parsed)


def neighbourhood(client: str) -> str:
    """Return what counts as one client address: an IPv4 address, or an IPv6 /64, which one machine may own."""
    address = plain(client)
    # only an IPv6 address is written in brackets
    return str(IPv6Network((address, 64), strict=False)) if _literal(address) == f"[{address}]" else address


def check_ancestors(origins: Sequence[str]) -> None:
    """Refuse what a policy's ``frame-ancestors`` cannot name, or what would be more of the policy than a name.

    :raises BadRule: the text says what is allowed.
    """
    for origin in origins:
        if (_origin_host(origin) or "[").startswith("["):  # browsers do not know IPv6 addresses there
            raise BadRule(
                f"{origin!r} may not be named as a frame ancestor: write https://name or https://name:port, "
                "in lower case, without the port that is usual, nothing after it; no pattern and no IPv6 address"
            )


def _is_host(text: str) -> bool:
    match = _HOST.fullmatch(text) if len(text) <= LONGEST_HOST else None
    return match is not None and int(match["port"] or 1) < 1 << 16


def _origin_host(origin: str) -> str | None:
    match = _ORIGIN.fullmatch(origin)
    if match is None or not _is_host(match["host"]) or match["host"].endswith(":" + _DEFAULT_PORTS[match["scheme"]]):
        return None
    return match["host"]


@lru_cache(ADDRESSES)
def _literal(address: str) -> str | None:
    """Return an IP address as it stands in a Host header, or None."""
    try:
        ip_address(address.partition("%")[0])
    except ValueError:
        return None
    bare = plain(address)
    return f"[{bare}]" if ":" in bare else bare
