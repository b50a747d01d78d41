"""Which signals end a command, and how they are caught."""

from __future__ import annotations

import signal
from collections.abc import Iterable
from types import FrameType
from typing import Protocol

DEADLY = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


class Caught(Protocol):
    """What Python calls."""

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """A signal has come."""


def catch(numbers: Iterable[int], caught: Caught) -> None:
    """From now on *caught* gets them; HUP stays ignored if it was, as ``nohup`` wants it."""
    for number in numbers:
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, caught)
