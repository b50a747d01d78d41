"""What a server on Twisted and Autobahn cannot do without, for each connection a terminal, and nothing else.

``autobahn_server.py PORT PROGRAM``. It asks nobody who they are, keeps neither session nor output, holds nothing back.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from autobahn.twisted.resource import WebSocketResource
from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from twisted.internet import reactor
from twisted.internet.interfaces import IReadDescriptor
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import Site
from zope.interface import implementer

from webshell.targets.channel import TERMINAL_READ_BYTES
from webshell.targets.spawning import Spawner

PROGRAM = sys.argv[2]
SPAWNER = Spawner()


class Bare(WebSocketServerProtocol):
    """Frames in, frames out."""

    _screen: Screen | None = None

    def onOpen(self) -> None:
        """Start the program."""
        self._screen = Screen(self)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """Type it."""
        if self._screen is not None:
            os.write(self._screen.fileno(), payload)

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        """End the program."""
        if self._screen is not None:
            self._screen.end()
            self._screen = None


@implementer(IReadDescriptor)
class Screen:
    """A terminal."""

    def __init__(self, socket: Bare) -> None:
        self._socket = socket
        self._master, slave = os.openpty()
        os.set_blocking(self._master, False)
        try:
            self._pid = SPAWNER.spawn(
                PROGRAM, [PROGRAM], os.environ, "/", dict.fromkeys(range(3), slave), terminal=os.ttyname(slave)
            )
        finally:
            os.close(slave)
        reactor.addReader(self)

    def fileno(self) -> int:
        """For the reactor."""
        return self._master

    def logPrefix(self) -> str:
        """For its log."""
        return "terminal"

    def doRead(self) -> None:
        """A frame for each read."""
        try:
            self._socket.sendMessage(os.read(self._master, TERMINAL_READ_BYTES), isBinary=True)
        except BlockingIOError:
            pass
        except OSError:  # nobody has it open any more
            reactor.removeReader(self)

    def connectionLost(self, reason: Failure) -> None:
        """The reactor stops."""

    def end(self) -> None:
        """Kill the program, and wait for it."""
        reactor.removeReader(self)
        os.close(self._master)
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)


def serve(port: int) -> None:
    """Until a signal comes."""
    factory = WebSocketServerFactory()
    factory.protocol = Bare
    root = Resource()
    root.putChild(b"ws", WebSocketResource(factory))
    site: Any = Site(root)  # an IProtocolFactory, but not for mypy
    reactor.listenTCP(port, site, interface="127.0.0.1")
    reactor.run()


if __name__ == "__main__":
    serve(int(sys.argv[1]))
