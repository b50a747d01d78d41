"""Processes by id: who may read, who reads, what is kept for them, and when they have given up."""

from __future__ import annotations

from typing import Any

import pytest
from doubles import FakeChild, World
from hypothesis import given
from hypothesis import strategies as st

from webshell.errors import Gone, LimitReached, NoSuchProcess, NotAllowed, Occupied, OutOfRange, SpawnFailed
from webshell.executions import GRACE_SECONDS, LEAST_GRACE, STOP_SECONDS, Execution, Executions
from webshell.grant import Grant, Right
from webshell.messages import Start
from webshell.readers import Reader, Why
from webshell.target import STDERR, STDOUT

ADA = Grant("ada")
START = Start(runner="exec", argv=("cat",), keep="all")


class Sink:
    """Notes what it is handed.

    :ivar on_hand: is called after each piece.
    """

    def __init__(self) -> None:
        self.data = b""
        self.why: list[Why] = []
        self.on_hand = lambda: None

    def hand(self, data: bytes) -> None:
        self.data += data
        self.on_hand()

    def halt(self, why: Why) -> None:
        self.why.append(why)


class Scene:
    """A world with one process by its id."""

    def __init__(self, grace: float = GRACE_SECONDS, start: Start = START, **limits: Any) -> None:
        self.world = World(**limits)
        self.executions = Executions(self.world.sessions)
        self.execution = self.executions.start(ADA, start, grace=grace)

    @property
    def child(self) -> FakeChild:
        return self.world.children[0]

    def write(self, data: bytes, stream: int = STDOUT) -> None:
        self.child.parent.wrote(stream, data)

    def read(self, offset: int = 0, limit: int = 1 << 20, stream: int = STDOUT, **more: Any) -> tuple[Sink, Reader]:
        sink = Sink()
        reader = self.executions.read(ADA, self.execution, stream, offset, limit, sink, **more)
        reader.begin()
        return sink, reader

    def refused(self, execution: Execution | None = None) -> type[Exception]:
        try:
            self.executions.find(ADA, (execution or self.execution).id)
        except (Gone, NoSuchProcess) as error:
            return type(error)
        raise AssertionError("it is there")


# ---- started and found


def test_a_process_in_a_session_of_its_own() -> None:
    scene = Scene()
    session, number = scene.execution.id.split(".")
    assert number == "1"
    assert scene.world.sessions.find(session, ADA).owner == "ada"
    assert scene.executions.find(ADA, scene.execution.id).process is scene.execution.process
    assert scene.executions.find(Grant("root"), scene.execution.id)
    assert scene.execution.exit is None
    assert scene.executions.known(scene.execution.id)
    for name in ("x.1", f"{session}.2", session, "", f"{session}.x", f"{session}.²", f"{session}." + "1" * 11):
        assert not scene.executions.known(name)
        with pytest.raises(NoSuchProcess):
            scene.executions.find(ADA, name)


def test_a_process_in_a_session_that_is_there() -> None:
    scene = Scene()
    second = scene.executions.start(ADA, START, scene.execution.session.id)
    assert second.session is scene.execution.session
    assert second.process.number == 2


def test_what_cannot_be_started_leaves_no_session() -> None:
    world = World()
    executions = Executions(world.sessions)
    with pytest.raises(SpawnFailed):
        executions.start(ADA, Start(runner="exec", argv=("missing",)))
    assert world.sessions.visible(ADA) == ()
    _, session = world.opened()
    with pytest.raises(SpawnFailed):
        executions.start(ADA, Start(runner="exec", argv=("missing",)), session)
    assert len(world.sessions.visible(ADA)) == 1


def test_sessions_of_ones_own_go_with_their_process() -> None:
    scene = Scene(sessions=2)
    other, _ = scene.world.opened("bob")
    with pytest.raises(LimitReached):  # both are in use
        scene.executions.start(ADA, START)
    scene.child.parent.exited(0, None, ())
    _, reader = scene.read()
    with pytest.raises(LimitReached):  # somebody is there
        scene.executions.start(ADA, START)
    scene.executions.leave(reader)
    second = scene.executions.start(ADA, START)
    assert scene.refused() is Gone
    scene.world.children[1].parent.exited(0, None, ())
    page = scene.world.client("ada")
    page.ask("attach", session=second.session.id)
    third = scene.executions.start(ADA, START, second.session.id)
    scene.executions.end(second)
    scene.world.children[2].parent.exited(0, None, ())
    scene.executions.end(third)
    assert not second.session.closed  # the page is there
    page.connection.closed()
    other.connection.closed()
    fourth = scene.executions.start(ADA, START, second.session.id)
    scene.world.children[3].parent.exited(0, None, ())
    scene.executions.end(fourth)
    assert second.session.closed


