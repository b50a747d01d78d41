"""The last bytes of a process's output, by absolute offset; it knows neither who reads them nor what they mean."""

from __future__ import annotations

import copy
import re
from bisect import bisect_right
from operator import itemgetter

from webshell.limits import SCROLLBACK_BYTES
from webshell.modes import Modes
from webshell.target import STDERR, STDOUT

PIECE_BYTES = 4096
"""Smaller pieces are joined up to this size: what a process writes byte by byte must not cost an object a byte."""

CHUNK_BYTES = 65536
"""Larger ones are cut to this size, so that trimming by whole chunks stays near the capacity."""

SPARSE_BYTES = 256
"""What chunks hold at least on average, or the oldest go early: streams that take turns byte by byte are not joined."""

SAFE_SEARCH_BYTES = 4096
"""How far to look for a place where reading can begin without cutting a line, a sequence or a character in two."""

_SAFE = re.compile(rb"\n|\x1b")

_Chunk = tuple[int, int, bytes | bytearray, int]
"""Offset, stream, bytes, and how many bytes of standard error came before it."""


class Scrollback:
    """A ring of bytes in two streams that are counted together.

    :ivar base: the offset of the oldest kept byte.
    :ivar end: the offset after the newest: the number of bytes ever added.
    """

    __slots__ = ("_chunks", "_errors", "_modes", "_most", "base", "capacity", "end", "floor")

    def __init__(self, capacity: int = SCROLLBACK_BYTES, *, terminal: bool = False, keep: bool = False) -> None:
        """
        :param capacity: bytes to keep; up to one chunk more is held.
        :param terminal: the bytes go to a terminal whose modes matter after a gap.
        :param keep: drop nothing at or above :meth:`release`'s offset, whatever the capacity.
        """
        self.capacity = capacity
        self.base = 0
        self.end = 0
        self.floor: int | None = 0 if keep else None
        self._chunks: list[_Chunk] = []  # short: no deque, 0.7 kB
        self._errors = 0  # bytes of standard error ever added
        self._most = capacity // SPARSE_BYTES + 1
        self._modes = Modes() if terminal else None

    @property
    def full(self) -> bool:
        """Whether adding more would drop what must be kept, or hold more than the capacity."""
        if self.floor is None:
            return False
        if self.end - self.floor >= self.capacity:
            return True
        count = len(self._chunks)
        return count > self._most and count - self._index(self.floor) > self._most

    def add(self, stream: int, data: bytes) -> None:
        """Add *data* that arrived on *stream*, and drop the oldest beyond the capacity."""
        size = len(data)
        start = self.end
        self.end += size
        chunks = self._chunks
        if size < PIECE_BYTES:
            _, last_stream, last, _ = chunks[-1] if chunks else (0, 0, b"", 0)
            if type(last) is bytearray and last_stream == stream and len(last) + size <= PIECE_BYTES:
                last += data
            else:
                chunks.append((start, stream, bytearray(data), self._errors))
        elif size <= CHUNK_BYTES:
            chunks.append((start, stream, data, self._errors))
        else:
            for at in range(0, size, CHUNK_BYTES):
                before = self._errors + (at if stream == STDERR else 0)
                chunks.append((start + at, stream, data[at : at + CHUNK_BYTES], before))
        if stream != STDOUT:
            self._errors += size
        if self.end - self.base > self.capacity or len(chunks) > self._most:
            self._trim()

    def release(self, offset: int) -> None:
        """Somebody has consumed everything below *offset*: with *keep*, it may be dropped from now on."""
        if self.floor is not None and offset > self.floor:
            self.floor = offset
            self._trim()

    def _trim(self) -> None:
        chunks = self._chunks
        while chunks:
            oldest = chunks[0][2]
            after = self.base + len(oldest)
            if self.floor is not None and after > self.floor:
                return
            if self.end - after < self.capacity and len(chunks) <= self._most:
                return
            if self._modes is not None:
                self._modes.feed(bytes(oldest))
            del chunks[0]
            self.base = after

    def read(self, offset: int, limit: int) -> tuple[int, bytes]:
        """The stream and up to *limit* bytes from *offset*, which must be kept: ``base <= offset < end``."""
        if not self.base <= offset < self.end:
            raise IndexError(f"offset {offset} is not in {self.base}..{self.end}")
        start, stream, chunk, _ = self._chunks[self._index(offset)]
        at = offset - start
        if at == 0 and len(chunk) <= limit and type(chunk) is bytes:
            return stream, chunk
        return stream, bytes(chunk[at : at + limit])

    def span(self, stream: int) -> tuple[int, int]:
        """What is kept of *stream*, counted by itself: the offset of its oldest byte, and the one after its newest."""
        errors = self._chunks[0][3] if self._chunks else self._errors
        return (errors, self._errors) if stream == STDERR else (self.base - errors, self.end - self._errors)

    def place(self, stream: int, offset: int) -> int:
        """The byte that has *offset* in *stream*'s own count; if it is not here: the first that is, or the end."""
        base, end = self.span(stream)
        if offset >= end:
            return self.end
        offset = max(base, offset)
        own = _of_errors if stream == STDERR else _of_output
        chunk = self._chunks[bisect_right(self._chunks, offset, key=own) - 1]
        return chunk[0] + offset - own(chunk)

    def counts(self, offset: int) -> tuple[int, int]:
        """How many bytes of output and of errors came before *offset*, which is kept or the end."""
        if offset >= self.end:
            return self.end - self._errors, self._errors
        start, stream, _, errors = self._chunks[self._index(offset)]
        errors += offset - start if stream == STDERR else 0
        return offset - errors, errors

    def tail(self, stream: int, limit: int) -> bytes:
        """Up to *limit* of the last bytes that are kept of *stream*."""
        pieces: list[bytes] = []
        for _, of, data, _ in reversed(self._chunks):
            if of == stream:
                pieces.append(bytes(data[-limit:]))
                limit -= len(pieces[-1])
                if limit <= 0:
                    break
        return b"".join(reversed(pieces))

    def _index(self, offset: int) -> int:
        return bisect_right(self._chunks, offset, key=itemgetter(0)) - 1

    def after_gap(self) -> tuple[int, str]:
        """Where a reader who has lost its place goes on, and what restores a terminal there.

        The place is after a line end or before an escape sequence if one is near, and never inside a UTF-8 character.
        """
        if self.base == 0:
            return 0, ""
        head = b""
        for _, _, chunk, _ in self._chunks:
            head += chunk[:SAFE_SEARCH_BYTES]
            if len(head) >= SAFE_SEARCH_BYTES:
                break
        match = _SAFE.search(head, 0, SAFE_SEARCH_BYTES)
        if match:
            skip = match.end() if match[0] == b"\n" else match.start()
        else:
            skip = 0
            while skip < min(3, len(head)) and head[skip] & 0xC0 == 0x80:
                skip += 1
        if self._modes is None:
            return self.base + skip, ""
        modes = copy.deepcopy(self._modes)  # what is skipped may end a sequence that was cut
        modes.feed(head[:skip])
        return self.base + skip, modes.restore()


def _of_errors(chunk: _Chunk) -> int:
    return chunk[3]


def _of_output(chunk: _Chunk) -> int:
    return chunk[0] - chunk[3]
