"""Bounds in time and number, with a clock that the test drives."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from webshell.command import Command
from webshell.errors import SpawnFailed
from webshell.grant import Grant
from webshell.recipes import Recipe
from webshell.target import Parent
from webshell.web.answers import Refused, TooManyTries
from webshell.web.credentials import Throttle
from webshell.web.further.approval import APPROVED, MOST_REMEMBERED, MOST_WAITING, WAIT_SECONDS, Approvals
from webshell.web.further.fetch import FETCH_SECONDS, Fetcher
from webshell.web.further.probes import FRESH_SECONDS, LINE_CHARACTERS, PATIENCE_SECONDS, PROBE_BYTES, Probes
from webshell.web.further.upload import UPLOAD_BYTES, body_limit
from webshell.web.hosts import Visit


def visit(client: str, *steps: bytes, origin: str | None = None, upgrade: bool = True) -> Visit:
    """What the gate knows of a request."""
    return cast(
        "Visit",
        SimpleNamespace(
            request=SimpleNamespace(postpath=list(steps or (b"run",))),
            arrival=SimpleNamespace(client=client, scheme="https"),
            origin=origin,
            upgrade=upgrade,
            host="localhost",
            base="/",
        ),
    )


class Door:
    """Approvals with a clock; what becomes of each who knocks."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.clock = Clock()
        self.approvals = Approvals(self.clock, Throttle(self.clock), seconds)

    def knock(self, who: Visit) -> list[Any]:
        """What the connection is told, in a list that is empty while it waits."""
        told: list[Any] = []
        Deferred.fromCoroutine(self.approvals.authenticate(who)).addCallbacks(
            told.append, lambda failure: told.append(failure.value)
        )
        return told

    def let_in(self) -> None:
        """Enter the code of the one who waits."""
        (code,) = self.approvals._waiting
        self.approvals.approve(code.encode(), "the device")


def test_nobody_waits_for_ever() -> None:
    door = Door()
    told = door.knock(visit("a"))
    door.clock.advance(WAIT_SECONDS - 1)
    assert told == []
    door.clock.advance(1)
    assert isinstance(told[0], Refused)
    assert door.approvals._waiting == {}
    assert door.clock.getDelayedCalls() == []


def test_so_many_wait() -> None:
    door = Door()
    waiting = [door.knock(visit(f"10.0.0.{number}")) for number in range(MOST_WAITING)]
    assert isinstance(door.knock(visit("10.0.1.1"))[0], TooManyTries)
    door.clock.advance(WAIT_SECONDS)
    assert [type(told[0]) for told in waiting] == [Refused] * MOST_WAITING
    assert door.knock(visit("10.0.1.1")) == []


def test_only_handshakes_of_two_addresses_wait() -> None:
    door = Door(60.0)
    for who in (visit("a", b"upload"), visit("a", upgrade=False), visit("a", b"ws"), visit("a", b"run", b"x")):
        assert door.knock(who) == [None]
    assert door.approvals._waiting == {}


def test_who_is_remembered_is_so_for_a_while_and_alone() -> None:
    door = Door(60.0)
    told = door.knock(visit("a", origin="https://p.example"))
    door.let_in()
    assert told[0].identity == APPROVED
    for steps in ((b"run",), (b"run-py",), (b"upload",), (b"runners",)):
        (grant,) = door.knock(visit("a", *steps, origin="https://p.example", upgrade=False))
        assert isinstance(grant, Grant)
    assert door.knock(visit("a", b"whoami", origin="https://p.example")) == [None]
    assert door.knock(visit("a")) == []
    assert door.knock(visit("b", origin="https://p.example")) == []
    door.clock.advance(60)
    assert door.knock(visit("a", b"upload", origin="https://p.example")) == [None]


def test_so_many_are_remembered() -> None:
    door = Door(3600.0)
    for number in range(MOST_REMEMBERED + 1):
        door.clock.advance(1)
        door.knock(visit(f"10.1.{number >> 8}.{number & 255}"))
        door.let_in()
    assert len(door.approvals._remembered) == MOST_REMEMBERED
    assert door.knock(visit("10.1.0.0", b"runners")) == [None]
    assert isinstance(door.knock(visit("10.1.0.1", b"runners"))[0], Grant)


# ---- probes


class Tried:
    """A target whose children do what the test says."""

    def __init__(self) -> None:
        self.parents: list[Parent] = []
        self.stopped: list[float] = []

    def spawn(self, command: Command, parent: Parent) -> Any:
        if command.argv[0] == "missing":
            raise SpawnFailed("missing: command not found")
        self.parents.append(parent)
        return SimpleNamespace(close_input=lambda: None, stop=self.stopped.append)


def probing(**recipes: str) -> tuple[Clock, Tried, Probes]:
    clock, tried = Clock(), Tried()
    table = {name: Recipe((program,), probe=(program,)) for name, program in recipes.items()}
    return clock, tried, Probes(cast("Any", tried), table, clock)


def test_a_probe_that_takes_too_long_is_ended() -> None:
    clock, tried, probes = probing(slow="slow")
    told: list[dict[str, str]] = []
    Deferred.fromCoroutine(probes.versions()).addCallback(told.append)
    clock.advance(PATIENCE_SECONDS)
    assert tried.stopped == [0.0]
    tried.parents[0].exited(None, "KILL", ())
    assert told == [{}]
    assert clock.getDelayedCalls() == []


def test_versions_are_short_and_believed_for_a_while() -> None:
    clock, tried, probes = probing(a="a", b="missing")
    told: list[dict[str, str]] = []
    Deferred.fromCoroutine(probes.versions()).addCallback(told.append)
    for _ in range(3):
        tried.parents[0].wrote(1, b"x" * PROBE_BYTES)
    tried.parents[0].took()
    tried.parents[0].said("channel", b"")
    tried.parents[0].exited(0, None, ())
    assert told == [{"a": "x" * LINE_CHARACTERS}]
    Deferred.fromCoroutine(probes.versions()).addCallback(told.append)
    assert (told[1], len(tried.parents)) == (told[0], 1)
    clock.advance(FRESH_SECONDS)
    Deferred.fromCoroutine(probes.versions())
    assert len(tried.parents) == 2


def test_who_does_not_answer_is_not_waited_for() -> None:
    clock = Clock()
    fetcher = Fetcher(clock)
    request: Deferred[None] = Deferred()
    fetcher._agent = cast("Any", SimpleNamespace(request=lambda *_: request))
    told: list[Any] = []
    Deferred.fromCoroutine(fetcher("https://a.example/x")).addBoth(told.append)
    clock.advance(FETCH_SECONDS - 1)
    assert not request.called
    clock.advance(1)
    assert request.called  # given up
    assert [str(failure.value) for failure in told] == ["'https://a.example/x' takes longer than 60 seconds"]
    assert clock.getDelayedCalls() == []


@pytest.mark.parametrize(
    ("method", "path", "limit"),
    [
        (b"POST", b"/upload", UPLOAD_BYTES),
        (b"POST", b"/below/upload", UPLOAD_BYTES),
        (b"GET", b"/upload", None),
        (b"POST", b"/load", None),
    ],
)
def test_only_uploads_have_large_bodies(method: bytes, path: bytes, limit: int | None) -> None:
    assert body_limit(method, path) == limit
