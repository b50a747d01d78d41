"""How a local child and everything that it started come to an end, and that nothing is left of them."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from unittest import SkipTest

from real.local_case import TABLE, LocalCase, Told, alive, child, descriptors, eventually, reactor, sleep, zombies
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock, deferLater

from webshell.command import Command, Size
from webshell.errors import SpawnFailed
from webshell.targets import adoption, census, local
from webshell.targets.adoption import adopt, adopted
from webshell.targets.census import Census, Running
from webshell.targets.ending import Ending as EndingOf
from webshell.targets.ending import Family as FamilyOf
from webshell.targets.local import LocalTarget

GRACE = 60.0  # far longer than any test takes: what ends before it ended without KILL

STUBBORN = """
import os, signal, sys
for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
    signal.signal(number, signal.SIG_IGN)
print("ready", flush=True)
while True:
    signal.pause()
"""

DAEMON = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        with open(sys.argv[1] + ".new", "w") as file:
            file.write(str(os.getpid()))
        os.rename(sys.argv[1] + ".new", sys.argv[1])
        for number in range(3):
            os.close(number)
        time.sleep(1000)
    os._exit(0)
os.wait()
print("ready", flush=True)
if len(sys.argv) > 2:
    time.sleep(1000)
"""

RESTLESS = """
import os, signal, time
if os.fork():
    time.sleep(1000)
for number in (signal.SIGHUP, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)
print("ready", flush=True)
stop = time.monotonic() + 60  # should the test fail
while time.monotonic() < stop:
    if os.fork():
        os._exit(0)
"""


def command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def is_stopped(pid: int) -> bool:
    return ") T " in Path(f"/proc/{pid}/stat").read_text()


def group_exists(number: int) -> bool:
    try:
        os.killpg(number, 0)
    except ProcessLookupError:
        return False
    return True


