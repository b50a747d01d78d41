"""Who is read when: floods in turn, everybody else before them."""

from __future__ import annotations

import os
import select
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from webshell.targets.floods import ALONE, PACE_SECONDS, READS, SKIPS, Floods
from webshell.targets.precedence import ECHO_SECONDS, TYPING_SECONDS, Precedence


class Time:
    """Goes on by *step* seconds each time that it is asked."""

    def __init__(self, step: float = 0.0) -> None:
        self.seconds = 1000.0
        self.step = step

    def __call__(self) -> float:
        self.seconds += self.step
        return self.seconds


class Endless:
    """Has always more to read, or *times* times."""

    def __init__(self, name: str, log: list[str], times: int = 1 << 30) -> None:
        self.name = name
        self.log = log
        self.times = times

    def surge(self, reads: int, typing: bool) -> bool:
        assert reads == 1 or not typing
        for _ in range(min(reads, self.times)):
            self.log.append(self.name)
            self.times -= 1
        return self.times > 0


class Turns:
    """A reactor that makes one turn at a time."""

    def __init__(self) -> None:
        self.calls: list[Callable[[], None]] = []

    def callLater(self, delay: float, call: Callable[[], None]) -> Turns:
        assert delay == 0
        self.calls.append(call)
        return self

    def cancel(self) -> None:
        self.calls.clear()

    def __call__(self) -> None:
        (call,) = self.calls
        self.calls.clear()
        call()


@contextmanager
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    try:
        yield ends
    finally:
        for end in ends:
            os.close(end)


def test_floods_are_read_in_turn() -> None:
    turn, log = Turns(), list[str]()
    floods = Floods(turn, Precedence())  # type: ignore[arg-type]
    one, two = Endless("one", log), Endless("two", log)
    floods.add(one)
    floods.add(two)
    floods.add(two)
    assert len(turn.calls) == 1
    turn()
    assert log == ["one", "two"] * (READS // 2)
    floods.discard(one)
    turn()
    assert log[READS:] == ["two"] * READS
    floods.discard(two)
    assert turn.calls == []


def test_what_has_nothing_more_is_read_no_more() -> None:
    turn, log = Turns(), list[str]()
    floods = Floods(turn, Precedence())  # type: ignore[arg-type]
    floods.add(Endless("short", log, 2))
    floods.add(Endless("shorter", log, 1))
    turn()
    assert log == ["short", "shorter", "short"]
    assert turn.calls == []


def test_a_flood_may_leave_and_come_back_while_it_is_read() -> None:
    turn, log = Turns(), list[str]()
    floods = Floods(turn, Precedence())  # type: ignore[arg-type]

    class Paused(Endless):
        def surge(self, reads: int, typing: bool) -> bool:
            floods.discard(self)
            if self.times == 2:
                floods.add(self)
            return super().surge(1, typing)

    floods.add(Paused("paused", log, 2))
    turn()
    assert log == ["paused"] * 2
    assert turn.calls == []


def test_floods_give_way_but_do_not_starve() -> None:
    turn, log = Turns(), list[str]()
    precedence = Precedence()
    floods = Floods(turn, precedence)  # type: ignore[arg-type]
    floods.add(Endless("flood", log))
    with pipe() as (reader, writer):
        precedence.add(reader)
        os.write(writer, b"a key")
        for _ in range((SKIPS + 1) * 5):
            turn()
        assert log == ["flood"] * ALONE * 5
        precedence.discard(reader)
        turn()
    assert len(log) == 5 * ALONE + READS


def test_after_a_key_floods_wait_for_its_echo_and_no_longer() -> None:
    turn, log, time = Turns(), list[str](), Time()
    precedence = Precedence(time)
    floods = Floods(turn, precedence)  # type: ignore[arg-type]
    floods.add(Endless("flood", log))
    precedence.typed()
    turn()
    assert log == []
    precedence.answered()
    time.step = PACE_SECONDS / 8
    turn()
    assert len(log) == READS
    precedence.typed()
    turn()
    assert len(log) == READS
    time.seconds += ECHO_SECONDS
    turn()
    assert len(log) == READS * 2


def test_while_somebody_types_reads_are_paced() -> None:
    turn, log, time = Turns(), list[str](), Time(PACE_SECONDS / 100)
    precedence = Precedence(time)
    floods = Floods(turn, precedence)  # type: ignore[arg-type]
    floods.add(Endless("flood", log))

    def a_turn() -> float:
        before = time.seconds
        turn()
        return time.seconds - before

    assert a_turn() < READS * PACE_SECONDS / 2
    precedence.typed()
    precedence.answered()
    assert precedence.typing()
    assert a_turn() > READS * PACE_SECONDS * 0.9
    time.seconds += TYPING_SECONDS
    assert not precedence.typing()
    assert a_turn() < READS * PACE_SECONDS / 2


@pytest.mark.parametrize("epoll", [True, False])
def test_precedence_knows_who_has_something_to_read(epoll: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not epoll:  # as on macOS
        monkeypatch.delattr(select, "epoll")
    before = os.listdir("/proc/self/fd")
    precedence = Precedence()
    assert not precedence.wanted()
    with pipe() as (reader, writer), pipe() as (other, _):
        for descriptor in (reader, other, reader):
            precedence.add(descriptor)
        assert not precedence.wanted()
        os.write(writer, b"x")
        assert precedence.wanted()
        precedence.discard(reader)
        precedence.discard(reader)
        assert not precedence.wanted()
        precedence.add(reader)
        assert precedence.wanted()
        precedence.discard(reader)
        precedence.discard(other)
        assert not precedence.wanted()
    assert os.listdir("/proc/self/fd") == before


def test_it_can_be_waited_for_a_flood_and_for_everybody_who_goes_first() -> None:
    before = os.listdir("/proc/self/fd")
    precedence = Precedence()
    with pipe() as (flood, program), pipe() as (reader, writer):
        assert not precedence.wait(flood)
        precedence.add(reader)
        assert not precedence.wait(flood)
        os.write(writer, b"a key")
        assert precedence.wait(flood)
        precedence.discard(reader)
        assert not precedence.wait(flood)
        os.write(program, b"output")
        assert precedence.wait(flood)
    assert os.listdir("/proc/self/fd") == before


def test_without_epoll_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(select, "epoll")  # as on macOS
    precedence = Precedence()
    with pipe() as (flood, program), pipe() as (reader, _):
        os.write(program, b"output")
        assert precedence.wait(flood)
        precedence.add(reader)
        assert not precedence.wait(flood)


def test_a_descriptor_that_is_closed_already_can_be_discarded() -> None:
    precedence = Precedence()
    with pipe() as (stays, _):
        with pipe() as (reader, _):
            precedence.add(stays)
            precedence.add(reader)
        precedence.discard(reader)
        assert not precedence.wanted()
        precedence.discard(stays)


def test_without_a_descriptor_to_ask_with_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(select, "epoll", full)
    precedence = Precedence()
    with pipe() as (reader, writer):
        precedence.add(reader)
        os.write(writer, b"x")
        assert not precedence.wanted()
        precedence.discard(reader)
