"""Collects what a child writes for some milliseconds, so that what was written together is told together.

Python writes a SyntaxError in two pieces 2 to 9 ms apart (measured); clients of further-link expect it in one message,
and in a terminal the echo of a line together with what is answered. The echo of a key waits for nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from webshell.limits import Clock, Timer
from webshell.target import Parent

GATHER_BYTES = 16 << 10
"""With so much of one stream nothing is held back: a flood has no use for waiting."""


class Gathered:
    """A parent that tells another one later; the end is told after everything else."""

    __slots__ = ("_clock", "_ended", "_lines", "_parent", "_seconds", "_timer", "_waiting")

    def __init__(self, parent: Parent, clock: Clock, seconds: float, lines: bool, ended: Callable[[], None]) -> None:
        """
        :param seconds: how long, from the first byte on; 0: nothing is collected.
        :param lines: only from the end of a line on: what comes before that is told at once.
        :param ended: called when the child has ended, before *parent* is told.
        """
        self._parent = parent
        self._clock = clock
        self._seconds = seconds
        self._lines = lines
        self._ended = ended
        self._timer: Timer | None = None
        self._waiting: dict[int, bytes] = {}  # by stream

    def wrote(self, stream: int, data: bytes) -> None:
        """Output arrived."""
        held = self._waiting.get(stream, b"") + data
        if not self._seconds or len(held) >= GATHER_BYTES or (self._lines and b"\n" not in held):
            self._waiting.pop(stream, None)
            self._parent.wrote(stream, held)
            return
        self._waiting[stream] = held
        if self._timer is None:
            self._timer = self._clock.callLater(self._seconds, self._tell)

    def took(self) -> None:
        """The kernel took input."""
        self._parent.took()

    def said(self, channel: str, message: bytes) -> None:
        """The program said something on a side channel; that waits for nothing."""
        self._parent.said(channel, message)

    def exited(self, exit_code: int | None, signal: str | None, survivors: tuple[int, ...]) -> None:
        """The child ended."""
        if self._timer is not None:
            self._timer.cancel()
            self._tell()
        self._ended()
        self._parent.exited(exit_code, signal, survivors)

    def _tell(self) -> None:
        self._timer = None
        waiting, self._waiting = self._waiting, {}
        for stream, data in waiting.items():
            self._parent.wrote(stream, data)
