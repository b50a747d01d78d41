"""Questions of the process API that wait: each has its time, and whoever goes away leaves nothing behind."""

from __future__ import annotations

from typing import Any, cast

import pytest
from doubles import FakeTarget
from twisted.web.resource import Resource
from web.web_wire import BEARER, Wire, World

from webshell.executions import GRACE_SECONDS, Executions
from webshell.feed import ROOM_BYTES
from webshell.limits import Limits
from webshell.runners import RUNNERS
from webshell.sessions import Sessions
from webshell.web.exec.input import FEED_SECONDS, INPUT_BYTES
from webshell.web.exec.output import POLL_SECONDS
from webshell.web.exec.routes import Popen, Processes
from webshell.web.exec.state import WAIT_SECONDS


class Scene(World):
    """A site with one process, whose child does what the test says."""

    def __post_init__(self) -> None:
        self.settings["body_limit"] = lambda method, path: INPUT_BYTES
        super().__post_init__()
        answer = self.ask("/popen", *BEARER, method="POST", body=b'{"argv": ["cat"]}')
        assert answer.status == 201
        self.path = "/" + answer.get("location")
        (self.child,) = self.target.children

    def tree(self) -> Resource:
        tree = super().tree()
        self.target = FakeTarget([])
        sessions = Sessions(self.target, RUNNERS, Limits(), self.clock, self.clock.seconds)
        self.executions = Executions(sessions)
        tree.putChild(b"popen", Popen(self.executions))
        tree.putChild(b"exec", Processes(self.executions, cast("Any", None)))
        return tree

    def asks(self, method: str, path: str = "", body: bytes = b"") -> Wire:
        """A question whose answer is still to come."""
        wire = self.wire()
        head = f"{method} {self.path}{path} HTTP/1.1\r\nHost: localhost:8080\r\n{BEARER[0]}\r\n"
        wire.send(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        assert wire.received() == b""
        return wire

    @property
    def timers(self) -> list[float]:
        """In how many seconds something is going to happen."""
        return sorted(call.getTime() - self.clock.seconds() for call in self.clock.getDelayedCalls())


@pytest.fixture
def scene() -> Scene:
    return Scene()


IDLE = [GRACE_SECONDS] * 2
"""The grace of the session, and of what was not read."""


def test_input_that_has_no_room_waits_for_a_while(scene: Scene) -> None:
    scene.child.room = 0
    wire = scene.asks("POST", "?off=0", b"x" * (ROOM_BYTES + 2))
    scene.clock.advance(FEED_SECONDS - 1)
    scene.child.take(1)
    assert wire.received() == b""
    scene.clock.advance(1)
    answer = wire.answer()
    assert (answer.status, answer.get("x-in-off"), answer.get("retry-after")) == (503, str(ROOM_BYTES + 1), "1")
    scene.child.take(ROOM_BYTES)
    assert scene.child.pending == 0  # nothing of it comes later
    wire.lose()
    answer = scene.ask(f"{scene.path}?off={ROOM_BYTES + 1}", *BEARER, method="POST", body=b"x")
    assert (answer.status, answer.get("x-in-off")) == (204, str(ROOM_BYTES + 2))


def test_input_that_gets_room_in_time(scene: Scene) -> None:
    scene.child.room = 0
    wire = scene.asks("POST", "?off=0", b"x" * (ROOM_BYTES + 2))
    scene.child.take(ROOM_BYTES)
    assert wire.answer().status == 204
    wire.lose()
    assert scene.timers == IDLE


def test_who_goes_away_with_input_that_waits(scene: Scene) -> None:
    scene.child.room = 0
    wire = scene.asks("POST", "?off=0", b"x" * (ROOM_BYTES + 2))
    scene.clock.advance(1)
    wire.lose()
    scene.child.take(ROOM_BYTES)
    assert scene.child.pending == 0
    assert len(scene.timers) == 2


def test_the_end_while_input_waits(scene: Scene) -> None:
    scene.child.room = 0
    wire = scene.asks("POST", "?off=0", b"x" * (ROOM_BYTES + 2))
    scene.child.parent.exited(None, "KILL", ())
    answer = wire.answer()
    assert (answer.status, answer.get("x-exit")) == (410, "-9")
    wire.lose()
    assert scene.timers == IDLE


@pytest.mark.parametrize(
    ("path", "seconds"), [("/wait", WAIT_SECONDS), ("/wait?timeout=99", WAIT_SECONDS), ("?poll=99&off=0", POLL_SECONDS)]
)
def test_a_question_waits_for_its_time(scene: Scene, path: str, seconds: float) -> None:
    wire = scene.asks("GET", path)
    scene.clock.advance(seconds - 1)
    assert wire.received() == b""
    scene.clock.advance(1)
    answer = wire.answer()
    assert (answer.status, answer.get("x-eof")) == (204, "")
    wire.lose()
    wire = scene.asks("GET", path)
    scene.child.parent.wrote(1, b"hello")
    scene.child.parent.exited(0, None, ())
    assert wire.answer().status == 200
    wire.lose()
    scene.clock.advance(0)
    assert max(scene.timers) <= GRACE_SECONDS


@pytest.mark.parametrize("path", ["/wait", "?poll=99&off=0", "?off=0"])
def test_who_goes_away_leaves_nothing(scene: Scene, path: str) -> None:
    wire = scene.wire()
    wire.send(f"GET {scene.path}{path} HTTP/1.1\r\nHost: localhost:8080\r\n{BEARER[0]}\r\n\r\n".encode())
    scene.clock.advance(1)
    wire.lose()
    assert len(scene.timers) == 2
    scene.child.parent.wrote(1, b"hello")
    assert scene.ask(f"{scene.path}?off=0&poll=0", *BEARER).body == b"hello"
    scene.child.parent.exited(0, None, ())
    assert scene.ask(f"{scene.path}/wait", *BEARER).status == 200
    scene.clock.advance(GRACE_SECONDS)
    assert scene.timers == []
    assert scene.ask(f"{scene.path}/wait", *BEARER).status == 410


def test_pieces_of_a_stream_are_not_logged(scene: Scene) -> None:
    lines: list[str] = []
    scene.site._logFile = type("File", (), {"write": staticmethod(lines.append), "close": lambda self: None})()
    scene.child.parent.wrote(1, b"hello")
    scene.ask(f"{scene.path}?off=0&poll=0", *BEARER)
    scene.ask(f"{scene.path}?off=5&poll=0", *BEARER)
    scene.ask(f"{scene.path}?off=0", *BEARER, method="POST", body=b"x")
    assert lines == []
    scene.ask(f"{scene.path}?off=9", *BEARER)
    scene.ask(f"{scene.path}?off=0", method="POST", body=b"x")
    scene.ask(f"{scene.path}/status", *BEARER)
    scene.ask(scene.path, *BEARER, method="DELETE")
    assert [line.split('"')[4].split()[0] for line in lines] == ["416", "401", "200", "204"]
