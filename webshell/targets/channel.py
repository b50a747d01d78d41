"""One descriptor between the daemon and a child: drained in large pieces, written without waiting.

The hot path begins here. It knows bytes and the reactor, neither processes nor terminals.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable
from time import sleep

from twisted.internet.interfaces import IReadWriteDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from webshell.targets.floods import Floods
from webshell.targets.held import Held
from webshell.targets.reactor import IReactor

TERMINAL_READ_BYTES = 4095
"""All that a terminal hands out at a time."""

TERMINAL_HELD_BYTES = (1 << 16) - TERMINAL_READ_BYTES
"""Of a flooding terminal, handed on at a time (measured best): with one more read, one piece of a scrollback."""

PIPE_HELD_BYTES = 1 << 18
"""Of a flooding pipe: a few reads, they are that much cheaper."""

TYPING_HELD_BYTES = 1 << 13
"""… while somebody types: handing on 64 kB takes 60 µs, which a key would wait for."""

SMALL_BYTES = 1 << 10
"""A first read below this is handed on at once, without asking for more: a keystroke's echo is never delayed."""

WRITE_BYTES = 1 << 16
"""Offered to the kernel at a time: what a pipe or a terminal's queue can hold."""

PIPE_BYTES = 1 << 20
"""A flooding pipe's size, where the system allows it; others stay at the kernel's 64 kB."""

TOLD_BYTES = 1 << 15
"""Of a backlog, taken before that is told: a terminal takes 4 kB at a time, and telling costs as much as writing."""

KEY_BYTES = 16
"""Input of up to so many bytes is a key: its echo is waited for before floods go on."""

PIPE_READ_BYTES = 1 << 16
"""All that a pipe hands out at a time before it is widened, and the most that one read is asked for."""

LASTING_BYTES = 1 << 16
"""So much without a pause is no screenful any more, which would rather be seen at once."""

REST_SECONDS = 1e-6
"""The shortest sleep that there is; Linux makes 55 µs of it (``prctl(2)``, ``PR_SET_TIMERSLACK``).

Who reads what has just arrived in a terminal sleeps in the kernel for every few lines, and wakes: on an idle machine
that costs more than all the rest. Letting it fill first takes 5.0 s for a GB instead of 6.4, as fast (measured).
"""


