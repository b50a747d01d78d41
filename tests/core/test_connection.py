"""One client's end: greeting, rights, who sees whose sessions, one reply for each request, pause and resume."""

from __future__ import annotations

import typing
from typing import Any

import pytest
from doubles import FakeClient, FakeUploads, World

from webshell import __version__
from webshell import messages as m
from webshell.connection import _ACTS, FRAME_BYTES
from webshell.errors import WebshellError
from webshell.grant import ALL_RIGHTS, Grant, Right
from webshell.intake import CLIENT_BYTES, REPORT_BYTES

VIEW, TYPE, RUN, MANAGE = Right.VIEW, Right.TYPE, Right.RUN, Right.MANAGE

REQUESTS: dict[str, tuple[set[Right], dict[str, Any], str]] = {
    "list": ({VIEW}, {}, "sessions"),
    "open": ({VIEW, RUN}, {}, "attached"),
    "attach": ({VIEW}, {"session": "…"}, "attached"),
    "detach": ({VIEW}, {}, "done"),
    "start": ({RUN}, {"runner": "sh", "line": "x"}, "started"),
    "resize": ({TYPE}, {"process": 1, "rows": 5, "cols": 5}, "done"),
    "signal": ({TYPE}, {"process": 1, "signal": "INT"}, "done"),
    "stop": ({RUN}, {"process": 1}, "done"),
    "eof": ({TYPE}, {"process": 1}, "done"),
    "input": ({TYPE}, {"process": 1, "text": "x"}, "done"),
    "ack": ({VIEW}, {"process": 1, "offset": 5}, "done"),
    "seen": ({VIEW}, {"process": 1, "channel": "video", "count": 1}, "done"),
    "tell": ({TYPE}, {"process": 1, "channel": "keyevent", "text": "a keydown"}, "done"),
    "rename": ({RUN}, {"name": "x"}, "done"),
    "remove": ({RUN}, {"process": 2}, "done"),
    "close": ({RUN}, {}, "done"),
    "upload": ({RUN}, {"directory": {"name": "d", "files": {}}}, "uploaded"),
    "ping": ({VIEW}, {}, "pong"),
}
"""Of docs/protocol.rst: the rights that each request needs, an example, and its reply."""


def scene(rights: frozenset[Right]) -> tuple[World, FakeClient, str]:
    """A client with *rights* in a session with a process that runs and one that has exited."""
    world = World()
    world.sessions.uploads = FakeUploads()
    ada, session = world.opened("ada")
    for _ in range(2):
        ada.ask("start", runner="sh", line="x", pty=True, channels=["keyevent", "video"])
    world.children[0].parent.wrote(1, b"hello")
    world.children[1].parent.exited(0, None, ())
    client = world.client("client", Grant("client", rights, frozenset({"ada"})))
    client.ask("attach", session=session)
    world.take()
    return world, client, session


def test_the_table_is_complete() -> None:
    assert _ACTS.keys() == set(typing.get_args(m.Request))
    assert len(REQUESTS) + 1 == len(_ACTS)  # no right makes a malformed one well


@pytest.mark.parametrize("name", REQUESTS)
@pytest.mark.parametrize("id_", [5, "five"])
def test_every_request_has_exactly_one_reply(name: str, id_: m.RequestId) -> None:
    _, members, reply = REQUESTS[name]
    world, client, session = scene(ALL_RIGHTS)
    client.ask(name, id=id_, **{key: session if value == "…" else value for key, value in members.items()})
    replies = [event["type"] for event in world.heard("client") if isinstance(event, dict) and event.get("id") == id_]
    assert replies == [reply]


@pytest.mark.parametrize("name", [name for name, (_, _, reply) in REQUESTS.items() if reply == "done"])
def test_a_request_without_id_is_not_answered_when_it_succeeds(name: str) -> None:
    world, client, _ = scene(ALL_RIGHTS)
    client.ask(name, **REQUESTS[name][1])
    assert not [event for event in world.heard("client") if isinstance(event, dict) and event["type"] == "done"]


