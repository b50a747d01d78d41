"""One descriptor between the daemon and a child: drained in large pieces, written without waiting.

The hot path begins here. It knows bytes and the reactor, neither processes nor terminals.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable

from twisted.internet.interfaces import IReadWriteDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from webshell.targets.reactor import IReactor

TERMINAL_TURN_BYTES = 1 << 16
"""Read from a terminal before anything else has a turn: 17 reads, half a millisecond (measured best for one flood)."""

PIPE_TURN_BYTES = 1 << 18
"""Read from a pipe before anything else has a turn: one or two reads, they are that much cheaper."""

SMALL_BYTES = 1 << 10
"""A first read below this is handed on at once, without asking for more: a keystroke's echo is never delayed."""

WRITE_BYTES = 1 << 16
"""Offered to the kernel at a time: what a pipe or a terminal's queue can hold."""

PIPE_BYTES = 1 << 20
"""A flooding pipe's size, where the system allows it; others stay at the kernel's 64 kB."""

_READ_BYTES = 1 << 16  # the most that one read is asked for

# One for all channels: it is empty again before doRead returns.
_buffer = memoryview(bytearray(PIPE_TURN_BYTES + _READ_BYTES))


@implementer(IReadWriteDescriptor)
class Channel:
    """A terminal's master, or our end of a pipe. It owns the descriptor."""

    __slots__ = ("_closing", "_descriptor", "_pipe", "_queue", "_reactor", "_took", "_turn", "_wrote")

    def __init__(
        self,
        reactor: IReactor,
        descriptor: int,
        *,
        wrote: Callable[[bytes], None],
        took: Callable[[], None],
        pipe: bool,
    ) -> None:
        """
        :param wrote: called with what the child wrote.
        :param took: called when the kernel took some of a backlog.
        """
        os.set_blocking(descriptor, False)
        self._reactor = reactor
        self._descriptor = descriptor
        self._wrote = wrote
        self._took = took
        self._pipe = pipe
        self._turn = PIPE_TURN_BYTES if pipe else TERMINAL_TURN_BYTES
        self._queue = bytearray()
        self._closing = False

    # ---- what a child does

    @property
    def pending(self) -> int:
        """Bytes that the kernel has not yet taken."""
        return len(self._queue)

    @property
    def closed(self) -> bool:
        """Whether it is closed, by either side."""
        return self._descriptor < 0

    def resume(self) -> None:
        """Read, and tell what was read."""
        if self._descriptor >= 0:
            self._reactor.addReader(self)

    def pause(self) -> None:
        """Do not read: the child blocks when the kernel's buffer is full."""
        self._reactor.removeReader(self)

    def write(self, data: bytes) -> None:
        """Write at once what the kernel takes, and the rest when it takes more."""
        if self._descriptor < 0 or self._closing:
            return
        if not self._queue:
            try:
                data = data[os.write(self._descriptor, data) :]
            except BlockingIOError:
                pass
            except OSError:  # nobody will ever read it
                return
            if not data:
                return
            self._reactor.addWriter(self)
        self._queue += data

    def close_when_written(self) -> None:
        """Close when the kernel has taken all."""
        if self._queue:
            self._closing = True
        else:
            self.close()

    def drain(self, limit: int) -> None:
        """Tell what is there now, paused or not, but not more than *limit* bytes and one turn."""
        while limit > 0 and (size := self._fill()[0]):
            limit -= size
            self._wrote(bytes(_buffer[:size]))

    def close(self) -> None:
        """Forget what is pending, and close."""
        if self._descriptor >= 0:
            self._reactor.removeReader(self)
            self._reactor.removeWriter(self)
            os.close(self._descriptor)
            self._descriptor = -1
        self._queue.clear()

    # ---- what the reactor does

    def fileno(self) -> int:
        """For the reactor; -1 once it is closed."""
        return self._descriptor

    def logPrefix(self) -> str:
        """For the reactor's log."""
        return "webshell"

    def doRead(self) -> None:
        """There is output, or its end."""
        size, ended = self._fill()
        if size:
            self._wrote(bytes(_buffer[:size]))
        if ended:
            self.close()

    def doWrite(self) -> None:
        """The kernel takes input again."""
        try:
            count = os.write(self._descriptor, self._queue[:WRITE_BYTES])
        except BlockingIOError:
            return
        except OSError:  # nobody will ever read it
            count = len(self._queue)
        del self._queue[:count]
        if not self._queue:
            self._reactor.removeWriter(self)
            if self._closing:
                self.close()
        if count:
            self._took()

    def connectionLost(self, reason: Failure) -> None:
        """The other end is closed and nothing is left to read, or the reactor has stopped."""
        backlog = bool(self._queue)
        self.close()
        if backlog:
            self._took()

    # ---- the drain

    def _fill(self) -> tuple[int, bool]:
        """Read what is there into the buffer, up to a turn's bytes: how many, and whether the end is reached."""
        descriptor = self._descriptor
        if descriptor < 0:
            return 0, True
        readv = os.readv
        size = 0
        ended = False
        try:
            while size < self._turn:
                count = readv(descriptor, (_buffer[size : size + _READ_BYTES],))
                size += count
                if count < SMALL_BYTES and (size == count or not count):
                    ended = not count
                    break
        except BlockingIOError:
            pass
        except OSError:  # a terminal that nobody has open any more
            ended = True
        if size >= _READ_BYTES and self._pipe:
            self._widen()
        return size, ended

    def _widen(self) -> None:
        self._pipe = False  # once is enough
        if hasattr(fcntl, "F_SETPIPE_SZ"):
            with contextlib.suppress(OSError):  # the user has used up its share
                fcntl.fcntl(self._descriptor, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