class Ending(LocalCase):
    async def test_stop_at_once(self) -> None:
        for size in (Size(), None):
            told = self.spawn("sleep", "1000", size=size)
            child(told).stop(GRACE)
            self.assertEqual(await told.end(), (None, "HUP", ()))

    async def test_a_child_that_shows_neither_marker_nor_session_yet(self) -> None:
        """As between the kernel's two steps of an exec: ``stop`` right after the start must find it all the same."""
        starting = Running(1234, b"1", os.getpid(), os.getpgrp(), 0)  # 0: one of another namespace, as in a container
        census = Census(reactor, Path("/nowhere"))
        found = [starting]
        self.patch(census, "take", lambda leader: succeed(found))
        family = FamilyOf(census, starting.pid, "a marker")
        self.assertEqual(await family.living(), [starting])
        family.reap()
        found[:] = [starting._replace(started=b"2")]  # another that was given its number
        self.assertEqual(await family.living(), [])

    async def test_what_was_forked_while_its_parent_ended_is_not_forgotten(self) -> None:
        """The count has seen the parent as a zombie, and not what it had started since; now it is reaped."""
        with subprocess.Popen(
            ["/bin/sh", "-c", "sleep 1000 & echo $!"], stdout=subprocess.PIPE, start_new_session=True
        ) as parent:
            assert parent.stdout is not None
            left = int(parent.stdout.readline())
            parent.wait()
            census = Census(reactor, Path("/nowhere"))
            zombie = Running(parent.pid, b"1", os.getpid(), parent.pid, parent.pid, gone=True)
            family = FamilyOf(census, parent.pid, "a marker")

            def take(leader: int) -> Deferred[list[Running]]:
                family.reap()
                return succeed([zombie])

            self.patch(census, "take", take)
            try:
                found = await family.living()
                self.assertNotEqual(found, [])
                family.kill(found)
                await eventually(lambda: not alive(left))
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(left, signal.SIGKILL)

    async def test_stop_an_interactive_shell_with_jobs(self) -> None:
        told = self.spawn("bash", "--norc", "--noprofile", env={"PS1": "READY>"})
        write = child(told).write
        await told.seen(b"READY>")
        write(b"sleep 1001 & sleep 1002 & disown; nohup sleep 1003 >/dev/null 2>&1 & setsid sleep 1004 & sleep 1005\n")
        await eventually(lambda: b"1005" in command_line(child(told)._ends.foreground()))
        write(b"\x1a")  # stops the last one
        await told.seen(b"Stopped")
        child(told).stop(GRACE)
        self.assertEqual((await told.end())[2], ())
        self.assertEqual(await self.family(told), [])

    async def test_stop_while_the_child_is_stopped(self) -> None:
        for size in (Size(), None):
            told = self.sh("echo ready; kill -STOP $$; sleep 1000", size=size)
            await told.seen(b"ready")
            await eventually(partial(is_stopped, child(told).pid))
            child(told).stop(GRACE)
            self.assertIn((await told.end())[1], ("HUP", "TERM"))

    async def test_a_program_that_ignores_signals_is_killed_after_the_grace(self) -> None:
        for size in (Size(), None):
            told = self.spawn(sys.executable, "-c", STUBBORN, size=size)
            await told.seen(b"ready")
            before = reactor.seconds()
            child(told).stop(0.2)
            self.assertEqual(await told.end(), (None, "KILL", ()))
            self.assertGreaterEqual(reactor.seconds() - before, 0.2)

    async def test_a_second_stop_hastens(self) -> None:
        told = self.spawn(sys.executable, "-c", STUBBORN)
        await told.seen(b"ready")
        child(told).stop(GRACE)
        child(told).stop(GRACE * 2)
        await sleep(0.1)
        assert told.exit is None
        child(told).stop(0)
        before = reactor.seconds()
        self.assertEqual(await told.end(), (None, "KILL", ()))
        self.assertLess(reactor.seconds() - before, GRACE / 2)

    async def test_stop_waits_for_a_stubborn_descendant(self) -> None:
        told = self.spawn("/bin/sh", "-c", f"{sys.executable} -c '{STUBBORN}' & wait")
        await told.seen(b"ready")
        child(told).stop(0.2)
        self.assertEqual(await told.end(), (None, "HUP", ()))
        self.assertEqual(await self.family(told), [])

    async def test_a_double_fork_without_terminal_is_found_by_its_marker(self) -> None:
        for size in (Size(), None):
            path = self.path()
            told = self.spawn(sys.executable, "-c", DAEMON, path, "stay", size=size)
            await told.seen(b"ready")
            await eventually(partial(os.path.exists, path))
            child(told).stop(GRACE)
            await told.end()
            assert not alive(int(Path(path).read_text()))

    async def test_a_daemon_is_reported_and_ended_by_a_stop_after_the_exit(self) -> None:
        path = self.path()
        told = self.spawn(sys.executable, "-c", DAEMON, path)
        await eventually(lambda: os.path.exists(path))
        daemon = int(Path(path).read_text())
        self.assertEqual(await told.end(), (0, None, (daemon,)))
        child(told).stop(GRACE)
        await eventually(lambda: not alive(daemon))

    async def test_what_left_something_is_looked_at_again(self) -> None:
        """So that what is remembered of them is bounded."""
        self.patch(local, "REMAINS", 2)
        for number in range(3):
            told = self.sh("trap '' HUP; sleep 1000 & exit 0", size=None)
            (survivor,) = (await told.end())[2]
            if number == 2:
                await eventually(lambda: len(self.target._remains) == 1)
            os.kill(survivor, signal.SIGKILL)
            table = TABLE / str(survivor)
            while table.exists():  # reaped, too
                await sleep(0.01)

    async def test_without_marker_but_in_the_session(self) -> None:
        told = self.sh("trap '' HUP; env -i sleep 1000 & echo $!")
        survivor = (await told.end())[2]
        self.assertEqual(survivor, (int(told.output),))
        child(told).stop(0)
        await eventually(lambda: not alive(survivor[0]))

    async def test_without_marker_in_another_session_but_a_child_of_ours(self) -> None:
        told = self.sh("env -i setsid --wait sleep 1000 & echo ready; wait")
        family = await self.family(told)
        while len({process.session for process in family}) < 2 or not all(process.started for process in family):
            family = await self.family(told)
        child(told).stop(GRACE)
        await told.end()
        assert not any(alive(process.pid) for process in family)

    async def test_a_stubborn_descendant_that_loses_the_parent_by_which_it_was_found(self) -> None:
        told = self.sh(f"env -i setsid --wait {sys.executable} -c '{STUBBORN}' & wait")
        await told.seen(b"ready")
        family = await self.family(told)
        self.assertEqual(len(family), 2)
        child(told).stop(0.3)
        self.assertEqual(await told.end(), (None, "HUP", ()))
        assert not any(alive(process.pid) for process in family)

    async def test_what_no_signal_ends_is_reported_as_a_survivor(self) -> None:
        clock = Clock()
        immortal = Immortal()
        ending = Deferred.fromCoroutine(EndingOf(clock, immortal, 1.0).run())  # type: ignore[arg-type]
        clock.pump([0.1] * 100)
        self.assertEqual(self.successResultOf(ending), [immortal.process])
        self.assertEqual(immortal.sent[:1], [(signal.SIGHUP, signal.SIGTERM, signal.SIGCONT)])
        self.assertGreater(immortal.sent.count((signal.SIGKILL,)), 10)
        self.assertEqual(clock.getDelayedCalls(), [])

    async def test_the_grace_begins_when_the_first_signals_are_sent(self) -> None:
        """On a busy machine it takes longer than a short grace to find whom to send them."""
        clock = Clock()
        slow = Slow(clock, 1.0)
        ending = Deferred.fromCoroutine(EndingOf(clock, slow, 0.1).run())  # type: ignore[arg-type]
        clock.pump([1.0] + [0.01] * 5)
        self.assertEqual(slow.sent, [(signal.SIGHUP, signal.SIGTERM, signal.SIGCONT)])
        clock.pump([1.0] * 20)
        self.successResultOf(ending)
        at_once = Slow(clock, 1.0)
        ending = Deferred.fromCoroutine(EndingOf(clock, at_once, 0.0).run())  # type: ignore[arg-type]
        clock.pump([1.0] * 20)
        self.successResultOf(ending)
        self.assertEqual(set(at_once.sent), {(signal.SIGKILL,)})

    async def test_shutdown_does_not_wait_for_what_no_signal_ends(self) -> None:
        told = self.spawn("cat", size=None)
        family, child(told).family = child(told).family, Immortal()  # type: ignore[assignment]
        await Deferred.fromCoroutine(self.target.shutdown(0))
        self.assertEqual(told.exit, None)
        child(told).family = family
        child(told).close_input()
        self.assertEqual(await told.end(), (0, None, ()))

    async def test_a_family_that_forks_faster_than_it_can_be_counted(self) -> None:
        told = self.spawn(sys.executable, "-c", RESTLESS)
        await told.seen(b"ready")
        child(told).stop(0.05)
        self.assertEqual((await told.end())[2], ())
        await eventually(lambda: not group_exists(child(told).pid))

    async def test_stop_in_what_is_told(self) -> None:
        told = self.sh("echo x; sleep 1000 & exit 0")
        told.on_output = lambda: child(told).stop(0)
        await told.end()

    async def test_others_are_left_alone(self) -> None:
        bystander = self.spawn("sleep", "1000", size=None)
        told = self.spawn("sleep", "1000", size=None)
        child(told).stop(0)
        await told.end()
        assert alive(child(bystander).pid)
        assert bystander.exit is None

    async def test_shutdown_ends_all_and_starts_nothing_more(self) -> None:
        path = self.path()
        told = [self.spawn("cat", size=size) for size in (Size(), None)]
        left = self.spawn(sys.executable, "-c", DAEMON, path)
        self.assertEqual(len((await left.end())[2]), 1)
        daemon = int(Path(path).read_text())
        stubborn = self.spawn(sys.executable, "-c", STUBBORN)
        await stubborn.seen(b"ready")
        starting = self.spawn("cat")
        await Deferred.fromCoroutine(self.target.shutdown(0.1))
        assert all(one.exit is not None for one in (*told, stubborn, starting))
        assert not alive(daemon)
        self.assertRaises(SpawnFailed, self.spawn, "true")

    async def test_a_hundred_children_leave_nothing(self) -> None:
        await self.sh("exit").end()
        before = (
            descriptors(),
            zombies(),
            self.threads(),
            len(reactor.getDelayedCalls()),
        )
        for turn in range(10):
            told = [self.sh("echo $$; exit 1", size=Size() if turn % 2 else None) for _ in range(10)]
            for one in told:
                self.assertEqual(await one.end(), (1, None, ()))
                self.assertEqual(int(one.output), child(one).pid)
        after = (
            descriptors(),
            zombies(),
            self.threads(),
            len(reactor.getDelayedCalls()),
        )
        self.assertEqual(before, after)

    async def test_a_natural_exit_is_reported_soon(self) -> None:
        delays = []
        for _ in range(20):
            told = self.spawn("cat", size=None)
            child(told).write(b"x")
            await told.seen(b"x")
            before = reactor.seconds()
            child(told).close_input()
            await told.end()
            delays.append(reactor.seconds() - before)
        self.assertLess(sorted(delays)[10], 0.5)

    # ---- for these tests

    def path(self) -> str:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return os.path.join(folder.name, "pid")

    async def family(self, told: Told) -> list[Running]:
        return await child(told).family.living()

    def threads(self) -> int:
        """The pool's idle threads come and go; only others count."""
        return sum(not thread.name.startswith("PoolThread") for thread in threading.enumerate())


