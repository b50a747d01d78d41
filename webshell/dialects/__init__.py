"""Dialects: from frames to requests and from events to frames. Each keeps codec state only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from webshell.messages import Event, Request

Frame = str | bytes
"""What travels: a text frame or a binary one."""


class Dialect(Protocol):
    """How one connection's client speaks."""

    acknowledges: bool
    """Whether the client acknowledges output and counts its input; if not, the transport is the only brake."""

    finished: bool
    """Whether everything has been said: the connection may be closed."""

    def opening(self) -> Sequence[Request]:
        """What the client asks for by connecting."""

    def decode(self, frame: Frame) -> Sequence[Request]:
        """What *frame* asks; what is no request becomes a ``Malformed``, never an exception."""

    def encode(self, event: Event) -> Sequence[Frame]:
        """How *event* is said; empty: this client is not told."""
