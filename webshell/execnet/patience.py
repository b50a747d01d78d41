"""How long a lost connection is waited for, and with which pauses."""

from __future__ import annotations

import threading
import time

from webshell.execnet.trouble import Gone

FIRST_PAUSE = 0.05
"""Seconds; a server that restarts, or a network that changes, is back in some tenths."""

LONGEST_PAUSE = 2.0
"""Seconds; each pause is twice the last one, up to this."""


class Patience:
    """Counts the time since something last worked."""

    def __init__(self, seconds: float, over: threading.Event) -> None:
        """:param over: set when there is nothing to wait for any more; it ends a pause."""
        self._seconds = seconds
        self._over = over
        self._pause = FIRST_PAUSE
        self._since: float | None = None

    def worked(self) -> None:
        """It does again."""
        if self._since is not None:
            self._since = None
            self._pause = FIRST_PAUSE

    def pause(self, seconds: float) -> None:
        """As the server asks."""
        self._over.wait(min(seconds, LONGEST_PAUSE))

    def fail(self, error: BaseException, least: float = 0.0) -> None:
        """Pause before trying again.

        :param least: seconds that the server asks for.
        :raises BaseException: *error*, when patience is over, or of no use.
        """
        now = time.monotonic()
        if self._since is None:
            self._since = now
        if isinstance(error, Gone) or now - self._since >= self._seconds or self._over.is_set():
            raise error
        self.pause(max(self._pause, least))
        self._pause = min(2 * self._pause, LONGEST_PAUSE)
