"""How a child comes to be: with its descriptors, in its directory, leading its process session.

Twisted's ``spawnProcess`` is the contract: a :class:`ProcessProtocol` hears of the end, Twisted reaps. What its public
interface cannot say without one or two more programs in between (1 ms each, ``chain.py``) is said to ``posix_spawn``
itself where that works: a process session, its terminal, a directory. The price is one name of Twisted's that is not
public (:meth:`_Spawned._trySpawnInsteadOfFork`); without it, the chain does it.

Measured, to the first byte in a terminal: 1.0 ms, by the chain 2.5, by ``usePTY`` 3.6 (26 with 1 GB resident). With
10,000 descriptors open the reactor stands still for 1 ms; in ``spawnProcess``, which looks at each of them, for 20.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from twisted.internet.process import Process
from twisted.internet.protocol import ProcessProtocol

from webshell.targets.chain import Chain
from webshell.targets.reactor import IReactor
from webshell.targets.spawning import Spawner


@dataclass(frozen=True, slots=True)
class Launch:
    """What is to be started. *program* and *directory* are absolute; *arg0* is empty or instead of ``argv[0]``."""

    program: str
    argv: tuple[str, ...]
    arg0: str
    directory: str
    environment: Mapping[str, str]
    terminal: bool


Start = Callable[[IReactor, ProcessProtocol, Launch, Mapping[int, int]], None]
"""``(reactor, watch, launch, descriptors)``: *watch* has a transport when it returns. Raises OSError."""


def by_chain(chain: Chain) -> Start:
    """Through the public ``spawnProcess``, and programs that become the one that is meant."""

    def start(reactor: IReactor, watch: ProcessProtocol, launch: Launch, descriptors: Mapping[int, int]) -> None:
        argv = _encoded(chain(launch.program, launch.argv, launch.arg0, launch.directory, launch.terminal))
        reactor.spawnProcess(watch, argv[0], argv, _environment(launch), childFDs=dict(descriptors))

    return start


def by_posix_spawn() -> Start | None:
    """At once, where the system can do that."""
    try:
        spawner, inherited = Spawner(), _inherited()
    except OSError:  # or nobody says what children would inherit: there is no /proc
        return None

    def start(reactor: IReactor, watch: ProcessProtocol, launch: Launch, descriptors: Mapping[int, int]) -> None:
        _Spawned(reactor, watch, lambda: _spawn_anything(spawner, launch, descriptors, inherited))

    return start if hasattr(Process, "_trySpawnInsteadOfFork") and _works(spawner) else None


class _Spawned(Process):
    """Twisted's process, except for the moment in which it comes to be."""

    def __init__(self, reactor: IReactor, watch: ProcessProtocol, spawn: Callable[[], int]) -> None:
        self._spawn = spawn
        super().__init__(reactor, b"", [], {}, None, watch, childFDs={})
        del self._spawn  # it holds all that the child was given

    def _trySpawnInsteadOfFork(self, *_: Any) -> bool:
        self.pid = self._spawn()
        self.status = -1
        return True


def _spawn_anything(spawner: Spawner, launch: Launch, descriptors: Mapping[int, int], inherited: Iterable[int]) -> int:
    try:
        return _spawn(spawner, launch, descriptors, inherited)
    except OSError as error:
        if error.errno != errno.ENOEXEC:
            raise
    # a script without a first line, which every shell runs by sh (POSIX, execvp)
    script = replace(launch, program="/bin/sh", argv=("sh", launch.program, *launch.argv[1:]), arg0="")
    return _spawn(spawner, script, descriptors, inherited)


def _spawn(spawner: Spawner, launch: Launch, descriptors: Mapping[int, int], inherited: Iterable[int]) -> int:
    return spawner.spawn(
        launch.program,
        (launch.arg0 or launch.argv[0], *launch.argv[1:]),
        launch.environment,
        launch.directory,
        descriptors,
        terminal=os.ttyname(descriptors[0]) if launch.terminal else "",
        closed=inherited,
    )


def _works(spawner: Spawner) -> bool:
    """Try it, in a terminal: what is there is there for all children."""
    try:
        master, slave = os.openpty()
    except OSError:
        return False  # no /dev/pts: what needs no terminal can be started all the same
    try:
        launch = Launch("/bin/sh", ("sh", "-c", ": </dev/tty"), "", "/", {}, terminal=True)
        pid = _spawn(spawner, launch, dict.fromkeys(range(3), slave), ())
    except OSError:
        return False
    else:
        return os.waitpid(pid, 0)[1] == 0
    finally:
        os.close(master)
        os.close(slave)


def _inherited() -> list[int]:
    """Descriptors that would become the children's: those that the daemon itself was given (PEP 446)."""
    found = []
    for name in os.listdir("/dev/fd"):
        try:
            if int(name) > 2 and os.get_inheritable(int(name)):
                found.append(int(name))
        except OSError:  # the one that lists
            continue
    return found


def _environment(launch: Launch) -> dict[bytes, bytes]:
    return {os.fsencode(variable): os.fsencode(value) for variable, value in launch.environment.items()}


def _encoded(words: Iterable[str]) -> list[bytes]:
    return [os.fsencode(word) for word in words]
