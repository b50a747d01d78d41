"""``webshell forward``: who connects to a port here is connected to one there."""

from __future__ import annotations

import contextlib
import errno
import socket
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from webshell.cli import relay
from webshell.cli.far import Far
from webshell.cli.places import shown
from webshell.cli.routes import Route, site
from webshell.cli.streams import write_all
from webshell.cli.transport import Door
from webshell.cli.trouble import Failed, NotStarted

LINES = 400
"""Connections at once: what a process may open by default is about a thousand, on either side."""

ABSENT = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})
"""This machine has no such address."""


async def command(reactor: Any, options: Namespace, door: Door) -> int:
    """Listen until a signal ends it.

    :returns: 128 + n after signal n.
    """
    forward = Forward(reactor, options, door)
    return await forward.done()


class Forward:
    """One command, and all its connections."""

    def __init__(self, reactor: Any, options: Namespace, door: Door) -> None:
        self._reactor = reactor
        self._routes: list[Route] = options.routes
        self._python = str(options.python)
        self._url = str(options.url)
        self._far = Far(reactor, door, patience=options.patience, told=self._heard)
        self._ports: list[Any] = []
        self._lines: dict[int, Line] = {}
        self._number = 0
        self._came = bytearray()
        self._ready = False

    async def done(self) -> int:
        """Its exit status."""
        return await self._far.carry("forward", self._work())

    async def _work(self) -> int:
        source = Path(relay.__file__).read_text("utf-8")
        argv = [self._python, "-I", "-S", "-c", source]
        try:
            try:
                await self._far.start("forward", argv, output=self._output)
            except NotStarted as trouble:
                raise NotStarted(f"{trouble}; --python names a Python that is there") from None
            status = await self._far.exited()
            old = "" if self._ready else f"; is {self._python} a Python from 3.8 on?"
            raise Failed(f"the relay ended there with status {status}{old}")
        finally:
            for port in self._ports:
                port.stopListening()
            for line in tuple(self._lines.values()):
                line.reset()

    # ---- what a line does

    def opened(self, line: Line, route: Route) -> int:
        """Somebody has connected. Returns its number, 0 if there are too many."""
        if len(self._lines) >= LINES:
            self._say(f"{LINES} connections are open; one more was closed")
            return 0
        self._number += 1
        self._lines[self._number] = line
        self.send(relay.OPEN, self._number, f"{route.target} {route.host}".encode())
        return self._number

    def send(self, kind: int, number: int, data: bytes = b"") -> None:
        """Say something of a line to the far end; what waits is bounded by the windows of the lines."""
        self._far.write(relay.HEADER.pack(kind, number, len(data)) + data)

    def closed(self, number: int) -> None:
        """It is over, on both sides."""
        self._lines.pop(number, None)

    def fail(self, text: str) -> None:
        """Something that must not be: end it all."""
        self._far.fail(Failed(text))

    # ---- what the far end says

    def _output(self, data: bytes, offset: int) -> None:
        self._far.consumed(offset)
        self._came += data
        header = relay.HEADER.size
        while len(self._came) >= header:
            kind, number, size = relay.HEADER.unpack_from(self._came)
            if size > relay.PIECE_BYTES or (kind == relay.READY) == self._ready:
                self.fail(f"{self._python} there does not speak as the relay does")
                return
            if len(self._came) < header + size:
                return
            frame = bytes(self._came[header : header + size])
            del self._came[: header + size]
            if kind == relay.READY:
                self._listen()
            elif number in self._lines and kind in TOLD:
                TOLD[kind](self._lines[number], frame)

    def gone(self, text: str) -> None:
        """The far end could not go on with a line."""
        if text:
            self._say(f"{self._url}: {text}")

    def _heard(self, line: str) -> None:
        self._say(f"{self._url}: {line}")

    def _say(self, text: str) -> None:
        with contextlib.suppress(OSError):
            write_all(2, f"webshell: {shown(text.encode('utf-8', 'surrogateescape'))}\n".encode())

    # ---- listening

    def _listen(self) -> None:
        self._ready = True
        for route in self._routes:
            port = route.port
            for address in route.addresses:
                factory = Factory.forProtocol(lambda route=route: Line(self, route))  # type: ignore[misc]
                factory.noisy = False
                try:
                    listening = self._reactor.listenTCP(port, factory, interface=address)
                except CannotListenError as error:
                    number = getattr(error.socketError, "errno", 0)
                    if address != route.addresses[0] and (number in ABSENT or not route.port):
                        continue
                    why = getattr(error.socketError, "strerror", "") or str(error.socketError)
                    self.fail(f"{site(address, port)}: {why}")
                    return
                self._ports.append(listening)
                port = listening.getHost().port
            self._tell(f"{site(route.addresses[0], port)} leads to {route.there}")

    def _tell(self, text: str) -> None:
        with contextlib.suppress(OSError):
            write_all(1, f"{text}\n".encode())


