"""What the tests of the local target share: a parent that notes what it is told, and a check that nothing is left."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from webshell.command import Command, Size
from webshell.target import STDERR, STDOUT
from webshell.targets.local import LocalChild, LocalTarget

reactor = cast(Any, installed)

SIZE = Size()
TABLE = Path("/proc")


class Told:
    """A parent: what it was told, in order, and Deferreds for what a test waits for."""

    def __init__(self, *, keep: bool = True) -> None:
        self.streams = {STDOUT: bytearray(), STDERR: bytearray()}
        self.received = 0
        self.taken = 0
        self.exit: tuple[int | None, str | None, tuple[int, ...]] | None = None
        self.late: list[str] = []
        self.child: LocalChild | None = None
        self.on_output: Callable[[], None] = lambda: None
        self._keep = keep
        self._awaited: list[tuple[Callable[[], bool], Deferred[None]]] = []

    @property
    def output(self) -> bytes:
        return bytes(self.streams[STDOUT])

    def wrote(self, stream: int, data: bytes) -> None:
        if self.exit is not None or not data or not isinstance(data, bytes):
            self.late.append(f"wrote {stream} {data[:20]!r}")
        self.received += len(data)
        if self._keep:
            self.streams[stream] += data
        self.on_output()
        self._check()

    def took(self) -> None:
        if self.exit is not None:
            self.late.append("took")
        self.taken += 1
        self._check()

    def said(self, channel: str, message: bytes) -> None:
        self.late.append(f"said {channel}")

    def exited(self, exit_code: int | None, signal: str | None, survivors: tuple[int, ...]) -> None:
        if self.exit is not None:
            self.late.append("exited")
        self.exit = (exit_code, signal, survivors)
        self._check()

    def until(self, condition: Callable[[], bool]) -> Deferred[None]:
        """Comes when *condition* holds after something was told."""
        result: Deferred[None] = Deferred()
        self._awaited.append((condition, result))
        self._check()
        return result

    def seen(self, text: bytes) -> Deferred[None]:
        return self.until(lambda: text in self.streams[STDOUT])

    def more_than(self, count: int) -> Deferred[None]:
        return self.until(lambda: self.received > count)

    async def end(self) -> tuple[int | None, str | None, tuple[int, ...]]:
        await self.until(lambda: self.exit is not None)
        assert self.exit is not None
        return self.exit

    def _check(self) -> None:
        for entry in tuple(self._awaited):
            if entry in self._awaited and entry[0]():
                self._awaited.remove(entry)
                reactor.callLater(0, entry[1].callback, None)


class LocalCase(TestCase):
    """Each test has a target of its own; after it everything is as it was before."""

    timeout = 120

    async def setUp(self) -> None:  # type: ignore[override]
        await sleep(0)  # in a running reactor, with its own descriptors open
        self.target = self.make()
        self.parents: list[Told] = []
        self.before, self.ended_before = descriptors(), zombies()

    def make(self, **options: Any) -> LocalTarget:
        return LocalTarget(reactor, self.environment(), **options)

    def environment(self) -> Mapping[str, str]:
        return os.environ

    async def tearDown(self) -> None:  # type: ignore[override]
        await Deferred.fromCoroutine(self.target.shutdown(0))
        self.assertEqual(descriptors(), self.before)
        await eventually(lambda: not [pid for pid in zombies() if pid not in self.ended_before])
        self.assertEqual([parent.late for parent in self.parents if parent.late], [])
        for parent in self.parents:
            if parent.child is not None:
                self.assertEqual(await parent.child.family.living(), [])

    def spawn(self, *argv: str, keep: bool = True, **options: Any) -> Told:
        """Start *argv* in a terminal; ``size=None``: with pipes."""
        told = Told(keep=keep)
        self.parents.append(told)
        told.child = self.target.spawn(Command(argv, **{"size": SIZE, **options}), told)
        self.assertEqual((told.received, told.exit), (0, None))
        return told

    def sh(self, line: str, **options: Any) -> Told:
        return self.spawn("/bin/sh", "-c", line, **options)


def child(told: Told) -> LocalChild:
    assert told.child is not None
    return told.child


def sleep(seconds: float) -> Deferred[None]:
    """For polling what nobody tells: never for luck."""
    return deferLater(reactor, seconds)


async def eventually(condition: Callable[[], bool]) -> None:
    while not condition():
        await sleep(0.01)


def alive(pid: int) -> bool:
    """Whether it runs: a zombie does not."""
    try:
        return (TABLE / str(pid) / "stat").read_bytes().rpartition(b") ")[2][:1] not in b"ZX"
    except OSError:
        return False


def gone(pid: int) -> bool:
    return not alive(pid)


def descriptors() -> list[str]:
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            found.append(f"{name} {os.readlink(f'/proc/self/fd/{name}')}")
        except FileNotFoundError:  # the one that lists
            continue
    return sorted(found)


def zombies() -> list[str]:
    own = os.getpid()
    found = []
    for thread in threading.enumerate():
        path = TABLE / str(own) / "task" / str(thread.native_id) / "children"
        if path.exists():
            found += [pid for pid in path.read_text().split() if not alive(int(pid))]
    return found
