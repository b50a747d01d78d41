"""Sessions that write as fast as they can."""

from __future__ import annotations

import multiprocessing
import select
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection

from benchmarks.rounds import Figures
from benchmarks.servers import Server, Workshop
from benchmarks.terminals import Terminal, WebshellViewer

READY, DONE = b"READY", b"DONE"
FORK = multiprocessing.get_context("fork")


def throughput(workshop: Workshop, name: str, megabytes: int, sessions: int = 1, viewers: int = 1) -> Figures:
    """Write *megabytes* of text in each of *sessions*, each with so many *viewers* (webshell only)."""
    pipe = name in ("websocketd", "webshell-pipe")
    text, behind_terminal = workshop.text(megabytes)
    expected = text.stat().st_size if pipe else behind_terminal
    with Server(workshop, name) as server:
        terminals = [server.terminal() for _ in range(sessions)]
        for terminal in terminals:
            terminal.wait_for(READY)
            for _ in range(viewers - 1):
                more = WebshellViewer(server.port, [terminal.session], server.token)  # type: ignore[attr-defined]
                more.wait_for(READY)
                terminals = [*terminals, more]
        for terminal in terminals:
            terminal.skim(expected)
        before, cpu, begin = [terminal.output_bytes for terminal in terminals], server.cpu(), time.perf_counter()
        for terminal in terminals[:sessions]:
            terminal.type(f"cat {text}; printf 'DO''NE'\n".encode())
        until_done(terminals)
        took, spent = time.perf_counter() - begin, server.cpu() - cpu
        for terminal, counted in zip(terminals, before, strict=True):
            got = terminal.output_bytes - counted
            if terminal.exact and got != expected + len(DONE):
                raise SystemExit(f"{name}: {got} bytes arrived, not {expected + len(DONE)}")
        frames = sum(terminal.socket.frames for terminal in terminals)
        for terminal in terminals:
            terminal.close()
    total = expected * sessions / 1e6
    return {
        "MB/s": total / took,
        "CPU s/GB": spent / total * 1000,
        "kB a frame": total * viewers * 1000 / frames,
    }


def until_done(terminals: Sequence[Terminal]) -> None:
    """Receive until all have shown DONE."""
    poll = select.epoll()
    by_descriptor = {terminal.socket.fileno(): terminal for terminal in terminals}
    for descriptor in by_descriptor:
        poll.register(descriptor, select.EPOLLIN)
    while by_descriptor:
        for descriptor, _ in poll.poll():
            terminal = by_descriptor[descriptor]
            terminal.turn()
            if DONE in terminal.seen:
                poll.unregister(descriptor)
                del by_descriptor[descriptor]
    poll.close()


def fairness(workshop: Workshop, name: str, sessions: int, seconds: float) -> Figures:
    """*sessions* floods at once: what the one gets that gets least, of what would be its share."""
    text, _ = workshop.text(100)
    with Server(workshop, name) as server:
        terminals = [server.terminal() for _ in range(sessions)]
        by_descriptor = {terminal.socket.fileno(): terminal for terminal in terminals}
        poll = select.epoll()
        for descriptor, terminal in by_descriptor.items():
            terminal.wait_for(READY)
            terminal.skim(1 << 60)
            terminal.type(f"while :; do cat {text}; done\n".encode())
            poll.register(descriptor, select.EPOLLIN)
        for length in (0.5, seconds):  # they all run before it counts
            counted = [terminal.socket.arrived for terminal in terminals]
            end = time.perf_counter() + length
            while time.perf_counter() < end:
                for descriptor, _ in poll.poll(0.1):
                    by_descriptor[descriptor].turn()
        got = [terminal.socket.arrived - before for terminal, before in zip(terminals, counted, strict=True)]
        poll.close()
        for terminal in terminals:
            terminal.close()
    return {"least share": min(got) * sessions / sum(got), "MB/s": sum(got) / seconds / 1e6}


def never_reads(workshop: Workshop, name: str, seconds: float) -> Figures:
    """A flood to a client that receives nothing: what the server takes for it, and does."""
    text, _ = workshop.text(100)
    with Server(workshop, name) as server:
        terminal = server.terminal()
        terminal.wait_for(READY)
        before = server.memory()
        terminal.type(f"while :; do cat {text}; done\n".encode())
        time.sleep(seconds / 2)
        cpu = server.cpu()
        time.sleep(seconds / 2)
        busy = (server.cpu() - cpu) / (seconds / 2)
        after = server.memory()
        terminal.close()
    return {"MB more": (after - before) / 1e6, "% CPU": busy * 100}


@contextmanager
def beside(server: Server, text: str, count: int) -> Iterator[None]:
    """While it lasts, *count* sessions of *server* flood, and a process of its own reads them."""
    if not count:
        yield
        return
    here, there = FORK.Pipe()
    reader = FORK.Process(target=_read, args=(server, text, count, here, there), daemon=True)
    reader.start()
    there.close()
    try:
        if here.recv() != "flooding":
            raise SystemExit(f"{server.name} did not flood")
        time.sleep(0.3)  # all of them are under way
        yield
    finally:
        here.close()
        reader.join()


def _read(server: Server, text: str, count: int, other_end: Connection, parent: Connection) -> None:
    other_end.close()  # of the parent alone: its end is ours, too
    terminals = [server.terminal() for _ in range(count)]
    poll = select.epoll()
    by_descriptor = {}
    for terminal in terminals:
        terminal.wait_for(READY)
        terminal.skim(1 << 60)
        terminal.type(f"while :; do cat {text}; done\n".encode())
        by_descriptor[terminal.socket.fileno()] = terminal
        poll.register(terminal.socket.fileno(), select.EPOLLIN)
    parent.send("flooding")
    poll.register(parent.fileno(), select.EPOLLIN | select.EPOLLHUP)
    while True:
        for descriptor, _ in poll.poll():
            if descriptor == parent.fileno():
                poll.close()
                for terminal in terminals:
                    terminal.close()
                return
            by_descriptor[descriptor].turn()
