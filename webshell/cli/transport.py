"""WebSockets and TLS of the client: the only module of the command that knows Autobahn."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from autobahn.twisted.websocket import WebSocketClientFactory, WebSocketClientProtocol
from OpenSSL import SSL, crypto
from service_identity.hazmat import DNS_ID, IPAddress_ID, verify_service_identity
from service_identity.pyopenssl import extract_patterns
from twisted.internet import endpoints, ssl
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError, ConnectingCancelledError, DNSLookupError, UserError
from twisted.internet.interfaces import IAddress, IOpenSSLClientConnectionCreator, IStreamClientEndpoint
from twisted.python.failure import Failure
from zope.interface import implementer

from webshell.cli.address import Address
from webshell.cli.client import SUBPROTOCOL, Client, Frame
from webshell.cli.trouble import Asked, Refused, Trouble
from webshell.cli.trust import Trust, check_clear, fingerprint

CONNECT_SECONDS = 20.0
"""For TCP, TLS and the handshake, each; a server that answers at all does so in less."""

PING_SECONDS = 20.0
PONG_SECONDS = 20.0
"""Nothing heard for so long after a ping: the connection is dead, and a new one may work."""

LARGEST_BYTES = 16 << 20
"""Of one message of the server; it sends 64 kB at a time, and lists of some hundred kB."""

ANSWERS = {
    400: "the server does not speak webshell.v1; is this its address?",
    401: "the server wants another token: --token-file FILE, the variable WEBSHELL_TOKEN, or the keyring",
    403: "the server does not allow that to this token",
    404: "there is no webshell at this address; is the path right?",
    421: "the server does not know itself by this name: start it with --host NAME",
    429: "too many wrong tokens from here, or too many connections; wait a minute",
    502: "the proxy does not reach the server; is it running?",
    503: "the server cannot take more connections now, or its proxy does not reach it",
    504: "the proxy does not reach the server; is it running?",
}
"""What the status of a refused handshake means for people."""

WHY = re.compile(r"^[^:]*: (?:[0-9]+: )?")
"""What Twisted says before the system's own words."""

PASSING = {429, 502, 503, 504}
"""What may be over when one tries again later."""


@implementer(IOpenSSLClientConnectionCreator)
class _Pinned:
    """Lets only certificates pass that are known by their fingerprint, and are for the host."""

    def __init__(self, creator: Any, host: str, trust: Trust) -> None:
        self._creator = creator
        self._host = host
        self._trust = trust

    def clientConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        """What Twisted asks for each connection."""
        connection = cast("SSL.Connection", self._creator.clientConnectionForTLS(tlsProtocol))

        def verify(_: SSL.Connection, certificate: crypto.X509, error: int, depth: int, fine: int) -> bool:
            # an exception in here would be lost, and the connection might live
            try:
                return self._verified(certificate, depth, bool(fine))
            except Exception:
                tlsProtocol.failVerification(Failure())
                return False

        # this replaces Twisted's own callback, so the name is verified here, too
        connection.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, verify)
        return connection

    def _verified(self, certificate: crypto.X509, depth: int, fine: bool) -> bool:
        chained = fine or not self._trust.authorities
        if depth:
            return chained
        wanted = (IPAddress_ID if isIPAddress(self._host) or isIPv6Address(self._host) else DNS_ID)(self._host)
        verify_service_identity(extract_patterns(certificate), [wanted], [])
        digest = hashlib.sha256(crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate)).digest()
        return chained and fingerprint(digest) in self._trust.pins


