"""What the page says when it does not get into a session, or gets no terminal there; and that trying again works."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from page.browsing import Arrive, Visitor, home_for
from playwright.sync_api import Browser, Route, WebSocket, expect
from wire import PATIENCE, Server, WireClient

LOOK_MILLISECONDS = 20

Crowded = Callable[[str], Server]
"""Starts a server with limits, in TOML."""


@pytest.fixture
def crowded(browser: Browser, tmp_path: Path) -> Iterator[Crowded]:
    """Servers that are full soon. First the browser: without it, no server."""
    servers: list[Server] = []

    def starts(limits: str) -> Server:
        (tmp_path / "few.toml").write_text(f"[limits]\n{limits}\n")
        servers.append(Server(home_for(tmp_path), "--config", str(tmp_path / "few.toml")))
        return servers[-1]

    yield starts
    for server in servers:
        server.stop()


@contextmanager
def early(visitor: Visitor, answers: int) -> Iterator[list[Any]]:
    """The page itself arrives when the server has refused so much of what was asked for before."""
    held: list[Route] = []
    errors: list[Any] = []

    def heard(frame: str | bytes) -> None:
        message = json.loads(frame) if isinstance(frame, str) else {}
        if message.get("type") == "error":
            errors.append(message)

    def opened(socket: WebSocket) -> None:
        socket.on("framereceived", heard)

    def hold(route: Route) -> None:
        held.append(route)

    visitor.page.on("websocket", opened)
    visitor.page.route("**/js/app.js", hold)
    yield errors
    waited = 0
    while len(errors) < answers or not held:
        assert waited < PATIENCE * 1000, errors
        visitor.page.wait_for_timeout(LOOK_MILLISECONDS)
        waited += LOOK_MILLISECONDS
    for route in held:
        route.continue_()
    visitor.page.unroute("**/js/app.js", hold)


def follow(visitor: Visitor, server: Server, fragment: str = "", token: str = "") -> None:
    """A link that the server printed, not waiting for the page."""
    visitor.page.goto(f"{server.url}?token={token or server.token}{fragment}", wait_until="commit")


def says_once(visitor: Visitor, text: str) -> None:
    """The bar says what is the matter, and nothing else does."""
    expect(visitor.status.locator("span").first).to_have_text(text)
    expect(visitor.page.get_by_role("tab", name="Scroll", selected=True)).to_be_visible()
    assert visitor.page.locator(".notice").all_text_contents() == []


def tries_again(visitor: Visitor) -> None:
    visitor.status.get_by_role("button", name="Try again").click()


def is_at_work(visitor: Visitor) -> None:
    """There is a terminal, one, and nothing is the matter any more."""
    visitor.at_prompt().runs("echo he''re").sees("^here$")
    expect(visitor.page.get_by_role("tab")).to_have_text(["Scroll", "Terminal 1×"])
    expect(visitor.status).to_be_hidden()


def ask(client: WireClient, kind: str, answer: str, **members: Any) -> dict[str, Any]:
    client.send({"type": kind, "id": kind, **members})
    return client.expect(answer)


FULL = "there are 1 sessions already, the limit: end one first"
NO_SEAT = "The session was not entered: the session has 1 clients already, the limit. The menu leads to others."
BUSY = "No terminal was started: 1 processes are running already, the limit: stop one first."


def test_no_session_is_opened(crowded: Crowded, arrive: Arrive) -> None:
    server, visitor = crowded("sessions = 1"), arrive()
    with server.client() as program:
        ask(program, "open", "attached", name="popen")  # where no page goes by itself
        with early(visitor, 2) as errors:
            follow(visitor, server)
        says_once(visitor, f"No session was opened: {FULL}.")
        assert [error["code"] for error in errors] == ["limit", "no-session"]
        tries_again(visitor)
        says_once(visitor, f"No session was opened: {FULL}.")
        visitor.presses("Alt+Shift+N")
        says_once(visitor, f"No session was opened: {FULL}.")
        ask(program, "close", "done")
    tries_again(visitor)
    is_at_work(visitor)


def test_no_session_is_opened_in_place_of_one_that_has_ended(crowded: Crowded, arrive: Arrive) -> None:
    server, visitor = crowded("sessions = 1"), arrive()
    with server.client() as program:
        ask(program, "open", "attached", name="popen")
        follow(visitor, server, "#s=gone")
        says_once(visitor, f"The session of this address has ended. No session was opened: {FULL}.")
        ask(program, "close", "done")
    tries_again(visitor)
    is_at_work(visitor)
    expect(visitor.page.locator(".notice")).to_have_text(["The session of this address has ended."])


def test_one_may_be_ended_to_open_another(crowded: Crowded, arrive: Arrive) -> None:
    server, visitor = crowded("sessions = 1"), arrive()
    with server.client() as program:
        ask(program, "open", "attached", name="popen")
        with early(visitor, 2):
            follow(visitor, server)
        says_once(visitor, f"No session was opened: {FULL}.")
        visitor.page.get_by_role("button", name="Menu").click()
        visitor.page.get_by_role("menuitemradio", name="popen").click()
        expect(visitor.status).to_be_hidden()
        visitor.menu("^End this session")
        visitor.page.get_by_role("dialog").get_by_role("button", name="End it").click()
        expect(visitor.status).to_contain_text("session has ended")
    visitor.presses("Alt+Shift+N")
    is_at_work(visitor)


def test_no_terminal_is_started(crowded: Crowded, arrive: Arrive) -> None:
    server, visitor = crowded("running = 1"), arrive()
    with server.client() as program:
        ask(program, "open", "attached", name="popen")
        ask(program, "start", "started", runner="exec", argv=["cat"])
        with early(visitor, 1) as errors:
            follow(visitor, server)
        says_once(visitor, BUSY)
        assert [error["code"] for error in errors] == ["limit"]
        session = visitor.session
        tries_again(visitor)
        says_once(visitor, BUSY)
        visitor.presses("Alt+Shift+N")
        says_once(visitor, BUSY)
        visitor.reload()  # the session is there, and empty
        says_once(visitor, BUSY)
        ask(program, "close", "done")
        program.expect("closed")
    tries_again(visitor)
    is_at_work(visitor)
    assert visitor.session == session


def test_a_session_is_not_entered(crowded: Crowded, arrive: Arrive) -> None:
    server, visitor = crowded("attached = 1"), arrive()
    with server.client() as other:
        ask(other, "open", "attached")
        with early(visitor, 1) as errors:
            follow(visitor, server)
        says_once(visitor, NO_SEAT)
        assert [error["code"] for error in errors] == ["limit"]
        ask(other, "detach", "done")
    tries_again(visitor)
    is_at_work(visitor)


def test_there_is_nothing_to_watch(crowded: Crowded, arrive: Arrive) -> None:
    server, visitor = crowded("sessions = 1"), arrive()
    follow(visitor, server, "#s=gone", server.view_token)
    says_once(visitor, "The session of this address has ended. There is nothing to watch yet.")
    again = visitor.status.get_by_role("button", name="Look again")
    with server.client() as worker:
        session = ask(worker, "open", "attached")["session"]
        again.click()
        expect(visitor.status).to_be_hidden()
        assert visitor.session == session
