"""Where a program says something on a side channel: a socket that it connects to, as often as it likes."""

from __future__ import annotations

import os
import socket

from twisted.internet.interfaces import IDelayedCall, IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from webshell.channels import Cutter
from webshell.target import Parent
from webshell.targets.reactor import IReactor
from webshell.targets.wire import Wire

CONNECTIONS = 8
"""To one channel of a process: a library makes one, and each may hold one message in memory."""

REST_SECONDS = 0.5
"""From accepting, while the daemon has too many open files."""

DRAIN_BYTES = 1 << 23
"""Told after a process's exit: two of the longest messages, many times what a socket holds."""


@implementer(IReadDescriptor)
class Ear:
    """Listens for what the program says on one channel."""

    def __init__(self, reactor: IReactor, name: str, parent: Parent) -> None:
        self._reactor = reactor
        self._name = name
        self._parent = parent
        self._socket: socket.socket | None = None
        self._wires: list[Wire] = []
        self._held = False
        self._rest: IDelayedCall | None = None  # from accepting

    def open(self, path: str) -> None:
        """Listen; nobody is accepted before :meth:`resume`."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        self._socket.bind(path)
        os.chmod(path, 0o600)
        self._socket.listen(CONNECTIONS)

    def resume(self) -> None:
        """Accept and read."""
        self._rest = None
        if self._socket is not None:
            self._reactor.addReader(self)

    def hold(self, held: bool) -> None:
        """Stop reading, or read again."""
        self._held = held
        for wire in self._wires:
            if held:
                wire.pause()
            else:
                wire.resume()

    def drain(self) -> None:
        """Tell all that is there now."""
        while self._accepted():
            pass
        for wire in self._wires:
            wire.drain(DRAIN_BYTES)

    def close(self) -> None:
        """Listen no more, and forget half a message."""
        if self._rest is not None:
            self._rest.cancel()
            self._rest = None
        if self._socket is not None:
            self._reactor.removeReader(self)
            self._socket.close()
            self._socket = None
        while self._wires:
            self._wires.pop().close()

    # ---- what the reactor does

    def fileno(self) -> int:
        """For the reactor; -1 once it is closed."""
        return -1 if self._socket is None else self._socket.fileno()

    def logPrefix(self) -> str:
        """For the reactor's log."""
        return "webshell"

    def doRead(self) -> None:
        """Somebody connects."""
        if not self._accepted():  # we have too many open files, and would be told so again at once
            self._reactor.removeReader(self)
            self._rest = self._reactor.callLater(REST_SECONDS, self.resume)

    def connectionLost(self, reason: Failure) -> None:
        """The reactor has stopped."""
        self.close()

    # ---- inside

    def _accepted(self) -> bool:
        if self._socket is None:
            return False
        try:
            connection = self._socket.accept()[0]
        except OSError:  # nobody, or it has to wait
            return False
        self._wires = [wire for wire in self._wires if not wire.closed]
        if len(self._wires) >= CONNECTIONS:
            connection.close()
            return True
        cutter = Cutter(self._name, self._told)
        wire = Wire(self._reactor, connection, cutter.add)
        self._wires.append(wire)
        if not self._held:
            wire.resume()
        return True

    def _told(self, message: bytes) -> None:
        self._parent.said(self._name, message)