def test_rights() -> None:
    scene = Scene()
    watcher = Grant("ada", frozenset({Right.VIEW}))
    assert scene.executions.find(watcher, scene.execution.id)
    with pytest.raises(NotAllowed):
        scene.executions.start(watcher, START)
    with pytest.raises(NotAllowed):
        scene.executions.read(watcher, scene.execution, STDOUT, 0, 1, Sink())
    with pytest.raises(NotAllowed):
        scene.executions.find(Grant("ada", frozenset()), scene.execution.id)
    with pytest.raises(NotAllowed):
        scene.executions.start(ADA, Start(runner="exec", argv=("cat",), user="root"))
    stranger = Grant("bob", frozenset({Right.VIEW}))
    with pytest.raises(NoSuchProcess):
        scene.executions.find(stranger, scene.execution.id)
    scene.execution.session.close("enough")
    with pytest.raises(NoSuchProcess):
        scene.executions.find(stranger, scene.execution.id)


def test_sessions_that_do_not_linger_cannot_be_anybodys_own() -> None:
    world = World(linger=0.0)
    executions = Executions(world.sessions)
    with pytest.raises(LimitReached):
        executions.start(ADA, START)
    ada, session = world.opened(linger=0)
    execution = executions.start(ADA, START, session)
    reader = executions.read(ADA, execution, STDOUT, 0, 1, Sink())
    second = executions.read(ADA, execution, STDOUT, 0, 1, Sink())  # who takes over is there before the other goes
    ada.connection.closed()
    assert not execution.session.closed
    executions.leave(reader)
    executions.leave(second)
    assert execution.session.closed


# ---- grace


@pytest.mark.parametrize(("asked", "given"), [(5.0, 5.0), (0.0, LEAST_GRACE), (1e9, 100.0)])
def test_who_does_not_come_has_given_up(asked: float, given: float) -> None:
    scene = Scene(asked, linger=100.0)
    scene.world.take()
    scene.world.clock.advance(given - 0.01)
    assert scene.world.take() == []
    scene.world.clock.advance(0.02)
    assert scene.world.take() == [(1, "stop", STOP_SECONDS)]
    assert scene.refused() is Gone
    with pytest.raises(Gone) as gone:
        scene.executions.find(ADA, scene.execution.id)
    assert gone.value.exit is None
    scene.child.parent.exited(None, "KILL", ())
    with pytest.raises(Gone) as gone:
        scene.executions.find(ADA, scene.execution.id)
    assert gone.value.exit == -9
    assert scene.world.clock.timers == []


def test_who_is_there_has_not() -> None:
    scene = Scene(5.0)
    _, reader = scene.read()
    scene.world.clock.advance(100)
    assert not scene.execution.session.closed
    scene.executions.leave(reader)
    scene.executions.leave(reader)  # told twice
    scene.world.clock.advance(4)
    _, reader = scene.read()
    scene.world.clock.advance(100)
    scene.executions.leave(reader)
    scene.world.clock.advance(6)
    assert scene.execution.session.closed


def test_what_nobody_reads_holds_up_only_until_the_grace_is_over() -> None:
    scene = Scene(5.0, scrollback=100)
    page = scene.world.client("ada")
    page.ask("attach", session=scene.execution.session.id)
    page.connection.window = None
    scene.write(b"x" * 100)
    assert scene.child.paused  # the page has it, but who started it comes first
    scene.world.clock.advance(5)
    assert not scene.child.paused
    assert not scene.execution.session.closed


# ---- read


def test_from_an_offset_on() -> None:
    scene = Scene()
    scene.write(b"abc")
    sink, reader = scene.read(1)
    scene.write(b"err", STDERR)
    scene.write(b"def")
    assert (sink.data, reader.offset) == (b"bcdef", 6)
    assert scene.executions.reading(scene.execution.process, STDOUT)
    assert not scene.executions.reading(scene.execution.process, STDERR)
    errors, _ = scene.read(0, stream=STDERR)
    assert errors.data == b"err"
    with pytest.raises(OutOfRange) as refused:
        scene.read(7)
    assert (refused.value.base, refused.value.end) == (0, 6)