@implementer(IHalfCloseableProtocol, IPushProducer)
class Line(Protocol):
    """One connection here.

    It is its own producer: what came from there is reported as taken when the transport has no more of it.
    """

    transport: Any  # of TCP: no interface has all of it

    def __init__(self, forward: Forward, route: Route) -> None:
        self._forward = forward
        self._route = route
        self._number = 0
        self._room = relay.WINDOW_BYTES
        self._taken = 0  # bytes that have come and are not reported
        self._full = False
        self._ends = 0  # directions in which nothing more comes

    # ---- what the reactor says

    def connectionMade(self) -> None:
        """Somebody has connected."""
        self._number = self._forward.opened(self, self._route)
        if not self._number:
            self.reset()
            return
        self.transport.setTcpNoDelay(True)
        self.transport.registerProducer(self, True)

    def dataReceived(self, data: bytes) -> None:
        """They say something."""
        for begin in range(0, len(data), relay.PIECE_BYTES):
            self._forward.send(relay.DATA, self._number, data[begin : begin + relay.PIECE_BYTES])
        self._room -= len(data)
        if self._room <= 0:
            self.transport.pauseProducing()

    def readConnectionLost(self) -> None:
        """They have said everything."""
        self._forward.send(relay.END, self._number)
        self._ended()

    def writeConnectionLost(self) -> None:
        """They have been told everything."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """It is closed here."""
        if self._number and self._ends < 2:
            self._forward.send(relay.GONE, self._number)
        self._forward.closed(self._number)

    def pauseProducing(self) -> None:
        """They do not read as fast as it comes."""
        self._full = True

    def resumeProducing(self) -> None:
        """They have read all of it."""
        self._full = False
        self._report()

    def stopProducing(self) -> None:
        """They are gone; ``connectionLost`` follows."""

    # ---- what the far end says

    def told(self, data: bytes) -> None:
        """More for them."""
        self._taken += len(data)
        if self._taken > relay.WINDOW_BYTES:
            self._forward.fail("the relay there sends more than was agreed")
            return
        self.transport.write(data)
        if not self._full:
            self._report()

    def told_all(self) -> None:
        """That was all."""
        self.transport.unregisterProducer()
        self.transport.loseWriteConnection()
        self._ended()

    def more(self, count: int) -> None:
        """It has taken so much."""
        if self._room <= 0 < self._room + count:
            self.transport.resumeProducing()
        self._room += count

    def gone(self, why: str) -> None:
        """It is over there."""
        self._ends = 2
        self._forward.gone(why)
        self.reset()

    def reset(self) -> None:
        """Whoever is connected shall not take it for the end."""
        # Twisted does that only in its next turn, and there may be none
        self.transport.getHandle().setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, relay.NO_LINGER)
        self.transport.abortConnection()

    # ---- inside

    def _report(self) -> None:
        if self._taken:
            self._forward.send(relay.ROOM, self._number, relay.COUNT.pack(self._taken))
            self._taken = 0

    def _ended(self) -> None:
        self._ends += 1
        if self._ends == 2:
            self.transport.loseConnection()


TOLD: dict[int, Callable[[Line, bytes], None]] = {
    relay.DATA: lambda line, data: line.told(data),
    relay.END: lambda line, data: line.told_all(),
    relay.ROOM: lambda line, data: line.more(*relay.COUNT.unpack(data)),
    relay.GONE: lambda line, data: line.gone(data.decode("utf-8", "replace")),
}
