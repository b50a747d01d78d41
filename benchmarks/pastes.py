"""Bulk input: a paste of many megabytes."""

from __future__ import annotations

import select
import time

from benchmarks.floods import DONE, READY
from benchmarks.rounds import Figures
from benchmarks.servers import Server, Workshop
from benchmarks.terminals import Webshell

PIECE_BYTES = 16 << 10
"""Of each frame, as a page cuts a paste."""


def paste(workshop: Workshop, name: str, megabytes: int) -> Figures:
    """Type *megabytes* into a program that reads and drops them."""
    pieces = megabytes * 1_000_000 // PIECE_BYTES
    total = pieces * PIECE_BYTES
    with Server(workshop, name) as server:
        terminal = server.terminal()
        terminal.wait_for(READY)
        # raw: no line is too long for it
        line = f"stty raw -echo 2>/dev/null; printf 'G''O'; head -c {total} >/dev/null; printf 'DO''NE'\n".encode()
        terminal.type(line)
        terminal.wait_for(b"GO")
        piece = terminal.wrapped(b"y" * PIECE_BYTES)
        sent = len(line)
        cpu, begin = server.cpu(), time.perf_counter()
        for _ in range(pieces):
            sent += PIECE_BYTES
            if isinstance(terminal, Webshell):
                while sent - terminal.taken > terminal.input_limit:
                    terminal.turn()
            elif select.select([terminal.socket], [], [], 0)[0]:
                terminal.turn()
            terminal.socket.socket.sendall(piece)
        terminal.wait_for(DONE)
        took, spent = time.perf_counter() - begin, server.cpu() - cpu
        terminal.close()
    return {"MB/s": total / took / 1e6, "CPU s/GB": spent / total * 1e9}