@pytest.mark.parametrize("lacking", sorted(Right))
@pytest.mark.parametrize("name", REQUESTS)
def test_a_right_that_is_lacking_is_refused(name: str, lacking: Right) -> None:
    needed, members, _ = REQUESTS[name]
    world, client, session = scene(ALL_RIGHTS)
    client.connection.grant = Grant("client", ALL_RIGHTS - {lacking}, frozenset({"ada"}))
    client.ask(name, id=5, **{key: session if value == "…" else value for key, value in members.items()})
    log = world.take()
    message = f"you may not do this: it needs the right '{lacking}'"
    refused = ("client", {"type": "error", "id": 5, "code": "not-allowed", "message": message})
    if lacking in needed:
        assert log == [refused]
    else:
        assert refused not in log


def test_a_viewer_can_do_nothing_but_view() -> None:
    world, client, session = scene(frozenset({VIEW}))
    before = world.sessions.visible(Grant("ada"))
    for name, (needed, members, _) in REQUESTS.items():
        if needed - {VIEW}:
            client.ask(name, **members)
    for kind in (1, 2, 3):
        client.send(kind, 1, b"x")
    log = world.take()
    assert {(who, event["code"]) for who, event in log} == {("client", "not-allowed")}
    assert world.sessions.visible(Grant("ada")) == before
    assert not client.connection.may_type
    world.children[0].parent.wrote(1, b"seen")
    assert ("client", 1, 1, b"seen") in world.take()
    del session


def test_without_the_right_to_view_there_is_nothing() -> None:
    world = World()
    client = world.client("client", Grant("client", frozenset({TYPE, RUN, MANAGE})))
    for name in ("open", "list", "attach", "ping"):
        client.ask(name, session="x")
    client.connection.receive("nonsense")
    assert {event["code"] for event in world.heard("client")} == {"not-allowed"}


# ---- greeting


def test_the_first_frame_is_hello() -> None:
    world = World(window=1000, scrollback=2000, linger=30.0, processes=7)
    client = FakeClient(world.log, world.sessions, "ada", Grant("ada", frozenset({VIEW, TYPE})))
    client.connection.opened()
    assert world.heard("ada") == [
        {
            "type": "hello",
            "protocol": "webshell.v1",
            "server": f"webshell {__version__}",
            "instance": world.sessions.instance,
            "identity": "ada",
            "rights": ["type", "view"],
            "limits": {
                "window": 1000,
                "input": CLIENT_BYTES,
                "frame": FRAME_BYTES,
                "scrollback": 2000,
                "linger": 30.0,
                "processes": 7,
            },
            "runners": ["exec", "python3", "sh", "shell"],
        }
    ]
    assert World().sessions.instance != world.sessions.instance


# ---- whose sessions


def test_sessions_of_others_are_as_if_they_were_not_there() -> None:
    world = World()
    _, session = world.opened("ada")
    bob = world.client("bob", Grant("bob", ALL_RIGHTS - {MANAGE}))
    bob.ask("attach", id=1, session=session)
    bob.ask("attach", id=1, session="nonsense")
    bob.ask("list")
    first, second, listed = world.heard("bob")
    assert first == second
    assert first["code"] == "no-session"
    assert listed == {"type": "sessions", "id": None, "sessions": []}


@pytest.mark.parametrize("grant", [Grant("bob"), Grant("bob", frozenset({VIEW}), frozenset({"ada"})), Grant("ada")])
def test_who_manages_or_is_let_in_sees_them(grant: Grant) -> None:
    world = World()
    ada, session = world.opened("ada", name="work")
    ada.ask("start", runner="sh", line="x")
    world.children[0].parent.wrote(1, b"hello")
    world.take()
    bob = world.client("bob", grant)
    bob.ask("list", id=1)
    (listed,) = world.heard("bob")
    (record,) = listed["sessions"]
    (process,) = record.pop("processes")
    assert record == {"session": session, "name": "work", "owner": "ada", "clients": 1, "linger": 86400.0}
    assert (process["process"], process["offset"], process["end"], process["taken"]) == (1, 0, 5, 0)
    bob.ask("attach", session=session)
    assert world.heard("bob")[0]["type"] == "attached"


