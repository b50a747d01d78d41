"""One connection of a side channel: read in turns, written without waiting; it owns the socket."""

from __future__ import annotations

import socket
from collections.abc import Callable

from twisted.internet.interfaces import IReadWriteDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from webshell.targets.reactor import IReactor

READ_BYTES = 1 << 16
"""Read before anything else has a turn: pictures shall not hold up keystrokes."""


@implementer(IReadWriteDescriptor)
class Wire:
    """A connected socket."""

    def __init__(
        self, reactor: IReactor, connection: socket.socket, heard: Callable[[bytes], None] = lambda data: None
    ) -> None:
        """:param heard: called with what arrived."""
        connection.setblocking(False)
        self._reactor = reactor
        self._socket: socket.socket | None = connection
        self._heard = heard
        self._queue = bytearray()

    @property
    def closed(self) -> bool:
        """Whether it is closed, by either side."""
        return self._socket is None

    def check(self) -> bool:
        """Whether it is open; also when the other side's end has not been read yet."""
        if self._socket is not None:
            try:
                if not self._socket.recv(1, socket.MSG_PEEK):
                    self.close()
            except BlockingIOError:
                pass
            except OSError:
                self.close()
        return not self.closed

    @property
    def pending(self) -> int:
        """Bytes that the kernel has not yet taken."""
        return len(self._queue)

    def resume(self) -> None:
        """Read, and notice the end."""
        if self._socket is not None:
            self._reactor.addReader(self)

    def pause(self) -> None:
        """Do not read."""
        self._reactor.removeReader(self)

    def write(self, data: bytes) -> None:
        """Write at once what the kernel takes, and the rest when it takes more. The caller bounds what is pending."""
        if self._socket is not None:
            self._queue += data
            self.doWrite()
            if self._queue:
                self._reactor.addWriter(self)

    def drain(self, limit: int) -> None:
        """Tell what is there now, but not more than *limit* bytes and one read."""
        while limit > 0 and (size := self._read()):
            limit -= size

    def close(self) -> None:
        """Forget what is pending, and close."""
        if self._socket is not None:
            self._reactor.removeReader(self)
            self._reactor.removeWriter(self)
            self._socket.close()
            self._socket = None
        self._queue.clear()

    # ---- what the reactor does

    def fileno(self) -> int:
        """For the reactor; -1 once it is closed."""
        return -1 if self._socket is None else self._socket.fileno()

    def logPrefix(self) -> str:
        """For the reactor's log."""
        return "webshell"

    def doRead(self) -> None:
        """There is something, or the end."""
        self._read()

    def doWrite(self) -> None:
        """The kernel may take something."""
        if self._socket is None:
            return
        try:
            count = self._socket.send(self._queue)
        except BlockingIOError:
            return
        except OSError:  # nobody will ever read it
            self.close()
            return
        del self._queue[:count]
        if not self._queue:
            self._reactor.removeWriter(self)

    def connectionLost(self, reason: Failure) -> None:
        """The other end is closed and nothing is left to read, or the reactor has stopped."""
        self.close()

    # ---- inside

    def _read(self) -> int:
        if self._socket is None:
            return 0
        try:
            data = self._socket.recv(READ_BYTES)
        except BlockingIOError:
            return 0
        except OSError:
            data = b""
        if data:
            self._heard(data)
        else:
            self.close()
        return len(data)
