"""How much of everything there may be, and the clock that the core tells time by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

SCROLLBACK_BYTES = 1 << 20
"""Output kept of each process unless configured otherwise: some 10,000 lines of 100 characters."""


class Timer(Protocol):
    """A call that has not yet happened."""

    def cancel(self) -> None:
        """It shall not happen."""


class Clock(Protocol):
    """Time, as every Twisted reactor and ``task.Clock`` offers it."""

    def seconds(self) -> float:
        """Now, in seconds since some beginning."""

    def callLater(self, delay: float, callable: Callable[[], object]) -> Timer:
        """Call *callable* in *delay* seconds."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of everything there may be; each is reached with a clear error, never with silence."""

    sessions: int = 256
    processes: int = 256  # in one session, exited ones included; the oldest exited are dropped to make room
    all_processes: int = 4096  # the same in all sessions together: times `scrollback`, the memory that output can take
    running: int = 512  # in all sessions together
    queued: int = 256  # starts that wait in one session
    attached: int = 64  # clients of one session
    scrollback: int = SCROLLBACK_BYTES
    window: int = 224 << 10  # bytes of output under way: more is no faster, and Ctrl-C leaves at most 0.3 MB
    linger: float = 86400.0  # seconds that a session outlives its last client
    grace: float = 3.0  # seconds between TERM and KILL
