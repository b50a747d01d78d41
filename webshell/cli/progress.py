"""How far a copy is, for people: one line that is written again and again on a terminal, and nothing elsewhere."""

from __future__ import annotations

import sys
import time

from webshell.cli.places import shown
from webshell.cli.terminal import size

STEP_SECONDS = 0.2
"""Between two looks of the line: as fast as one reads."""

NAME_CHARACTERS = 40
FIGURES_CHARACTERS = 40
"""What comes after the name; a line that is wider than the terminal could not be written again."""

UNITS = ("B", "kB", "MB", "GB", "TB")


class Progress:
    """Of one file after another.

    :ivar on: somebody sees it.
    """

    def __init__(self, *, quiet: bool) -> None:
        self.on = not quiet and sys.stderr.isatty()
        self._file: bytes | None = None
        self._size = self._done = 0
        self._begun = self._told = 0.0

    def at(self, file: bytes, size: int, done: int) -> None:
        """*done* of *size* bytes of *file* have been copied."""
        if not self.on:
            return
        now = time.monotonic()
        if file != self._file or done < self._done:
            self.end()
            self._file, self._begun, self._told = file, now, 0.0
        self._size, self._done = size, done
        if now - self._told >= STEP_SECONDS:
            self._told = now
            self._write("\r")

    def end(self) -> None:
        """Nothing is under way any more; what comes next gets a line of its own."""
        if self.on and self._file is not None:
            self._write("\n")
            self._file = None

    def _write(self, end: str) -> None:
        assert self._file is not None
        name = shown(self._file)
        room = max(1, min(NAME_CHARACTERS, size(2)[1] - FIGURES_CHARACTERS))
        name = name if len(name) <= room else f"…{name[len(name) - room + 1 :]}"
        part = 100 * self._done // self._size if self._size else 100
        speed = self._done / max(time.monotonic() - self._begun, 0.001)
        line = f"{name:<{room}} {part:>3}% {amount(self._done):>8} {amount(speed):>8}/s"
        if self._done < self._size and speed:
            left = int((self._size - self._done) / speed)
            line += f" {left // 60:>3}:{left % 60:02} left"
        print(f"\r\x1b[K{line}", end=end, file=sys.stderr, flush=True)


def amount(count: float) -> str:
    """Bytes, in the unit that gives up to four digits."""
    for unit in UNITS[:-1]:
        if count < 10_000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.0f} {UNITS[-1]}"
