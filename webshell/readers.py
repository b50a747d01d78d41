"""Who reads one stream of one process by offset, and says how far it has got; it does not know by what it is carried.

Such a reader listens like everybody else. What it has not acknowledged is kept, as far as the process keeps anything.
"""

from __future__ import annotations

from enum import Enum
from typing import Protocol

from webshell.messages import Event, Exited, Gap, Output
from webshell.process import Process


class Why(Enum):
    """Why a reader is handed nothing more."""

    FULL = "until it acknowledges"
    EXITED = "the process has ended, and that was all"
    LOST = "what comes next is not kept any more"
    TAKEN = "somebody else reads now"


class Sink(Protocol):
    """What carries the bytes to a reader. Either method may let the reader leave; else it does not call back."""

    def hand(self, data: bytes) -> None:
        """The next bytes."""

    def halt(self, why: Why) -> None:
        """Nothing comes any more; after FULL, until :meth:`Reader.acknowledge`."""


class Reader:
    """A place in a stream; a :class:`webshell.cursor.Listener`.

    :ivar offset: of the next byte that will be handed on, counted in the stream.
    :ivar acknowledged: everything below has been consumed.
    """

    __slots__ = (
        "_full", "_limit", "_over", "_room", "_sink", "acknowledged", "offset", "process", "stream", "writable",
    )  # fmt: skip
    window = None  # its own count is of one stream: a cursor counts both
    client = ""
    may_type = False  # what answers for a terminal does not read by offset

    def __init__(self, process: Process, stream: int, offset: int, limit: int, sink: Sink) -> None:
        """:param limit: bytes that may be on their way unacknowledged."""
        self.process = process
        self.stream = stream
        self.offset = self.acknowledged = offset
        self.writable = True
        self._limit = limit
        self._room = True  # where it is carried
        self._full = False
        self._over = False
        self._sink = sink

    # ---- what a process does

    def deliver(self, event: Event) -> None:
        """Hand on what is of our stream; everything else is somebody else's business."""
        match event:
            case Output(stream=stream, data=data):
                if stream == self.stream:
                    self.offset += len(data)
                    self._sink.hand(data)
                self._brake()
            case Exited():
                self._stop(Why.EXITED)
            case Gap():
                self._stop(Why.LOST)

    # ---- what the transport does

    def begin(self) -> None:
        """Hand on what is there; nothing was before this."""
        self.process.attach(self, self.process.scrollback.place(self.stream, self.offset), told_exit=False)
        self._go_on()

    def pause(self) -> None:
        """It is full."""
        self._room = self.writable = False

    def resume(self) -> None:
        """It has room again."""
        self._room = True
        self._go_on()

    def acknowledge(self, offset: int) -> None:
        """Everything below *offset* has been consumed; what cannot be is ignored."""
        if self._over or not self.acknowledged < offset <= self.offset:
            return
        self.acknowledged = offset
        self.process.mark(self.stream, offset)
        self._full = False
        self._brake()
        self._go_on()

    def yield_to_another(self) -> None:
        """Somebody else reads now."""
        self._stop(Why.TAKEN)

    # ---- inside

    def _go_on(self) -> None:
        self.writable = self._room and not self._full
        if self.writable:
            self.process.resume(self)

    @property
    def complete(self) -> bool:
        """Whether the process has ended, and everything has been handed on."""
        return not self.process.running and self.offset == self.process.scrollback.span(self.stream)[1]

    def _brake(self) -> None:
        """Hold still when so much is on its way, or all that is kept is and the process is held back for it."""
        under_way = self.offset - self.acknowledged
        if self._full or not under_way:
            return
        kept = self.process.scrollback
        if under_way >= self._limit or (kept.full and self.offset == kept.span(self.stream)[1]):
            self._stop(Why.FULL)

    def _stop(self, why: Why) -> None:
        self._full = True
        self._over = why is not Why.FULL
        self.writable = False
        self._sink.halt(why)
