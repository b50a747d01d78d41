"""A real server and a real Chromium. Whatever appears in the console as an error or warning fails the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browsing import ARGUMENTS, CUT_OFF, Visitor, fresh_session, profile
from needs import need
from playwright.sync_api import Browser, sync_playwright
from wire import Server


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium without a window."""
    executable = need("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def server(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for a module: each visitor gets a session of their own. First the browser: without it, no server."""
    with Server(profile(tmp_path_factory.mktemp("home"))) as running:
        yield running


@pytest.fixture
def arrive(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Callable[..., Visitor]]:
    """Make visitors; keywords are those of Playwright's ``new_context``."""
    visitors: list[Visitor] = []

    def arrives(**options: Any) -> Visitor:
        visitors.append(Visitor(browser, **options))
        return visitors[-1]

    yield arrives
    allowed = CUT_OFF if getattr(request.module, "CUTS_OFF", False) else None
    assert [complaint for visitor in visitors for complaint in visitor.leave(allowed)] == []


@pytest.fixture
def anna(arrive: Callable[..., Visitor], server: Server) -> Visitor:
    """The operator, in a fresh session of her own, before a terminal's prompt."""
    return arrive().enter(server, f"#s={fresh_session(server)}").at_prompt()


@pytest.fixture
def home(server: Server) -> Path:
    """Where her shell starts."""
    return server.home
