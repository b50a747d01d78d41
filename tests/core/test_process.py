"""One process and its listeners: output in order, the brake, gaps, the end, answers."""

from __future__ import annotations

import pytest
from doubles import FakeChild, FakeListener, Log
from hypothesis import given, settings
from hypothesis import strategies as st

from webshell.command import Command, Size
from webshell.errors import WrongState
from webshell.messages import Event, Exited, Gap, Kind, Output
from webshell.process import ANSWER_BYTES, ANSWERS_PENDING, SERVE_BYTES, Process
from webshell.scrollback import CHUNK_BYTES, Scrollback

WINDOW = 100


class Stage:
    """A process with its child; listeners come with :meth:`join`."""

    def __init__(self, capacity: int = 1 << 20, *, terminal: bool = False, keep: bool = False) -> None:
        self.log: Log = []
        self.time = 0.0
        scrollback = Scrollback(capacity, terminal=terminal, keep=keep)
        self.process = Process(7, "sh", "", "", None, scrollback, lambda: self.time, self._ended)
        self.child = FakeChild(self.log, 7, Command(("x",)), self.process)
        self.process.child = self.child

    def _ended(self, process: Process) -> None:
        self.log.append("ended")

    def join(self, name: str, offset: int = 0, window: int | None = None, *, may_type: bool = True) -> FakeListener:
        listener = FakeListener(self.log, name, window, name, may_type=may_type)
        self.process.attach(listener, offset)
        self.process.resume(listener)
        return listener

    def writable(self, listener: FakeListener, writable: bool) -> None:
        listener.writable = writable
        self.process.resume(listener)

    def out(self, data: bytes) -> None:
        self.process.wrote(1, data)

    def take(self) -> Log:
        taken = self.log[:]
        self.log.clear()
        return taken


def exited(exit_code: int | None = 0, signal: str | None = None, survivors: tuple[int, ...] = ()) -> Exited:
    return Exited(7, exit_code, signal, survivors, 0.0)


# ---- output


def test_everybody_gets_output_at_once_and_in_order() -> None:
    stage = Stage()
    stage.join("ada")
    stage.join("bob", window=WINDOW)
    stage.process.wrote(1, b"out")
    stage.process.wrote(2, b"err")
    assert stage.log == [
        ("ada", Output(7, 1, b"out")),
        ("bob", Output(7, 1, b"out")),
        ("ada", Output(7, 2, b"err")),
        ("bob", Output(7, 2, b"err")),
    ]


@pytest.mark.parametrize(("offset", "missed"), [(0, b"hello"), (3, b"lo"), (5, b""), (99, b""), (-1, b"hello")])
def test_who_comes_later_gets_what_it_missed(offset: int, missed: bytes) -> None:
    stage = Stage()
    stage.out(b"hello")
    bob = stage.join("bob", offset)
    assert stage.take() == ([("bob", Output(7, 1, missed))] if missed else [])
    stage.out(b"!")
    assert stage.take() == [("bob", Output(7, 1, b"!"))]
    stage.process.detach(bob)
    stage.out(b"unheard")
    assert stage.log == []


def test_the_record_says_what_will_be_sent() -> None:
    stage = Stage(1)
    stage.out(b"abc")
    stage.out(b"d" * CHUNK_BYTES)
    bob = FakeListener(stage.log, "bob")
    stage.process.attach(bob, 5)
    assert (stage.process.record(bob).offset, stage.process.record(bob).end) == (5, 3 + CHUNK_BYTES)
    assert stage.process.record().offset == 3
    assert stage.process.record().taken == 0


def test_much_is_served_in_frames_of_a_bounded_size() -> None:
    stage = Stage()
    for _ in range(3):
        stage.out(b"x" * CHUNK_BYTES * 2)
    stage.join("bob")
    assert {len(event.data) for _, event in stage.take()} == {SERVE_BYTES}


# ---- the brake


def test_a_window_is_never_exceeded() -> None:
    stage = Stage()
    ada = stage.join("ada", window=WINDOW)
    stage.out(b"x" * 60)
    stage.out(b"y" * 60)
    assert stage.take() == [("ada", Output(7, 1, b"x" * 60)), ("ada", Output(7, 1, b"y" * 40)), (7, "pause")]
    stage.process.acknowledge(ada, 60)
    assert stage.take() == [("ada", Output(7, 1, b"y" * 20)), (7, "resume")]


