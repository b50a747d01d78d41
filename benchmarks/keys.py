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
