"""Sessions: how soon they are there, what many of them cost."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks import machine
from benchmarks.floods import READY
from benchmarks.rounds import Figures
from benchmarks.servers import Server, Workshop
from benchmarks.terminals import Terminal, Webshell

PROCESSES = 200
"""Of one session, while descriptors are being opened: three for each."""


def start(workshop: Workshop, name: str, count: int, at_once: int = 1) -> Figures:
    """From the connection to the first prompt, *count* times, *at_once* at a time."""
    with Server(workshop, name) as server:

        def one(_: int) -> float:
            begin = time.perf_counter()
            terminal = server.terminal()
            terminal.wait_for(READY)
            took = time.perf_counter() - begin
            terminal.close()
            return took * 1000

        for number in range(3):
            one(number)
        begin = time.perf_counter()
        if at_once == 1:
            times = [one(number) for number in range(count)]
        else:
            with ThreadPoolExecutor(at_once) as pool:
                times = [*pool.map(one, range(count))]
        took = time.perf_counter() - begin
    return {"p50 ms": machine.percentile(times, 0.5), "p99 ms": machine.percentile(times, 0.99), "per s": count / took}


def blocked(workshop: Workshop, name: str, descriptors: int, count: int) -> Figures:
    """How long everybody else waits while a session starts, in a server that has *descriptors* open (webshell only).

    A request of another client follows each start at once; what its answer takes longer than an answer in between is
    the time for which the reactor was blocked.
    """
    with Server(workshop, name) as server:
        holders: list[Webshell] = []
        opened = Path(f"/proc/{server.process.pid}/fd")
        while len([*opened.iterdir()]) < descriptors:
            holder = _webshell(server)
            for _ in range(PROCESSES):
                holder.ask(type="start", runner="exec", argv=["sleep", "1000"], pty=False)
            _answered(holder)
            holders.append(holder)
        probe, idle, busy = _webshell(server), [], []
        for _ in range(count):
            terminal = _webshell(server)
            holders.append(terminal)  # nothing ends meanwhile
            time.sleep(0.02)
            idle.append(_answered(probe))
            terminal.ask(type="start", runner="exec", argv=[str(server.program)], pty=True)
            busy.append(_answered(probe))
            _answered(terminal)
        reached = len([*opened.iterdir()])
        for holder in holders:
            holder.close()
    return {
        "ms blocked": max(0.0, machine.median(busy) - machine.median(idle)),
        "ms without a start": machine.median(idle),
        "ms blocked p99": max(0.0, machine.percentile(busy, 0.99) - machine.median(idle)),
        "descriptors": reached,
    }


def _webshell(server: Server) -> Webshell:
    terminal = server.terminal()
    assert isinstance(terminal, Webshell)
    terminal.wait_for(READY)
    return terminal


def _answered(terminal: Webshell) -> float:
    """Milliseconds until it has an answer to a request."""
    terminal.last = ""
    begin = time.perf_counter()
    terminal.ask(type="ping", id=1)
    while terminal.last != "pong":
        terminal.turn()
    return (time.perf_counter() - begin) * 1000


def idle(workshop: Workshop, name: str, sessions: int, seconds: float = 2.0) -> Figures:
    """What the server takes for each of *sessions* in which nothing happens."""
    with Server(workshop, name) as server:
        warm = server.terminal()
        warm.wait_for(READY)
        memory, threads = server.memory(), machine.threads(server.pids())
        terminals: list[Terminal] = []
        for _ in range(sessions):
            terminals.append(server.terminal())
            terminals[-1].wait_for(READY)
        time.sleep(1.0)
        taken, more = server.memory() - memory, machine.threads(server.pids()) - threads
        cpu = server.cpu()
        time.sleep(seconds)
        busy = (server.cpu() - cpu) / seconds
        for terminal in [warm, *terminals]:
            terminal.close()
    return {"kB a session": taken / sessions / 1000, "threads a session": more / sessions, "% CPU": busy * 100}