def test_a_window_that_is_exactly_full_brakes_too() -> None:
    stage = Stage()
    ada = stage.join("ada", window=WINDOW)
    stage.out(b"x" * WINDOW)
    assert stage.take()[1:] == [(7, "pause")]
    stage.process.acknowledge(ada, 1)
    assert stage.take() == [(7, "resume")]


@pytest.mark.parametrize("offset", [0, 50, 101, 1 << 60])
def test_an_acknowledgement_that_cannot_be_is_ignored(offset: int) -> None:
    stage = Stage()
    ada = stage.join("ada", window=WINDOW)
    stage.out(b"x" * 200)
    stage.process.acknowledge(ada, 50)
    stage.process.acknowledge(ada, 100)
    stage.take()
    stage.process.acknowledge(ada, offset + 100 if offset > 100 else offset)
    assert stage.log == []


def test_strangers_acknowledge_and_resume_nothing() -> None:
    stage = Stage()
    stranger = FakeListener(stage.log, "mallory")
    stage.out(b"x")
    stage.process.acknowledge(stranger, 1)
    stage.process.resume(stranger)
    stage.process.detach(stranger)
    assert stage.log == []


def test_a_full_transport_brakes_until_it_has_room() -> None:
    stage = Stage()
    ada = stage.join("ada")
    ada.on_event = lambda event: stage.writable(ada, False)
    stage.out(b"one")
    stage.out(b"two")  # the child had read it already
    assert stage.take() == [("ada", Output(7, 1, b"one")), (7, "pause")]
    ada.on_event = lambda event: None
    stage.writable(ada, True)
    assert stage.take() == [("ada", Output(7, 1, b"two")), (7, "resume")]


def test_a_stuck_viewer_does_not_stop_the_others() -> None:
    stage = Stage(1000)
    ada, bob = stage.join("ada", window=WINDOW), stage.join("bob", window=WINDOW)
    heard = 0
    for _ in range(50):
        stage.out(b"x" * WINDOW)
        heard += WINDOW
        stage.process.acknowledge(bob, heard)
    assert not stage.child.paused
    assert sum(len(event.data) for name, event in stage.take() if name == "ada") == WINDOW
    stage.process.detach(bob)
    assert stage.take() == [(7, "pause")]  # now only ada is there, and it stands still
    stage.process.detach(ada)
    assert stage.take() == [(7, "resume")]  # with nobody there it runs on


def test_the_child_is_held_as_soon_as_the_last_one_stands_still() -> None:
    stage = Stage()
    ada, bob = stage.join("ada"), stage.join("bob")
    stage.writable(ada, False)
    assert stage.take() == []
    stage.writable(bob, False)
    assert stage.take() == [(7, "pause")]
    stage.writable(bob, False)
    assert stage.take() == []
    stage.join("carl")
    assert stage.take() == [(7, "resume")]
    stage.writable(ada, True)
    assert stage.take() == []


def test_a_listener_that_leaves_while_it_is_told() -> None:
    stage = Stage()
    ada, bob = stage.join("ada"), stage.join("bob")

    def leave(event: Event) -> None:
        ada.writable = False
        stage.process.detach(ada)

    ada.on_event = leave
    stage.out(b"one")
    stage.out(b"two")
    assert stage.take() == [("ada", Output(7, 1, b"one")), ("bob", Output(7, 1, b"one")), ("bob", Output(7, 1, b"two"))]
    stage.process.detach(bob)
    assert stage.log == []


def test_a_listener_that_leaves_while_it_is_served() -> None:
    stage = Stage()
    stage.out(b"x" * SERVE_BYTES)
    stage.process.wrote(2, b"y")
    ada = FakeListener(stage.log, "ada")
    stage.process.attach(ada, 0)

    def leave(event: Event) -> None:
        ada.writable = False
        stage.process.detach(ada)

    ada.on_event = leave
    stage.process.resume(ada)
    assert len(stage.take()) == 1
    stage.process.exited(0, None, ())
    assert stage.take() == ["ended"]


def test_a_transport_that_is_full_and_empty_again_at_once() -> None:
    stage = Stage()
    stage.out(b"x" * (3 * SERVE_BYTES))
    ada = FakeListener(stage.log, "ada")
    stage.process.attach(ada, 0)

    def flicker(event: Event) -> None:
        stage.writable(ada, False)
        stage.writable(ada, True)

    ada.on_event = flicker
    stage.process.resume(ada)
    stage.process.exited(0, None, ())
    events = [event for who, event in stage.take()[:-1] if who == "ada"]
    assert [len(event.data) for event in events[:-1]] == [SERVE_BYTES] * 3
    assert events[-1] == exited()


