"""What a stranger may cost before we know him: request bodies, time and connections."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress, IReactorTime, ISSLTransport, ITCPTransport
from twisted.internet.protocol import Protocol
from twisted.protocols.policies import ProtocolWrapper
from twisted.web.http import Request
from twisted.web.resource import IResource
from twisted.web.server import Site
from zope.interface import directlyProvides, providedBy

from webshell.web.channel import LimitedChannel, LimitedRequest
from webshell.web.hosts import neighbourhood, plain
from webshell.web.secure import access_line

POST_BYTES = 64 << 10  # a login, a command line, an item's metadata; what needs more has a limit of its own
OTHER_BYTES = 1 << 10  # a body that a GET or DELETE may have without meaning
REQUEST_SECONDS = 30.0  # for the headers and the body of a request together, however busy its sender is
IDLE_SECONDS = 60.0  # between requests
CONNECTIONS = 1000
CONNECTIONS_PER_ADDRESS = 100
LARGE_BODIES = 8  # at once, of an address: who sends them is known only when they are here, and they fill the disk
HELD_BODIES = 64  # the same of those that stay in memory: 256 MiB at most, from who knows the id of a process

_PIECES = re.compile(rb".*/exec/[^/]+")
"""They would fill the log, and a line costs a fifth of a round trip (measured); WebSockets log none either."""

BodyLimit = Callable[[bytes, bytes], int]
"""From method and path to the bytes that a body may have."""


def body_limit(method: bytes, path: bytes) -> int:
    """Return how large a body may be where nothing else is said; none goes to a socket."""
    if path.rstrip(b"/").endswith(b"/ws"):
        return 0
    return POST_BYTES if method in (b"POST", b"PUT", b"PATCH") else OTHER_BYTES


class _Counted(ProtocolWrapper):
    """One connection that is counted until it is closed, also when a WebSocket has taken it over from HTTP."""


class _Full(Protocol):
    """Answers a connection that is one too many."""

    def connectionMade(self) -> None:
        assert self.transport is not None
        if not ISSLTransport.providedBy(self.transport):  # a TLS handshake is what we want to save
            self.transport.write(b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        self.transport.loseConnection()


class LargeBodies:
    """The connections on which a large body is on its way."""

    def __init__(self) -> None:
        self._addresses: dict[object, tuple[str, bool]] = {}

    def admit(self, connection: object, address: str, *, in_memory: bool = False) -> bool:
        """Whether *address* may have one more; those without a name may."""
        key, most = (address, in_memory), HELD_BODIES if in_memory else LARGE_BODIES
        if address and sum(other == key for other in self._addresses.values()) >= most:
            return False
        self._addresses[connection] = key
        return True

    def forget(self, connection: object) -> None:
        """It has arrived, or will not."""
        self._addresses.pop(connection, None)


class LimitedSite(Site):
    """A site with limits on connections and requests, and an access log without secrets.

    :param exempt: addresses of proxies, which hold the connections of many; unix sockets are exempt anyway.
    """

    protocol = LimitedChannel  # type: ignore[assignment]  # not through ALPN: WebSockets need HTTP/1.1

    def __init__(
        self,
        resource: IResource,
        reactor: IReactorTime,
        *,
        body_limit: BodyLimit = body_limit,
        connections: int = CONNECTIONS,
        connections_per_address: int = CONNECTIONS_PER_ADDRESS,
        exempt: Collection[str] = (),
        request_seconds: float = REQUEST_SECONDS,
        idle_seconds: float = IDLE_SECONDS,
        log_path: str | None = None,
    ) -> None:
        super().__init__(
            resource, LimitedRequest, log_path, idle_seconds, access_line, reactor, parsePOSTFormSubmission=False
        )
        self.body_limit = body_limit
        self.request_seconds = request_seconds
        self.large_bodies = LargeBodies()
        self._most = connections
        self._most_per_address = connections_per_address
        self._exempt = frozenset(exempt)
        self._connections: dict[_Counted, str] = {}
        self._per_address: Counter[str] = Counter()

    @property
    def count(self) -> int:
        """How many connections there are now."""
        return len(self._connections)

    def buildProtocol(self, addr: IAddress | None) -> Protocol:  # type: ignore[override]
        """A connection has arrived."""
        address = self.address(addr)
        if len(self._connections) >= self._most or (address and self._per_address[address] >= self._most_per_address):
            return _Full()
        return _Counted(self, super().buildProtocol(addr))  # type: ignore[arg-type]

    def acceptableProtocols(self) -> list[bytes]:
        """What TLS may negotiate: a WebSocket needs HTTP/1.1."""
        return [b"http/1.1"]

    def address(self, addr: IAddress | None) -> str:
        """Return what connections are counted by; those that only the total counts have no name."""
        if not isinstance(addr, IPv4Address | IPv6Address) or plain(addr.host) in self._exempt:
            return ""
        return neighbourhood(addr.host)

    def log(self, request: Request) -> None:
        """Write a line about *request*, unless it carried a piece of a process's input or output."""
        piece = request.code in (200, 204) and request.method in (b"GET", b"POST")
        if not (piece and _PIECES.fullmatch(request.path)):
            super().log(request)

    # what a connection does

    def registerProtocol(self, connection: _Counted) -> None:
        """Count *connection*."""
        if ISSLTransport.providedBy(connection):
            # Autobahn takes every such transport for Twisted's TLS class itself, and fails on any other
            others = [kind for kind in providedBy(connection) if not kind.isOrExtends(ISSLTransport)]
            directlyProvides(connection, ITCPTransport, *others)
        address = self.address(connection.getPeer())
        self._connections[connection] = address
        self._per_address[address] += 1

    def unregisterProtocol(self, connection: _Counted) -> None:
        """Forget *connection*."""
        address = self._connections.pop(connection)
        self._per_address -= Counter([address])  # drops what has come to zero