class Immortal:
    """A family whose only process waits for a device."""

    def __init__(self) -> None:
        self.process = Running(1, b"1", 0, 1, 1)
        self.sent: list[tuple[int, ...]] = []

    async def living(self) -> list[Running]:
        return [self.process]

    def send(self, processes: list[Running], *numbers: int) -> None:
        if processes:
            self.sent.append(numbers)

    def kill(self, processes: list[Running]) -> None:
        self.send(processes, signal.SIGKILL)

    def reap(self) -> None:
        self.process = self.process._replace(gone=True)


class Slow(Immortal):
    """The same on a machine that takes *delay* seconds to count its processes."""

    def __init__(self, clock: Clock, delay: float) -> None:
        super().__init__()
        self._clock = clock
        self._delay = delay

    async def living(self) -> list[Running]:
        await deferLater(self._clock, self._delay)
        return [self.process]


class EndingByDescent(Ending):
    """In a daemon that adopts."""

    async def setUp(self) -> None:  # type: ignore[override]
        end = adopt()
        if end is None:
            raise SkipTest(
                "this system's kernel gives orphans to nobody but its first process, or does not list children"
            )
        self._end = end
        await super().setUp()

    async def tearDown(self) -> None:  # type: ignore[override]
        try:
            await super().tearDown()  # cleanups come before it: what was adopted would be reaped by nobody any more
        finally:
            self._end()

    async def test_an_orphan_is_adopted_and_reaped(self) -> None:
        told = self.sh("(trap '' HUP; echo $$; exec sleep 1000) & exit 0")
        orphan = (await told.end())[2]
        self.assertEqual([*orphan], adopted())
        for pid in orphan:
            os.kill(pid, signal.SIGKILL)
        await eventually(lambda: adopted() == [])

    async def test_nothing_is_counted_for_what_leaves_nothing(self) -> None:
        told = self.sh("exit 0")
        self.patch(child(told).family._census, "_in_thread", None)
        self.assertEqual(await told.end(), (0, None, ()))

    async def test_no_thread_looks_for_what_started_nothing(self) -> None:
        for size in (Size(), None):
            told = self.spawn("sleep", "1000", size=size)
            self.patch(child(told).family._census, "_in_thread", None)
            child(told).stop(GRACE)
            self.assertEqual(await told.end(), (None, "HUP", ()))

    async def test_who_ends_among_many_shares_a_look(self) -> None:
        self.patch(census, "FEW", 1)
        looks: list[list[int]] = []

        def look() -> list[int]:
            looks.append(adopted())
            return looks[-1]

        self.patch(census, "adopted", look)
        several = [self.spawn("sleep", "1000", size=None) for _ in range(3)]
        for told in several:
            child(told).stop(GRACE)
        self.assertEqual(looks, [])
        await sleep(0)
        self.assertEqual(len(looks), 1)
        for told in several:
            self.assertEqual(await told.end(), (None, "HUP", ()))

    async def test_stop_while_the_children_cannot_be_listed(self) -> None:
        def no_descriptor() -> list[int]:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

        for size, few in ((Size(), census.FEW), (None, census.FEW), (None, 0)):
            self.patch(census, "FEW", few)
            told = self.sh("echo ready; sleep 1000", size=size)
            await told.seen(b"ready")
            broken = self.patch(census, "adopted", no_descriptor)
            child(told).stop(GRACE)
            self.assertEqual((await told.end())[1], "HUP")
            broken.restore()

    async def test_who_forks_without_end_does_not_hold_up_the_reactor(self) -> None:
        self.patch(adoption, "AT_ONCE", 3)
        told = self.sh("trap '' HUP; for i in 1 2 3 4 5 6 7 8; do sleep 1000 & done; exit 0")
        orphans = (await told.end())[2]
        assert len(orphans) == 8
        for pid in orphans:
            os.kill(pid, signal.SIGKILL)
        for pid in orphans:
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        adoption.reap()
        assert len(adopted()) == 5
        await eventually(lambda: adopted() == [])

    async def test_a_number_that_is_anothers_by_now(self) -> None:
        told = self.sh("exit 0")
        await told.end()
        family = child(told).family
        family._session = family._leader = os.getppid()
        self.assertEqual([process.pid for process in await family._census.take(os.getppid())], [os.getppid()])
        self.assertEqual(await family.living(), [])


