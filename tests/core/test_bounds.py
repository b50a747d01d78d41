"""Each limit of the core is reached with a clear error, and only then."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
from doubles import FakeClient, World

from webshell.grant import Grant
from webshell.limits import Limits


def refused(world: World, name: str = "ada") -> str:
    """The message of the one error that was told."""
    (event,) = [event for event in world.heard(name) if isinstance(event, dict) and event["type"] == "error"]
    assert (event["code"], event["id"]) == ("limit", 1)
    return str(event["message"])


def start(client: FakeClient, **members: Any) -> None:
    client.ask("start", **{"id": 1, "runner": "sh", "line": "x", **members})


def test_sessions() -> None:
    world = World(sessions=2)
    world.opened("ada")
    ada, _ = world.opened("ada")
    ada.ask("open", id=1)
    assert "2 sessions" in refused(world)
    ada.ask("close")
    ada.ask("open", id=1)
    assert world.take()[-1][1]["type"] == "presence"


def test_processes_of_a_session_that_run() -> None:
    world = World(processes=2)
    ada, _ = world.opened("ada")
    start(ada)
    start(ada)
    world.take()
    start(ada)
    assert "2 processes" in refused(world)
    world.children[0].parent.exited(0, None, ())
    start(ada)
    assert len(world.children) == 3


def test_processes_of_all_sessions() -> None:
    world = World(all_processes=2)
    ada, _ = world.opened("ada")
    bob, _ = world.opened("bob")
    start(ada)
    world.children[0].parent.exited(0, None, ())
    start(bob)
    world.take()
    start(bob)
    assert "2 processes are kept" in refused(world, "bob")
    ada.ask("remove", process=1)
    start(bob)
    assert len(world.children) == 3


def test_processes_that_run_in_all_sessions() -> None:
    world = World(running=2)
    ada, _ = world.opened("ada")
    bob, _ = world.opened("bob")
    start(ada)
    start(ada)
    ada.ask("close")
    world.take()
    start(bob)  # what is still ending counts
    assert "2 processes are running" in refused(world, "bob")
    world.children[0].parent.exited(0, None, ())
    start(bob)
    assert len(world.children) == 3


def test_starts_that_wait() -> None:
    world = World(queued=2)
    ada, _ = world.opened("ada")
    for queue in ("p", "q", "p", "q"):
        start(ada, queue=queue)
    world.take()
    start(ada, queue="p")
    assert "2 commands" in refused(world)
    start(ada)
    assert len(world.children) == 3


def test_clients_of_a_session() -> None:
    world = World(attached=2)
    ada, session = world.opened("ada")
    bob, carl = world.client("bob"), world.client("carl")
    bob.ask("attach", session=session)
    world.take()
    carl.ask("attach", id=1, session=session)
    assert "2 clients" in refused(world, "carl")
    bob.ask("attach", id=1, session=session)  # who has a seat may attach again
    assert world.heard("bob")[0]["type"] == "attached"
    ada.connection.closed()
    carl.ask("attach", id=1, session=session)
    assert world.heard("carl")[0]["type"] == "attached"


def test_the_scrollback() -> None:
    world = World(scrollback=10_000)
    line = b"x" * 999 + b"\n"
    ada, session = world.opened("ada")
    start(ada)
    ada.connection.closed()
    for _ in range(10):
        world.children[0].parent.wrote(1, line * 5)
    world.take()
    ada = world.client("ada")
    ada.ask("attach", session=session)
    attached, gap, *output, presence = world.heard("ada")
    assert gap == {"type": "gap", "process": 1, "lost": 41_000, "offset": 41_000, "restore": ""}
    assert output == [(1, 1, line * 4), (1, 1, line * 5)]
    del attached, presence


def test_the_window() -> None:
    world = World(window=1000)
    ada, _ = world.opened("ada")
    start(ada)
    world.take()
    world.children[0].parent.wrote(1, b"x" * 5000)
    assert world.take() == [("ada", 1, 1, b"x" * 1000), (1, "pause")]


def test_linger_and_grace() -> None:
    world = World(linger=10.0, grace=1.5)
    ada, _ = world.opened("ada")
    start(ada)
    ada.connection.closed()
    world.take()
    world.clock.advance(10)
    assert world.take() == [(1, "stop", 1.5)]


def test_every_limit_is_tested_here() -> None:
    names = "sessions processes all_processes running queued attached scrollback window linger grace"
    assert [field.name for field in fields(Limits)] == names.split()


def test_a_limit_of_nothing_leaves_nothing_behind() -> None:
    world = World(sessions=0)
    ada = world.client()
    ada.ask("open", id=1)
    refused(world)
    assert world.sessions.visible(Grant("ada")) == ()


@pytest.mark.parametrize("number", [1, 3])
def test_waiting_starts_are_refused_one_by_one_when_there_is_no_room(number: int) -> None:
    world = World(running=1)
    ada, _ = world.opened("ada")
    bob, _ = world.opened("bob")
    start(ada, queue="q")
    for _ in range(number):
        start(ada, queue="q")
    world.sessions.running += 1
    world.take()
    world.children[0].parent.exited(0, None, ())
    assert [event["type"] for event in world.heard("ada")] == ["exited"] + ["error"] * number
    del bob
