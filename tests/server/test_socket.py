"""What Autobahn and Twisted were told about a WebSocket, looked at from inside the reactor that serves it."""

from __future__ import annotations

import gc
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

reactor: Any = installed  # a module to the type checker


class Client(Protocol):
    """Shakes hands and remembers what it receives."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.received = b""
        self.greeted: Deferred[None] = Deferred()
        self.gone: Deferred[None] = Deferred()

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(
            b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            b"Sec-WebSocket-Protocol: webshell.v1\r\n\r\n" % self.port
        )

    def dataReceived(self, data: bytes) -> None:
        self.received += data
        if b'"hello"' in self.received and not self.greeted.called:
            self.greeted.callback(None)

    def abort(self) -> None:
        """Cut the connection."""
        transport: Any = self.transport
        transport.abortConnection()

    def connectionLost(self, reason: object = None) -> None:
        self.gone.callback(None)


class SocketTests(TestCase):
    """Through ``WebSocketResource`` in a ``Site``, as in the product."""

    timeout = 20

    async def _connected(self) -> tuple[Any, Client, Shell]:
        config = Config()
        shell = Shell(reactor, config, policy(reactor, config, lambda request: Grant("anna")))
        site = LimitedSite(shell.resource, reactor)
        port = reactor.listenTCP(0, site, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        number = port.getHost().port
        client = await connectProtocol(HostnameEndpoint(reactor, "127.0.0.1", number), Client(number))
        await client.greeted
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
        self.assertFalse(socket.factory.allowNullOrigin)
        self.assertIsNone(socket._perMessageCompress)

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
