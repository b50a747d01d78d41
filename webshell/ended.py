"""How processes ended that are not kept any more: who comes back too late is not told that there was none."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass

REMEMBERED = 4096
"""As many as may be kept in all sessions; the oldest are forgotten. A megabyte."""

_REAL_TIME = "RTMIN+"


@dataclass(frozen=True, slots=True)
class End:
    """How a process ended.

    :ivar owner: whose it was.
    :ivar exit: as :func:`exit_number` says it; None: it is still being ended.
    """

    owner: str
    exit: int | None


class Ended:
    """A bounded memory of ends, and who waits for one."""

    __slots__ = ("_ends", "_waiting")

    def __init__(self) -> None:
        self._ends: dict[tuple[str, int], End] = {}
        self._waiting: dict[tuple[str, int], list[Callable[[], None]]] = {}

    def wait(self, session: str, process: int, call: Callable[[], None]) -> Callable[[], None]:
        """Call *call* once when that process, which runs, has ended. Returns what takes that back."""
        waiting = self._waiting.setdefault((session, process), [])
        waiting.append(call)

        def leave() -> None:
            if call in waiting:
                waiting.remove(call)
            if not waiting:
                self._waiting.pop((session, process), None)

        return leave

    def note(self, session: str, process: int, end: End) -> None:
        """Remember *end*; it is the newest now."""
        self._ends.pop((session, process), None)
        self._ends[session, process] = end
        if len(self._ends) > REMEMBERED:
            del self._ends[next(iter(self._ends))]
        if end.exit is not None:
            for call in self._waiting.pop((session, process), ()):
                call()

    def find(self, session: str, process: int) -> End | None:
        """How that process of that session ended; None: nothing is known of it."""
        return self._ends.get((session, process))


def exit_number(exit_code: int | None, name: str | None) -> int:
    """An end as Python's ``subprocess`` says it: the exit code, or the negative number of the signal of that *name*."""
    if name is None:
        return exit_code or 0
    if name.startswith(_REAL_TIME):
        return -(signal.SIGRTMIN + int(name.removeprefix(_REAL_TIME)))
    return -signal.Signals[f"SIG{name}"]
