"""Input of one process: counted for each client, bounded, told when taken; exact across a cut."""

from __future__ import annotations

import pytest
from doubles import FakeChild, FakeListener, Log
from hypothesis import given, settings
from hypothesis import strategies as st

from webshell.command import Command, Size
from webshell.cursor import Listener
from webshell.errors import InputFull
from webshell.intake import CLIENT_BYTES, CLIENTS, PROCESS_BYTES, REPORT_BYTES, UNCOUNTED_BYTES, Intake
from webshell.messages import Kind, Taken
from webshell.process import Process
from webshell.scrollback import Scrollback


def make(room: int | None = None) -> tuple[Log, Process, FakeChild]:
    log: Log = []
    process = Process(1, "sh", "", "", Size(), Scrollback(), lambda: 0.0, lambda process: None)
    child = FakeChild(log, 1, Command(("cat",)), process)
    child.room = room
    process.child = child
    return log, process, child


def attached(log: Log, process: Process, name: str, client: str | None = None) -> FakeListener:
    listener = FakeListener(log, name, client=name if client is None else client)
    process.attach(listener, 0)
    return listener


def typed(process: Process, listener: Listener, data: bytes) -> None:
    process.input(listener, Kind.TYPED, data)


def test_what_the_kernel_takes_at_once_is_not_reported_in_small_steps() -> None:
    log, process, _ = make()
    ada = attached(log, process, "ada")
    typed(process, ada, b"ls\r")
    assert log == [(1, "write", b"ls\r")]
    assert process.taken(ada) == 3
    assert process.record(ada).taken == 3
    typed(process, ada, b"x" * REPORT_BYTES)
    assert log[2:] == [("ada", Taken(1, 3 + REPORT_BYTES))]


def test_what_was_asked_for_is_not_reported_again() -> None:
    log, process, _ = make()
    ada = attached(log, process, "ada")
    typed(process, ada, b"x" * (REPORT_BYTES - 1))
    assert process.taken(ada) == REPORT_BYTES - 1
    typed(process, ada, b"x")
    assert not [entry for entry in log if entry[0] == "ada"]


def test_a_backlog_is_reported_in_steps_and_when_it_has_gone() -> None:
    log, process, child = make(room=0)
    ada = attached(log, process, "ada")
    typed(process, ada, b"x" * (2 * REPORT_BYTES + 10))
    log.clear()
    child.take(REPORT_BYTES - 1)
    assert log == []
    child.take(1)
    child.take(REPORT_BYTES)
    child.take(9)
    child.take(1)
    assert [entry[1].count for entry in log] == [REPORT_BYTES, 2 * REPORT_BYTES, 2 * REPORT_BYTES + 10]


def test_each_client_has_a_count_of_its_own() -> None:
    log, process, child = make(room=0)
    ada, bob, carl = (attached(log, process, name) for name in ("ada", "bob", "carl"))
    typed(process, ada, b"aaa")
    typed(process, ada, b"a")
    typed(process, bob, b"bb")
    typed(process, ada, b"a")
    assert [process.record(who).taken for who in (ada, bob, carl)] == [5, 2, 0]
    log.clear()
    child.take(5)
    assert [process.taken(who) for who in (ada, bob, carl)] == [4, 1, 0]
    child.take(2)
    assert log == [("ada", Taken(1, 5)), ("bob", Taken(1, 2))]


def test_a_client_that_is_here_twice_for_a_while_is_told_twice() -> None:
    log, process, child = make(room=0)
    old = attached(log, process, "old", client="ada")
    new = attached(log, process, "new", client="ada")
    typed(process, new, b"x")
    child.take(1)
    assert log[1:] == [("old", Taken(1, 1)), ("new", Taken(1, 1))]
    assert process.record(old).taken == 1


def test_who_has_no_name_is_not_counted() -> None:
    log, process, child = make(room=0)
    plain = attached(log, process, "plain", client="")
    typed(process, plain, b"x" * REPORT_BYTES)
    child.take(REPORT_BYTES)
    assert log == [(1, "write", b"x" * REPORT_BYTES)]
    assert process.record(plain).taken == 0


def test_one_client_can_have_so_much_under_way_and_then_must_attach_again() -> None:
    log, process, child = make(room=0)
    ada, bob = attached(log, process, "ada"), attached(log, process, "bob")
    typed(process, ada, b"x" * (CLIENT_BYTES - 1))
    with pytest.raises(InputFull, match=f"{CLIENT_BYTES - 1} bytes are waiting"):
        typed(process, ada, b"yz")
    child.take(CLIENT_BYTES)
    with pytest.raises(InputFull):  # else "w" would arrive without "yz" before it
        typed(process, ada, b"w")
    typed(process, bob, b"b")
    child.take(1)
    process.attach(ada, 0)
    assert process.record(ada).taken == CLIENT_BYTES - 1
    typed(process, ada, b"yz")
    assert child.received[-3:] == b"byz"


def test_looking_at_a_process_is_not_attaching() -> None:
    log, process, child = make(room=0)
    ada = attached(log, process, "ada")
    with pytest.raises(InputFull):
        typed(process, ada, b"x" * (CLIENT_BYTES + 1))
    process.record(ada)
    with pytest.raises(InputFull):
        typed(process, ada, b"x")
    assert child.received == b""


