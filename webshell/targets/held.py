"""What was read of a flood and not yet handed on."""

from __future__ import annotations


class Held:
    """It, and how much the flood has brought without a pause.

    :ivar size: bytes of it.
    :ivar total: bytes since there was nothing to read for the last time.
    """

    __slots__ = ("pieces", "size", "total")

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.size = 0
        self.total = 0

    def taken(self) -> bytes:
        """All of it, and it is empty."""
        data = b"".join(self.pieces)
        self.pieces.clear()
        self.size = 0
        return data
