"""A real server and a real Chromium. Whatever appears in the console as an error or warning fails the test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from needs import need
from page.browsing import ARGUMENTS, CUT_OFF, Arrive, Visitor, fresh_session, home_for, profile_of
from playwright.sync_api import Browser, BrowserContext, sync_playwright
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
    with Server(home_for(tmp_path_factory.mktemp("home"))) as running:
        yield running


@pytest.fixture(scope="module")
def context(browser: Browser) -> Iterator[BrowserContext]:
    """The browser profile that Anna uses in all tests of a module: what it has loaded once it need not load again."""
    context = profile_of(browser)
    yield context
    context.close()


@pytest.fixture
def visitors(request: pytest.FixtureRequest) -> Iterator[list[Visitor]]:
    """Who is there. When they leave, nothing may have been complained about in their consoles."""
    visitors: list[Visitor] = []
    yield visitors
    allowed = CUT_OFF if getattr(request.module, "CUTS_OFF", False) else None
    assert [complaint for visitor in visitors for complaint in visitor.leave(allowed)] == []


@pytest.fixture
def arrive(browser: Browser, visitors: list[Visitor]) -> Iterator[Arrive]:
    """Make a visitor with a new browser profile."""
    contexts: list[BrowserContext] = []

    def arrives(**options: Any) -> Visitor:
        contexts.append(profile_of(browser, **options))
        visitors.append(Visitor(contexts[-1]))
        return visitors[-1]

    yield arrives
    for context in contexts:
        context.close()


@pytest.fixture
def anna(context: BrowserContext, visitors: list[Visitor], server: Server) -> Visitor:
    """The operator, in a fresh session of her own, before a terminal's prompt."""
    visitors.append(Visitor(context))
    return visitors[-1].enter(server, f"#s={fresh_session(server)}").at_prompt()


@pytest.fixture
def home(server: Server) -> Path:
    """Where her shell starts."""
    return server.home
