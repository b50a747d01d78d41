"""What a session needs of the directory that it stands in; it knows no directory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from webshell.ended import Ended
from webshell.limits import Clock, Limits
from webshell.process import Process
from webshell.runners import Runner
from webshell.target import Target


class House(Protocol):
    """What a session needs of the directory that it stands in."""

    target: Target
    limits: Limits
    clock: Clock
    now: Callable[[], float]
    kept: int
    """Processes in all sessions together, exited ones included."""
    running: int
    """Those of them that run, and those of ended sessions that are still ending."""
    ended: Ended
    """How processes ended that are not kept any more."""

    def runner(self, name: str) -> Runner:
        """The runner of that *name*; raises BadRequest."""

    def check_room(self) -> None:
        """Raise LimitReached if no process may be added."""

    def removed(self, process: Process) -> None:
        """*process* is no session's any more."""

    def forget(self, session: Any) -> None:
        """*session* has ended."""
