"""Runners of scripts, where their work is kept, and output that is told together."""

from __future__ import annotations

from typing import Any

import pytest
from doubles import FakeClock

from webshell.command import Size, Work
from webshell.gather import GATHER_BYTES, Gathered
from webshell.messages import Start
from webshell.recipes import ANSWER_SECONDS, GATHER_SECONDS, RECIPES, Recipe
from webshell.workplace import Workplace


def test_a_recipe_makes_a_command_with_work() -> None:
    recipe = Recipe(("lua", "{file}"), ".lua", ("luac", "{file}"), {"A": "1", "B": "2"}, "/srv", venv=True)
    command = recipe(Start("run:lua", code="x", path="p", argv=("-v",), env={"B": "3"}, user="pi"))
    assert command.argv == ("lua", "{file}", "-v")
    assert (command.env, command.cwd, command.user) == ({"A": "1", "B": "3"}, "/srv", "pi")
    assert command.trusted == {"TERM": "xterm-256color"}
    assert command.work == Work("x", "p", True, ".lua", False, ("luac", "{file}"), True)


def test_pipes_are_gathered_and_terminals_for_a_shorter_time() -> None:
    python = RECIPES["python3"]
    assert (python(Start("")).size, python(Start("")).gather) == (None, GATHER_SECONDS)
    terminal = python(Start("", pty=True, size=Size(4, 60)))
    assert (terminal.size, terminal.gather) == (Size(4, 60), ANSWER_SECONDS)


def test_a_shell_has_no_script_and_exec_is_one() -> None:
    shell = RECIPES["shell"](Start("", code="x", path="p")).work
    assert shell == Work(None, "p", script=False)
    work = RECIPES["exec"](Start("", code="x")).work
    assert work is not None
    assert work.executable


def test_the_table_has_further_links_runners_and_more() -> None:
    assert {"exec", "python3", "shell", "node", "bash", "c", "rust", "r", "ruby", "perl", "java", "go", "sqlite3"} == {
        *RECIPES
    }
    assert all(recipe.probe for name, recipe in RECIPES.items() if name not in ("exec", "shell"))


@pytest.mark.parametrize(
    ("work", "folder"),
    [("~/further", "/home/pi/further"), ("~", "/home/pi"), ("/srv/work/", "/srv/work"), ("here", "/home/pi/here")],
)
def test_the_work_folder_is_the_users_or_everybodys(work: str, folder: str) -> None:
    assert Workplace(work).work_folder("/home/pi") == folder


def test_a_path_is_relative_to_the_work_folder() -> None:
    place = Workplace("/srv", "/temp")
    assert place.path("", "/h") == "/temp"
    assert place.path("a/b", "/h") == "/srv/a/b"
    assert place.path("/a", "/h") == "/a"


class Heard:
    """A parent that notes what it is told."""

    def __init__(self) -> None:
        self.log: list[Any] = []

    def wrote(self, stream: int, data: bytes) -> None:
        self.log.append((stream, data))

    def took(self) -> None:
        self.log.append("took")

    def said(self, channel: str, message: bytes) -> None:
        self.log.append((channel, message))

    def exited(self, exit_code: int | None, signal: str | None, survivors: tuple[int, ...]) -> None:
        self.log.append((exit_code, signal, survivors))


def gathered(seconds: float, lines: bool = False) -> tuple[list[Any], FakeClock, Gathered]:
    heard, clock = Heard(), FakeClock()
    return heard.log, clock, Gathered(heard, clock, seconds, lines, lambda: heard.log.append("removed"))


def test_what_is_written_together_is_told_together() -> None:
    log, clock, parent = gathered(0.05)
    parent.wrote(1, b"a")
    clock.advance(0.03)
    parent.wrote(2, b"b")
    parent.wrote(1, b"c")
    assert log == []
    clock.advance(0.02)
    assert log == [(1, b"ac"), (2, b"b")]
    parent.wrote(1, b"d")
    clock.advance(0.05)
    assert log[2:] == [(1, b"d")]


def test_in_a_terminal_an_answer_comes_with_its_line_and_a_keys_echo_at_once() -> None:
    log, clock, parent = gathered(0.01, lines=True)
    for key in (b"h", b"i"):
        parent.wrote(1, key)
    assert log == [(1, b"h"), (1, b"i")]
    for piece in (b"\r\n", b"you said", b" hi", b"\r\n", b"> "):
        parent.wrote(1, piece)
    assert len(log) == 2
    clock.advance(0.01)
    assert log[2:] == [(1, b"\r\nyou said hi\r\n> ")]
    parent.wrote(1, b"o")
    assert log[3:] == [(1, b"o")]


def test_the_end_waits_for_nothing_and_comes_last() -> None:
    log, clock, parent = gathered(0.05)
    parent.wrote(1, b"a")
    parent.took()
    parent.said("video", b"picture")
    parent.exited(0, None, (7,))
    assert log == ["took", ("video", b"picture"), (1, b"a"), "removed", (0, None, (7,))]
    assert clock.timers == []


def test_a_flood_is_not_held_back_and_keeps_its_order() -> None:
    log, clock, parent = gathered(0.05)
    parent.wrote(1, b"a")
    parent.wrote(1, b"x" * GATHER_BYTES)
    assert log == [(1, b"a" + b"x" * GATHER_BYTES)]
    clock.advance(0.05)
    assert len(log) == 1


def test_without_a_time_nothing_is_held_back() -> None:
    log, clock, parent = gathered(0.0)
    parent.wrote(1, b"a")
    parent.exited(0, None, ())
    assert log == [(1, b"a"), "removed", (0, None, ())]
    assert clock.timers == []
