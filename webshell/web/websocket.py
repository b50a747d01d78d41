"""The WebSocket at ``ws``: the only module that knows Autobahn, and it adds no policy to it.

Who may come in was decided before (``access.py``); what is said is the dialect's and the connection's business.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from autobahn.twisted.resource import WebSocketResource
from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from autobahn.websocket.types import ConnectionRequest
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IAddress, IPushProducer, IReactorTime, ITransport
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import Request
from twisted.web.resource import Resource
from zope.interface import implementer

from webshell.connection import FRAME_BYTES, Connection
from webshell.dialects import Dialect, Frame
from webshell.dialects.native import SUBPROTOCOL, Native
from webshell.dialects.plain import Plain
from webshell.grant import Grant
from webshell.sessions import Sessions
from webshell.web.access import granted

log = Logger()

FRAGMENTS = 1024
"""Frames that one message may come in: 300,000 empty ones cost Autobahn 1.6 s of the reactor."""

UNREAD_BYTES = 1 << 20
"""Answers and notices that a client which does not read may pile up (its output never does); then it is dropped."""

PING_SECONDS = 30.0
"""Under the 60 s after which proxies cut what is idle. A browser answers by itself, throttled tab or not."""

PONG_SECONDS = 60.0
"""A peer that has not answered for so long is gone; a phone between two cells is back in less."""

DIALECTS: Mapping[str, Callable[[], Dialect]] = {SUBPROTOCOL: Native}
"""By subprotocol; a client that offers none speaks plainly."""


class Sockets(Resource):
    """The leaf that turns upgrades into connections, and the list of those that are open."""

    isLeaf = True

    def __init__(self, sessions: Sessions, clock: IReactorTime) -> None:
        super().__init__()
        self._sessions = sessions
        self._clock = clock
        self._open: set[Socket] = set()
        self._factory = WebSocketServerFactory()
        self._factory.protocol = Socket
        self._factory.setProtocolOptions(  # the one place where Autobahn is told anything
            maxFramePayloadSize=FRAME_BYTES,
            maxMessagePayloadSize=FRAME_BYTES,
            autoPingInterval=PING_SECONDS,
            autoPingTimeout=PONG_SECONDS,
            openHandshakeTimeout=10,
            closeHandshakeTimeout=5,
            failByDrop=False,
            tcpNoDelay=True,
            webStatus=False,
            allowedOrigins=["*"],  # access.py has decided before
            allowNullOrigin=False,
        )

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
        runner = request.args.get(b"run", [b""])[0].decode("utf-8", "replace")
        if subprotocol is not None:
            dialect = DIALECTS[subprotocol]()
        elif offered:
            request.setResponseCode(400)
            return _text(request, f"unknown subprotocol: offer {SUBPROTOCOL}, or none for the plain dialect")
        elif runner and runner not in self._sessions.runners:
            request.setResponseCode(400)
            return _text(request, f"no such runner: there are {', '.join(sorted(self._sessions.runners))}")
        else:
            dialect = Plain(runner)
        return self.accept(request, dialect, subprotocol)

    def accept(
        self,
        request: Request,
        dialect: Dialect,
        subprotocol: str | None = None,
        *,
        largest: int = FRAME_BYTES,
        headers: Mapping[str, str] | None = None,
    ) -> int:
        """Upgrade *request*, whose client speaks *dialect*.

        :param largest: bytes of a message that it may send.
        :param headers: go with the answer.
        """
        grant = granted(request)

        def make(peer: IAddress) -> Socket:
            socket = cast("Socket", self._factory.buildProtocol(peer))
            socket.maxFramePayloadSize = socket.maxMessagePayloadSize = largest
            socket.prepare(dialect, subprotocol, grant, self._sessions, self._open, headers or {})
            return socket

        return cast("int", WebSocketResource(_Door(make)).render(request))

    def close(self, seconds: float) -> Deferred[None]:
        """Tell every client that the server is going away (RFC 6455, 7.4.1), and drop who has not left in *seconds*."""
        gone: Deferred[None] = Deferred()
        waiting = tuple(self._open)
        for socket in waiting:
            # sendClose refuses 1001, which RFC 6455 has for exactly this
            socket.sendCloseFrame(code=1001, reasonUtf8=b"the server is stopping")
        late = self._clock.callLater(seconds, self._abort)
        left = DeferredList([socket.gone for socket in waiting])
        left.addCallback(lambda _: late.cancel() if late.active() else None)
        left.chainDeferred(gone)  # type: ignore[arg-type]
        return gone

    def _abort(self) -> None:
        for socket in tuple(self._open):
            socket.dropConnection(abort=True)

    @property
    def count(self) -> int:
        """How many are open."""
        return len(self._open)


class _Door:
    """What ``WebSocketResource`` calls its factory; here it makes the one protocol of one request."""

    def __init__(self, build: Callable[[IAddress], Socket]) -> None:
        self.buildProtocol = build


@implementer(IPushProducer)
class _Brake:
    """The transport's signals to a connection: full, room again, gone."""

    def __init__(self, connection: Connection) -> None:
        self.pauseProducing = connection.pause
        self.resumeProducing = connection.resume

    def stopProducing(self) -> None:
        """The transport is gone; ``onClose`` says so too."""


