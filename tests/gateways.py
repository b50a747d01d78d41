"""Gateways at a daemon under test: their specs, and what is asked of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import execnet
from wire import PATIENCE, Server

TRANSPORTS = ("http", "ws")


def site(server: Server) -> str:
    """Host and port."""
    return server.url.partition("//")[2].rstrip("/")


def ask(gateway: execnet.Gateway, source: str) -> Any:
    """The first that *source* sends."""
    return gateway.remote_exec(source).receive(PATIENCE)


def pid_of(gateway: execnet.Gateway) -> int:
    """The worker's process id."""
    return int(ask(gateway, "import os; channel.send(os.getpid())"))


def alive(gateway: execnet.Gateway) -> bool:
    """Whether it answers."""
    channel = gateway.remote_exec("channel.send(channel.receive() + 1)")
    channel.send(1)
    return bool(channel.receive(PATIENCE) == 2)


def echo(gateway: execnet.Gateway) -> execnet.Channel:
    """A channel that sends back what it receives, until None."""
    return gateway.remote_exec("""
        while (item := channel.receive()) is not None:
            channel.send(item)
    """)


def eventually(holds: Callable[[], object]) -> bool:
    """Wait for what happens elsewhere."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


class Heard:
    """In place of ``sys.stderr``. pytest's own loses what a thread writes just while it is asked for what it has."""

    def __init__(self) -> None:
        self._parts: list[str] = []

    @property
    def text(self) -> str:
        """All that was written."""
        return "".join(self._parts)

    def write(self, text: str) -> None:
        self._parts.append(text)

    def flush(self) -> None:
        pass


TRIES = 5
"""A machine that does much else may hold up one of them, and another, but not all."""


def quick(seconds: float, attempt: Callable[[], float]) -> list[float]:
    """What each try of *attempt* took, in seconds, if that was too long each time; else nothing."""
    took: list[float] = []
    for _ in range(TRIES):
        took.append(attempt())
        if took[-1] <= seconds:
            return []
    return took


def exists(pid: int) -> bool:
    """Whether a process runs; one that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
