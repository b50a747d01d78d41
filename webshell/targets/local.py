"""This machine: commands become processes of the daemon's own user."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from webshell.command import Command, Size
from webshell.errors import SpawnFailed
from webshell.target import Parent, Sides
from webshell.targets.census import Census, Running
from webshell.targets.chain import fastest
from webshell.targets.ending import Ending, Family
from webshell.targets.ends import Ends, Pipes, Terminal
from webshell.targets.environment import checked_words, child_environment, directory, executable, passed_on
from webshell.targets.floods import Floods
from webshell.targets.precedence import Precedence
from webshell.targets.reactor import IReactor
from webshell.targets.refusal import refuse
from webshell.targets.start import Launch, Start, by_chain, by_posix_spawn

log = Logger()

MARKER_BYTES = 8
"""Random bytes of a marker: it is found among at most millions of processes, and is no secret."""

SETTLE_SECONDS = 0.05
"""What a child leaves is looked at once more after this: jobs need a moment to follow their shell."""

REMAINS = 64
"""Exited children with survivors that are remembered before it is checked which of these are still there."""

GATE = ("/bin/sh", "-c", 'read _ <"$0"; exec "$@"')
"""Waits in the process that will be the program's: 1 ms."""


class LocalTarget:
    """Starts processes, and knows all that still have something running."""

    def __init__(
        self,
        reactor: IReactor,
        environment: Mapping[str, str],
        *,
        precedence: Precedence | None = None,
        start: Start | None = None,
        table: Path = Path("/proc"),
    ) -> None:
        """
        :param environment: the daemon's own; children get what the allow-list names.
        :param start: how a child comes to be; None: the fastest way that works here.
        :param table: where the system shows its processes; where it does not, only process groups are known.
        """
        self.reactor = reactor
        self._environment = passed_on(environment)  # the rest need not be looked through at each start
        self._floods = Floods(reactor, precedence or Precedence())
        self._start = start or by_posix_spawn() or by_chain(fastest())
        self.census = Census(reactor, table)
        self._children: set[LocalChild] = set()
        self._remains: set[LocalChild] = set()
        self._open = True

    def spawn(self, command: Command, parent: Parent) -> LocalChild:
        """Start *command* and tell *parent* about it; see :class:`webshell.target.Target`."""
        if not self._open:
            raise SpawnFailed("the server is shutting down")
        marker = secrets.token_hex(MARKER_BYTES)
        launch = self._prepare(command, marker)
        try:
            size = command.size
            ends = (
                Pipes(self.reactor, self._floods, parent)
                if size is None
                else Terminal(self.reactor, self._floods, size, parent)
            )
        except OSError as error:
            refuse(command, error)
        watch = _Watch(self.reactor)
        with contextlib.ExitStack() as opened:
            opened.callback(ends.close)
            try:
                self._start(self.reactor, watch, launch, ends.for_child)
            except OSError as error:
                refuse(command, error)
            opened.pop_all()
        ends.begin()
        child = LocalChild(self, watch.pid, ends, parent, marker)
        watch.child = child
        self._children.add(child)
        return child

    async def shutdown(self, grace: float) -> None:
        """Start nothing more, and end everything that was started; returns when nothing is left that can be ended."""
        self._open = False
        for ending in [child.end(grace) for child in (*self._children, *self._remains)]:
            await ending

    # ---- what a child does

    def settled(self, child: LocalChild, left: bool) -> None:
        """*child* has ended; *left*: but not all that it started."""
        self._children.discard(child)
        if not left:
            self._remains.discard(child)
            return
        self._remains.add(child)
        if len(self._remains) > REMAINS:
            for one in tuple(self._remains):
                _held(Deferred.fromCoroutine(self._review(one)))

    async def _review(self, child: LocalChild) -> None:
        if not await child.family.living():
            self._remains.discard(child)

    # ---- before anything starts

    def _prepare(self, command: Command, marker: str) -> Launch:
        if not command.argv or not command.argv[0]:
            raise SpawnFailed("there is no program to run: the argument list is empty")
        checked_words((*command.argv, command.arg0, command.cwd, *command.env, *command.env.values()))
        terminal = command.size is not None
        environment = child_environment(self._environment, command.env, terminal=terminal, marker=marker)
        environment |= command.trusted
        cwd = directory(command.cwd, environment["HOME"])
        program = executable(command.argv[0], environment["PATH"], cwd)
        environment["PWD"] = cwd
        if command.gate:
            argv = (*GATE, command.gate, program, *command.argv[1:])
            return Launch(GATE[0], argv, "", cwd, environment, terminal)
        return Launch(program, command.argv, command.arg0, cwd, environment, terminal)