# ---- gaps


def test_a_gap_restores_the_modes_and_has_the_program_draw_itself_anew() -> None:
    stage = Stage(10, terminal=True)
    bob = stage.join("bob")
    stage.writable(bob, False)
    stage.out(b"\x1b[?2004h")
    stage.process.wrote(2, b"cut\nwhole line\n")
    stage.take()
    stage.writable(bob, True)
    assert stage.take() == [
        ("bob", Gap(7, 12, 12, "\x1b[?2004h")),
        (7, "redraw"),
        ("bob", Output(7, 2, b"whole line\n")),
        (7, "resume"),
    ]


def test_a_gap_counts_as_consumed() -> None:
    stage = Stage(200)
    ada = stage.join("ada", window=WINDOW)
    stage.out(b"x" * WINDOW)
    stage.process.wrote(2, b"y" * 250)
    assert stage.process.scrollback.base == WINDOW
    stage.process.wrote(1, b"z" * 300)
    assert stage.process.scrollback.base == 350
    stage.take()
    stage.process.acknowledge(ada, 1)
    assert stage.take() == [("ada", Gap(7, 250, 350, "")), (7, "redraw"), ("ada", Output(7, 1, b"z" * WINDOW))]
    stage.process.acknowledge(ada, 100)  # that was before the gap
    assert stage.log == []
    stage.process.acknowledge(ada, 351)
    assert stage.take() == [("ada", Output(7, 1, b"z"))]


def test_a_gap_after_the_end_disturbs_nobody() -> None:
    stage = Stage(10)
    stage.out(b"x" * 20)
    stage.process.wrote(2, b"y" * 20)
    stage.process.exited(0, None, ())
    stage.take()
    stage.join("bob")
    assert stage.take() == [("bob", Gap(7, 20, 20, "")), ("bob", Output(7, 2, b"y" * 20))]


# ---- keep


def test_with_nobody_there_the_tail_is_kept_and_the_child_runs_on() -> None:
    stage = Stage(100)
    for _ in range(100):
        stage.out(b"x" * 5000)
    assert stage.log == []
    assert stage.process.scrollback.base > 0


def test_with_keep_all_the_child_is_held_when_nobody_reads_and_nothing_is_lost() -> None:
    stage = Stage(1000, keep=True)
    stage.out(b"x" * 999)
    assert stage.take() == []
    stage.out(b"y")
    assert stage.take() == [(7, "pause")]
    stage.out(b"z" * 10)
    ada = stage.join("ada")
    assert b"".join(entry[1].data for entry in stage.take()[:-1]) == b"x" * 999 + b"y" + b"z" * 10
    assert not stage.child.paused
    stage.process.detach(ada)
    stage.out(b"w" * 1000)
    assert stage.take() == [(7, "pause")]


def test_with_keep_all_a_listener_that_acknowledges_holds_the_child() -> None:
    stage = Stage(1000, keep=True)
    ada = stage.join("ada", window=5000)
    stage.out(b"x" * 1500)
    assert stage.take() == [("ada", Output(7, 1, b"x" * 1500)), (7, "pause")]
    stage.process.acknowledge(ada, 400)
    assert stage.take() == []
    stage.process.acknowledge(ada, 501)
    assert stage.take() == [(7, "resume")]


def test_with_keep_all_the_fastest_listener_decides() -> None:
    stage = Stage(1000, keep=True)
    stage.join("ada", window=5000)
    stage.join("bob")
    for _ in range(10):
        stage.out(b"x" * 500)
    assert not stage.child.paused


# ---- the end


def test_the_end_is_told_after_all_output_and_once() -> None:
    stage = Stage()
    ada, bob = stage.join("ada"), stage.join("bob", window=WINDOW)
    carl = stage.join("carl", window=WINDOW)
    stage.out(b"x" * 150)
    stage.take()
    stage.time = 2.5
    stage.process.exited(3, None, ())
    end = Exited(7, 3, None, (), 2.5)
    assert stage.take() == [("ada", end), "ended"]
    stage.process.acknowledge(bob, 50)
    assert stage.take() == [("bob", Output(7, 1, b"x" * 50)), ("bob", end)]
    for listener in (ada, bob, carl):
        stage.process.resume(listener)
    stage.process.acknowledge(bob, 150)
    stage.process.acknowledge(carl, 10)
    assert stage.take() == [("carl", Output(7, 1, b"x" * 10))]
    stage.process.acknowledge(carl, 100)
    assert stage.take() == [("carl", Output(7, 1, b"x" * 40)), ("carl", end)]


