"""The same process in a browser, by curl's means and over a WebSocket: one address leads a person to it."""

from __future__ import annotations

from exec.asking import Line, api_of
from page.browsing import Arrive
from playwright.sync_api import expect
from wire import Server


def test_a_process_without_a_terminal(arrive: Arrive, server: Server) -> None:
    api = api_of(server)
    name = api.popen("cat", name="a cat")
    other = api.popen("sh", "-c", "echo another; cat", session=name.partition(".")[0])
    visitor = arrive().enter(server)
    visitor.page.goto(f"{server.url}exec/{name}")
    block = visitor.blocks.filter(has_text="a cat")
    expect(block).to_be_visible()
    with Line(api, name, 0) as line:
        line.send(b"over a socket\n")
        line.go_on(lambda: line.read == b"over a socket\n")
        api.feed(name, b"by a request\n")
        expect(block.locator(".output")).to_have_text("over a socket\nby a request\n", use_inner_text=False)
        block.locator("input").fill("in the page")
        block.locator("input").press("Enter")
        line.go_on(lambda: line.read.endswith(b"in the page\n"))
        api.feed(name, b"", eof=True)
        assert line.go_on() == (4000, "exit 0")
    assert visitor.page.url == f"{server.url}#s={name.partition('.')[0]}"
    expect(visitor.blocks.filter(has_text="another")).to_have_count(1)
    api.ask("DELETE", f"exec/{other}")


def test_a_process_with_a_terminal(arrive: Arrive, server: Server) -> None:
    api = api_of(server)
    first = api.popen("sh", "-c", "echo first here; cat", pty=True)
    session = first.partition(".")[0]
    second = api.popen("sh", "-c", "echo second here; cat", pty=True, session=session)
    visitor = arrive().enter(server)
    visitor.page.goto(f"{server.url}s/{session}#1")
    visitor.sees("^first here$")
    api.feed(first, b"typed by a program\n")
    visitor.sees("^typed by a program$")
    visitor.page.goto(f"{server.url}s/{session}#2")
    visitor.sees("^second here$")
    for name in (first, second):
        api.ask("DELETE", f"exec/{name}")


def test_who_has_to_log_in_first_gets_there(arrive: Arrive, server: Server) -> None:
    api = api_of(server)
    name = api.popen("cat", name="a patient cat")
    visitor = arrive()
    visitor.page.goto(f"{server.url}exec/{name}")
    visitor.page.get_by_label("Login token").fill(server.token)
    visitor.presses("Enter")
    expect(visitor.blocks.filter(has_text="a patient cat")).to_be_visible()
    assert visitor.page.url == f"{server.url}#s={name.partition('.')[0]}"
    api.ask("DELETE", f"exec/{name}")


def test_a_browser_does_not_settle_in_a_programs_session(arrive: Arrive, server: Server) -> None:
    api = api_of(server)
    name = api.popen("cat")
    visitor = arrive().enter(server).at_prompt()
    assert visitor.session != name.partition(".")[0]
    api.ask("DELETE", f"exec/{name}")