# ---- requests that fail


@pytest.mark.parametrize(
    "name", [name for name in REQUESTS if name not in ("list", "open", "attach", "ping", "upload")]
)
def test_without_a_session_there_is_nothing_to_do(name: str) -> None:
    world = World()
    client = world.client()
    client.ask(name, id=1, **REQUESTS[name][1])
    (event,) = world.heard("ada")
    assert (event["type"], event["id"], event["code"]) == ("error", 1, "no-session")


@pytest.mark.parametrize("name", [name for name, (_, members, _) in REQUESTS.items() if "process" in members])
def test_a_process_that_is_not_there(name: str) -> None:
    world, client, _ = scene(ALL_RIGHTS)
    client.ask(name, **{"id": 1, **REQUESTS[name][1], "process": 99})
    (event,) = world.heard("client")
    assert (event["type"], event["id"], event["code"]) == ("error", 1, "no-process")


@pytest.mark.parametrize("name", ["resize", "signal", "stop", "eof", "input"])
def test_a_process_that_has_exited(name: str) -> None:
    world, client, _ = scene(ALL_RIGHTS)
    client.ask(name, **{"id": 1, **REQUESTS[name][1], "process": 2})
    (event,) = world.heard("client")
    assert (event["type"], event["id"], event["code"]) == ("error", 1, "wrong-state")


def test_mistakes_are_answered_and_change_nothing() -> None:
    world, client, _ = scene(ALL_RIGHTS)
    client.connection.receive("nonsense")
    client.connection.receive(b"\x09")
    client.ask("dance", id=3)
    client.ask("resize", id=4, process=1, rows="x", cols=1)
    assert [(event["id"], event["code"]) for event in world.heard("client")] == [
        (None, "bad-request"),
        (None, "bad-request"),
        (3, "unknown-type"),
        (4, "bad-request"),
    ]


def test_every_error_has_a_code_of_the_protocol() -> None:
    codes = {error.code for error in WebshellError.__subclasses__() if error.__module__ == "webshell.errors"}
    assert codes == {
        "bad-request", "unknown-type", "not-allowed", "no-session", "no-process", "wrong-state", "spawn-failed",
        "limit", "input-full", "upload-failed", "out-of-order", "out-of-range", "occupied", "gone",
    }  # fmt: skip


# ---- requests that reach the child


def test_what_a_client_does_reaches_the_child() -> None:
    world, client, _ = scene(ALL_RIGHTS)
    client.send(1, 1, b"typed")
    client.send(2, 1, b"pasted")
    client.ask("input", process=1, text="tëxt")
    client.ask("signal", process=1, signal="INT")
    client.ask("eof", process=1)
    assert world.take() == [
        (1, "write", b"typed"),
        (1, "write", b"pasted"),
        (1, "write", "tëxt".encode()),
        (1, "signal", "INT"),
        (1, "close input"),
    ]


def test_input_over_the_limit_is_refused_until_the_client_attaches_again() -> None:
    world = World()
    ada, session = world.opened("ada")
    ada.ask("start", runner="sh", line="x")
    child = world.children[0]
    child.room = 0
    ada.send(1, 1, b"x" * CLIENT_BYTES)
    world.take()
    ada.send(1, 1, b"y")
    ada.ask("input", id=1, process=1, text="z")
    assert [(event["id"], event["code"]) for event in world.heard("ada")] == [(None, "input-full"), (1, "input-full")]
    child.take(CLIENT_BYTES)
    world.take()
    ada.send(1, 1, b"w")
    assert world.heard("ada")[0]["code"] == "input-full"
    ada.ask("ping", id=2)
    assert world.heard("ada") == [{"type": "pong", "id": 2, "taken": {"1": CLIENT_BYTES}}]
    ada.ask("attach", session=session, client="ada")
    assert world.heard("ada")[0]["processes"][0]["taken"] == CLIENT_BYTES
    ada.send(1, 1, b"y")
    assert world.take() == [
        (1, "write", b"y"),
        ("ada", {"type": "taken", "process": 1, "count": CLIENT_BYTES}),  # it may have been cut off before it heard
    ]


