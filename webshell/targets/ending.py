"""Finding everything that a child started, and ending it."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterable

from twisted.internet.defer import Deferred
from twisted.internet.process import reapProcessHandlers

from webshell.targets.census import Census, Running
from webshell.targets.reactor import IReactor

LOOK_SECONDS = 0.01
"""Until the first look whether signals have had their effect; doubled each time, up to …"""

LOOK_SECONDS_MOST = 0.25
"""… this: a count of all processes costs milliseconds."""

KILL_SECONDS = 5.0
"""How long KILL is repeated: what is there then waits for a device, and no signal ends it."""


class Family:
    """A child's process session, whatever carries its marker (after ``setsid``, double forks), and their children."""

    def __init__(self, census: Census, leader: int, marker: str) -> None:
        self._census = census
        self._leader = leader
        self._marker = marker.encode()
        self._session: int | None = leader  # None: the number is no longer its own; 0 is a session of another namespace
        self._groups: tuple[int, ...] = (leader,)
        self._reaped = False
        self._known: dict[int, bytes] = {}  # of numbers, when they started
        self._zombies: list[Running] = []

    def join(self, group: int) -> None:
        """*group* is known to be one of the family's: where the system has no process table nothing else is known."""
        self._groups = (*self._groups, group)

    def reap(self) -> None:
        """The child itself has ended, and its number may be given out again when its process session has ended too."""
        self._reaped = True

    async def living(self) -> list[Running]:
        """Those that have not ended."""
        reaped = self._reaped
        try:
            processes = await self._census.take(self._leader)
        except OSError:
            return self._in_groups()
        if reaped and any(process.pid == self._session for process in processes):
            self._session = None  # the number is another's by now, so that none of ours can be left in it
        found = {process.pid: process for process in processes if self._has(process)}
        alive = any(not process.gone for process in found.values())
        if not alive and (self._reaped or not found) and self._session and _send_group(self._session, 0):
            return [_group(self._session)]  # it forks faster than can be counted, or did so just before its end
        if reaped and not any(process.session == self._session for process in found.values()):
            self._session = None
        grown = -1
        while grown != len(found):
            grown = len(found)
            found |= {process.pid: process for process in processes if process.parent in found}
        self._known = {process.pid: process.started for process in found.values()}
        self._zombies = [process for process in found.values() if process.gone]
        return [process for process in found.values() if not process.gone]

    def send(self, processes: Iterable[Running], *numbers: int) -> None:
        """Send signals to *processes*."""
        for process in processes:
            if not process.started:
                for number in numbers:
                    _send_group(process.group, number)
            elif process.pid == self._leader and not self._reaped and self._leader in reapProcessHandlers:
                for number in numbers:  # the number is its own until it is reaped: nothing need be asked
                    _send(self._leader, number)
            else:
                self._census.send(process, *numbers)

    def kill(self, processes: Iterable[Running]) -> None:
        """Send KILL to *processes*, and to their groups, in one step: nothing that forks meanwhile escapes it."""
        processes = list(processes)
        known = [process for process in (*self._zombies, *processes) if process.started]
        for process in {process.group: process for process in known}.values():
            self._census.send_group(process, signal.SIGKILL)
        self.send(processes, signal.SIGKILL)

    def _has(self, process: Running) -> bool:
        return (
            (process.pid == self._leader and not self._reaped)  # just started, it has neither marker nor session yet
            or process.marker == self._marker
            or process.session == self._session
            or self._known.get(process.pid) == process.started  # it has lost the parent by which it was found
        )

    def _in_groups(self) -> list[Running]:
        self._groups = tuple(group for group in sorted({*self._groups}) if _send_group(group, 0))
        return [_group(group) for group in self._groups]


class Ending:
    """HUP, TERM and CONT to a whole family; KILL after a grace, until none is left."""

    def __init__(self, reactor: IReactor, family: Family, grace: float, hangup: bool = True) -> None:
        self._reactor = reactor
        self._family = family
        self._first = (*([signal.SIGHUP] if hangup else []), signal.SIGTERM, signal.SIGCONT)
        self._deadline = reactor.seconds() + grace
        self._gentle = grace > 0
        self._rest: Deferred[None] | None = None

    def hasten(self, grace: float) -> None:
        """KILL after *grace* seconds from now, if that is earlier."""
        self._deadline = min(self._deadline, self._reactor.seconds() + grace)
        self.wake()

    def wake(self) -> None:
        """Look again now."""
        rest, self._rest = self._rest, None
        if rest is not None:
            rest.callback(None)

    async def run(self) -> list[Running]:
        """End the family; returns those that no signal ends."""
        told: set[tuple[int, bytes]] = set()
        look = LOOK_SECONDS
        seconds = self._reactor.seconds
        asked = seconds()
        left = await self._family.living()
        if self._gentle:  # the grace begins with the first signals, however long it took to find whom to send them
            self._deadline += seconds() - asked
        while left and (remaining := self._deadline - seconds()) > 0:
            untold = [process for process in left if (process.pid, process.started) not in told]
            self._family.send(untold, *self._first)
            told.update((process.pid, process.started) for process in untold)
            await self._sleep(min(look, remaining))
            look = min(look * 2, LOOK_SECONDS_MOST)
            left = await self._family.living()
        look = LOOK_SECONDS
        last = seconds() + KILL_SECONDS
        while left and seconds() < last:
            self._family.kill(left)
            await self._sleep(look)
            look = min(look * 2, LOOK_SECONDS_MOST)
            left = await self._family.living()
        self._family.kill(left)  # also what forks faster than can be counted: its zombies tell its group
        return left

    async def _sleep(self, delay: float) -> None:
        rest: Deferred[None] = Deferred()
        self._rest = rest
        timer = self._reactor.callLater(delay, self.wake)
        await rest
        if timer.active():
            timer.cancel()


def _group(number: int) -> Running:
    """A process group of which no process is known."""
    return Running(number, b"", 0, number, 0)


def _send(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # it became another user's
        os.kill(pid, number)


def _send_group(group: int, number: int) -> bool:
    """Whether there is such a group."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    except PermissionError:  # some of it is another user's, or (macOS) only zombies
        pass
    return True