def tls_options(host: str, trust: Trust) -> Any:
    """How TLS to *host* is verified: the chain by OpenSSL, the name by service-identity, and pins.

    :raises Asked: the file with authorities cannot be used.
    """
    root = None
    if trust.authorities:
        try:
            content = Path(trust.authorities).read_text("ascii", "replace")
        except OSError as error:
            raise Asked(f"{trust.authorities}: the certificates cannot be read: {error.strerror}") from None
        blocks = re.findall(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", content, re.DOTALL)
        try:
            root = ssl.trustRootFromCertificates([ssl.Certificate.loadPEM(block) for block in blocks])
        except (crypto.Error, ValueError):
            blocks = []
        if not blocks:
            raise Asked(f"{trust.authorities}: no certificates are in it; it should be a PEM file")
    options = ssl.optionsForClientTLS(host, trustRoot=root)
    return _Pinned(options, host, trust) if trust.pins else options


class Door:
    """Opens connections to one server.

    :ivar address: of the server.
    """

    def __init__(self, reactor: Any, address: Address, token: str, trust: Trust, *, plain: bool = False) -> None:
        """:param plain: the token may travel where others can read it."""
        check_clear(address, token, plain, "--plain")
        self.address = address
        self.token = token
        self._reactor = reactor
        self.endpoint = self._endpoint(trust)

    def _endpoint(self, trust: Trust) -> IStreamClientEndpoint:
        address = self.address
        if address.socket:
            return endpoints.UNIXClientEndpoint(self._reactor, address.socket, timeout=CONNECT_SECONDS)
        direct = endpoints.HostnameEndpoint(self._reactor, address.host, address.port, timeout=CONNECT_SECONDS)
        return endpoints.wrapClientTLS(tls_options(address.host, trust), direct) if address.secure else direct

    def headers(self) -> dict[str, str]:
        """What proves who we are."""
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    async def connect(self, client: Client, lost: Callable[[], None]) -> Socket:
        """A connection for *client*; *lost* is called once when it has ended.

        :raises Refused: trying again is of no use.
        :raises Trouble: there is none now.
        """
        factory = WebSocketClientFactory(
            self.address.url("ws", "ws"), protocols=[SUBPROTOCOL], headers=self.headers(), reactor=self._reactor
        )
        factory.setProtocolOptions(
            maxFramePayloadSize=LARGEST_BYTES,
            maxMessagePayloadSize=LARGEST_BYTES,
            autoPingInterval=PING_SECONDS,
            autoPingTimeout=PONG_SECONDS,
            openHandshakeTimeout=CONNECT_SECONDS,
            closeHandshakeTimeout=2,
        )
        opened: Deferred[None] = Deferred()

        def make(peer: IAddress) -> Socket:
            socket = Socket()
            socket.factory = factory
            socket.prepare(client, opened, lost)
            return socket

        # the factory makes nothing that is not prepared
        factory.buildProtocol = make
        try:
            socket = cast("Socket", await self.endpoint.connect(factory))
        except (ConnectError, ConnectingCancelledError, DNSLookupError, OSError) as error:
            raise Trouble(self._unreachable(error)) from None
        await opened
        return socket

    def _unreachable(self, error: Exception) -> str:
        where = self.address.socket or self.address.site
        if isinstance(error, DNSLookupError):
            return f"no machine is called {self.address.host}"
        why = WHY.sub("", str(error)).rstrip(".") or type(error).__name__
        if isinstance(error, UserError):
            why = f"no answer within {CONNECT_SECONDS:.0f} seconds"
        return f"{where} cannot be reached: {why}; is the server running there?"


class Socket(WebSocketClientProtocol):
    """One WebSocket: Autobahn on one side, a :class:`Client` on the other."""

    _open = False

    def prepare(self, client: Client, opened: Deferred[None], lost: Callable[[], None]) -> None:
        """Whose connection it is."""
        self._client = client
        self._opened: Deferred[None] | None = opened
        self._lost = lost
        self._failure: Failure | None = None

    def connectionMade(self) -> None:
        """No frame waits until the one before is acknowledged, which takes 40 ms."""
        # Autobahn looks for its own option before it has it, and hides that
        if set_no_delay := getattr(self.transport, "setTcpNoDelay", None):
            set_no_delay(True)
        super().connectionMade()

    def onOpen(self) -> None:
        """The handshake has succeeded."""
        self._open = True
        self._client.connected(self._send)
        self._answer(None)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """A message arrived."""
        self._client.receive(payload if isBinary else payload.decode())

    def connectionLost(self, reason: Failure = Failure(Exception())) -> None:  # noqa: B008
        """Why, when TLS knows it; then Autobahn."""
        self._failure = reason
        super().connectionLost(reason)

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        """The connection is gone, or never was."""
        if self._open:
            self._open = False
            self._client.disconnected()
            self._lost()
        self._answer(self._why(reason or ""))

    def _answer(self, trouble: Trouble | None) -> None:
        opened, self._opened = self._opened, None
        if opened is not None and trouble is None:
            opened.callback(None)
        elif opened is not None:
            opened.errback(trouble)

    def _why(self, reason: str) -> Trouble:
        status = re.search(r"upgrade failed \[(\d+)\]", reason)
        if status:
            number = int(status[1])
            text = ANSWERS.get(number, f"the server answered {number}; is this the address of a webshell?")
            if number == 401 and not self.factory.headers:
                text = text.replace("another token", "a token")
            return (Trouble if number in PASSING else Refused)(text)
        error = self._failure.value if self._failure is not None else None
        if error is not None and type(error).__module__.startswith("service_identity"):
            return Refused("the server's certificate is for other names than the one in the address")
        if isinstance(error, SSL.Error):
            if "certificate verify failed" in str(error):
                return Refused(
                    "the server's certificate is not trusted; --ca-file FILE names who signed it, and "
                    "--pin FINGERPRINT the certificate itself (a server with --self-signed prints it)"
                )
            return Refused("the server does not speak TLS as it should; is it http:// there?")
        what = "the server closed the connection before it had begun"
        if "handshake timeout" in reason:
            what = f"the server does not answer within {CONNECT_SECONDS:.0f} seconds"
        other = "http" if self._client_speaks_tls() else "https"
        return Trouble(f"{what}; is this the address of a webshell, or is it {other}:// there?")

    def _client_speaks_tls(self) -> bool:
        return bool(self.factory.isSecure)

    def _send(self, frame: Frame) -> None:
        if self.state == self.STATE_OPEN:
            binary = isinstance(frame, bytes)
            self.sendMessage(frame if isinstance(frame, bytes) else frame.encode(), binary)

    def leave(self) -> None:
        """Close it."""
        self.sendClose(1000)