class EndingByGroups(LocalCase):
    """Where the system has no table of processes."""

    def make(self, **options: Any) -> LocalTarget:
        return super().make(table=Path("/nowhere"), **options)

    async def test_stop(self) -> None:
        for size in (Size(), None):
            told = self.sh("sleep 1000 & echo ready; wait", size=size)
            await told.seen(b"ready")
            child(told).stop(GRACE)
            self.assertEqual(await told.end(), (None, "HUP", ()))

    async def test_kill(self) -> None:
        told = self.spawn(sys.executable, "-c", STUBBORN)
        await told.seen(b"ready")
        child(told).stop(0.1)
        self.assertEqual(await told.end(), (None, "KILL", ()))

    async def test_survivors(self) -> None:
        told = self.sh("trap '' HUP; sleep 1000 & exit 0")
        self.assertEqual(await told.end(), (0, None, (child(told).pid,)))

    async def test_the_foreground_job_of_a_shell_that_ignores_signals(self) -> None:
        told = self.spawn("bash", "--norc", "--noprofile", env={"PS1": "READY>"})
        await told.seen(b"READY>")
        child(told).write(b"trap '' HUP TERM; sleep 1000\n")
        await eventually(lambda: child(told)._ends.foreground() != child(told).pid)
        child(told).stop(0.1)
        self.assertEqual((await told.end())[1], "KILL")