def test_all_clients_together_can_have_so_much_under_way() -> None:
    log, process, child = make(room=0)
    count = PROCESS_BYTES // CLIENT_BYTES
    everybody = [attached(log, process, f"client {number}") for number in range(count + 1)]
    for listener in everybody[:-1]:
        typed(process, listener, b"x" * CLIENT_BYTES)
    with pytest.raises(InputFull, match=f"{PROCESS_BYTES} bytes are waiting"):
        typed(process, everybody[-1], b"y")
    assert child.pending == PROCESS_BYTES


def test_who_has_no_name_may_go_on_when_there_is_room() -> None:
    log, process, child = make(room=0)
    plain = attached(log, process, "plain", client="")
    typed(process, plain, b"x" * UNCOUNTED_BYTES)
    with pytest.raises(InputFull, match=f"{UNCOUNTED_BYTES} bytes are waiting"):
        typed(process, plain, b"y")
    child.take(1)
    typed(process, plain, b"z")
    assert child.received[-1:] == b"z"


def test_what_is_taken_while_a_client_is_away_is_known_when_it_comes_back() -> None:
    log, process, child = make(room=0)
    ada = attached(log, process, "ada")
    typed(process, ada, b"x" * CLIENT_BYTES)
    child.take(REPORT_BYTES)  # this report may not arrive
    process.detach(ada)
    child.take(CLIENT_BYTES - REPORT_BYTES - 1)
    log.clear()
    ada = attached(log, process, "ada")
    child.take(1)
    assert log == [("ada", Taken(1, CLIENT_BYTES))]
    process.detach(ada)
    ada = attached(log, process, "ada")
    assert process.taken(ada) == CLIENT_BYTES


def test_nothing_is_no_input() -> None:
    log, process, _ = make(room=0)
    ada = attached(log, process, "ada")
    typed(process, ada, b"")
    assert log == []


def test_so_many_counts_are_kept_and_who_sent_nothing_for_longest_goes_first() -> None:
    _, _, child = make()
    intake = Intake()
    intake.write("ada", b"x", child)
    intake.write("bob", b"x", child)
    for number in range(CLIENTS - 2):
        intake.write(f"client {number}", b"x", child)
    intake.write("ada", b"x", child)
    intake.write("one more", b"x", child)
    assert intake.accepted("ada") == 2
    assert intake.accepted("bob") == 0
    assert intake.taken("bob") == 0
    assert intake.accepted("client 0") == 1


def test_what_was_under_way_from_a_forgotten_client_confuses_nobody() -> None:
    _, _, child = make(room=0)
    intake = Intake()
    intake.write("ada", b"x" * 10, child)
    for number in range(CLIENTS):
        intake.write(f"client {number}", b"x", child)
    intake.write("ada", b"y", child)
    child.pending = 0
    intake.advance(child)
    assert intake.due("ada") == 1
    assert intake.due("nobody") is None


def test_a_child_that_took_input_without_saying_so() -> None:
    _, _, child = make(room=0)
    intake = Intake()
    intake.write("ada", b"x" * 10, child)
    child.pending = 0
    child.room = None
    intake.write("ada", b"y", child)
    assert intake.taken("ada") == intake.accepted("ada") == 11


# ---- a client that is cut off, against a server that forgets nothing


class Typist:
    """What docs/protocol.rst asks of a client: number the bytes, keep what was not taken, send again after a cut."""

    def __init__(self, name: str, log: Log, process: Process) -> None:
        self.name = name
        self.process = process
        self.log = log
        self.typed = b""
        self.sent = 0
        self.taken = 0
        self.listener: FakeListener | None = None

    def connect(self) -> None:
        self.listener = FakeListener(self.log, self.name, client=self.name)
        self.process.attach(self.listener, 0)
        self.sent = self.process.record(self.listener).taken
        self.send()

    def cut(self) -> None:
        if self.listener is not None:
            self.process.detach(self.listener)
            self.listener = None

    def type(self, data: bytes) -> None:
        self.typed += data
        self.send()

    def send(self) -> None:
        if self.listener is None:
            return
        self.taken = self.process.taken(self.listener)
        room = CLIENT_BYTES - (self.sent - self.taken)
        data = self.typed[self.sent : self.sent + room]
        if data:
            typed(self.process, self.listener, data)
            self.sent += len(data)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["type", "type", "type", "cut", "connect", "take", "lose"]),
        st.integers(0, 1),
        st.sampled_from([1, 3, 1000, REPORT_BYTES, CLIENT_BYTES - 1, CLIENT_BYTES]),
    ),
    max_size=40,
)


@settings(max_examples=60)
@given(STEPS)
def test_no_key_is_lost_or_doubled_by_a_cut(steps: list[tuple[str, int, int]]) -> None:
    log, process, child = make(room=0)
    typists = [Typist(name, log, process) for name in ("ada", "bob")]
    marks = (b"abc", b"xyz")
    for step, number, size in steps:
        typist = typists[number]
        if step == "type":
            typist.type((marks[number] * (size // 3 + 1))[:size])
        elif step == "cut":
            typist.cut()
        elif step == "connect":
            typist.cut()
            typist.connect()
        elif step == "take":
            child.take(size)
        elif typist.listener is not None:  # it was sent and never arrived, and then comes the cut
            typist.typed += marks[number]
            typist.cut()
        assert child.pending <= PROCESS_BYTES
    for typist in typists:
        typist.cut()
        typist.connect()
    while child.pending or any(typist.sent < len(typist.typed) for typist in typists):
        child.take(CLIENT_BYTES)
        for typist in typists:
            typist.send()
    for typist, mark in zip(typists, marks, strict=True):
        assert bytes(byte for byte in child.received if byte in mark) == typist.typed
        assert typist.listener is not None
        assert process.taken(typist.listener) == len(typist.typed)
