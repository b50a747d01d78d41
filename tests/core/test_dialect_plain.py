"""The plain dialect: a command line in, text out."""

from __future__ import annotations

import pytest
from doubles import FakeClient, World
from hypothesis import given
from hypothesis import strategies as st

from webshell import messages as m
from webshell.dialects.plain import Plain
from webshell.grant import Grant, Right
from webshell.intake import UNCOUNTED_BYTES


def talk(runner: str = "", **limits: int) -> tuple[World, FakeClient]:
    world = World(**limits)
    client = FakeClient(world.log, world.sessions, "ada", Grant("ada"), Plain(runner))
    client.connection.opened()
    return world, client


def test_a_message_is_a_command_and_its_output_comes_back() -> None:
    world, client = talk()
    assert world.take() == []
    client.connection.receive("echo hello\r\n")
    assert world.take() == [("spawn", ("/bin/sh", "-c", "echo hello"))]
    child = world.children[0]
    child.parent.wrote(1, b"hello\n")
    child.parent.wrote(2, b"oops\n")
    child.parent.exited(0, None, ())
    assert world.take() == [("ada", "hello\n"), ("ada", "oops\n")]


@pytest.mark.parametrize(
    ("exit_code", "signal", "said"), [(0, None, []), (2, None, ["[exit 2]"]), (None, "KILL", ["[signal KILL]"])]
)
def test_an_end_that_is_not_success_is_told(exit_code: int | None, signal: str | None, said: list[str]) -> None:
    world, client = talk()
    client.connection.receive("x")
    world.take()
    world.children[0].parent.exited(exit_code, signal, ())
    assert world.heard("ada") == said


@pytest.mark.parametrize("message", ["", "\n", "  \r\n"])
def test_an_empty_line_is_no_command(message: str) -> None:
    world, client = talk()
    client.connection.receive(message)
    assert world.take() == []


def test_commands_run_one_after_another() -> None:
    world, client = talk()
    client.connection.receive("first")
    client.connection.receive("second")
    assert world.take() == [("spawn", ("/bin/sh", "-c", "first"))]
    world.children[0].parent.exited(1, None, ())
    assert world.take() == [("ada", "[exit 1]"), ("spawn", ("/bin/sh", "-c", "second"))]


def test_a_binary_message_is_input_of_what_runs_now() -> None:
    world, client = talk()
    client.connection.receive(b"early")
    client.connection.receive("cat")
    client.connection.receive(b"\xff\0")
    world.children[0].parent.exited(0, None, ())
    client.connection.receive(b"late")
    assert world.take() == [
        ("ada", "error: nothing is running that could read this"),
        ("spawn", ("/bin/sh", "-c", "cat")),
        (1, "write", b"\xff\0"),
        ("ada", "error: nothing is running that could read this"),
    ]


def test_characters_are_whole_in_each_stream() -> None:
    world, client = talk()
    client.connection.receive("x")
    parent = world.children[0].parent
    world.take()
    parent.wrote(1, b"\xe2\x82")
    parent.wrote(2, b"\xf0")
    assert world.take() == []
    parent.wrote(1, b"\xac.\xe2")
    parent.wrote(2, b"\x9f\x98\x80")
    parent.wrote(2, b"\xff")
    parent.exited(1, None, ())
    assert world.take() == [("ada", "€."), ("ada", "😀"), ("ada", "\ufffd"), ("ada", "\ufffd"), ("ada", "[exit 1]")]


@given(st.text(), st.data())
def test_text_may_be_cut_anywhere(text: str, data: st.DataObject) -> None:
    whole = text.encode("utf-8", "replace")
    world, client = talk()
    client.connection.receive("x")
    world.take()
    while whole:
        cut = data.draw(st.integers(1, len(whole)))
        world.children[0].parent.wrote(1, whole[:cut])
        whole = whole[cut:]
    world.children[0].parent.exited(0, None, ())
    assert "".join(world.heard("ada")) == text.encode("utf-8", "replace").decode()


def test_one_process_for_the_whole_connection() -> None:
    world, client = talk("python3")
    argv = world.take()[0][1]
    assert "python" in argv[0]
    client.connection.receive("x = 1")
    client.connection.receive("\n")
    client.connection.receive("print(x)\r\n")
    client.connection.receive(b"raw")
    assert world.take() == [
        (1, "write", b"x = 1\n"),
        (1, "write", b"\n"),
        (1, "write", b"print(x)\n"),
        (1, "write", b"raw"),
    ]
    world.children[0].parent.exited(0, None, ())
    assert world.take() == [("ada", "[exit 0]"), ("ada", "end")]
    client.connection.receive("more")
    assert world.heard("ada")[0] == "error: nothing is running that could read this"


def test_one_process_that_is_ended_by_a_signal() -> None:
    world, _ = talk("shell")
    world.take()
    world.children[0].parent.exited(None, "HUP", ())
    assert world.take() == [("ada", "[signal HUP]"), ("ada", "end")]


def test_a_failure_of_one_command_does_not_end_the_connection() -> None:
    world, client = talk(processes=1)
    client.connection.receive("first")
    world.take()
    client.connection.receive("second")
    world.children[0].parent.wrote(1, b"x")
    assert world.take() == [("ada", "x")]
    client._log.append("limit")
    world.sessions.limits = type(world.sessions.limits)(running=0)
    world.children[0].parent.exited(0, None, ())
    assert world.take() == ["limit", ("ada", "error: 0 processes are running already, the limit: stop one first")]


def test_too_much_input_does_not_end_the_process() -> None:
    world, client = talk("python3")
    world.children[0].room = 0
    client.connection.receive(b"x" * UNCOUNTED_BYTES)
    world.take()
    client.connection.receive(b"x")
    assert len(world.heard("ada")) == 1
    world.children[0].parent.wrote(1, b"y")
    assert world.take() == [("ada", "y")]


@pytest.mark.parametrize(("runner", "limits"), [("sh", {}), ("", {"sessions": 0}), ("python3", {"sessions": 0})])
def test_when_it_cannot_begin_the_connection_is_closed(runner: str, limits: dict[str, int]) -> None:
    world, _ = talk(runner, **limits)
    first, *rest = world.take()
    assert first[1].startswith("error: ")
    assert rest == [("ada", "end")]


def test_a_viewer_can_do_nothing_with_it() -> None:
    world = World()
    client = FakeClient(world.log, world.sessions, "ada", Grant("ada", frozenset({Right.VIEW})), Plain())
    client.connection.opened()
    assert [said[:6] for said in world.heard("ada")] == ["error:", "end"]


def test_what_it_started_ends_with_the_connection() -> None:
    world, client = talk()
    client.connection.receive("sleep 1000")
    world.take()
    client.connection.closed()
    assert world.take() == [(1, "stop", 3.0)]
    assert world.sessions.visible(Grant("ada")) == ()


def test_when_the_session_is_ended_so_is_the_connection() -> None:
    world, client = talk()
    client.connection.receive("sleep 1000")
    client.connection.receive("waits")
    world.take()
    world.sessions.close("the server is stopping")
    assert world.take() == [(1, "stop", 3.0), ("ada", "error: the server is stopping"), ("ada", "end")]


def test_other_events_are_not_for_this_client() -> None:
    plain = Plain()
    for event in (m.Done(1), m.Presence(()), m.Gap(1, 1, 1, ""), m.Renamed(None, "x"), m.Taken(1, 1)):
        assert plain.encode(event) == ()
