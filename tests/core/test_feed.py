"""Input by offset: each byte once, in order, as there is room."""

from __future__ import annotations

import pytest
from doubles import FakeChild, FakeTarget, Log
from hypothesis import given
from hypothesis import strategies as st

from webshell.command import Command
from webshell.errors import InputFull, OutOfOrder, WebshellError, WrongState
from webshell.feed import OFFERS, ROOM_BYTES, WAITING_BYTES, Offer
from webshell.process import Process
from webshell.scrollback import Scrollback


class Sender:
    """Somebody who offers input to a process, and notes what is answered."""

    def __init__(self, room: int | None = None) -> None:
        self.log: Log = []
        self.process = Process(1, "sh", "", "", None, Scrollback(), lambda: 0.0, lambda process: None)
        self.child: FakeChild = FakeTarget(self.log).spawn(Command(("cat",)), self.process)
        self.child.room = room
        self.process.child = self.child
        self.answers: list[str] = []

    def offer(self, data: bytes, offset: int | None = None, *, end: bool = False) -> Offer:
        made = Offer(offset, data, end, self._answered)
        self.process.offer(made)
        return made

    def _answered(self, error: WebshellError | None) -> None:
        self.answers.append("" if error is None else error.code)

    def take(self) -> list[str]:
        answers, self.answers = self.answers, []
        return answers


def test_what_was_sent_twice_goes_in_once() -> None:
    sender = Sender()
    for data, offset in ((b"abc", 0), (b"abc", 0), (b"bcde", 1), (b"", 2), (b"fg", None), (b"h", 7)):
        sender.offer(data, offset)
    assert sender.take() == [""] * 6
    assert sender.child.received == b"abcdefgh"
    assert sender.process.feed.accepted == 8


def test_a_gap_is_refused() -> None:
    sender = Sender()
    sender.offer(b"x", 1)
    sender.offer(b"", 1)
    assert sender.take() == [OutOfOrder.code] * 2
    assert sender.child.received == b""


def test_the_end_of_input() -> None:
    sender = Sender()
    sender.offer(b"abc", 0)
    sender.offer(b"a", 0, end=True)  # more was accepted already
    assert sender.take() == ["", OutOfOrder.code]
    assert not sender.process.feed.ended
    sender.offer(b"bcd", 1, end=True)
    sender.offer(b"", 4, end=True)  # again
    sender.offer(b"cd", 2, end=True)
    sender.offer(b"de", 3)
    sender.offer(b"", None)
    assert sender.take() == ["", "", "", WrongState.code, ""]
    assert sender.log[-1] == (1, "close input")
    assert sender.log.count((1, "close input")) == 1


def test_what_has_no_room_waits_for_it() -> None:
    sender = Sender(room=0)
    sender.offer(b"x" * (ROOM_BYTES + 10), 0)
    sender.offer(b"yy", ROOM_BYTES + 10)
    assert sender.take() == []
    assert sender.process.feed.accepted == sender.child.pending == ROOM_BYTES
    assert sender.process.feed.waiting == 2
    sender.child.take(5)
    assert (sender.take(), sender.process.feed.accepted) == ([], ROOM_BYTES + 5)
    sender.child.take(ROOM_BYTES)
    assert (sender.take(), sender.process.feed.accepted) == (["", ""], ROOM_BYTES + 12)
    assert sender.child.received == b"x" * (ROOM_BYTES + 10) + b"yy"


def test_who_is_gone_is_not_answered_and_what_was_not_accepted_is_dropped() -> None:
    sender = Sender(room=0)
    first = sender.offer(b"x" * (ROOM_BYTES + 10), 0)
    second = sender.offer(b"yy")
    sender.process.feed.cancel(first)
    sender.process.feed.cancel(first)
    sender.child.take(ROOM_BYTES)
    assert sender.take() == [""]
    assert second.offset == ROOM_BYTES
    assert sender.child.received == b"x" * ROOM_BYTES + b"yy"


def test_what_waits_is_bounded_in_number_and_size() -> None:
    sender = Sender(room=0)
    sender.offer(b"x" * ROOM_BYTES)
    for _ in range(OFFERS):
        sender.offer(b"y")
    with pytest.raises(InputFull):
        sender.offer(b"y")
    sender = Sender(room=0)
    sender.offer(b"x" * ROOM_BYTES)
    sender.offer(bytes(WAITING_BYTES))
    with pytest.raises(InputFull):
        sender.offer(b"y")
    sender.child.room = None
    sender.child.take(ROOM_BYTES)
    assert sender.process.feed.waiting == 0
    sender.offer(b"y")
    assert sender.child.received[-1:] == b"y"


def test_the_end_of_the_child_is_an_answer() -> None:
    sender = Sender(room=0)
    sender.offer(b"x" * (ROOM_BYTES + 1))
    sender.process.exited(0, None, ())
    assert sender.take() == [WrongState.code]
    with pytest.raises(WrongState):
        sender.offer(b"y")


@given(
    st.binary(min_size=1, max_size=60),
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=40),
    st.integers(1, 9),
)
def test_whatever_arrives_in_whatever_order(whole: bytes, pieces: list[tuple[int, int]], room: int) -> None:
    """What gets in is always a beginning of the whole, and as much as was offered without a gap."""
    sender = Sender()
    reached = 0
    for start, size in pieces:
        piece = whole[start : start + size]
        sender.child.room = room
        sender.offer(piece, start)
        if start <= reached:
            reached = max(reached, start + len(piece))
        sender.child.take(len(whole))
    assert sender.child.received == whole[:reached]
    assert sender.process.feed.accepted == reached
