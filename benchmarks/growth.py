"""How cost grows with the number of sessions: processor, memory, and the echo of a key."""

from __future__ import annotations

import random
import select
import time
from pathlib import Path

from benchmarks import machine
from benchmarks.floods import READY
from benchmarks.keys import GAP
from benchmarks.rounds import Figures
from benchmarks.servers import Server, Workshop
from benchmarks.terminals import Terminal

ACTIVE_SHARE = 0.01
"""Of the sessions, at least one, write a line ten times a second while "active" is measured."""
ACTIVE = b"while :; do echo the quick brown fox jumps over the lazy dog; sleep 0.1; done\n"
KEYS = b"stty echo; printf 'KE''YS'; exec cat >/dev/null\n"
SPARE_PTYS = 50
"""Left to others of the terminals that the machine has."""


class Crowd:
    """The terminals of many sessions, received from together."""

    def __init__(self) -> None:
        self.terminals: list[Terminal] = []
        self._by_descriptor: dict[int, Terminal] = {}
        self._poll = select.epoll()

    def add(self, terminal: Terminal) -> None:
        """One more, in which keys are echoed."""
        terminal.wait_for(READY)
        terminal.type(KEYS)
        terminal.wait_for(b"KEYS")
        self.join(terminal)

    def join(self, terminal: Terminal) -> None:
        """One more, as it is."""
        self.terminals.append(terminal)
        self._by_descriptor[terminal.socket.fileno()] = terminal
        self._poll.register(terminal.socket.fileno(), select.EPOLLIN)

    def rest(self, seconds: float) -> None:
        """Receive whatever comes meanwhile."""
        end = time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            self._turn(left)

    def echoes(self, keys: int) -> list[float]:
        """Microseconds from keys to their echoes, each in a session chosen at random."""
        times = []
        for _ in range(keys):
            self.rest(random.uniform(*GAP))
            terminal = random.choice(self.terminals)
            terminal.seen = b""
            begin = time.perf_counter()
            terminal.type(b"x")
            while not terminal.seen:
                self._turn(1.0)
            times.append((time.perf_counter() - begin) * 1e6)
        return times

    def close(self) -> None:
        """Leave them all."""
        self._poll.close()
        for terminal in self.terminals:
            terminal.close()

    def _turn(self, seconds: float) -> None:
        for descriptor, _ in self._poll.poll(seconds):
            self._by_descriptor[descriptor].turn()


def sizes(wanted: list[int]) -> list[int]:
    """As many of these numbers of sessions as the machine has terminals for; the last one may be less."""
    most = int(Path("/proc/sys/kernel/pty/max").read_text()) - SPARE_PTYS
    return sorted({min(size, int(most / (1 + ACTIVE_SHARE))) for size in wanted})


def growth(workshop: Workshop, name: str, size: int, keys: int = 200, seconds: float = 3.0) -> Figures:
    """*size* sessions, idle; then beside as many again of a hundredth that write."""
    with Server(workshop, name) as server:
        warm = server.terminal()
        warm.wait_for(READY)
        warm.close()
        before = server.memory()
        crowd = Crowd()
        for _ in range(size):
            crowd.add(server.terminal())
        crowd.rest(1.0)
        taken = server.memory() - before
        found = {f"idle {what}": value for what, value in _costs(server, crowd, keys, seconds).items()}
        writers = Crowd()
        for _ in range(max(1, round(size * ACTIVE_SHARE))):
            terminal = server.terminal()
            terminal.wait_for(READY)
            terminal.type(ACTIVE)
            crowd.join(terminal)
            writers.terminals.append(crowd.terminals.pop())  # keys do not go to these
        found |= {f"active {what}": value for what, value in _costs(server, crowd, keys, seconds).items()}
        crowd.close()
        writers.close()
    return {"sessions": size, "MB": taken / 1e6, **found}


def _costs(server: Server, crowd: Crowd, keys: int, seconds: float) -> Figures:
    crowd.rest(0.5)
    cpu = server.cpu()
    crowd.rest(seconds)
    busy = (server.cpu() - cpu) / seconds
    times = crowd.echoes(keys)
    return {"% CPU": busy * 100, "p50 µs": machine.percentile(times, 0.5), "p99 µs": machine.percentile(times, 0.99)}
