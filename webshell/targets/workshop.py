"""Makes what scripts need before they run, folders, the script, what is built from it, and removes it after.

It wraps the target that starts them. As another user it only ever does what that user could have done.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import stat
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace

from webshell.command import Command, Work
from webshell.errors import SpawnFailed
from webshell.gather import Gathered
from webshell.limits import Clock
from webshell.target import Child, Parent, Target
from webshell.targets.accounts import Account, account, acting_as
from webshell.targets.environment import PATH, checked_words, executable
from webshell.workplace import Workplace

PREFIX = "webshell-"
"""How the names of what is made begin, so that people know what they see."""

MAKE_VENV = ("python3", "-m", "venv", "--system-site-packages")

HEAD_BYTES = 256
"""Of a script's first line; the kernel reads as much."""


class Workshop:
    """A target for commands that have work to be made first; all others just pass."""

    def __init__(self, target: Target, workplace: Workplace, clock: Clock, environment: Mapping[str, str]) -> None:
        """
        :param target: starts what is prepared.
        :param environment: the daemon's own.
        """
        self._target = target
        self._workplace = workplace
        self._clock = clock
        self._path = environment.get("PATH", PATH)

    def spawn(self, command: Command, parent: Parent) -> Child:
        """Prepare and start *command*; see :class:`webshell.target.Target`."""
        if command.work is None:
            return self._target.spawn(command, parent)
        who = account(command.user)
        with contextlib.ExitStack() as made:
            try:
                with acting_as(who):
                    prepared = self._prepared(command, command.work, who, made)
            except OSError as error:
                name = error.filename if isinstance(error.filename, str) else command.work.path
                raise SpawnFailed(f"{name}: {(error.strerror or str(error)).lower()}") from None
            kept = contextlib.ExitStack()
            lines = command.size is not None
            gathered = Gathered(parent, self._clock, command.gather, lines, kept.close)
            child = self._target.spawn(prepared, gathered)
            kept.push(made.pop_all())
            return child

    # ---- what is made

    def _prepared(self, command: Command, work: Work, who: Account, made: contextlib.ExitStack) -> Command:
        checked_words((work.path,))
        place = os.path.normpath(self._workplace.path(work.path, who.home))
        folder = place if work.code is not None or not work.script else os.path.dirname(place)
        if folder == place:
            os.makedirs(folder, exist_ok=True)
        words = {"{shell}": who.shell, "{folder}": folder, "{file}": place, "{program}": ""}
        if work.code is not None:
            words["{file}"] = _script(work, folder, who, made)
        if work.executable:
            _check_executable(words["{file}"], who)
        trusted = dict(command.trusted)
        steps = [work.build] if work.build else []
        if work.build:
            executable(work.build[0], self._path, folder)
            words["{program}"] = self._bench(who, made)
        if work.venv and self._workplace.venv:
            venv = os.path.join(folder, self._workplace.venv)
            missing = not os.path.isfile(os.path.join(venv, "bin", "python3"))
            if missing and self._workplace.make_venv and folder != self._workplace.temp:
                steps.append((*MAKE_VENV, venv))
                missing = False
            if not missing:
                trusted |= {"VIRTUAL_ENV": venv, "PATH": f"{venv}/bin{os.pathsep}{self._path}"}
        argv = _in_order(steps, command.argv, words)
        return replace(command, argv=argv, cwd=command.cwd or folder, trusted=trusted, work=None)

    def _bench(self, who: Account, made: contextlib.ExitStack) -> str:
        """A folder for the program that is built; returns the program."""
        os.makedirs(self._workplace.temp, exist_ok=True)
        bench = tempfile.mkdtemp(prefix=PREFIX, dir=self._workplace.temp)
        made.callback(_cleared, bench, who)
        return os.path.join(bench, "program")


def _script(work: Work, folder: str, who: Account, made: contextlib.ExitStack) -> str:
    # a name that nobody can guess, and never through a link that somebody put there
    descriptor, path = tempfile.mkstemp(work.suffix, PREFIX, folder)
    made.callback(_removed, path, who)
    with open(descriptor, "w", encoding="utf-8", newline="") as file:
        file.write(work.code or "")
        if work.executable:
            os.fchmod(descriptor, 0o700)
    return path


def _check_executable(path: str, who: Account) -> None:
    """
    :raises SpawnFailed: the system could not execute it, or would take it for a shell script.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise SpawnFailed(f"{path}: is no file")
        if status.st_uid == who.uid and not status.st_mode & 0o100:  # uploads are not executable
            os.fchmod(descriptor, stat.S_IMODE(status.st_mode) | 0o100)
        head = os.read(descriptor, HEAD_BYTES)
    finally:
        os.close(descriptor)
    if not head.startswith(b"#!"):
        if b"\0" not in head:
            raise SpawnFailed(f"{path}: the first line does not name an interpreter (#!)")
        return
    words = os.fsdecode(head[2:].partition(b"\n")[0]).split()
    if not words or not os.access(words[0], os.X_OK):
        raise SpawnFailed(f"{words[0] if words else path}: no such interpreter")


def _in_order(steps: Sequence[tuple[str, ...]], argv: tuple[str, ...], words: Mapping[str, str]) -> tuple[str, ...]:
    """The argv that runs *steps*, and then, if none of them failed, *argv*."""
    *before, last = ([_filled(word, words) for word in step] for step in (*steps, argv))
    if not before:
        return tuple(last)
    line = " && ".join([*map(shlex.join, before), "exec " + shlex.join(last)])
    return ("/bin/sh", "-c", line)


def _filled(word: str, words: Mapping[str, str]) -> str:
    for name, value in words.items():
        word = word.replace(name, value)
    return word


def _removed(path: str, who: Account) -> None:
    with contextlib.suppress(OSError), acting_as(who):
        os.unlink(path)


def _cleared(folder: str, who: Account) -> None:
    with contextlib.suppress(OSError), acting_as(who):
        shutil.rmtree(folder, ignore_errors=True)
