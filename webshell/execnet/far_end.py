"""A line to a relay (``child/relay.py``), and what the first and the last that comes over it mean."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable
from typing import Any, Protocol


class Line(Protocol):
    """As much of a channel of execnet as is needed.

    :ivar gateway: which it is a channel of.
    """

    gateway: Any

    def send(self, item: object) -> None:
        """Send it; this may wait, but for nobody but the next."""

    def receive(self) -> Any:
        """The next item."""

    def setcallback(self, callback: Callable[[Any], Any], endmarker: object) -> None:
        """Have it called with each further item, and once with *endmarker*."""


def ending(status: int | None) -> str:
    """How a process ended, in words."""
    if status is None:
        return "ended"
    if status < 0:
        try:
            return f"was ended by {signal.Signals(-status).name}"
        except ValueError:
            return f"was ended by signal {-status}"
    return f"exited with status {status}"


def started(answer: Any, name: str) -> int:
    """The process's id; 0: it is a connection."""
    kind, *rest = answer
    if kind == "started":
        return int(rest[0])
    number, text, resolving = rest
    if resolving:
        raise socket.gaierror(number, f"{name}: {text}")
    raise OSError(number, f"{name}: {text}")