def test_the_end_comes_after_the_last_byte() -> None:
    scene = Scene()
    sink, reader = scene.read()
    scene.write(b"abc")
    assert not reader.complete
    scene.child.parent.exited(0, None, ())
    assert (sink.data, sink.why) == (b"abc", [Why.EXITED])
    assert reader.complete
    for offset, left in ((0, b"abc"), (3, b"")):
        sink, _ = scene.read(offset)
        assert (sink.data, sink.why) == (left, [Why.EXITED])
    assert scene.execution.exit == 0


def test_who_reads_slowly_is_told_the_end_late() -> None:
    scene = Scene()
    scene.write(b"abc")
    scene.write(b"oops", STDERR)
    scene.write(b"def")
    scene.child.parent.exited(0, None, ())
    sink = Sink()
    reader = scene.executions.read(ADA, scene.execution, STDOUT, 0, 100, sink)
    sink.on_hand = reader.pause
    reader.begin()
    assert (sink.data, sink.why) == (b"abc", [])
    reader.resume()
    assert (sink.data, sink.why) == (b"abcdef", [Why.EXITED])
    reader.resume()
    reader.acknowledge(3)
    assert sink.why == [Why.EXITED]


def test_no_more_than_the_limit_is_under_way() -> None:
    scene = Scene()
    sink, reader = scene.read(0, 4)
    scene.write(b"abc")
    scene.write(b"def")
    scene.write(b"ghi")
    assert (sink.data, sink.why) == (b"abcdef", [Why.FULL])
    assert scene.child.paused
    for nonsense in (0, 7):
        reader.acknowledge(nonsense)
        assert sink.data == b"abcdef"
    reader.acknowledge(3)
    assert (sink.data, sink.why) == (b"abcdefghi", [Why.FULL, Why.FULL])
    reader.acknowledge(8)
    assert not scene.child.paused
    reader.pause()
    reader.acknowledge(9)
    scene.write(b"jkl")
    assert sink.data == b"abcdefghi"
    reader.resume()
    assert sink.data == b"abcdefghijkl"


def test_all_that_is_kept_is_on_its_way_before_it_is_waited_for() -> None:
    """A reader that is far away would else wait for each piece."""
    scene = Scene(scrollback=10)
    scene.write(b"x" * 6)
    scene.write(b"y" * 6)
    sink, reader = scene.read(0, 100)
    assert (sink.data, sink.why) == (b"xxxxxxyyyyyy", [Why.FULL])
    reader.acknowledge(6)
    assert (sink.data, sink.why, scene.child.paused) == (b"xxxxxxyyyyyy", [Why.FULL], False)


def test_nothing_unread_is_dropped_and_the_child_waits() -> None:
    scene = Scene(scrollback=10)
    scene.write(b"x" * 10)
    assert scene.child.paused
    sink, reader = scene.read(0, 100)
    assert (len(sink.data), sink.why) == (10, [Why.FULL])  # held back for what is on its way
    reader.acknowledge(10)
    assert not scene.child.paused
    scene.write(b"y" * 10)
    scene.executions.leave(reader)
    assert scene.execution.process.scrollback.span(STDOUT)[1] == 20
    assert scene.child.paused


def test_the_newest_reader_wins() -> None:
    scene = Scene()
    first, reader = scene.read()
    scene.write(b"abc")
    with pytest.raises(Occupied):
        scene.read(alone=True)
    assert first.why == []
    second, _ = scene.read(3)
    assert first.why == [Why.TAKEN]
    scene.write(b"def")
    assert (first.data, second.data) == (b"abc", b"def")
    scene.executions.leave(reader)  # told late
    assert scene.executions.reading(scene.execution.process, STDOUT)
    third, _ = scene.read(6, alone=False)
    assert second.why == [Why.TAKEN]
    assert third.data == b""


def test_of_a_process_that_does_not_keep_everything() -> None:
    scene = Scene(start=Start(runner="exec", argv=("cat",)), scrollback=10_000)
    page = scene.world.client("ada")
    page.ask("attach", session=scene.execution.session.id)
    sink, reader = scene.read(0, 10)
    for byte in (b"w", b"x", b"y", b"z"):
        scene.write(byte * 7000)
    assert sink.why == [Why.FULL]
    reader.acknowledge(7000)
    assert sink.why == [Why.FULL, Why.LOST]
    assert sink.data == b"w" * 7000
    with pytest.raises(OutOfRange):
        scene.read(7000)


