"""What runs before a child's program, in the same process: it begins the process session and becomes the program.

This is what keeps ``spawnProcess`` on posix_spawn, whose cost does not grow with the daemon: the system's own
``setsid`` and ``env`` (1 ms each), or where they cannot do it a Python (8 ms).
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from subprocess import DEVNULL, TimeoutExpired, run

from webshell.targets.environment import PATH

LAUNCHER = Path(__file__).parent.parent / "child" / "launch.py"

LOGIN_OPTION = frozenset({"bash", "dash", "fish", "ksh", "zsh"})
"""Shells that are a login shell by ``-l`` as well as by a name that begins with ``-``, which ``env`` cannot give."""

PROBE_SECONDS = 10
"""The tools need milliseconds; a machine that needs longer than this for them has none."""

Chain = Callable[[str, Sequence[str], str, str, bool], list[str]]
"""``(program, argv, arg0, directory, terminal)`` → the argv that becomes it.

*program* and *directory* are absolute; *program* is what ``argv[0]`` is found to be in the child's ``PATH``."""


def by_python(program: str, argv: Sequence[str], arg0: str, directory: str, terminal: bool) -> list[str]:
    """Works everywhere."""
    start = [sys.executable, "-I", "-S", str(LAUNCHER)]
    return [*start, str(int(terminal)), directory, arg0 or argv[0], program, *argv[1:]]


def fastest(path: str = PATH, patience: float = PROBE_SECONDS) -> Chain:
    """The way by the system's tools if they are of the right make (util-linux, coreutils), else by Python."""
    setsid = shutil.which("setsid", path=path)
    env = shutil.which("env", path=path)
    if setsid is None or env is None:
        return by_python
    tools = (setsid, env)

    def by_tools(program: str, argv: Sequence[str], arg0: str, directory: str, terminal: bool) -> list[str]:
        login = arg0 == "-" + os.path.basename(program) and arg0[1:] in LOGIN_OPTION
        if (arg0 not in ("", argv[0]) and not login) or "=" in argv[0]:  # env would take that for an assignment
            return by_python(program, argv, arg0, directory, terminal)
        return [*_prefix(*tools, directory, terminal), argv[0], *(["-l"] if login else []), *argv[1:]]

    return by_tools if _works(*tools, patience) else by_python


def _prefix(setsid: str, env: str, directory: str, terminal: bool) -> list[str]:
    there = [] if directory == _here() else [env, "-C", directory, "--"]
    return [setsid, *(["--ctty"] if terminal else []), "--", *there]


def _here() -> str:
    try:
        return os.getcwd()
    except OSError:  # it was removed
        return ""


def _works(setsid: str, env: str, patience: float) -> bool:
    """Try it: busybox's, toybox's and old tools lack one option or another."""
    try:
        master, slave = os.openpty()
    except OSError:
        return False
    try:
        trial = [setsid, "--ctty", "--", env, "-C", "/", "--", env]
        result = run(trial, stdin=slave, stdout=DEVNULL, stderr=DEVNULL, timeout=patience, check=False)
    except (OSError, TimeoutExpired):
        return False
    finally:
        os.close(master)
        os.close(slave)
    return result.returncode == 0
