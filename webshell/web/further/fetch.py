"""Fetches files of uploads: by https, never from private addresses, no redirect unchecked; bounded in size and time."""

from __future__ import annotations

import socket
from collections.abc import Collection
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import Any
from urllib.parse import urljoin, urlsplit

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint, wrapClientTLS
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Protocol
from twisted.internet.ssl import optionsForClientTLS
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.client import Agent, ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

from webshell import __version__
from webshell.errors import UploadFailed

FETCH_BYTES = 32 << 20
"""Of one file: a model or a video of some minutes; it is in memory meanwhile."""

FETCH_SECONDS = 60.0
"""For one file, redirects included; the web page waits for an upload for 180 s."""

CONNECT_SECONDS = 10.0
REDIRECTS = 5
AGAIN = frozenset({301, 302, 303, 307, 308})

log = Logger()

_MAPPED = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"), IPv6Network("2002::/16"))
"""Addresses that stand for IPv4 ones, private ones included."""


@implementer(IAgentEndpointFactory)
class Fetcher:
    """Fetches addresses, for :class:`webshell.targets.warehouse.Warehouse`."""

    def __init__(self, reactor: Any, hosts: Collection[str] = ()) -> None:
        """:param hosts: ``name:port`` of what may be private and without TLS."""
        self._reactor = reactor
        self._hosts = frozenset(hosts)
        self._agent = Agent.usingEndpointFactory(reactor, self)

    async def __call__(self, url: str) -> bytes:
        """What is at *url*.

        :raises UploadFailed: it is refused, missing, too large or too slow.
        """
        fetching = Deferred.fromCoroutine(self._fetch(url))
        fetching.addTimeout(FETCH_SECONDS, self._reactor)
        try:
            return await fetching
        except UploadFailed:
            raise
        except TimeoutError:
            raise UploadFailed(f"{_shown(url)} takes longer than {FETCH_SECONDS:g} seconds") from None
        except Exception as error:  # whatever a client, TLS or a name server can fail with
            log.info("{url} cannot be fetched: {error}", url=_shown(url), error=repr(error))
            raise UploadFailed(f"{_shown(url)} cannot be fetched") from None

    def endpointForURI(self, uri: Any) -> IStreamClientEndpoint:
        """Where to connect to; asked by the agent for every request."""
        host, port = uri.host.decode("ascii").strip("[]"), uri.port
        return _Checked(self._reactor, host, port, f"{host}:{port}" in self._hosts, uri.scheme == b"https")

    async def _fetch(self, url: str) -> bytes:
        for _ in range(REDIRECTS + 1):
            self._check(url)
            headers = Headers({"User-Agent": [f"webshell/{__version__}"], "Accept-Encoding": ["identity"]})
            response = await self._agent.request(b"GET", url.encode("ascii"), headers)
            if response.code not in AGAIN:
                break
            location = response.headers.getRawHeaders("location", [""])[0]
            response.deliverBody(_Unwanted())
            url = urljoin(url, location)
        if response.code != 200:
            response.deliverBody(_Unwanted())
            raise UploadFailed(f"{_shown(url)} answers {response.code}")
        body = _Body()
        response.deliverBody(body)
        return await body.done

    def _check(self, url: str) -> None:
        """
        :raises UploadFailed: it is not to be fetched.
        """
        try:
            parts = urlsplit(url)
            port = parts.port or {"https": 443, "http": 80}.get(parts.scheme, 0)
            allowed = f"{parts.hostname}:{port}" in self._hosts
            wrong = not parts.hostname or not url.isascii() or parts.username is not None
        except ValueError:
            wrong, allowed, parts = True, False, urlsplit("")
        if wrong or parts.scheme not in ("https", "http") or (parts.scheme == "http" and not allowed):
            raise UploadFailed(f"{_shown(url)} is not fetched: write https://name/path")


@implementer(IStreamClientEndpoint)
class _Checked:
    """Resolves a name itself, and connects to exactly the address that it has checked."""

    def __init__(self, reactor: Any, host: str, port: int, allowed: bool, secure: bool) -> None:
        self._reactor = reactor
        self._host = host
        self._port = port
        self._allowed = allowed
        self._secure = secure

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """For the agent."""
        return Deferred.fromCoroutine(self._connect(protocolFactory))

    async def _connect(self, factory: IProtocolFactory) -> IProtocol:
        pool = self._reactor.getThreadPool()
        found = await deferToThreadPool(
            self._reactor, pool, socket.getaddrinfo, self._host, self._port, type=socket.SOCK_STREAM
        )
        addresses = [str(entry[4][0]) for entry in found]
        if not self._allowed and not all(map(public, addresses)):
            raise UploadFailed(f"{self._host} is a private address")
        kind = TCP6ClientEndpoint if ":" in addresses[0] else TCP4ClientEndpoint
        endpoint: Any = kind(self._reactor, addresses[0], self._port, timeout=CONNECT_SECONDS)
        if self._secure:
            endpoint = wrapClientTLS(optionsForClientTLS(self._host), endpoint)
        connected: IProtocol = await endpoint.connect(factory)
        return connected


class _Body(Protocol):
    """Collects a body, up to the limit."""

    def __init__(self) -> None:
        self.done: Deferred[bytes] = Deferred(lambda _: self._abort())
        self._parts: list[bytes] = []
        self._size = 0

    def dataReceived(self, data: bytes) -> None:
        """Some of it."""
        self._size += len(data)
        self._parts.append(data)
        if self._size > FETCH_BYTES and not self.done.called:
            self._parts.clear()
            self.done.errback(UploadFailed(f"a file of an upload may have {FETCH_BYTES} bytes"))
            self._abort()

    def connectionLost(self, reason: Failure = Failure(ResponseDone())) -> None:  # noqa: B008
        """That was all."""
        if self.done.called:
            return
        if reason.check(ResponseDone, PotentialDataLoss):  # the latter: the source named no length
            self.done.callback(b"".join(self._parts))
        else:
            self.done.errback(UploadFailed("what was fetched is not complete"))

    def _abort(self) -> None:
        if self.transport is not None:
            self.transport.loseConnection()


class _Unwanted(Protocol):
    """Reads no body: the connection is closed."""

    def connectionMade(self) -> None:
        """It may be endless."""
        assert self.transport is not None
        self.transport.loseConnection()


def public(address: str) -> bool:
    """Whether *address* is one of the internet's: not private, loopback, link-local, multicast or reserved."""
    parsed = ip_address(address.partition("%")[0])
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return public(str(parsed.ipv4_mapped))
        if any(parsed in network for network in _MAPPED):
            return False
    return parsed.is_global and not parsed.is_multicast and not parsed.is_reserved


def _shown(url: str) -> str:
    """Without what might be a secret."""
    return repr(url.partition("?")[0][:200])
