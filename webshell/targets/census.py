"""Which processes there are: what the system's table says of each, and a signal to exactly the one that was meant."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred
from twisted.internet.process import reapProcessHandlers
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure

from webshell.targets.adoption import adopted, adopts, children, contents
from webshell.targets.environment import MARKER
from webshell.targets.reactor import IReactor

GONE = (b"Z", b"X")
"""States of a process that has ended and only waits for its parent to notice."""

ENVIRONMENT_BYTES = 1 << 18
"""How far an environment is searched for the marker: twice the longest entry that there can be."""

STAT_BYTES = 1 << 10
"""52 numbers and a name of 16 characters fit in half of it."""

FEW = 64
"""Children of the daemon up to which each one that ends looks at them itself: 20 µs, less than to share a look."""

DESCENTS = 3
"""How often is looked again while everything found has ended; what forks faster is told by its process group."""

_ASSIGNMENT = MARKER.encode() + b"="


class Running(NamedTuple):
    """A process. Its number is given out anew after it has ended: the time of its start tells the two apart."""

    pid: int
    started: bytes
    parent: int
    group: int
    session: int
    gone: bool = False
    marker: bytes = b""


class Census:
    """Counts all processes, in a thread because that takes long. Those who ask meanwhile share the next count."""

    def __init__(self, reactor: IReactor, table: Path) -> None:
        """:param table: where the system shows its processes, ``/proc``."""
        self._reactor = reactor
        self._table = str(table)
        self._asked: list[Deferred[list[Running]]] = []
        self._counting = False
        self._listed: list[Deferred[list[int]]] = []

    def take(self, leader: int) -> Deferred[list[Running]]:
        """Every process that is there from now on, zombies too; the kernel's and the daemon itself excepted.

        Of a daemon that adopts: those below it, of the children that have not ended only *leader* and what is below.
        Fails with OSError if the system has no such table, or no descriptor to read it with.
        """
        if adopts():
            return Deferred.fromCoroutine(self._descent(leader))
        result: Deferred[list[Running]] = Deferred()
        self._asked.append(result)
        if not self._counting:
            self._next()
        return result

    def send(self, process: Running, *numbers: int) -> None:
        """Send signals to *process*, never to another that has its number by now."""
        handle = _handle(process.pid)
        try:
            now = self._read(process.pid)
            if now is None or now.started != process.started:
                return
            for number in numbers:
                if handle is None:
                    os.kill(process.pid, number)
                else:
                    signal.pidfd_send_signal(handle, number)
        except (ProcessLookupError, PermissionError):  # it has ended; or it became another user's
            pass
        finally:
            if handle is not None:
                os.close(handle)

    def send_group(self, process: Running, number: int) -> None:
        """Send a signal to the process group of *process*, in one step: nothing that forks meanwhile escapes it."""
        now = self._read(process.pid)
        if now is not None and now.started == process.started and now.group == process.group:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.group, number)

    # ---- what is below

    async def _descent(self, leader: int) -> list[Running]:
        found: list[Running] = []
        before: list[int] = []
        for _ in range(DESCENTS):
            roots = await self._orphans()
            roots += [leader] if leader in reapProcessHandlers else []
            if roots == before:
                break
            if roots == [leader] and (alone := self._alone(leader)):
                return [alone]
            found = await self._in_thread(self._below, [*roots])
            before = roots
            if not all(process.gone for process in found):
                break
            # those who ended meanwhile may have left something, which was given to us after we looked
        if leader not in before and (holder := self._read(leader)):
            found.append(holder)  # of the number, which is another's by now
        return found

    def _alone(self, leader: int) -> Running | None:
        """A child that has started nothing; None: it has, or has ended.

        Most are so when they end, and two small files say it: a thread took three dozen futex calls (measured). The
        environment is not asked: the number is the child's own until it is reaped.
        """
        process = self._read(leader)
        return process if process and not process.gone and not children(leader) else None

    async def _orphans(self) -> list[int]:
        """What the daemon has adopted. Of many, whoever asks before the reactor's next turn shares one look at them.

        With 3000 of them it takes 1.4 ms: half of them ending at once took 2.7 s, and takes 1.0.
        """
        if len(reapProcessHandlers) <= FEW:
            return adopted()
        result: Deferred[list[int]] = Deferred()
        self._listed.append(result)
        if len(self._listed) == 1:
            self._reactor.callLater(0, self._list)
        return await result

    def _list(self) -> None:
        listed, self._listed = self._listed, []
        orphans: list[int] | Failure
        try:
            orphans = adopted()
        except OSError:  # no descriptor is free
            orphans = Failure()
        for result in listed:
            result.callback([*orphans] if isinstance(orphans, list) else orphans)  # a Failure makes it an errback

    def _below(self, roots: list[int]) -> list[Running]:
        """Runs in a thread."""
        found = []
        while roots:
            pid = roots.pop()
            if process := self._entry(pid):
                found.append(process)
                roots += children(pid)
        return found

    # ---- the count

    def _next(self) -> None:
        asked, self._asked = self._asked, []
        self._counting = bool(asked)
        if asked:
            self._in_thread(self._count).addBoth(self._counted, asked)

    def _counted(self, processes: list[Running] | Failure, asked: list[Deferred[list[Running]]]) -> None:
        for result in asked:
            result.callback(processes)  # a Failure makes it an errback
        self._next()

    def _count(self) -> list[Running]:
        """Runs in a thread."""
        daemon = os.getpid()
        found = []
        for name in os.listdir(self._table):
            if name.isdigit() and (process := self._entry(int(name))) and process.session and process.pid != daemon:
                found.append(process)
        return found

    # ---- the table

    def _in_thread(self, function: Callable[..., list[Running]], *arguments: Any) -> Deferred[list[Running]]:
        return deferToThreadPool(self._reactor, self._reactor.getThreadPool(), function, *arguments)

    def _entry(self, pid: int) -> Running | None:
        process = self._read(pid)
        if process is None or process.gone or not process.session:
            return process
        return process._replace(marker=self._marker(pid))

    def _read(self, pid: int) -> Running | None:
        try:
            line = contents(f"{self._table}/{pid}/stat", STAT_BYTES)
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            return None
        fields = line[line.rfind(b")") + 2 :].split(None, 20)  # the name before it may contain anything
        return Running(pid, fields[19], int(fields[1]), int(fields[2]), int(fields[3]), fields[0] in GONE)

    def _marker(self, pid: int) -> bytes:
        try:
            environment = b"\0" + contents(f"{self._table}/{pid}/environ", ENVIRONMENT_BYTES)
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            return b""
        _, found, rest = environment.rpartition(b"\0" + _ASSIGNMENT)
        return rest.partition(b"\0")[0] if found else b""


def _handle(pid: int) -> int | None:
    """Something that means this process for good; None where the system has no such thing, or the process is gone."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None
