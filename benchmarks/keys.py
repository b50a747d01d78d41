"""From a key to its echo, and from Ctrl-C to the prompt."""

from __future__ import annotations

import random
import time

from benchmarks import machine
from benchmarks.floods import READY, beside
from benchmarks.rounds import Figures
from benchmarks.servers import Server, Workshop
from benchmarks.terminals import Terminal

GAP = 0.004, 0.02
"""Seconds between an echo and the next key, at random: never in step with anything."""
LINE_KEYS = 60
"""Then return: a terminal takes no more than 4096 characters in a line."""


def echo(workshop: Workshop, name: str, keys: int, floods: int = 0) -> Figures:
    """*keys* keys one after another, with *floods* sessions that flood beside."""
    text, _ = workshop.text(100)
    with Server(workshop, name) as server:
        terminal = typing(server)
        with beside(server, str(text), floods):
            times = echoes(terminal, keys)
        terminal.close()
    return {"p50 µs": machine.percentile(times, 0.5), "p99 µs": machine.percentile(times, 0.99)}


def typing(server: Server) -> Terminal:
    """A terminal that echoes keys, and in which nothing else happens."""
    terminal = server.terminal()
    terminal.wait_for(READY)
    terminal.type(b"stty echo; printf 'KE''YS'; exec cat >/dev/null\n")
    terminal.wait_for(b"KEYS")
    return terminal


def echoes(terminal: Terminal, keys: int) -> list[float]:
    """Microseconds from sending each key until its echo has been received."""
    times = []
    for number in range(1, keys + 11):
        time.sleep(random.uniform(*GAP))
        terminal.seen = b""
        begin = time.perf_counter()
        terminal.type(b"\n" if number % LINE_KEYS == 0 else b"x")
        while not terminal.seen:
            terminal.turn()
        if number > 10:  # the first ones wake everything up
            times.append((time.perf_counter() - begin) * 1e6)
    return times


FAST_SECONDS = 1.5
"""Of flood before the Ctrl-C: whatever is going to pile up has done so."""


def ctrl_c(workshop: Workshop, name: str, megabytes_per_second: float = 0) -> Figures:
    """Ctrl-C in a flood that the client reads at so many MB/s, 0: as fast as it can."""
    text, _ = workshop.text(100)
    with Server(workshop, name) as server:
        terminal = server.terminal()
        terminal.wait_for(READY)
        several = f"{text} " * 8
        # a shell ends a line that a signal has ended, some only the command: the trap says so in either case
        terminal.type(f"trap 'printf STOP''PED' INT; cat {several}\n".encode())
        terminal.seen = b""
        received, at_stop = 0, -1
        begin, stop = time.perf_counter(), 0.0
        while b"STOPPED" not in terminal.seen:
            received += terminal.turn()
            now = time.perf_counter()
            ahead = received / (megabytes_per_second * 1e6) - (now - begin) if megabytes_per_second else 0
            if ahead > 0:
                time.sleep(ahead)
            if at_stop < 0 and now - begin > FAST_SECONDS:
                terminal.type(b"\3")
                at_stop, stop = received, time.perf_counter()
            if received > 700e6:
                raise SystemExit(f"{name}: Ctrl-C came too late to be measured")
        took = time.perf_counter() - stop
        terminal.close()
    return {"ms to the prompt": took * 1000, "MB after it": (received - at_stop) / 1e6}
