"""What carries input to a process, as its sender sees it: connections that come and go, and what is told of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

Data = bytes | memoryview


@dataclass(slots=True)
class Piece:
    """What is sent at once.

    :ivar offset: of its first byte in all that is sent.
    :ivar end: nothing comes after it.
    """

    offset: int
    data: Data
    end: bool = False


class Line(Protocol):
    """A connection that carries pieces."""

    accepted: int | None
    """What the server had when the connection began; None: it did not say."""

    pieces: int
    """How many may be under way unaccepted."""

    def send(self, piece: Piece) -> None:
        """Send it.

        :raises TimeoutError: the other end takes nothing for now. All of ``FAILURES`` may be raised.
        """

    def cut(self) -> None:
        """End it: it does not carry any more."""

    def rest(self) -> bool:
        """Nothing has been sent for a while, and nothing is under way. Returns whether the line is still of use."""

    def leave(self) -> None:
        """Nothing will be sent any more."""


class Lines(Protocol):
    """Where connections come from."""

    def line(self) -> Line | None:
        """A new one, as soon as there is one; None: there will be none.

        :raises OSError: it cannot be now. All of ``FAILURES`` may be raised.
        """

    def close(self) -> None:
        """None will be asked for any more."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """News: everything below *offset* is the process's; *end*: and it knows that this was all."""

    offset: int
    end: bool = False


@dataclass(frozen=True, slots=True)
class Broken:
    """News: nothing more will be accepted on *line*.

    :ivar error: why; None: that happens, and is nobody's fault.
    :ivar least: seconds to wait before there may be another one.
    """

    line: Line
    error: BaseException | None = None
    least: float = 0.0