def test_who_comes_after_the_end_knows_it_from_the_record() -> None:
    stage = Stage()
    stage.out(b"bye")
    stage.process.exited(None, "KILL", (12, 13))
    stage.take()
    bob = stage.join("bob")
    assert stage.take() == [("bob", Output(7, 1, b"bye"))]
    record = stage.process.record(bob)
    assert (record.state, record.exit_code, record.signal, record.survivors) == ("exited", None, "KILL", (12, 13))


def test_nothing_is_asked_of_a_child_that_has_ended() -> None:
    stage = Stage()
    ada = stage.join("ada")
    stage.writable(ada, False)
    stage.process.exited(0, None, ())
    stage.take()
    stage.writable(ada, True)
    stage.process.took()
    with pytest.raises(WrongState):
        stage.process.input(ada, Kind.TYPED, b"x")
    with pytest.raises(WrongState):
        stage.process.living()
    assert stage.take() == []


def test_a_child_that_left_something_is_remembered() -> None:
    stage = Stage()
    stage.process.exited(0, None, (99,))
    assert stage.process.remains is stage.child
    stage = Stage()
    stage.process.exited(0, None, ())
    assert stage.process.remains is None


def test_a_clock_that_goes_back_makes_no_negative_duration() -> None:
    stage = Stage()
    stage.time = -5.0
    stage.process.exited(0, None, ())
    assert stage.process.record().duration == 0.0


# ---- answers


def answered(stage: Stage, listener: FakeListener, data: bytes = b"\x1b[0n") -> bool:
    stage.take()
    stage.process.input(listener, Kind.ANSWER, data)
    log = stage.take()
    assert log in ([], [(7, "write", data)])
    return bool(log)


def test_of_those_who_may_type_the_one_attached_longest_answers() -> None:
    stage = Stage()
    viewer, ada, bob = stage.join("viewer", may_type=False), stage.join("ada"), stage.join("bob")
    assert [answered(stage, who) for who in (viewer, ada, bob)] == [False, True, False]
    stage.process.detach(ada)
    assert [answered(stage, who) for who in (viewer, ada, bob)] == [False, False, True]


def test_nobody_who_only_watches_answers() -> None:
    stage = Stage()
    viewer = stage.join("viewer", may_type=False)
    assert not answered(stage, viewer)


@pytest.mark.parametrize("kind", [Kind.TYPED, Kind.PASTED])
def test_who_typed_last_answers_until_it_leaves(kind: Kind) -> None:
    stage = Stage()
    ada, bob = stage.join("ada"), stage.join("bob")
    stage.process.input(bob, kind, b"x")
    assert [answered(stage, who) for who in (ada, bob)] == [False, True]
    stage.process.input(ada, kind, b"x")
    assert [answered(stage, who) for who in (ada, bob)] == [True, False]
    stage.process.detach(bob)
    assert answered(stage, ada)
    stage.process.detach(ada)
    bob = stage.join("bob", 99)
    assert answered(stage, bob)


def test_answers_to_what_is_old_are_dropped() -> None:
    stage = Stage()
    stage.out(b"who are you?")
    ada = stage.join("ada", window=WINDOW)
    assert not answered(stage, ada)
    stage.process.acknowledge(ada, 11)
    assert not answered(stage, ada)
    stage.process.acknowledge(ada, 12)
    assert answered(stage, ada)
    stage.out(b"and now?")
    assert answered(stage, ada)


def test_answers_are_bounded_and_not_counted() -> None:
    stage = Stage()
    ada = stage.join("ada")
    assert answered(stage, ada, b"x" * ANSWER_BYTES)
    assert not answered(stage, ada, b"x" * (ANSWER_BYTES + 1))
    assert stage.process.taken(ada) == 0
    stage.child.pending = ANSWERS_PENDING
    assert not answered(stage, ada)


def test_answers_of_strangers_are_dropped() -> None:
    stage = Stage()
    assert not answered(stage, FakeListener(stage.log, "mallory"))


