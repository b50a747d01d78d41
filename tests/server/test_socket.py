"""What Autobahn and Twisted were told about a WebSocket, looked at from inside the reactor that serves it."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, connectProtocol
from twisted.internet.protocol import Protocol
from twisted.trial.unittest import TestCase

from webshell.config import Config
from webshell.connection import FRAME_BYTES
from webshell.grant import Grant
from webshell.service import Shell, policy
from webshell.web.channel import LimitedChannel, LimitedRequest
from webshell.web.limits import LimitedSite
from webshell.web.outbox import Outbox

reactor: Any = installed  # a module to the type checker

PING_BYTES = 12
PING = bytes([0x89, PING_BYTES])
"""How Autobahn's own pings begin."""
PONG = bytes([0x8A, 0x80 | PING_BYTES, 0, 0, 0, 0])
"""How the answer to one begins, masked with zeros."""


class Client(Protocol):
    """Shakes hands and remembers what it receives."""

    def __init__(self, port: int, answers: bool) -> None:
        """:param answers: pings are answered."""
        self.port = port
        self.answers = answers
        self.received = b""
        self.pings = 0
        self.gone: Deferred[None] = Deferred()
        self._waiting: list[tuple[Callable[[], bool], Deferred[None]]] = []

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(
            b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            b"Sec-WebSocket-Protocol: webshell.v1\r\n\r\n" % self.port
        )

    def dataReceived(self, data: bytes) -> None:
        self.received += data
        pings = self.received.split(PING)[1:]
        for payload in pings[self.pings :] if self.answers else ():
            assert self.transport is not None
            self.transport.write(PONG + payload[:PING_BYTES])
        self.pings = len(pings)
        waiting, self._waiting = self._waiting, []
        for holds, reached in waiting:
            if holds():
                reached.callback(None)
            else:
                self._waiting.append((holds, reached))

    def until(self, holds: Callable[[], bool]) -> Deferred[None]:
        """Fires when *holds* is true of what has been received."""
        reached: Deferred[None] = Deferred()
        self._waiting.append((holds, reached))
        self.dataReceived(b"")
        return reached

    def abort(self) -> None:
        """Cut the connection."""
        transport: Any = self.transport
        transport.abortConnection()

    def connectionLost(self, reason: object = None) -> None:
        self.gone.callback(None)


