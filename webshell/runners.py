"""Pure functions from what a client asked for to the command that does it: ``Start`` → ``Command``."""

from __future__ import annotations

import os
import pwd
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from webshell.command import Command, Size
from webshell.errors import BadRequest
from webshell.messages import Start

PYTHON_LOOP = Path(__file__).parent / "child" / "python.py"
"""Runs in the child: a Python that keeps its state, fed line by line or block by block."""

Runner = Callable[[Start], Command]
"""Raises :class:`webshell.errors.BadRequest` when the Start lacks what it needs."""


def shell(start: Start) -> Command:
    """The account's shell, as a login shell, with a terminal unless told otherwise."""
    program = login_shell()
    return Command(
        (program, *start.argv),
        arg0="-" + os.path.basename(program),
        cwd=start.cwd,
        env=start.env,
        size=_size(start, terminal=True),
    )


def sh(start: Start) -> Command:
    """One command line, by the system's shell."""
    if not start.line.strip():
        raise BadRequest("'line' is empty: say which command to run")
    return Command(("/bin/sh", "-c", start.line), cwd=start.cwd, env=start.env, size=_size(start))


def execute(start: Start) -> Command:
    """A program with its arguments, no shell between."""
    if not start.argv:
        raise BadRequest("'argv' is empty: name the program to run")
    return Command(start.argv, cwd=start.cwd, env=start.env, size=_size(start))


def python3(start: Start) -> Command:
    """A Python that keeps its state: the ordinary one in a terminal, else our loop over lines or blocks of source."""
    size = _size(start)
    interpreter = shutil.which("python3") or sys.executable
    argv = (interpreter, "-q") if size else (interpreter, "-u", str(PYTHON_LOOP))
    return Command((*argv, *start.argv), cwd=start.cwd, env=start.env, size=size)


RUNNERS: Mapping[str, Runner] = {"exec": execute, "python3": python3, "sh": sh, "shell": shell}


@dataclass(frozen=True, slots=True)
class Row:
    """A runner from configuration. *argv*: ``{line}`` stands for the line; the client's own arguments follow."""

    argv: tuple[str, ...]
    pty: bool = False
    cwd: str = ""
    env: Mapping[str, str] | None = None

    def __call__(self, start: Start) -> Command:
        """The command of *start*."""
        argv = tuple(start.line if word == "{line}" else word for word in self.argv)
        env = {**(self.env or {}), **start.env}
        size = _size(start, terminal=self.pty)
        return Command((*argv, *start.argv), cwd=start.cwd or self.cwd, env=env, size=size)


def login_shell() -> str:
    """The account's shell; ``/bin/sh`` where there is none (a container's account)."""
    try:
        return pwd.getpwuid(os.getuid()).pw_shell or "/bin/sh"
    except KeyError:
        return "/bin/sh"


def _size(start: Start, *, terminal: bool = False) -> Size | None:
    return start.size if (terminal if start.pty is None else start.pty) else None
