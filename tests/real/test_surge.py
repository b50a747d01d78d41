"""A lasting flood: its reader lets the program go ahead, and hands on whole frames although it pauses."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

import pytest
from twisted.internet.testing import MemoryReactorClock

from webshell.targets import channel as module
from webshell.targets.channel import LASTING_BYTES, REST_SECONDS, TERMINAL_HELD_BYTES, TERMINAL_READ_BYTES, Channel
from webshell.targets.floods import ALONE, Floods
from webshell.targets.precedence import Precedence
from webshell.targets.reactor import IReactor

FRAME_BYTES = TERMINAL_HELD_BYTES // TERMINAL_READ_BYTES * TERMINAL_READ_BYTES + TERMINAL_READ_BYTES
"""Of whole reads."""


class Patient(Precedence):
    """Something comes while it waits: what *meanwhile* does."""

    def __init__(self, log: list[object]) -> None:
        super().__init__()
        self.log = log
        self.meanwhile: Callable[[], object] | None = None

    def wait(self, descriptor: int) -> bool:
        self.log.append("waits")
        if self.meanwhile is None:
            return False
        self.meanwhile()
        return True


class Flood:
    """A channel in place of a terminal's, and the program's end of it."""

    def __init__(self, ours: int, theirs: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.log: list[object] = []
        self.patient = Patient(self.log)
        reactor = cast("IReactor", MemoryReactorClock())
        monkeypatch.setattr(module, "sleep", self.log.append)
        self.theirs = theirs
        self.channel = Channel(
            reactor,
            ours,
            Floods(reactor, self.patient),
            wrote=lambda data: self.log.append(len(data)),
            took=lambda: None,
            pipe=False,
        )

    def write(self, count: int) -> None:
        assert os.write(self.theirs, b"x" * count) == count

    def lasts(self) -> None:
        """It has lasted: all that came was handed on, and it is there still."""
        self.write(TERMINAL_READ_BYTES)
        self.channel.doRead()
        self.write(2 * FRAME_BYTES)
        assert self.channel.surge(ALONE, False)
        assert self.channel.surge(ALONE, False)
        assert self.log == [TERMINAL_READ_BYTES, FRAME_BYTES, FRAME_BYTES]
        self.log.clear()


@pytest.fixture
def flood(monkeypatch: pytest.MonkeyPatch) -> Iterator[Flood]:
    with pipe() as (ours, theirs):
        one = Flood(ours, theirs, monkeypatch)
        yield one
        one.channel.close()


@contextmanager
def pipe() -> Iterator[tuple[int, int]]:
    ours, theirs = os.pipe()
    fcntl.fcntl(theirs, fcntl.F_SETPIPE_SZ, 1 << 20)
    try:
        yield ours, theirs
    finally:
        os.close(theirs)


def test_who_has_overtaken_the_program_rests(flood: Flood) -> None:
    flood.lasts()
    flood.write(2 * TERMINAL_READ_BYTES + 100)
    flood.patient.meanwhile = lambda: None
    assert flood.channel.surge(ALONE, False)
    assert flood.log == [REST_SECONDS, "waits"]


def test_what_comes_after_a_pause_goes_into_the_same_frame(flood: Flood) -> None:
    flood.lasts()
    flood.write(1000)
    flood.patient.meanwhile = lambda: flood.write(TERMINAL_HELD_BYTES)
    assert flood.channel.surge(ALONE, False)
    assert flood.log == [REST_SECONDS, "waits"]
    assert flood.channel.surge(ALONE, False)
    assert len(flood.log) == 3
    assert TERMINAL_HELD_BYTES <= cast("int", flood.log[2]) < TERMINAL_HELD_BYTES + TERMINAL_READ_BYTES


def test_when_nothing_comes_what_there_is_is_handed_on(flood: Flood) -> None:
    flood.lasts()
    flood.write(1000)
    assert not flood.channel.surge(ALONE, False)
    assert flood.log == [REST_SECONDS, "waits", 1000]


def test_it_waits_once_for_others_to_be_heard_and_no_longer(flood: Flood) -> None:
    flood.lasts()
    flood.write(1000)
    flood.patient.meanwhile = lambda: None  # what has something to read is another one
    assert flood.channel.surge(ALONE, False)
    assert not flood.channel.surge(ALONE, False)
    assert flood.log == [REST_SECONDS, "waits", 1000]


@pytest.mark.parametrize("count", [TERMINAL_READ_BYTES, LASTING_BYTES - 1])
def test_a_screenful_is_handed_on_at_once(count: int, flood: Flood) -> None:
    flood.write(TERMINAL_READ_BYTES)
    flood.channel.doRead()
    flood.log.clear()
    flood.write(count)
    while flood.channel.surge(ALONE, False):
        pass
    assert REST_SECONDS not in flood.log
    assert "waits" not in flood.log
    assert sum(cast("list[int]", flood.log)) == count


@pytest.mark.parametrize(("reads", "typing"), [(1, False), (1, True)])
def test_neither_beside_others_nor_while_somebody_types(reads: int, typing: bool, flood: Flood) -> None:
    flood.lasts()
    flood.write(100)
    assert flood.channel.surge(reads, typing)
    assert not flood.channel.surge(reads, typing)
    assert flood.log == [100]
