"""How a child comes to be: with its descriptors, in its directory, leading its process session.

Twisted's ``spawnProcess`` is the contract: a :class:`ProcessProtocol` hears of the end, Twisted reaps. What its public
interface cannot say without one or two more programs in between (1 ms each, ``chain.py``) is said to ``posix_spawn``
itself where that works: a process session, its terminal, a directory. The price is one name of Twisted's that is not
public (:meth:`_Spawned._trySpawnInsteadOfFork`); without it, the chain does it.

Measured, to the first byte in a terminal: 1.0 ms, by the chain 2.5, by ``usePTY`` 3.6 (26 with 1 GB resident). With
10,000 descriptors open the reactor stands still for 1 ms; in ``spawnProcess``, which looks at each of them, for 20.
"""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from twisted.internet.process import Process
from twisted.internet.protocol import ProcessProtocol

from webshell.targets.chain import Chain
from webshell.targets.reactor import IReactor

CLONE_FS = 0x200
"""Linux: the calling thread has a working directory of its own from now on."""


SIGNALS = tuple(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})
"""What the daemon ignores, its children shall not."""


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
    inherited = _inherited()

    def start(reactor: IReactor, watch: ProcessProtocol, launch: Launch, descriptors: Mapping[int, int]) -> None:
        _Spawned(reactor, watch, lambda: _spawn_anything(launch, descriptors, inherited))

    return start if hasattr(Process, "_trySpawnInsteadOfFork") and _works() else None


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


def _spawn_anything(launch: Launch, descriptors: Mapping[int, int], inherited: Iterable[int]) -> int:
    try:
        return _in_directory(launch, descriptors, inherited)
    except OSError as error:
        if error.errno != errno.ENOEXEC:
            raise
    # a script without a first line, which every shell runs by sh (POSIX, execvp)
    script = replace(launch, program="/bin/sh", argv=("sh", launch.program, *launch.argv[1:]), arg0="")
    return _in_directory(script, descriptors, inherited)


def _in_directory(launch: Launch, descriptors: Mapping[int, int], inherited: Iterable[int]) -> int:
    if launch.directory == _here():
        return _spawn(launch, descriptors, inherited)
    result: list[int | OSError] = []

    def spawn() -> None:
        try:
            unshare()
            os.chdir(launch.directory)
            result.append(_spawn(launch, descriptors, inherited))
        except OSError as error:
            result.append(error)

    # posix_spawn cannot change the directory (Python has no name for that), and the daemon's is everybody's: a thread
    # that shares it with nobody costs 0.2 ms
    thread = threading.Thread(target=spawn)
    try:
        thread.start()
    except RuntimeError:
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN)) from None
    thread.join()
    if isinstance(result[0], OSError):
        raise result[0]
    return result[0]


def _spawn(launch: Launch, descriptors: Mapping[int, int], inherited: Iterable[int]) -> int:
    actions: list[tuple[Any, ...]] = [(os.POSIX_SPAWN_CLOSE, descriptor) for descriptor in inherited]
    if launch.terminal:  # the first one that the leader of a process session opens is its controlling terminal
        actions.append((os.POSIX_SPAWN_OPEN, 0, os.ttyname(descriptors[0]), os.O_RDWR, 0))
        actions += [(os.POSIX_SPAWN_DUP2, 0, number) for number in (1, 2)]
    else:
        actions += [(os.POSIX_SPAWN_DUP2, source, number) for number, source in descriptors.items()]
    argv = _encoded([launch.arg0 or launch.argv[0], *launch.argv[1:]])
    return os.posix_spawn(
        os.fsencode(launch.program), argv, _environment(launch), file_actions=actions, setsid=True, setsigdef=SIGNALS
    )


def unshare() -> None:
    """Give the calling thread a working directory of its own.

    :raises OSError: the system does not have that, or does not allow it (Docker's default).
    """
    library = ctypes.CDLL(None, use_errno=True)
    if not hasattr(library, "unshare"):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    if library.unshare(CLONE_FS):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _works() -> bool:
    """Try it, in a directory that is not the daemon's, in a terminal: what is there is there for all children."""
    master, slave = os.openpty()
    try:
        directory = "/" if _here() != "/" else "/dev"
        launch = Launch("/bin/sh", ("sh", "-c", ": </dev/tty"), "", directory, {}, terminal=True)
        pid = _in_directory(launch, dict.fromkeys(range(3), slave), ())
    except (OSError, NotImplementedError):
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


def _here() -> str:
    try:
        return os.getcwd()
    except OSError:  # it was removed
        return ""