class LocalChild:
    """One process of this machine; see :class:`webshell.target.Child`."""

    def __init__(self, target: LocalTarget, pid: int, ends: Ends, parent: Parent, marker: str) -> None:
        self.pid = pid
        self.family = Family(target.census, pid, marker)
        self._target = target
        self._ends = ends
        self.write = ends.write  # on the way of every key
        self._parent: Parent | None = parent  # until it has been told the exit
        self._result: tuple[int | None, str | None] | None = None  # once the process has ended
        self._ending: Ending | None = None  # while it is being stopped
        self._waiting: list[Deferred[None]] = []  # for all to be ended
        self.sides: Sides | None = None

    # ---- what a process does

    @property
    def pending(self) -> int:
        """Bytes of input that the kernel has not yet taken."""
        return self._ends.pending

    def close_input(self) -> None:
        """End the input after what is pending."""
        self._ends.close_input()

    def pause(self) -> None:
        """Stop reading output."""
        self._ends.pause()

    def resume(self) -> None:
        """Read output again."""
        self._ends.resume()

    def resize(self, size: Size) -> None:
        """Set the terminal's size."""
        self._ends.resize(size)

    def redraw(self) -> None:
        """Tell the terminal's foreground job that its window changed."""
        if self._ends.foreground():
            self.signal("WINCH")

    def signal(self, name: str) -> None:
        """Send ``SIG`` + *name* to the foreground job, or to the child's group."""
        try:
            number = signal.Signals[f"SIG{name}"]
        except KeyError:
            raise ValueError(f"no such signal: {name}") from None
        if self._result is not None:
            return
        group = self._ends.foreground() or self.pid  # neither number can be another's while the child has not ended
        try:
            os.killpg(group, number)
        except PermissionError:  # it became another user's
            pass
        except ProcessLookupError:
            if group == self.pid:  # it has just started, and leads no group yet
                os.kill(group, number)

    def stop(self, grace: float, hangup: bool = True) -> None:
        """End everything that the child started."""
        if self._ending is not None:
            self._ending.hasten(grace)
            return
        if foreground := self._ends.foreground():
            self.family.join(foreground)
        self._ending = Ending(self._target.reactor, self.family, grace, hangup)
        _held(Deferred.fromCoroutine(self._stop(self._ending)))

    # ---- what the target does

    def end(self, grace: float) -> Deferred[None]:
        """Stop; the result comes when all has been told and nothing is left that can be ended."""
        done: Deferred[None] = Deferred()
        self._waiting.append(done)
        self.stop(grace)
        return done

    def ended(self, exit_code: int | None, number: int | None) -> None:
        """The process has ended: tell what it still wrote, and then, knowing what it left behind, how it ended."""
        self._result = (None, _signal_name(number)) if number else (exit_code, None)
        self.family.reap()
        self._ends.finish()
        if self._ending is None:
            _held(Deferred.fromCoroutine(self._look()))
        else:
            self._ending.wake()

    # ---- the end

    async def _look(self) -> None:
        if left := await self.family.living():
            await deferLater(self._target.reactor, SETTLE_SECONDS)
            left = await self.family.living()
        if self._ending is None:  # else that will tell
            self._tell(left)

    async def _stop(self, ending: Ending) -> None:
        left = await ending.run()
        self._ending = None
        if self._result is not None:
            self._tell(left)
        elif left:
            log.error("process {pid} cannot be ended, not even by KILL", pid=self.pid)
            self._settle()

    def _tell(self, left: Sequence[Running]) -> None:
        parent, self._parent = self._parent, None
        try:
            if parent is not None and self._result is not None:
                parent.exited(*self._result, tuple(sorted(process.pid for process in left)))
        finally:
            self._target.settled(self, bool(left))
            self._settle()

    def _settle(self) -> None:
        while self._waiting:
            self._waiting.pop().callback(None)


class _Watch(ProcessProtocol):
    """Hears from Twisted that the process has ended; its descriptors are ours."""

    pid = 0
    child: LocalChild | None = None

    def __init__(self, reactor: IReactor) -> None:
        self._reactor = reactor

    def connectionMade(self) -> None:
        """The process has started."""
        assert self.transport is not None
        self.pid = self.transport.pid  # which the transport forgets if the process ends before spawnProcess returns

    def processExited(self, reason: Failure) -> None:
        """The process has ended and is reaped."""
        if self.child is None:  # it ended before spawnProcess returned
            self._reactor.callLater(0, self.processExited, reason)
        else:
            outcome = reason.value
            assert isinstance(outcome, ProcessDone | ProcessTerminated)
            self.child.ended(outcome.exitCode, outcome.signal)


def _signal_name(number: int) -> str:
    """Without ``SIG``; Python has no names for most real-time signals."""
    try:
        return signal.Signals(number).name.removeprefix("SIG")
    except ValueError:
        return f"RTMIN+{number - signal.SIGRTMIN}"


def _held(deferred: Deferred[None]) -> None:
    deferred.addErrback(lambda failure: log.failure("ending a process failed", failure))
