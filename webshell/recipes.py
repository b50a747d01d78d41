"""Runners for scripts, as a table: what runs them, how their names end, what is built first, what proves that it works.

In a recipe's words ``{file}`` is the script, ``{program}`` what was built from it, ``{shell}`` the user's shell,
``{folder}`` where the script is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from webshell.command import Command, Work
from webshell.messages import Start

PREFIX = "run:"
"""Before a recipe's name in the table of all runners."""

GATHER_SECONDS = 0.05
"""Output of pipes: five times what lies between the two halves of Python's SyntaxError, and less than one notices."""

ANSWER_SECONDS = 0.01
"""Output of terminals, from a line's end on: an answer comes with the echo of its line; less than a picture's time."""

TERM = "xterm-256color"
"""further-link's children have it with and without a terminal."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """A runner of scripts.

    :ivar argv: what runs the script.
    :ivar suffix: how the name of a script ends that is made from code.
    :ivar build: what makes ``{program}`` from ``{file}`` first; its output is the process's, its failure the end.
    :ivar env: additions to the environment.
    :ivar cwd: the working directory; empty: the script's.
    :ivar probe: prints the version if all is there; empty: nothing needs to be there.
    :ivar script: False: no script; the path is a folder, which is made.
    :ivar venv: whether it looks for a virtual environment.
    """

    argv: tuple[str, ...]
    suffix: str = ""
    build: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: str = ""
    probe: tuple[str, ...] = ()
    script: bool = True
    venv: bool = False

    def __call__(self, start: Start) -> Command:
        """The command of *start*."""
        size = start.size if start.pty else None
        return Command(
            (*self.argv, *start.argv),
            cwd=self.cwd,
            env={**self.env, **start.env},
            size=size,
            trusted={"TERM": TERM},
            user=start.user or "",
            gather=ANSWER_SECONDS if size else GATHER_SECONDS,
            work=Work(
                code=start.code if self.script else None,
                path=start.path,
                script=self.script,
                suffix=self.suffix,
                executable=self.argv[0] == "{file}",
                build=self.build,
                venv=self.venv,
            ),
        )


def _interpreted(program: str, suffix: str, *options: str, last: str = "{file}") -> Recipe:
    return Recipe((program, *options, last), suffix, probe=(program, "--version"))


RECIPES: Mapping[str, Recipe] = {
    "bash": _interpreted("bash", ".sh"),
    "c": Recipe(("{program}",), ".c", ("gcc", "-Wall", "-o", "{program}", "{file}", "-lm"), probe=("gcc", "--version")),
    "exec": Recipe(("{file}",)),
    "go": Recipe(("go", "run", "{file}"), ".go", probe=("go", "version")),
    "java": _interpreted("java", ".java"),  # since Java 11 it compiles a single file in memory
    "node": _interpreted("node", ".js"),
    "perl": _interpreted("perl", ".pl"),
    "python3": Recipe(("python3", "-u", "{file}"), ".py", probe=("python3", "--version"), venv=True),
    "r": _interpreted("Rscript", ".R"),
    "ruby": _interpreted("ruby", ".rb"),
    "rust": Recipe(
        ("{program}",),
        ".rs",
        ("rustc", "--crate-name", "main", "-o", "{program}", "{file}"),
        probe=("rustc", "--version"),
    ),
    "shell": Recipe(("{shell}",), script=False),
    "sqlite3": _interpreted("sqlite3", ".sql", "-batch", "-bail", ":memory:", last='.read "{file}"'),
}
