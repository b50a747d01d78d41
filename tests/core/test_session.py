"""Sessions and their directory: who is attached, what is started, queued, removed, how it ends."""

from __future__ import annotations

from typing import Any

import pytest
from doubles import FakeClient, World

from webshell.errors import NoSuchSession
from webshell.grant import Grant, Right
from webshell.records import new_id
from webshell.session import NAME_CHARACTERS, REMAINS

ALL = ["manage", "run", "type", "view"]


def types(log: list[Any]) -> list[Any]:
    """The log with each control message shortened to its type."""
    return [(who, what["type"]) if isinstance(what, dict) else (who, what) for who, what, *_ in log]


def joined(world: World, name: str, session: str, **members: object) -> FakeClient:
    client = world.client(name, Grant(name))
    client.ask("attach", session=session, client=name, **members)
    world.take()
    return client


def started(client: FakeClient, world: World, line: str = "x", **members: object) -> int:
    client.ask("start", runner="sh", line=line, **members)
    (record,) = [
        entry[1]["process"] for entry in world.take() if entry[0] == client.name and entry[1]["type"] == "started"
    ]
    return int(record["process"])


def ended(world: World, number: int, survivors: tuple[int, ...] = ()) -> None:
    world.children[number - 1].parent.exited(0, None, survivors)


# ---- open, attach, detach


