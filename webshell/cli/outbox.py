"""What goes to one process's standard input: kept until it is taken, so that a cut loses and doubles nothing."""

from __future__ import annotations


class Outbox:
    """Bytes with absolute offsets: taken by the process ≤ sent ≤ all."""

    __slots__ = ("_bytes", "sent", "taken")

    def __init__(self) -> None:
        self._bytes = bytearray()  # from taken on
        self.taken = 0
        self.sent = 0

    def add(self, data: bytes) -> None:
        """More to send."""
        self._bytes += data

    @property
    def end(self) -> int:
        """How many bytes there were, all in all."""
        return self.taken + len(self._bytes)

    @property
    def unsent(self) -> int:
        """Bytes that wait for room."""
        return self.end - self.sent

    def took(self, count: int) -> None:
        """The server says that *count* bytes have reached the process."""
        if count > self.taken:
            del self._bytes[: count - self.taken]
            self.taken = count
            self.sent = max(self.sent, count)

    def again(self, accepted: int) -> None:
        """After a cut: the server has accepted so many; what comes after them is sent again."""
        self.sent = min(max(accepted, self.taken), self.end)

    def take(self, window: int, frame: int) -> bytes:
        """The next piece to send, at most *frame* bytes, *window* beyond what was taken; empty: not now."""
        size = min(frame, self.taken + window - self.sent, self.unsent)
        if size <= 0:
            return b""
        begin = self.sent - self.taken
        self.sent += size
        return bytes(self._bytes[begin : begin + size])