class SocketTests(TestCase):
    """Through ``WebSocketResource`` in a ``Site``, as in the product."""

    timeout = 20

    async def _connected(self, answers: bool = False, **options: float) -> tuple[Any, Client, Shell]:
        """:param options: of Autobahn's, instead of our own; what is less than its second is nothing to it."""
        config = Config()
        shell = Shell(reactor, config, policy(reactor, config, lambda request: Grant("anna")))
        for name, value in options.items():
            setattr(shell.sockets._factory.protocol, name, value)
        site = LimitedSite(shell.resource, reactor)
        port = reactor.listenTCP(0, site, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        number = port.getHost().port
        client = await connectProtocol(HostnameEndpoint(reactor, "127.0.0.1", number), Client(number, answers))
        await client.until(lambda: b'"hello"' in client.received)
        (socket,) = shell.sockets._open

        async def stop() -> None:
            stopping = shell.stop()
            client.transport.loseConnection()
            await stopping
            await client.gone
            for call in reactor.getDelayedCalls():
                if "_BatchedTimer" in repr(call):  # Autobahn's timeouts stay until their second is over
                    call.cancel()

        self.addCleanup(lambda: Deferred.fromCoroutine(stop()))
        return socket, client, shell

    async def test_small_frames_leave_at_once(self) -> None:
        """Nagle and the delayed ACK cost 43 ms an echo (measured)."""
        socket, _, _ = await self._connected()
        self.assertEqual(socket.transport.getTcpNoDelay(), 1)

    async def test_the_transport_brakes_the_connection(self) -> None:
        """The HTTP channel's producer must have gone, or ours is refused where nobody sees it."""
        socket, _, _ = await self._connected()
        connection = socket._connection
        transport = socket.transport
        self.assertTrue(connection.writable)
        transport.producer.pauseProducing()
        self.assertFalse(connection.writable)
        transport.producer.resumeProducing()
        self.assertTrue(connection.writable)

    async def test_autobahn_is_bounded(self) -> None:
        """All of these are off by default."""
        socket, _, _ = await self._connected()
        self.assertEqual((socket.maxFramePayloadSize, socket.maxMessagePayloadSize), (FRAME_BYTES, FRAME_BYTES))
        self.assertGreater(socket.autoPingInterval, 0)
        self.assertGreater(socket.autoPingTimeout, 0)
        self.assertGreater(socket.closeHandshakeTimeout, 0)
        self.assertFalse(socket.factory.allowNullOrigin)
        self.assertIsNone(socket._perMessageCompress)

    async def test_nobody_is_told_what_we_run_on(self) -> None:
        _, client, _ = await self._connected()
        self.assertTrue(client.received.startswith(b"HTTP/1.1 101 "))
        self.assertNotIn(b"\r\nserver:", client.received.lower())

    async def test_a_peer_that_answers_no_ping_is_dropped(self) -> None:
        """A half-open connection ends, although nothing is ever sent that would fail."""
        socket, client, _ = await self._connected(autoPingInterval=0.1, autoPingTimeout=0.2)
        await client.gone
        self.assertEqual(client.pings, 1)
        await socket.gone

    async def test_a_peer_that_answers_pings_stays(self) -> None:
        """A browser answers by itself, in a background tab, too; the next ping follows an answer only."""
        socket, client, _ = await self._connected(answers=True, autoPingInterval=0.1)
        await client.until(lambda: client.pings == 3)
        self.assertEqual(socket.state, socket.STATE_OPEN)

    async def test_a_peer_that_does_not_take_its_leave_is_dropped(self) -> None:
        """It has been sent a closing frame, and says nothing more."""
        socket, client, _ = await self._connected(closeHandshakeTimeout=0.1)
        socket._end(4002, "enough")
        self.assertEqual(socket.state, socket.STATE_CLOSING)
        await client.gone
        await socket.gone

    async def test_when_the_server_stops_nobody_is_waited_for_longer_than_that(self) -> None:
        """Whoever has not left by then is dropped."""
        socket, client, shell = await self._connected(closeHandshakeTimeout=1000)
        await shell.sockets.close(0.1)
        await client.gone
        self.assertEqual(socket.state, socket.STATE_CLOSED)

    async def test_pings_are_not_answered_to_who_reads_nothing(self) -> None:
        """A hundred thousand of them cost a sender little, and answers would pile up here."""
        socket, client, _ = await self._connected()
        ping = b"\x89\x80\0\0\0\0"
        socket.dataReceived(ping)
        await client.until(lambda: b"\x8a\x00" in client.received)
        socket.transport.producer.pauseProducing()
        socket.dataReceived(ping * 1000)
        socket.transport.producer.resumeProducing()
        socket.dataReceived(b"\x89\x81\0\0\0\0!")
        await client.until(lambda: b"\x8a\x01!" in client.received)
        self.assertEqual(client.received.count(b"\x8a\x00"), 1)

    async def test_what_is_answered_at_once_comes_in_one_piece_and_before_a_close(self) -> None:
        socket, client, _ = await self._connected()
        pieces: list[bytes] = []
        write = Outbox._write

        def wrote(outbox: Outbox, start: bytes, data: bytes) -> None:
            pieces.append(start + data)
            write(outbox, start, data)

        self.patch(Outbox, "_write", wrote)
        asked = b'{"type":"ping"}'
        ping = bytes((0x81, 0x80 + len(asked), 0, 0, 0, 0)) + asked
        socket.dataReceived(ping * 3)
        await client.until(lambda: client.received.count(b'"pong"') == 3)
        self.assertEqual(len(pieces), 1)
        socket.dataReceived(ping * 2 + b"\x81\x81\0\0\0\0\xff")
        await client.until(lambda: b"\x88" in client.received)
        self.assertEqual(client.received.partition(b"\x88")[0].count(b'"pong"'), 5)

    async def test_a_socket_keeps_nothing_of_its_request(self) -> None:
        """5 kB for as long as it is open."""

        def kept() -> int:
            gc.collect()
            return sum(isinstance(one, LimitedRequest | LimitedChannel) for one in gc.get_objects())

        before = kept()
        await self._connected()
        self.assertLessEqual(kept(), before)

    async def test_nothing_is_left_of_a_connection(self) -> None:
        """The list of open sockets is empty again, and the connection has let go of its session."""
        socket, client, shell = await self._connected()
        client.abort()
        await client.gone
        await socket.gone
        self.assertEqual(shell.sockets._open, set())
        self.assertIsNone(socket._connection)
