"""For all tests: what reached the log only fails the test, and property tests try the same examples each time."""

from __future__ import annotations

import gc
import signal
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "webshell", derandomize=True, deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("webshell")

for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
    if (
        signal.getsignal(number) is signal.SIG_IGN
    ):  # of nohup, or in the background: what tests start must not inherit it
        signal.signal(number, lambda number, frame: None)


def pytest_collection_finish() -> None:
    """What was imported is no garbage: without it, a full collection after each test costs next to nothing."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def logged(request: pytest.FixtureRequest) -> Iterator[list[dict[str, Any]]]:
    """What is logged during the test.

    An error in it fails the test, unless it is marked ``logs_errors``. A trial ``TestCase`` sees to its own errors (and
    has ``flushLoggedErrors``); here it answers only for Deferreds that complained after it.
    """
    events: list[dict[str, Any]] = []
    logger = sys.modules.get("twisted.logger")  # the core is tested without Twisted
    if logger is None:
        yield events
        return
    publisher = logger.globalLogPublisher
    publisher.addObserver(events.append)
    yield events
    during = len(events) if hasattr(request.instance, "flushLoggedErrors") else 0
    gc.collect()  # a Deferred that nobody holds complains when it goes
    publisher.removeObserver(events.append)
    if request.node.get_closest_marker("logs_errors") is None:
        errors = [
            event for event in events[during:] if event.get("log_level", logger.LogLevel.info) >= logger.LogLevel.error
        ]
        if errors:
            pytest.fail(
                "this reached the log only:\n" + "\n".join(logger.formatEvent(e) + _traceback(e) for e in errors)
            )


def _traceback(event: dict[str, Any]) -> str:
    failure = event.get("log_failure")
    return "" if failure is None else "\n" + str(failure.getTraceback())
