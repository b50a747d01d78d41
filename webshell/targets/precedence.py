"""Who goes first: clients, keys and quiet terminals before floods. It knows descriptors only."""

from __future__ import annotations

import contextlib
import select
from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Any

ECHO_SECONDS = 100e-6
"""A key's echo comes within 15 µs where nothing else runs (measured); floods wait so long for it and no longer."""

TYPING_SECONDS = 1.0
"""So long after a key somebody is typing: floods are read more slowly and handed on in smaller pieces."""

WAIT_MILLISECONDS = 1
"""For the next output of a lasting flood, before what is there is handed on; the reactor waits no longer than that."""


class Precedence:
    """The descriptors for which a flood gives way as soon as one of them has something to read.

    Asking costs a microsecond, where another read of a flooding terminal takes fifteen or more.
    """

    def __init__(self, now: Callable[[], float] = perf_counter) -> None:
        """:param now: tells the time, in seconds."""
        self.now = now
        self._descriptors: set[int] = set()
        self._poll: Any = None  # there while there are descriptors; without epoll it costs more, the more there are
        self._ready: Callable[[], object] = _nothing
        self._typed = float("-inf")
        self._awaited = False

    def add(self, descriptor: int) -> None:
        """*descriptor* is read by the reactor, and does not flood."""
        if descriptor in self._descriptors:
            return
        try:
            if self._poll is None:
                epoll = hasattr(select, "epoll")
                poll: Any = select.epoll() if epoll else select.poll()
                self._poll, self._ready = poll, partial(poll.poll, 0, 1) if epoll else partial(poll.poll, 0)
            self._poll.register(descriptor, select.POLLIN)
        except OSError:  # the system has no descriptor or no memory left for this: then nobody waits for it
            return
        self._descriptors.add(descriptor)

    def discard(self, descriptor: int) -> None:
        """*descriptor* floods, or is not read now, or is about to be closed, or was closed just now."""
        if descriptor not in self._descriptors:
            return
        self._descriptors.remove(descriptor)
        if self._descriptors:
            with contextlib.suppress(OSError):  # closed: Twisted tells it afterwards
                self._poll.unregister(descriptor)
        else:
            self._poll = None  # which closes it
            self._ready = _nothing

    def typed(self) -> None:
        """A key was typed, and its echo will come."""
        self._typed = self.now()
        self._awaited = True

    def answered(self) -> None:
        """What does not flood has written something."""
        self._awaited = False

    def typing(self) -> bool:
        """Whether somebody types."""
        return self.now() - self._typed < TYPING_SECONDS

    def wanted(self) -> bool:
        """Whether one of the descriptors has something to read, or a key's echo is about to come."""
        if self._ready():
            return True
        self._awaited = self._awaited and self.now() - self._typed < ECHO_SECONDS
        return self._awaited

    def wait(self, descriptor: int) -> bool:
        """Wait a moment until *descriptor*, or one of those that go first, has something to read; False: none has.

        A turn of the reactor for each pause of a flood makes its frames 38 kB instead of 62 (measured).
        """
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        if self._poll is not None:
            if not hasattr(self._poll, "fileno"):
                return False  # no epoll here: it cannot be waited for
            poll.register(self._poll, select.POLLIN)
        return bool(poll.poll(WAIT_MILLISECONDS))


def _nothing() -> None:
    """What is ready when there are no descriptors."""