def test_a_stuck_process_holds_up_nothing_else() -> None:
    world = World()
    ada, _ = world.opened("ada")
    for _ in range(2):
        ada.ask("start", runner="sh", line="x")
    world.children[0].room = 0
    ada.send(1, 1, b"x" * CLIENT_BYTES)
    world.take()
    ada.send(1, 2, b"other")
    ada.ask("ping", id=1)
    ada.ask("stop", process=1)
    assert world.take() == [
        (2, "write", b"other"),
        ("ada", {"type": "pong", "id": 1, "taken": {"2": 5}}),
        (1, "stop", 3.0),
    ]


def test_input_is_reported_as_it_is_taken() -> None:
    world = World()
    ada, _ = world.opened("ada")
    ada.ask("start", runner="sh", line="x")
    world.children[0].room = 0
    ada.send(2, 1, b"x" * (REPORT_BYTES + 5))
    world.take()
    world.children[0].take(REPORT_BYTES)
    world.children[0].take(5)
    assert world.heard("ada") == [
        {"type": "taken", "process": 1, "count": REPORT_BYTES},
        {"type": "taken", "process": 1, "count": REPORT_BYTES + 5},
    ]


def test_pong_tells_an_unnamed_client_nothing_of_input() -> None:
    world = World()
    ada = world.client()
    ada.ask("open")
    ada.ask("start", runner="sh", line="x")
    ada.send(1, 1, b"x")
    world.take()
    ada.ask("ping", id=1)
    assert world.heard("ada") == [{"type": "pong", "id": 1, "taken": {}}]


# ---- flow control


def test_a_client_that_does_not_acknowledge_stands_still_and_comes_back() -> None:
    world = World(window=100)
    ada, _ = world.opened("ada")
    ada.ask("start", runner="sh", line="x")
    world.take()
    world.children[0].parent.wrote(1, b"x" * 150)
    assert world.take() == [("ada", 1, 1, b"x" * 100), (1, "pause")]
    ada.ask("ack", process=1, offset=100)
    assert world.take() == [("ada", 1, 1, b"x" * 50), (1, "resume")]


def test_a_transport_pauses_and_resumes_all_processes() -> None:
    world = World()
    ada, _ = world.opened("ada")
    for _ in range(2):
        ada.ask("start", runner="sh", line="x")
    world.take()
    ada.connection.pause()
    assert world.take() == [(1, "pause"), (2, "pause")]
    world.children[0].parent.wrote(1, b"x")
    ada.connection.resume()
    assert world.take() == [("ada", 1, 1, b"x"), (1, "resume"), (2, "resume")]


def test_a_transport_without_a_session_pauses_nothing() -> None:
    world = World()
    ada = world.client()
    ada.connection.pause()
    ada.ask("ping")
    ada.connection.resume()
    assert [event["type"] for event in world.heard("ada")] == ["pong"]


def test_a_client_that_is_full_when_it_attaches_is_served_later() -> None:
    world = World()
    ada, session = world.opened("ada")
    ada.ask("start", runner="sh", line="x")
    world.children[0].parent.wrote(1, b"hello")
    bob = world.client("bob")
    bob.on_frame = bob.connection.pause
    bob.ask("attach", session=session)
    assert [event["type"] for event in world.heard("bob")] == ["attached", "presence"]
    bob.on_frame = lambda: None
    bob.connection.resume()
    assert world.heard("bob") == [(1, 1, b"hello")]


def test_a_closed_connection_says_nothing_more() -> None:
    world, client, _ = scene(ALL_RIGHTS)
    client.connection.closed()
    world.take()
    client.connection.deliver(m.Done(1))
    client.connection.closed()
    assert world.heard("client") == []
