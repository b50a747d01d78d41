"""What a runner makes and a target starts: a command, described without knowing how or where it will run."""

from __future__ import annotations

from dataclasses import dataclass, field

ROWS = 24
COLS = 80
"""A terminal's size until somebody says otherwise, as every emulator since the VT100."""

MAX_CELLS = 1000
"""Rows and columns are clamped to 1 … this: no screen is larger, and programs allocate rows × columns."""


@dataclass(frozen=True, slots=True)
class Size:
    """A terminal's size in character cells, clamped to what makes sense."""

    rows: int = ROWS
    cols: int = COLS

    @classmethod
    def clamped(cls, rows: int, cols: int) -> Size:
        """The size nearest to *rows* × *cols* that is allowed."""
        return cls(max(1, min(MAX_CELLS, rows)), max(1, min(MAX_CELLS, cols)))


@dataclass(frozen=True, slots=True)
class Work:
    """What must be made before a command can run, and removed after it; names in ``{}`` are ``recipes.py``'s.

    :ivar code: the text of a script to be written; None: there is one, or none is needed.
    :ivar path: the script; with *code*, or without *script*, the directory. Relative to where users' work is kept.
    :ivar script: whether there is a script at all.
    :ivar suffix: how the name of a written script ends.
    :ivar executable: whether the script is the program.
    :ivar build: the argv of what makes ``{program}`` from ``{file}``; empty: nothing is built.
    :ivar venv: whether a virtual environment is used if the project has one.
    """

    code: str | None = None
    path: str = ""
    script: bool = True
    suffix: str = ""
    executable: bool = False
    build: tuple[str, ...] = ()
    venv: bool = False


@dataclass(frozen=True, slots=True)
class Command:
    """A program to start.

    :ivar argv: the program and its arguments; the program is looked up in the child's ``PATH``.
    :ivar arg0: what the program is told that it is called, if not ``argv[0]`` (``-bash``: a login shell).
    :ivar cwd: the working directory; empty: the home directory. A leading ``~`` is the home directory.
    :ivar env: additions to the environment that the target gives by its allow-list.
    :ivar size: the terminal's size if it runs in a terminal, else None: pipes.
    :ivar trusted: what the server itself adds to the environment: not checked, over everything else.
    :ivar user: the system user to run as; empty: the daemon's own.
    :ivar gather: seconds that output is collected for, so that what was written together is told together; of a
        terminal only what follows the end of a line.
    :ivar work: what must be made first, if anything.
    :ivar channels: the names of its side channels.
    :ivar gate: a FIFO in which a line must appear before the program may begin; empty: it begins at once.
    """

    argv: tuple[str, ...]
    arg0: str = ""
    cwd: str = ""
    env: dict[str, str] = field(default_factory=dict)
    size: Size | None = None
    trusted: dict[str, str] = field(default_factory=dict)
    user: str = ""
    gather: float = 0.0
    work: Work | None = None
    channels: tuple[str, ...] = ()
    gate: str = ""
