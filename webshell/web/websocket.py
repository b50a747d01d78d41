"""WebSockets: the only module that knows Autobahn, and it adds no policy to it.

Who may come in was decided before (``access.py``); what is said is the dialect's and the connection's business.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from autobahn.twisted.resource import WebSocketResource
from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from autobahn.websocket.protocol import WebSocketProtocol
from autobahn.websocket.types import ConnectionRequest
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress, IReactorTime, ITransport
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import Request

from webshell.connection import FRAME_BYTES, Connection
from webshell.dialects import Dialect, Frame
from webshell.sessions import Sessions
from webshell.targets.precedence import Precedence
from webshell.web.access import granted
from webshell.web.conversation import Connect, Conversation
from webshell.web.frames import BINARY, TEXT, small_messages
from webshell.web.handshake import bare
from webshell.web.outbox import Brake, Outbox

log = Logger()

FRAGMENTS = 1024
"""Frames that one message may come in: 300,000 empty ones cost Autobahn 1.6 s of the reactor."""

UNREAD_BYTES = 1 << 20
"""Answers and notices that a client which does not read may pile up (its output never does); then it is dropped."""

PING_SECONDS = 30.0
"""Under the 60 s after which proxies cut what is idle. A browser answers by itself, throttled tab or not."""

PONG_SECONDS = 60.0
"""A peer that has not answered for so long is gone; a phone between two cells is back in less."""

HANDSHAKE = (
    *("http_headers", "http_request_data", "http_request_params", "http_response_data", "http_status_line"),
    *("websocket_extensions", "websocket_protocols", "_headers", "_wskey"),
)
"""What Autobahn keeps of a handshake: a tenth of the memory of an idle session."""


class Sockets:
    """Turns upgrades into connections, and knows those that are open."""

    def __init__(self, sessions: Sessions, clock: IReactorTime, precedence: Precedence) -> None:
        """:param precedence: floods give way to what clients send."""
        self._precedence = precedence
        self._sessions = sessions
        self._clock = clock
        self._open: set[Socket] = set()
        self._factory = WebSocketServerFactory(server="")  # nobody needs to know what we run on
        self._factory.setProtocolOptions(  # the one place where Autobahn is told anything
            maxFramePayloadSize=FRAME_BYTES,
            maxMessagePayloadSize=FRAME_BYTES,
            autoPingInterval=PING_SECONDS,
            autoPingTimeout=PONG_SECONDS,
            openHandshakeTimeout=0,  # the request is here, whole, before Autobahn hears of it
            closeHandshakeTimeout=5,
            failByDrop=False,
            tcpNoDelay=True,
            webStatus=False,
            allowedOrigins=["*"],  # access.py has decided before
            allowNullOrigin=False,
        )
        self._factory.protocol = configured(self._factory)

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

        def connect(send: Callable[[Frame], None], end: Callable[[], None]) -> Connection:
            return Connection(dialect, self._sessions, grant, send, end)

        return self.join(request, connect, subprotocol, largest=largest, headers=headers)

    def join(
        self,
        request: Request,
        connect: Connect,
        subprotocol: str | None = None,
        *,
        largest: int = FRAME_BYTES,
        headers: Mapping[str, str] | None = None,
    ) -> int:
        """Upgrade *request*.

        :param connect: takes what sends a frame and what closes; returns our end.
        """

        def make(peer: IAddress) -> Socket:
            socket = cast("Socket", self._factory.buildProtocol(peer))
            socket.maxFramePayloadSize = socket.maxMessagePayloadSize = largest
            socket.prepare(connect, subprotocol, self._open, headers or {}, self._precedence)
            return socket

        return cast("int", WebSocketResource(_Door(make)).render(bare(request)))

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


class _Door:
    """What ``WebSocketResource`` calls its factory; here it makes the one protocol of one request."""

    def __init__(self, build: Callable[[IAddress], Socket]) -> None:
        self.buildProtocol = build


class Socket(WebSocketServerProtocol):
    """One WebSocket: Autobahn on one side, a :class:`Conversation` on the other."""

    transport: ITransport
    _connection: Conversation | None = None
    _outbox: Outbox | None = None
    _fragments = 0
    _unread = 0

    def prepare(
        self,
        connect: Connect,
        subprotocol: str | None,
        sockets: set[Socket],
        headers: Mapping[str, str],
        precedence: Precedence,
    ) -> None:
        """What the request decided, before the handshake."""
        self._connect = connect
        self._subprotocol = subprotocol
        self._sockets = sockets
        self._headers = headers
        self._precedence = precedence
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
        connection = self._connect(self._send, self._end)
        del self._connect
        self._connection = connection
        self._sockets.add(self)
        self.registerProducer(Brake(connection), True)
        self._outbox = outbox = Outbox(self.transport)
        if outbox.file >= 0:
            self._precedence.add(outbox.file)
        for name in HANDSHAKE:
            self.__dict__.pop(name, None)
        connection.opened()
        outbox.flush()

    def dataReceived(self, data: bytes) -> None:
        """Bytes from the network: whole small messages take the short way, everything else Autobahn's."""
        outbox = self._outbox
        if (
            outbox is None
            or self.data
            or self.current_frame is not None
            or self.inside_message
            or self.autoPingTimeoutCall  # Autobahn wants to see that the peer lives
            or self.state != self.STATE_OPEN
            or (messages := small_messages(data)) is None
        ):
            self._dataReceived(data)
            return
        if held := bool(messages) and messages[-1][0] == TEXT:  # else they are keys
            outbox.hold()
        try:
            for first, payload in messages:
                try:
                    message = payload if first == BINARY else payload.decode()
                except UnicodeDecodeError:
                    outbox.release()
                    self._invalid_payload("this is not UTF-8")
                    return
                if self._connection is not None and self.state == self.STATE_OPEN:
                    self._connection.receive(message)
        finally:
            if held and self._outbox is not None:
                outbox.release()

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
        if self._outbox is not None:
            self._precedence.discard(self._outbox.file)
            self._outbox = None
        if self._connection is not None:
            self._connection.closed()
            self._connection = None

    def connectionLost(self, reason: Failure = Failure(Exception())) -> None:  # noqa: B008
        """Autobahn, and let go of what would keep the connection in memory."""
        if isinstance(reason.value, ConnectionDone):
            self._connectionLost(reason)
        else:  # worth a line in the log, perhaps
            super().connectionLost(reason)
        self._sockets.discard(self)
        self.gone.callback(None)

    def _connectionLost(self, reason: Failure) -> None:
        # Autobahn's own makes texts for its log besides, read or not, as connectionLost and dataReceived do: 25 µs
        WebSocketProtocol._connectionLost(self, reason)
        self.factory.countConnections -= 1

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
        if self._outbox is not None:
            data, first = (frame, BINARY) if isinstance(frame, bytes) else (frame.encode(), TEXT)
            self._outbox.send(first, data)

    def _end(self, code: int = 1000, reason: str = "") -> None:
        if self._outbox is not None:
            self._outbox.release()
        self.sendClose(code, reason or None)


def configured(factory: WebSocketServerFactory) -> type[Socket]:
    """The protocol with the factory's options.

    Autobahn copies 28 of them to each protocol and formats them for its log, unless they are there: 0.3 ms and 2 kB.
    """
    options = ((name, getattr(factory, name)) for name in Socket.CONFIG_ATTRS)
    members = {name: staticmethod(value) if callable(value) else value for name, value in options}
    return type("Socket", (Socket,), {**members, "CONFIG_ATTRS": ()})


def masking_is_fast() -> bool:
    """Whether Autobahn unmasks input in C; without it, large pastes run at some 7 MB/s (measured)."""
    from autobahn.websocket import USES_NVX  # only asked once, at start

    return bool(cast("Any", USES_NVX))
