"""Who listens to a session and its processes, and how far each listener has got in the output."""

from __future__ import annotations

from typing import Protocol

from webshell.grant import Grant
from webshell.messages import Event

UNLIMITED = 1 << 62
"""The credit of a listener that does not acknowledge: its transport alone is the brake."""


class Listener(Protocol):
    """Who listens to a session's processes."""

    writable: bool
    """False while its transport is full."""

    @property
    def window(self) -> int | None:
        """Bytes of a process that may be on their way unacknowledged; None: it does not acknowledge."""

    @property
    def client(self) -> str:
        """The name under which its input is counted; empty: not counted."""

    @property
    def may_type(self) -> bool:
        """Whether its input is taken."""

    def deliver(self, event: Event) -> None:
        """Tell it *event*. May make ``writable`` False, never calls back otherwise."""


class Attendant(Listener, Protocol):
    """Who is attached to a session: a listener with a grant."""

    @property
    def grant(self) -> Grant:
        """Who it is and what it may do."""


class Cursor:
    """One listener's place in one process's output."""

    __slots__ = ("acknowledged", "listener", "offset", "old", "told_exit")

    def __init__(self, listener: Listener, offset: int, old: int) -> None:
        self.listener = listener
        self.offset = offset
        """The next byte to deliver."""
        self.acknowledged = offset
        """Everything below has been consumed."""
        self.old = old
        """Where new output began when it attached: what it answers to older output is not an answer."""
        self.told_exit = False

    @property
    def credit(self) -> int:
        """The offset up to which output may be delivered now."""
        if not self.listener.writable:
            return 0
        window = self.listener.window
        return UNLIMITED if window is None else self.acknowledged + window