# ---- all of it together, against a model


class Reader:
    """A listener that checks each event against the whole stream."""

    def __init__(self, name: str, stage: Stage, window: int | None, whole: bytearray) -> None:
        self.stage = stage
        self.whole = whole
        self.window = window
        self.listener: FakeListener | None = None
        self.name = name
        self.offset = 0
        self.acknowledged = 0
        self.ends = 0

    def attach(self, offset: int) -> None:
        stage = self.stage
        self.listener = FakeListener(stage.log, self.name, self.window, self.name)
        self.listener.on_event = self.hear
        offset = min(offset, len(self.whole))
        self.offset = self.acknowledged = offset
        self.ends = 0 if stage.process.running else 1
        stage.process.attach(self.listener, offset)
        stage.process.resume(self.listener)

    def detach(self) -> None:
        if self.listener is not None:
            listener, self.listener = self.listener, None
            self.stage.process.detach(listener)

    def hear(self, event: Event) -> None:
        assert self.listener is not None
        if isinstance(event, Output):
            assert self.listener.writable
            assert self.whole[self.offset : self.offset + len(event.data)] == event.data
            assert set(event.data) <= ({ord("o"), ord("\n")} if event.stream == 1 else {ord("e")})
            self.offset += len(event.data)
            if self.window is not None:
                assert self.offset <= self.acknowledged + self.window
        elif isinstance(event, Gap):
            assert event.lost > 0
            assert event.offset == self.offset + event.lost
            assert self.offset < self.stage.process.scrollback.base <= event.offset
            self.offset = self.acknowledged = event.offset
        elif isinstance(event, Exited):
            assert self.ends == 0
            assert self.offset == len(self.whole)
            self.ends = 1

    @property
    def can_take(self) -> bool:
        if self.listener is None or not self.listener.writable:
            return False
        return self.window is None or self.offset < self.acknowledged + self.window


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["out", "err", "out", "err", "ack", "ack", "pause", "resume", "attach", "detach", "line"]),
        st.integers(0, 2),
        st.sampled_from([0, 1, 5, 40, 100, 250]),
    ),
    max_size=60,
)


@settings(max_examples=500)
@given(ACTIONS, st.booleans(), st.sampled_from([1, 50, 300, 1000]))
def test_whatever_happens_each_listener_gets_the_stream(
    actions: list[tuple[str, int, int]], keep: bool, capacity: int
) -> None:
    stage = Stage(capacity, keep=keep)
    scrollback = stage.process.scrollback
    whole = bytearray()
    readers = [Reader(name, stage, window, whole) for name, window in (("ada", 100), ("bob", 30), ("carl", None))]
    for action, number, size in actions:
        reader = readers[number]
        listener = reader.listener
        if action in ("out", "err", "line") and size:
            data = {"out": b"o", "err": b"e", "line": b"\n"}[action] * size
            whole += data
            stage.process.wrote(2 if action == "err" else 1, data)
        elif action == "attach":
            reader.detach()
            reader.attach(size)
        elif action == "detach":
            reader.detach()
        elif listener is not None and action == "ack":
            offset = min(reader.acknowledged + size, reader.offset)
            reader.acknowledged = offset
            stage.process.acknowledge(listener, offset)
        elif listener is not None and action in ("pause", "resume"):
            stage.writable(listener, action == "resume")
        # what must hold whatever has happened
        attached = [one for one in readers if one.listener is not None]
        blocked = bool(attached) and not any(one.can_take for one in attached)
        assert stage.child.paused == (blocked or scrollback.full)
        for one in attached:
            assert not one.can_take or one.offset == len(whole)
        assert scrollback.end == len(whole)
        if not keep:
            assert scrollback.end - scrollback.base < capacity + CHUNK_BYTES
    stage.process.exited(0, None, ())
    for reader in readers:
        if reader.listener is None:
            reader.attach(0)
        assert reader.listener is not None
        stage.writable(reader.listener, True)
        while reader.offset < len(whole):
            reader.acknowledged = reader.offset
            stage.process.acknowledge(reader.listener, reader.offset)
        assert reader.ends == 1


def test_a_size_of_its_own() -> None:
    stage = Stage()
    stage.process.size = Size(3, 4)
    record = stage.process.record()
    assert (record.pty, record.rows, record.cols) == (True, 3, 4)
