"""The input of one process: counted for each client, bounded, and told when the process has taken it.

Counting is what makes input exact across a cut: a client sends again what was not *accepted*, and may have no more
under way than the limit beyond what was *taken*.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from webshell.errors import InputFull
from webshell.target import Child

CLIENT_BYTES = 256 << 10
"""Under way from one client: a round trip of 100 ms still carries 2.5 MB/s of pasted text."""

PROCESS_BYTES = 1 << 20
"""Under way to one process from all clients together."""

UNCOUNTED_BYTES = 8 << 20
"""The same from clients that do not count, and cannot know when to wait: two of the longest messages that there are."""

REPORT_BYTES = 32 << 10
"""Progress is reported in steps of this size: an eighth of the limit, so a paste never waits for a report."""

CLIENTS = 256
"""Counts kept for each process, several times the clients that may attend; who sent nothing for longest goes first."""


@dataclass(slots=True)
class Count:
    """What one client has sent to one process, in bytes since its first."""

    accepted: int = 0
    taken: int = 0
    reported: int = 0
    refused: bool = False
    """Something was not accepted: what follows would arrive out of order, until the client has attached again."""


@dataclass(slots=True)
class _Waiting:
    """A run of bytes of one client that was written and not yet taken."""

    count: Count
    size: int


class Intake:
    """All input of one process."""

    __slots__ = ("_counts", "_queue", "_waiting")

    def __init__(self) -> None:
        self._counts: dict[str, Count] = {}
        self._queue: deque[_Waiting] | None = None  # an idle process needs none: 0.7 kB
        self._waiting = 0  # the sum of the queue

    def begin(self, client: str) -> None:
        """*client* has attached: it is accepted again, and what it was told last may not have reached it."""
        if client in self._counts:
            self._counts[client].refused = False
            self._counts[client].reported = 0

    def accepted(self, client: str) -> int:
        """How many bytes of *client* were accepted so far."""
        return self._counts[client].accepted if client and client in self._counts else 0

    def taken(self, client: str) -> int:
        """How many bytes of *client* the process has taken; remembers that it was told."""
        count = self._counts.get(client)
        if count is None:
            return 0
        count.reported = count.taken
        return count.taken

    def write(self, client: str, data: bytes, child: Child) -> int | None:
        """Give *data* of *client* (empty: one that does not count) to *child*.

        :returns: what to report as taken to the client, or None if that can wait.
        :raises InputFull: too much is under way; nothing was accepted.
        """
        if not data:
            return None
        queue = self._queue
        pending = 0
        if queue:  # else the child has taken all
            self.advance(child)
            pending = child.pending
        count = self._count(client)
        if client and (count.refused or count.accepted - count.taken + len(data) > CLIENT_BYTES):
            count.refused = True
            raise InputFull(f"the process does not read its input: {count.accepted - count.taken} bytes are waiting")
        if pending + len(data) > (PROCESS_BYTES if client else UNCOUNTED_BYTES):
            count.refused = client != ""
            raise InputFull(f"the process does not read its input: {pending} bytes are waiting")
        pending = child.write(data)
        count.accepted += len(data)
        if not queue and not pending:  # the common case: the kernel took it all at once
            count.taken = count.accepted
            return self._due(count, REPORT_BYTES)
        if queue and queue[-1].count is count:
            queue[-1].size += len(data)
        else:
            if queue is None:
                queue = self._queue = deque()
            queue.append(_Waiting(count, len(data)))
        self._waiting += len(data)
        self.advance(child)
        return self.due(client)

    def due(self, client: str) -> int | None:
        """What to report to *client* as taken, or None if there is nothing new or it can wait."""
        count = self._counts.get(client)
        return None if count is None else self._due(count, REPORT_BYTES if self._queue else 1)

    def advance(self, child: Child) -> None:
        """The child may have taken input: count it for those that it was from."""
        gone = self._waiting - child.pending
        while gone > 0 and self._queue:
            oldest = self._queue[0]
            step = min(gone, oldest.size)
            gone -= step
            self._waiting -= step
            oldest.size -= step
            oldest.count.taken += step
            if not oldest.size:
                self._queue.popleft()

    @staticmethod
    def _due(count: Count, step: int) -> int | None:
        if count.taken - count.reported < step:
            return None
        count.reported = count.taken
        return count.taken

    def _count(self, client: str) -> Count:
        count = self._counts.pop(client, None) or Count()
        self._counts[client] = count  # now the newest
        if len(self._counts) > CLIENTS:
            del self._counts[next(iter(self._counts))]
        return count