def test_no_id_looks_like_an_option(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = iter(["-a", "-b", "c-d", "e"])
    monkeypatch.setattr("secrets.token_urlsafe", lambda size: next(texts))
    assert new_id() == "c-d"


def test_a_session_is_opened_and_attached() -> None:
    world = World()
    ada = world.client()
    ada.ask("open", id=1, name="work", linger=60)
    attached, presence = world.heard("ada")
    session = attached.pop("session")
    assert attached == {
        "type": "attached", "id": 1, "name": "work", "owner": "ada", "linger": 60.0, "processes": [],
    }  # fmt: skip
    assert presence == {"type": "presence", "clients": [{"identity": "ada", "rights": ALL, "you": True}]}
    assert len(session) == 22
    assert world.sessions.find(session, Grant("ada")).id == session


def test_sessions_without_a_name_get_one() -> None:
    world = World()
    for _ in range(2):
        world.client().ask("open")
    world.client().ask("open", name="x" * 1000)
    names = [record.name for record in world.sessions.visible(Grant("ada"))]
    assert names == ["session 1", "session 2", "x" * NAME_CHARACTERS]


@pytest.mark.parametrize(("asked", "given"), [({}, 100.0), ({"linger": 200}, 100.0), ({"linger": 0}, 0.0)])
def test_linger_is_bounded_by_the_configured(asked: dict[str, Any], given: float) -> None:
    world = World(linger=100.0)
    ada = world.client()
    ada.ask("open", **asked)
    assert world.take()[0][1]["linger"] == given


def test_everybody_is_told_who_is_there() -> None:
    world = World()
    _, session = world.opened("ada")
    viewer = Grant("bob", frozenset({Right.VIEW}), frozenset({"ada"}))
    bob = world.client("bob", viewer)
    bob.ask("attach", session=session)
    who = [{"identity": "ada", "rights": ALL}, {"identity": "bob", "rights": ["view"]}]
    log = world.take()
    assert types(log) == [("bob", "attached"), ("ada", "presence"), ("bob", "presence")]
    assert log[1][1]["clients"] == [{**who[0], "you": True}, {**who[1], "you": False}]
    assert log[2][1]["clients"] == [{**who[0], "you": False}, {**who[1], "you": True}]
    bob.connection.closed()
    assert world.take() == [("ada", {"type": "presence", "clients": [{**who[0], "you": True}]})]


def test_a_client_attaches_where_it_left() -> None:
    world = World()
    ada, session = world.opened("ada")
    first, second = started(ada, world), started(ada, world)
    for number in (first, second):
        world.children[number - 1].parent.wrote(1, b"hello")
    world.take()
    bob = world.client("bob")
    bob.ask("attach", session=session, offsets={str(first): 2, "77": 5})
    attached, *rest = world.heard("bob")
    assert [(record["process"], record["offset"], record["end"]) for record in attached["processes"]] == [
        (first, 2, 5),
        (second, 0, 5),
    ]
    assert rest[:2] == [(1, first, b"llo"), (1, second, b"hello")]


def test_attaching_again_starts_over_and_does_not_end_the_session() -> None:
    world = World()
    ada, session = world.opened("ada", linger=0)
    number = started(ada, world)
    world.children[0].parent.wrote(1, b"hello")
    world.take()
    ada.ask("attach", session=session)
    assert types(world.take()) == [("ada", "attached"), ("ada", 1), ("ada", "presence")]
    world.children[0].parent.wrote(1, b"!")
    assert world.take() == [("ada", 1, number, b"!")]
    assert world.sessions.find(session, Grant("ada")).record().clients == 1


def test_attaching_elsewhere_leaves_the_session() -> None:
    world = World()
    ada, first = world.opened("ada", linger=0)
    started(ada, world)
    ada.ask("open", client="ada")
    log = world.take()
    assert log[0] == (1, "stop", 3.0)
    assert types(log[1:]) == [("ada", "attached"), ("ada", "presence")]
    with pytest.raises(NoSuchSession):
        world.sessions.find(first, Grant("ada"))
    world.children[0].parent.wrote(1, b"unheard")
    assert world.take() == []


def test_a_failed_attach_leaves_everything_as_it_was() -> None:
    world = World()
    ada, _ = world.opened("ada")
    number = started(ada, world)
    ada.ask("attach", session="nonsense")
    world.take()
    world.children[0].parent.wrote(1, b"x")
    assert world.take() == [("ada", 1, number, b"x")]


def test_a_session_lingers() -> None:
    world = World()
    ada, session = world.opened("ada", linger=60)
    started(ada, world)
    ada.ask("detach", id=1)
    assert world.take() == [("ada", {"type": "done", "id": 1})]
    world.clock.advance(59)
    bob = joined(world, "bob", session)
    world.clock.advance(1000)
    assert world.take() == []
    bob.connection.closed()
    world.clock.advance(59)
    assert world.take() == []
    world.clock.advance(1)
    assert world.take() == [(1, "stop", 3.0)]
    assert world.sessions.visible(Grant("ada")) == ()
    assert world.clock.timers == []


def test_a_session_that_does_not_linger_ends_with_its_last_client() -> None:
    world = World()
    ada, session = world.opened("ada", linger=0)
    bob = joined(world, "bob", session)
    started(ada, world)
    ada.connection.closed()
    assert types(world.take()) == [("bob", "presence")]
    bob.connection.closed()
    assert world.take() == [(1, "stop", 3.0)]
    bob.connection.closed()
    assert world.take() == []


# ---- processes


def test_everybody_hears_of_a_start_and_only_the_asker_gets_its_id() -> None:
    world = World()
    ada, session = world.opened("ada")
    bob = joined(world, "bob", session)
    ada.ask("start", id=7, runner="exec", argv=["ls", "-l"], name="listing")
    spawn, to_ada, to_bob = world.take()
    assert spawn == ("spawn", ("ls", "-l"))
    assert (to_ada[0], to_ada[1]["id"], to_bob[0], to_bob[1]["id"]) == ("ada", 7, "bob", None)
    assert to_ada[1]["process"] == to_bob[1]["process"]
    assert to_ada[1]["process"]["name"] == "listing"
    world.children[0].parent.wrote(1, b"x")
    assert world.take() == [("ada", 1, 1, b"x"), ("bob", 1, 1, b"x")]
    del bob


@pytest.mark.parametrize(
    ("members", "name"),
    [
        ({"runner": "sh", "line": "ls"}, "ls"),
        ({"runner": "exec", "argv": ["ls", "-l"]}, "ls -l"),
        ({"runner": "shell"}, "shell"),
        ({"runner": "sh", "line": "x" * 1000}, "x" * NAME_CHARACTERS),
        ({"runner": "sh", "line": "ls", "name": "n"}, "n"),
    ],
)
def test_processes_have_names(members: dict[str, Any], name: str) -> None:
    world = World()
    ada, _ = world.opened("ada")
    ada.ask("start", **members)
    assert world.heard("ada")[0]["process"]["name"] == name


def test_a_failed_start_leaves_nothing_behind() -> None:
    world = World()
    ada, session = world.opened("ada")
    ada.ask("start", id=1, runner="exec", argv=["missing"])
    ada.ask("start", id=2, runner="dance")
    ada.ask("start", id=3, runner="sh")
    assert [(event["id"], event["code"]) for event in world.heard("ada")] == [
        (1, "spawn-failed"),
        (2, "bad-request"),
        (3, "bad-request"),
    ]
    assert world.sessions.find(session, Grant("ada")).processes == {}
    assert (world.sessions.kept, world.sessions.running) == (0, 0)
    assert started(ada, world) == 1


def test_numbers_are_never_used_again() -> None:
    world = World()
    ada, _ = world.opened("ada")
    assert started(ada, world) == 1
    ended(world, 1)
    ada.ask("remove", process=1)
    world.take()
    assert started(ada, world) == 2


def test_a_process_is_removed_when_it_has_exited() -> None:
    world = World()
    ada, session = world.opened("ada")
    joined(world, "bob", session)
    number = started(ada, world)
    ada.ask("remove", id=1, process=number)
    assert world.heard("ada")[0]["code"] == "wrong-state"
    ended(world, number)
    world.take()
    ada.ask("remove", id=2, process=number)
    removed = {"type": "removed", "process": number}
    assert world.take() == [("ada", removed), ("bob", removed), ("ada", {"type": "done", "id": 2})]
    ada.ask("remove", id=3, process=number)
    assert world.heard("ada")[0]["code"] == "no-process"
    assert (world.sessions.kept, world.sessions.running) == (0, 0)


def test_the_oldest_exited_process_makes_room() -> None:
    world = World(processes=3)
    ada, session = world.opened("ada")
    for _ in range(3):
        started(ada, world)
    ended(world, 2)
    ended(world, 3)
    world.take()
    ada.ask("start", runner="sh", line="x")
    assert types(world.take()) == [("ada", "removed"), ("spawn", ("/bin/sh", "-c", "x")), ("ada", "started")]
    assert world.sessions.kept == 3
    assert world.sessions.find(session, Grant("ada")).processes.keys() == {1, 3, 4}


def test_a_size_is_set_and_told_to_the_others() -> None:
    world = World()
    ada, session = world.opened("ada")
    joined(world, "bob", session)
    number = started(ada, world, pty=True)
    ada.ask("resize", id=1, process=number, rows=5, cols=5000)
    size = world.children[0].command.size
    assert size is not None
    log = world.take()
    assert log[0][:2] == (1, "resize")
    assert (log[0][2].rows, log[0][2].cols) == (5, 1000)
    assert log[1:] == [
        ("bob", {"type": "resized", "process": number, "rows": 5, "cols": 1000}),
        ("ada", {"type": "done", "id": 1}),
    ]
    ada.ask("resize", id=2, process=number, rows=5, cols=1000)
    assert world.take() == [("ada", {"type": "done", "id": 2})]


def test_without_a_terminal_a_size_is_nothing() -> None:
    world = World()
    ada, _ = world.opened("ada")
    number = started(ada, world)
    ada.ask("resize", id=1, process=number, rows=5, cols=5)
    assert world.take() == [("ada", {"type": "done", "id": 1})]
    ended(world, number)
    world.take()
    ada.ask("resize", id=2, process=number, rows=5, cols=5)
    assert world.heard("ada")[0]["code"] == "wrong-state"


def test_names_are_changed_for_everybody() -> None:
    world = World()
    ada, session = world.opened("ada")
    joined(world, "bob", session)
    number = started(ada, world)
    ada.ask("rename", id=1, name="n" * 1000, process=number)
    event = {"type": "renamed", "process": number, "name": "n" * NAME_CHARACTERS}
    assert world.take() == [("ada", event), ("bob", event), ("ada", {"type": "done", "id": 1})]
    ada.ask("rename", name="work")
    event = {"type": "renamed", "process": None, "name": "work"}
    assert world.take() == [("ada", event), ("bob", event)]
    (record,) = world.sessions.visible(Grant("ada"))
    assert (record.name, record.processes[0].name) == ("work", "n" * NAME_CHARACTERS)
    ada.ask("rename", name="")
    assert world.heard("ada")[0]["code"] == "bad-request"
    ada.ask("rename", name="x", process=99)
    assert world.heard("ada")[0]["code"] == "no-process"


def test_stop_ends_what_runs_and_what_is_left() -> None:
    world = World(grace=4.0)
    ada, _ = world.opened("ada")
    number = started(ada, world)
    ada.ask("stop", process=number)
    ada.ask("stop", id=1, process=number, grace=0)
    assert world.take() == [(1, "stop", 4.0), (1, "stop", 0.0), ("ada", {"type": "done", "id": 1})]
    ended(world, number, survivors=(77,))
    assert world.heard("ada")[0]["survivors"] == [77]
    ada.ask("stop", process=number)
    assert world.take() == [(1, "stop", 4.0)]
    number = started(ada, world)
    ended(world, number)
    world.take()
    ada.ask("stop", process=number)
    assert world.heard("ada")[0]["code"] == "wrong-state"


# ---- queues


def test_a_queue_runs_one_after_another() -> None:
    world = World()
    ada, session = world.opened("ada")
    bob = joined(world, "bob", session)
    ada.ask("start", id=1, runner="sh", line="one", queue="q")
    bob.ask("start", id=2, runner="sh", line="two", queue="q")
    ada.ask("start", id=3, runner="sh", line="other", queue="p")
    assert [entry[1][2] for entry in world.take() if entry[0] == "spawn"] == ["one", "other"]
    ended(world, 1)
    log = world.take()
    assert types(log) == [
        ("ada", "exited"),
        ("bob", "exited"),
        ("spawn", ("/bin/sh", "-c", "two")),
        ("ada", "started"),
        ("bob", "started"),
    ]
    assert (log[3][1]["id"], log[4][1]["id"]) == (None, 2)
    ended(world, 3)
    ended(world, 2)
    world.take()
    ada.ask("start", runner="sh", line="three", queue="q")
    assert world.take()[0] == ("spawn", ("/bin/sh", "-c", "three"))


def test_what_cannot_be_started_does_not_hold_up_the_queue() -> None:
    world = World()
    ada, session = world.opened("ada")
    bob = joined(world, "bob", session)
    ada.ask("start", runner="sh", line="one", queue="q")
    ada.ask("start", id=1, runner="exec", argv=["missing"], queue="q")
    bob.ask("start", id=2, runner="dance", queue="q")
    ada.ask("start", id=3, runner="sh", line="two", queue="q")
    bob.connection.closed()
    world.take()
    ended(world, 1)
    exited, failed, spawn, started_ = world.take()
    assert (failed[0], failed[1]["id"], failed[1]["code"]) == ("ada", 1, "spawn-failed")
    assert spawn == ("spawn", ("/bin/sh", "-c", "two"))
    assert started_[1]["id"] == 3
    del exited
    ada.ask("start", id=4, runner="exec", argv=["missing"], queue="q")
    ended(world, 2)
    assert types(world.take()) == [("ada", "exited"), ("ada", "error")]
    ada.ask("start", id=5, runner="sh", line="free again", queue="q")
    assert types(world.take())[0] == ("spawn", ("/bin/sh", "-c", "free again"))


def test_what_waits_runs_even_when_the_one_who_asked_has_left() -> None:
    world = World()
    ada, session = world.opened("ada")
    bob = joined(world, "bob", session)
    ada.ask("start", runner="sh", line="one", queue="q")
    bob.ask("start", id=1, runner="sh", line="two", queue="q")
    bob.connection.closed()
    world.take()
    ended(world, 1)
    assert world.take()[-1][1]["id"] is None
    assert len(world.children) == 2


def test_what_waits_when_the_session_ends_is_answered() -> None:
    world = World()
    ada, _ = world.opened("ada")
    for number, id_ in enumerate((1, 2, None)):
        ada.ask("start", id=id_, runner="sh", line=str(number), queue="q")
    world.take()
    ada.ask("close", id=3)
    stop, *events = world.take()[1:]
    assert stop == (1, "stop", 3.0)
    assert [event["type"] for _, event in events] == ["error", "closed"]
    assert (events[0][1]["id"], events[0][1]["code"]) == (2, "no-session")
    ended(world, 1)
    assert len(world.children) == 1


def test_a_session_that_ends_while_its_queue_goes_on() -> None:
    world = World()
    ada, _ = world.opened("ada", linger=0)
    ada.ask("start", runner="sh", line="one", queue="q")
    ada.ask("start", id=1, runner="exec", argv=["missing"], queue="q")
    ada.ask("start", id=2, runner="sh", line="two", queue="q")
    world.take()

    def leave() -> None:
        if b"spawn-failed" in str(ada.frames[-1]).encode():
            ada.connection.closed()

    ada.on_frame = leave
    ended(world, 1)
    assert types(world.take()) == [("ada", "exited"), ("ada", "error")]
    assert len(world.children) == 1


# ---- the end of a session


def test_close_ends_everything_and_tells_everybody() -> None:
    world = World()
    ada, session = world.opened("ada")
    bob = joined(world, "bob", session)
    for _ in range(3):
        started(ada, world)
    ended(world, 1)
    ended(world, 2, survivors=(5,))
    world.take()
    ada.ask("close", id=1)
    assert world.take() == [
        ("ada", {"type": "done", "id": 1}),
        (2, "stop", 3.0),
        (3, "stop", 3.0),
        ("ada", {"type": "closed", "reason": "it was ended by a client"}),
        ("bob", {"type": "closed", "reason": "it was ended by a client"}),
    ]
    assert (world.sessions.kept, world.sessions.running) == (0, 1)  # what is still ending counts
    bob.ask("detach", id=1)
    assert world.heard("bob")[0]["code"] == "no-session"
    bob.connection.closed()
    world.children[2].parent.wrote(1, b"unheard")
    ended(world, 3)
    assert world.take() == []
    assert world.sessions.running == 0


def test_what_removed_processes_left_ends_with_the_session() -> None:
    world = World()
    ada, _ = world.opened("ada")
    for number in (1, 2):
        started(ada, world)
        ended(world, number, survivors=(99,) if number == 1 else ())
        ada.ask("remove", process=number)
    world.take()
    ada.ask("close")
    assert world.take()[0] == (1, "stop", 3.0)


def test_only_so_many_remains_are_remembered() -> None:
    world = World(processes=1)
    ada, _ = world.opened("ada")
    for number in range(1, REMAINS + 3):
        ada.ask("start", runner="sh", line="x")
        ended(world, number, survivors=(99,))
    world.take()
    ada.ask("close")
    stopped = [entry[0] for entry in world.take() if entry[1] == "stop"]
    assert len(stopped) == REMAINS + 1
    assert 1 not in stopped


def test_a_session_is_closed_once() -> None:
    world = World()
    ada, session = world.opened("ada", linger=0)
    one = world.sessions.find(session, Grant("ada"))

    def leave() -> None:
        one.close("again")
        ada.connection.closed()

    ada.on_frame = leave
    one.close("over")
    assert world.take() == [("ada", {"type": "closed", "reason": "over"})]


def test_all_sessions_end_with_the_server() -> None:
    world = World()
    ada, first = world.opened("ada")
    bob, _ = world.opened("bob", linger=50)
    started(ada, world)
    bob.connection.closed()
    world.take()
    world.sessions.close("the server is stopping")
    assert world.take() == [(1, "stop", 3.0), ("ada", {"type": "closed", "reason": "the server is stopping"})]
    assert world.clock.timers == []
    with pytest.raises(NoSuchSession):
        world.sessions.find(first, Grant("ada"))


# ---- connections that go while something is told


def test_the_last_client_goes_while_the_session_ends() -> None:
    world = World()
    ada, session = world.opened("ada", linger=50)
    bob = joined(world, "bob", session)
    ada.on_frame = bob.connection.closed
    world.sessions.close("over")
    assert world.take() == [("ada", {"type": "closed", "reason": "over"})]
    assert world.clock.timers == []


def test_a_client_that_goes_while_a_start_is_told() -> None:
    world = World()
    ada, session = world.opened("ada")
    bob = joined(world, "bob", session)
    ada.on_frame = ada.connection.closed
    bob.ask("start", id=1, runner="sh", line="x")
    assert types(world.take()) == [
        ("spawn", ("/bin/sh", "-c", "x")), ("ada", "started"), ("bob", "presence"), ("bob", "started"),
    ]  # fmt: skip
    world.children[0].parent.wrote(1, b"x")
    assert world.take() == [("bob", 1, 1, b"x")]
    bob.connection.pause()
    assert world.take() == [(1, "pause")]


def test_the_only_client_goes_while_a_start_is_told() -> None:
    world = World()
    ada, _ = world.opened("ada", linger=0)
    ada.on_frame = ada.connection.closed
    ada.ask("start", id=1, runner="sh", line="x")
    assert world.take()[2:] == [(1, "stop", 3.0)]
    world.children[0].parent.wrote(1, b"x")
    ended(world, 1)
    assert (world.sessions.kept, world.sessions.running) == (0, 0)


def test_a_client_that_goes_while_it_is_told_what_there_is() -> None:
    world = World()
    ada, session = world.opened("ada")
    started(ada, world)
    world.children[0].parent.wrote(1, b"hello")
    world.take()
    bob = world.client("bob")
    bob.on_frame = bob.connection.closed
    bob.ask("attach", session=session)
    assert [entry for entry in types(world.take()) if entry[0] == "bob"] == [("bob", "attached")]
    (record,) = world.sessions.visible(Grant("ada"))
    assert record.clients == 1


def test_a_client_that_goes_while_everybody_is_told_who_is_there() -> None:
    world = World()
    ada, session = world.opened("ada")
    bob = joined(world, "bob", session)
    ada.on_frame = ada.connection.closed
    carl = world.client("carl")
    carl.ask("attach", session=session)
    last = {entry[0]: entry[1] for entry in world.take() if entry[1]["type"] == "presence"}
    assert [client["identity"] for client in last["bob"]["clients"]] == ["bob", "carl"]
    assert [client["identity"] for client in last["carl"]["clients"]] == ["bob", "carl"]
    del bob
