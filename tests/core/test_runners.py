"""From what a client asked for to the command that does it."""

from __future__ import annotations

import os
import pwd
import sys
from pathlib import Path

import pytest

from webshell import runners
from webshell.command import Command, Size
from webshell.errors import BadRequest
from webshell.messages import Start
from webshell.runners import RUNNERS, Row

START = Start("x", cwd="/tmp", env={"A": "b"})


def test_the_shell_is_a_login_shell_with_a_terminal() -> None:
    shell = pwd.getpwuid(os.getuid()).pw_shell
    command = RUNNERS["shell"](Start("shell", argv=("-i",), cwd="~", env={"A": "b"}, size=Size(3, 4)))
    assert command == Command((shell, "-i"), "-" + os.path.basename(shell), "~", {"A": "b"}, Size(3, 4))


def test_an_account_without_shell_gets_the_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 1 << 30)
    assert runners.login_shell() == "/bin/sh"


def test_a_command_line_goes_to_the_systems_shell() -> None:
    assert RUNNERS["sh"](Start("sh", " ls | wc")) == Command(("/bin/sh", "-c", " ls | wc"))
    with pytest.raises(BadRequest, match="line"):
        RUNNERS["sh"](Start("sh", "  "))


def test_a_program_gets_its_arguments_untouched() -> None:
    assert RUNNERS["exec"](Start("exec", argv=("ls", "a b", "$x"))) == Command(("ls", "a b", "$x"))
    with pytest.raises(BadRequest, match="argv"):
        RUNNERS["exec"](Start("exec"))


def test_python_is_our_loop_or_in_a_terminal_its_own() -> None:
    program, *rest = RUNNERS["python3"](Start("python3", argv=("--blocks",))).argv
    assert rest == ["-u", str(runners.PYTHON_LOOP), "--blocks"]
    assert runners.PYTHON_LOOP.exists()
    assert RUNNERS["python3"](Start("python3", pty=True)) == Command((program, "-q"), size=Size())


def test_where_no_python_is_found_it_is_the_servers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert RUNNERS["python3"](Start("python3")).argv[0] == sys.executable


@pytest.mark.parametrize(
    ("runner", "pty", "terminal"),
    [
        ("shell", None, True), ("shell", False, False), ("shell", True, True),
        ("sh", None, False), ("sh", True, True), ("exec", None, False), ("exec", True, True), ("python3", None, False),
    ],
)  # fmt: skip
def test_a_terminal_unless_told_otherwise(runner: str, pty: bool | None, terminal: bool) -> None:
    command = RUNNERS[runner](Start(runner, "line", ("argv",), pty=pty, size=Size(3, 4)))
    assert command.size == (Size(3, 4) if terminal else None)


def test_a_configured_runner() -> None:
    row = Row(("grep", "{line}", "{line}s"))
    assert row(Start("g", "a b", ("-i",))) == Command(("grep", "a b", "{line}s", "-i"))
    row = Row(("top",), pty=True, cwd="/srv", env={"A": "row", "B": "row"})
    assert row(Start("t")) == Command(("top",), cwd="/srv", env={"A": "row", "B": "row"}, size=Size())
    assert row(START) == Command(("top",), cwd="/tmp", env={"A": "b", "B": "row"}, size=Size())
    assert row(Start("t", pty=False)).size is None


def test_sizes_are_clamped() -> None:
    assert Size.clamped(0, 5000) == Size(1, 1000)
    assert Size.clamped(24, 80) == Size()
