"""What reached the log only fails the test, unless it is marked ``logs_errors``."""

from __future__ import annotations

import gc
import hmac
from collections.abc import Iterator
from typing import cast

import pytest
from twisted.logger import ILogObserver, LogEvent, LogLevel, globalLogPublisher
from web.web_wire import World


@pytest.fixture(autouse=True)
def logged(request: pytest.FixtureRequest) -> Iterator[list[LogEvent]]:
    events: list[LogEvent] = []
    observer = cast("ILogObserver", events.append)
    globalLogPublisher.addObserver(observer)
    yield events
    gc.collect(1)  # a Deferred that nobody holds complains when it goes
    globalLogPublisher.removeObserver(observer)
    errors = [event for event in events if event.get("log_level", LogLevel.info) >= LogLevel.error]
    if request.node.get_closest_marker("logs_errors") is None:
        assert errors == []


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The lengths of what is compared in a time that tells nothing."""
    lengths: list[tuple[int, int]] = []
    compare = hmac.compare_digest

    def noted(first: bytes, second: bytes) -> bool:
        lengths.append((len(first), len(second)))
        return compare(first, second)

    monkeypatch.setattr(hmac, "compare_digest", noted)
    return lengths