def test_side_channels_are_others_business() -> None:
    scene = Scene(start=Start(runner="exec", argv=("cat",), keep="all", channels=("video",)))
    sink, _ = scene.read()
    scene.child.parent.said("video", b"{}")
    scene.write(b"abc")
    assert sink.data == b"abc"


STEPS = st.one_of(
    st.tuples(st.just("write"), st.sampled_from([STDOUT, STDERR]), st.integers(1, 9)),
    st.tuples(
        st.sampled_from(["read", "ack", "leave", "slow", "fast"]), st.sampled_from([STDOUT, STDERR]), st.integers(0, 9)
    ),
    st.tuples(st.sampled_from(["page comes", "page goes"]), st.just(STDOUT), st.just(0)),
)


@given(st.lists(STEPS, max_size=60), st.integers(5, 40))
def test_nothing_is_lost_whatever_happens_in_between(steps: list[tuple[str, int, int]], capacity: int) -> None:
    """A child that writes when it may; a reader of each stream that is cut, slow, and comes back; and a page."""
    scene = Scene(scrollback=capacity)
    written: dict[int, bytes] = {STDOUT: b"", STDERR: b""}
    kept = {STDOUT: 0}  # what may be asked for: of standard error only what somebody has begun to read
    readers: dict[int, tuple[Sink, Reader, int]] = {}
    pages = [scene.world.client("ada")]
    for step, stream, number in steps:
        if step == "write" and not scene.child.paused:
            data = bytes((len(written[stream]) + at) % 251 for at in range(number))
            written[stream] += data
            scene.write(data, stream)
        elif step == "read":
            base, _ = scene.execution.process.scrollback.span(stream)
            start = kept.get(stream, base)
            kept[stream] = start
            readers[stream] = (*scene.read(start, number + 1, stream), start)
        elif step == "leave" and stream in readers:
            scene.executions.leave(readers.pop(stream)[1])
        elif step == "ack" and stream in readers:
            _, reader, _ = readers[stream]
            reader.acknowledge(reader.offset - number)
            kept[stream] = reader.acknowledged
        elif step in ("slow", "fast") and stream in readers:
            getattr(readers[stream][1], {"slow": "pause", "fast": "resume"}[step])()
        elif step == "page comes":
            pages[0].ask("attach", session=scene.execution.session.id)
        elif step == "page goes":
            pages[0].ask("detach")
        for of, (sink, reader, start) in readers.items():
            assert sink.data == written[of][start : reader.offset]
            assert Why.LOST not in sink.why
    for of in kept:
        sink, _ = scene.read(kept[of], 1 << 20, of)
        assert sink.data == written[of][kept[of] :]


# ---- ended


def test_stopped_then_forgotten() -> None:
    scene = Scene()
    scene.world.take()
    scene.executions.end(scene.execution)
    assert scene.world.take() == [(1, "stop", STOP_SECONDS, "no hangup")]
    scene.executions.end(scene.execution, kill=True)
    assert scene.world.take() == [(1, "stop", 0.0, "no hangup")]
    sink, reader = scene.read()
    scene.child.parent.exited(None, "TERM", (99,))
    assert scene.execution.exit == -15
    assert sink.why == [Why.EXITED]
    scene.world.take()
    scene.executions.end(scene.execution)
    assert scene.world.take() == [(1, "stop", STOP_SECONDS, "no hangup")]  # what it left
    assert scene.refused() is Gone
    assert scene.executions.known(scene.execution.id)  # a body may still be for it
    scene.executions.leave(reader)
    assert not scene.executions.reading(scene.execution.process, STDOUT)
    scene.world.clock.advance(GRACE_SECONDS)
    assert scene.execution.session.closed
    assert scene.world.clock.timers == []


def test_what_is_forgotten_while_somebody_reads_errors() -> None:
    scene = Scene()
    _, reader = scene.read(stream=STDERR)
    scene.executions.leave(reader)
    scene.child.parent.exited(0, None, ())
    scene.executions.end(scene.execution)
    assert scene.world.clock.timers == []


def test_a_session_without_executions() -> None:
    world = World()
    _, session = world.opened()
    assert world.sessions.known(session) is not None
    assert world.sessions.known("x") is None
    world.sessions.find(session, ADA).start(START)
    world.children[0].parent.exited(0, None, ())
    world.sessions.find(session, ADA).remove(1)  # nobody wants to know
    assert world.sessions.kept == 0
