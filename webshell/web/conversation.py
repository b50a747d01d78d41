"""What a WebSocket asks of our end of it; it knows no WebSocket."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from webshell.dialects import Frame


class Conversation(Protocol):
    """What is at our end of a WebSocket; most are a :class:`webshell.connection.Connection`."""

    writable: bool
    """False while the transport is full."""

    def opened(self) -> None:
        """The connection is up."""

    def receive(self, frame: Frame) -> None:
        """A frame arrived."""

    def pause(self) -> None:
        """The transport is full."""

    def resume(self) -> None:
        """It has room again."""

    def closed(self) -> None:
        """The connection is gone."""


class End(Protocol):
    """What closes a WebSocket, normally or with a code of our own."""

    def __call__(self, code: int = 1000, reason: str = "") -> None:
        """Close it; *reason* has at most 123 bytes (RFC 6455, 5.5)."""


Connect = Callable[[Callable[[Frame], None], End], Conversation]
"""Makes our end, from what sends a frame and what closes."""
