"""The daemon's own way of calling descriptors."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from twisted.internet.epollreactor import EPollReactor
from twisted.internet.selectreactor import SelectReactor

from webshell.tap import lean_poll


class Reader:
    """One end of a pipe."""

    def __init__(self, act: Callable[[], None]) -> None:
        self.descriptor, self.other = os.pipe()
        self.doRead = act

    def fileno(self) -> int:
        return self.descriptor

    def logPrefix(self) -> str:
        return "reader"

    def connectionLost(self, reason: object) -> None:
        """Nothing."""


@pytest.fixture
def reactor() -> Iterator[Any]:
    one: Any = EPollReactor()
    before = one.doIteration
    lean_poll(one)
    assert one.doIteration is not before
    yield one
    one.removeAll()
    for descriptor in one._internalReaders:
        descriptor.connectionLost(None)
    one._poller.close()


def test_descriptors_are_called(reactor: Any) -> None:
    log: list[str] = []
    quiet, busy = Reader(lambda: log.append("quiet")), Reader(lambda: log.append("busy"))
    for reader in (quiet, busy):
        reactor.addReader(reader)
    os.write(busy.other, b"x")
    reactor.doIteration(0)
    assert log == ["busy"]
    for reader in (quiet, busy):
        reactor.removeReader(reader)
        os.close(reader.descriptor)
        os.close(reader.other)


def test_what_was_removed_by_the_one_before_is_not_called(reactor: Any) -> None:
    log: list[str] = []
    readers: list[Reader] = []

    def act() -> None:
        log.append("called")
        for reader in readers:
            reactor.removeReader(reader)

    readers += [Reader(act), Reader(act)]
    for reader in readers:
        reactor.addReader(reader)
        os.write(reader.other, b"x")
    reactor.doIteration(None)
    assert log == ["called"]
    for reader in readers:
        os.close(reader.descriptor)
        os.close(reader.other)


def test_other_reactors_stay_as_they_are() -> None:
    reactor: Any = SelectReactor()
    lean_poll(reactor)
    assert "doIteration" not in vars(reactor)
    reactor.removeAll()
    for descriptor in reactor._internalReaders:
        descriptor.connectionLost(None)