class Numbers(LocalCase):
    """A process number that has been given out anew is left alone."""

    async def test_a_signal_goes_to_the_process_that_was_meant(self) -> None:
        told = self.spawn("cat", size=None)
        child(told).write(b"x")
        await told.seen(b"x")
        (meant,) = await child(told).family.living()
        census = Census(reactor, Path("/proc"))
        other = meant._replace(started=meant.started + b"1")
        census.send(other, signal.SIGKILL)
        census.send_group(other, signal.SIGKILL)
        census.send_group(meant._replace(group=1), signal.SIGKILL)
        child(told).write(b"y")
        await told.seen(b"y")
        census.send(meant, signal.SIGTERM)
        self.assertEqual(await told.end(), (None, "TERM", ()))
        census.send(meant, signal.SIGTERM)

    async def test_a_session_number_that_is_anothers_by_now(self) -> None:
        """As if the number of an ended child had come to a new session's leader."""
        ended = self.spawn("true", size=None)
        await ended.end()
        other = self.spawn("sleep", "1000", size=None)
        family = child(ended).family
        family._session = child(other).pid
        self.assertEqual(await family.living(), [])
        child(ended).stop(0)
        await sleep(0.1)
        assert alive(child(other).pid)


class Reports(LocalCase):
    async def test_an_exit_before_spawn_returns(self) -> None:
        """Twisted may tell the exit from within spawnProcess."""
        told = Told()
        self.parents.append(told)
        target = LocalTarget(Hasty(), os.environ)  # type: ignore[arg-type]
        told.child = target.spawn(Command(("echo", "x"), size=None), told)
        assert told.exit is None
        self.assertEqual(await told.end(), (0, None, ()))
        self.assertEqual(told.output, b"x\n")

    async def test_a_parent_that_raises_is_logged_and_forgotten(self) -> None:
        told = self.spawn("true", size=None)
        told.until = None  # type: ignore[assignment,method-assign]
        told._check = self.fail  # type: ignore[method-assign]
        await Deferred.fromCoroutine(self.target.shutdown(GRACE))
        await sleep(0)  # until it is logged
        self.assertEqual(len(self.flushLoggedErrors(self.failureException)), 1)


class Hasty:
    """A reactor whose children end before spawnProcess returns."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return getattr(reactor, name)

    def spawnProcess(self, protocol: Any, *words: Any, **options: Any) -> Any:
        transport = reactor.spawnProcess(protocol, *words, **options)
        if transport.pid is not None:  # else it happened by itself
            os.waitid(os.P_PID, transport.pid, os.WEXITED | os.WNOWAIT)
            transport.reapProcess()
        return transport
