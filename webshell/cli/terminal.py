"""The terminal that the command runs in: raw while it shows another one, and as it was afterwards."""

from __future__ import annotations

import os
import re
import signal
import termios
import tty
from types import TracebackType

from webshell.cli.trouble import Asked

LEAVE = b"".join(
    [
        *(b"\x1b[?%dl" % mode for mode in (1049, 1000, 1002, 1003, 1006, 1004, 2004, 1)),
        b"\x1b>\x1b[?25h\x1b7\x1b[r\x1b8\x1b[m",
    ]
)
"""Ends what a program may have switched on: alternate screen, mouse, paste marks, margins, colours."""

RESET = b"\x1bc"
"""Before what puts a terminal into the modes that hold after a gap."""

ANSWERS = re.compile(
    rb"\x1b\[(?:[?>=][0-9;]*c|\?[0-9;]*(?:\$y|u|R|n)|0n|[0-9]+;[0-9]+\$y|[0-9;]+t|(?!1;[2-8]R)[0-9]+;[0-9]+R)"
    rb"|\x1b\](?:[^\x07\x1b]|\x1b(?!\\))*(?:\x07|\x1b\\)"
    rb"|\x1bP(?:[^\x1b]|\x1b(?!\\))*\x1b\\"
)
"""What terminals say by themselves when a program asks them. ``ESC [ 1 ; 2 R`` and its like are keys, too."""

KEYS = "a letter with ^ before it, or one of ^] ^\\ ^^ ^_"


class Raw:
    """A context in which every key comes through as bytes."""

    def __init__(self, descriptor: int = 0) -> None:
        self._descriptor = descriptor
        self._kept: list[object] = []

    def __enter__(self) -> Raw:
        """From now on."""
        self._kept = termios.tcgetattr(self._descriptor)
        tty.setraw(self._descriptor, termios.TCSADRAIN)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """As it was."""
        kept, self._kept = self._kept, []
        try:
            termios.tcsetattr(self._descriptor, termios.TCSADRAIN, kept)  # type: ignore[arg-type]
        except termios.error:
            pass  # the terminal is gone

    def stop(self) -> None:
        """Stop this program, until a CONT, and leave whoever has the terminal meanwhile no raw one."""
        raw = bool(self._kept)
        if raw:
            self.__exit__(None, None, None)
        os.kill(os.getpid(), signal.SIGSTOP)
        if raw:
            self.__enter__()


def size(descriptor: int = 0) -> tuple[int, int]:
    """Rows and columns; 24 and 80 where a terminal does not know."""
    try:
        columns, rows = os.get_terminal_size(descriptor)
    except OSError:
        return 24, 80
    return rows or 24, columns or 80


def parse_key(text: str) -> bytes:
    """The byte that the key *text* sends; ``none``: nothing.

    :raises Asked: it is no such key.
    """
    if text == "none":
        return b""
    if len(text) == 2 and text[0] == "^" and text[1].upper() in "ABCDEFGHIJKLMNOPQRSTUVWXYZ]\\^_":
        return bytes([ord(text[1].upper()) & 0x1F])
    raise Asked(f"{text}: not a key to leave with; it is {KEYS}, or none")


def typed_and_answered(data: bytes) -> list[tuple[bool, bytes]]:
    """What came from the terminal, in order: whether it is an answer of the terminal's own, and its bytes."""
    pieces, at = [], 0
    for found in ANSWERS.finditer(data):
        if found.start() > at:
            pieces.append((False, data[at : found.start()]))
        pieces.append((True, found[0]))
        at = found.end()
    if at < len(data):
        pieces.append((False, data[at:]))
    return pieces