class Socket(WebSocketServerProtocol):
    """One WebSocket: Autobahn on one side, a :class:`Connection` on the other."""

    transport: ITransport
    _connection: Connection | None = None
    _fragments = 0
    _unread = 0

    def prepare(
        self,
        dialect: Dialect,
        subprotocol: str | None,
        grant: Grant,
        sessions: Sessions,
        sockets: set[Socket],
        headers: Mapping[str, str],
    ) -> None:
        """What the request decided, before the handshake."""
        self._dialect = dialect
        self._subprotocol = subprotocol
        self._grant = grant
        self._sessions = sessions
        self._sockets = sockets
        self._headers = headers
        self.gone: Deferred[None] = Deferred()

    # ---- what Autobahn calls

    def onConnect(self, request: ConnectionRequest) -> tuple[str | None, Mapping[str, str]]:
        """The handshake is about to succeed: which subprotocol, and what else goes with the answer?"""
        return self._subprotocol, self._headers

    def onOpen(self) -> None:
        """The handshake has succeeded."""
        # Under WebSocketResource the transport's producer is still the HTTPChannel: without this, registering
        # ours raises inside a Deferred of Autobahn's, and the connection works on without a brake.
        self.unregisterProducer()
        connection = Connection(self._dialect, self._sessions, self._grant, self._send, self._end)
        self._connection = connection
        self._sockets.add(self)
        self.registerProducer(_Brake(connection), True)
        connection.opened()

    def onMessageFrameBegin(self, length: int) -> None:
        """Bounds what Autobahn does not: the number of frames of one message."""
        self._fragments += 1
        if self._fragments > FRAGMENTS:
            self._fail_connection(1008, "too many fragments")
        super().onMessageFrameBegin(length)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """A message arrived; Autobahn has validated its UTF-8."""
        self._fragments = 0
        if self._connection is not None:
            self._connection.receive(payload if isBinary else payload.decode())

    def onPing(self, payload: bytes) -> None:
        """Answer, unless the peer reads no answers."""
        if self._connection is not None and self._connection.writable:
            self.sendPong(payload)

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        """The connection is gone."""
        self._sockets.discard(self)
        if self._connection is not None:
            self._connection.closed()
            self._connection = None

    def connectionLost(self, reason: Failure = Failure(Exception())) -> None:  # noqa: B008
        """Autobahn, and let go of what would keep the connection in memory."""
        super().connectionLost(reason)
        self._sockets.discard(self)
        self.gone.callback(None)

    # ---- what the connection calls

    def _send(self, frame: Frame) -> None:
        if self.state != self.STATE_OPEN:  # closing: Autobahn would raise
            return
        connection = self._connection
        if connection is not None and not connection.writable:
            self._unread += len(frame)
            if self._unread > UNREAD_BYTES:
                log.info("a client that does not read its answers was dropped: {peer}", peer=self.peer)
                self.dropConnection(abort=True)
                return
        else:
            self._unread = 0
        if isinstance(frame, bytes):
            self.sendMessage(frame, True)
        else:
            self.sendMessage(frame.encode(), False)

    def _end(self) -> None:
        self.sendClose(1000)


def _text(request: Request, text: str) -> bytes:
    request.setHeader(b"content-type", b"text/plain; charset=utf-8")
    return text.encode() + b"\n"


def masking_is_fast() -> bool:
    """Whether Autobahn unmasks input in C; without it, large pastes run at some 7 MB/s (measured)."""
    from autobahn.websocket import USES_NVX  # only asked once, at start

    return bool(cast("Any", USES_NVX))