@implementer(IReadWriteDescriptor)
class Channel:
    """A terminal's master, or our end of a pipe. It owns the descriptor."""

    __slots__ = (
        "_closing", "_descriptor", "_flood_bytes", "_floods", "_held", "_limit", "_pipe", "_queue", "_reactor", "_took",
        "_untold", "_wrote",
    )  # fmt: skip

    def __init__(
        self,
        reactor: IReactor,
        descriptor: int,
        floods: Floods,
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
        self._limit = PIPE_HELD_BYTES if pipe else TERMINAL_HELD_BYTES
        self._flood_bytes = PIPE_READ_BYTES if pipe else TERMINAL_READ_BYTES  # so much may be a flood
        self._queue = bytearray()
        self._untold = 0  # bytes of the queue that the kernel took
        self._closing = False
        self._floods = floods
        self._held: Held | None = None

    # ---- what a child does

    @property
    def pending(self) -> int:
        """Bytes that the kernel has not yet taken."""
        return len(self._queue)

    @property
    def closed(self) -> bool:
        """Whether either side has closed it."""
        return self._descriptor < 0

    def resume(self) -> None:
        """Read, and tell what was read."""
        if self._descriptor >= 0:
            self._reactor.addReader(self)
            if self._held is None:
                self._floods.precedence.add(self._descriptor)

    def pause(self) -> None:
        """Do not read: the child blocks when the kernel's buffer is full."""
        self._reactor.removeReader(self)
        self._floods.precedence.discard(self._descriptor)
        self._floods.discard(self)

    def write(self, data: bytes) -> int:
        """Write at once what the kernel takes, and the rest when it takes more: so many bytes are pending then."""
        if self._descriptor < 0 or self._closing:
            return len(self._queue)
        if not self._queue:
            if len(data) <= KEY_BYTES:
                self._floods.precedence.typed()
            try:
                data = data[os.write(self._descriptor, data) :]
            except BlockingIOError:
                pass
            except OSError:  # nobody will ever read it
                return 0
            if not data:
                return 0
            self._reactor.addWriter(self)
        self._queue += data
        return len(self._queue)

    def close_when_written(self) -> None:
        """Close when the kernel has taken all."""
        if self._queue:
            self._closing = True
        else:
            self.close()

    def drain(self, limit: int) -> None:
        """Tell what is there now, paused or not, but not more than *limit* bytes and one read."""
        self._hand_on()
        while limit > 0 and (data := self._read()[0]):
            limit -= len(data)
            self._wrote(data)

    def close(self) -> None:
        """Forget what is pending, and close."""
        if self._descriptor >= 0:
            self.pause()
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
        if self._held is not None:
            self._reactor.removeReader(self)
            self._floods.add(self)
            return
        self._floods.precedence.answered()
        data, ended = self._read()
        if len(data) >= self._flood_bytes and not ended:
            self._begin_flood()
        if data:
            self._wrote(data)
        if ended:
            self.close()

    def doWrite(self) -> None:
        """The kernel takes input again."""
        try:
            with memoryview(self._queue) as queue, queue[:WRITE_BYTES] as piece:
                count = os.write(self._descriptor, piece)
        except BlockingIOError:
            return
        except OSError:  # nobody will ever read it
            count = len(self._queue)
        del self._queue[:count]
        self._untold += count
        if not self._queue:
            self._reactor.removeWriter(self)
            if self._closing:
                self.close()
        if self._untold >= TOLD_BYTES or not self._queue:
            self._untold = 0
            self._took()

    def connectionLost(self, reason: Failure) -> None:
        """The other end is closed and nothing is left to read, or the reactor has stopped."""
        backlog = bool(self._queue)
        self.close()
        if backlog:
            self._took()

    # ---- what the floods do

    def surge(self, reads: int, typing: bool) -> bool:
        """Read, and hand on what is held if that is enough or all; False: nothing is there, or all was."""
        held, descriptor = self._held, self._descriptor
        if held is None or descriptor < 0:
            return False
        read, keep, most, before = os.read, held.pieces.append, self._flood_bytes, held.size
        # a read that brings less has overtaken the program
        behind = most if reads > 1 and not self._pipe and held.total >= LASTING_BYTES else 0
        limit = TYPING_HELD_BYTES if typing else self._limit
        size, empty, ended = before, False, False
        try:
            while reads and size < limit:
                data = read(descriptor, most)
                if not data:
                    ended = True
                    break
                keep(data)
                size += len(data)
                reads -= 1
                if len(data) < behind and size < limit:
                    sleep(REST_SECONDS)
        except BlockingIOError:
            empty = True
        except OSError:  # a terminal that nobody has open any more
            ended = True
        held.size = size
        held.total += size - before
        if empty and not (behind and size > before and self._floods.precedence.wait(descriptor)):
            self._pause_flood(held)
            return False
        if size >= limit or ended:
            self._hand_on()
        if ended:
            self.close()
        return self._held is held

    # ---- reading

    def _read(self) -> tuple[bytes, bool]:
        """What is there, or as much as begins a flood; and is the end reached?"""
        descriptor, most = self._descriptor, self._flood_bytes
        if descriptor < 0:
            return b"", True
        data = b""
        try:
            while len(data) < most:
                piece = os.read(descriptor, most)
                if not piece:
                    return data, True
                if not data and len(piece) < SMALL_BYTES:
                    return piece, False
                data += piece
        except BlockingIOError:
            pass
        except OSError:  # a terminal that nobody has open any more
            return data, True
        return data, False

    def _hand_on(self) -> None:
        held = self._held
        if held is not None and held.size:
            self._wrote(held.taken())

    def _begin_flood(self) -> None:
        self._held = Held()
        self._reactor.removeReader(self)
        self._floods.precedence.discard(self._descriptor)
        self._floods.add(self)
        if self._pipe:
            self._widen()

    def _pause_flood(self, held: Held) -> None:
        """There is nothing to read now; a flood that was none ends."""
        if held.total < SMALL_BYTES:
            self._held = None
            self._floods.precedence.add(self._descriptor)
        held.total = 0
        self._reactor.addReader(self)
        if held.size:
            self._wrote(held.taken())

    def _widen(self) -> None:
        if hasattr(fcntl, "F_SETPIPE_SZ"):
            with contextlib.suppress(OSError):  # the user has used up its share
                fcntl.fcntl(self._descriptor, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
