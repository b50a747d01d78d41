"""Two browsers on one session: both may work, or one may only watch; the server sees to it, not the page."""

from __future__ import annotations

import re

from page.browsing import Arrive, Visitor
from playwright.sync_api import expect
from wire import Server

TRY_EVERYTHING = """async (session) => {
  const socket = new WebSocket(new URL("ws", document.baseURI.replace("http", "ws")), "webshell.v1");
  const answers = [];
  const requests = [
    {type: "attach", session},
    {type: "input", process: 1, text: "touch forced\\r"},
    {type: "start", runner: "sh", line: "touch forced"},
    {type: "resize", process: 1, rows: 5, cols: 5},
    {type: "signal", process: 1, signal: "KILL"},
    {type: "stop", process: 1},
    {type: "close"},
  ];
  await new Promise((done) => {
    socket.onmessage = ({ data }) => {
      const event = typeof data === "string" ? JSON.parse(data) : {};
      if (event.type === "hello") {
        requests.forEach((request, id) => socket.send(JSON.stringify({ ...request, id })));
      } else if (event.id !== undefined && event.id !== null) {
        answers.push(event.code ?? event.type);
        if (answers.length === requests.length) {
          done();
        }
      }
    };
  });
  socket.close();
  return answers;
}"""


def test_two_who_may_work_see_the_same(anna: Visitor, arrive: Arrive, server: Server) -> None:
    bert = arrive().enter(server, f"#s={anna.session}").at_prompt()
    anna.runs("echo from an''na").sees("^from anna$")
    bert.sees("^from anna$")
    bert.runs("echo from be''rt").sees("^from bert$")
    anna.sees("^from bert$")
    expect(anna.page.locator("#presence")).to_be_visible()
    bert.in_scroll()
    bert.enters("x = 'seen by ' + 'both'; x", mode="Python")
    expect(anna.page.locator(".block .output")).to_have_text("'seen by both'\n", use_inner_text=False)


def test_who_follows_a_shared_link_can_only_watch(anna: Visitor, arrive: Arrive, server: Server) -> None:
    anna.menu("^Share")
    dialog = anna.page.get_by_role("dialog")
    link = dialog.get_by_role("textbox").input_value()
    assert link.startswith(server.url)
    assert anna.session in link
    anna.presses("Escape")
    guest = arrive()
    guest.page.goto(link)
    guest.sees("^ready>")
    expect(guest.page.get_by_text("View only")).to_be_visible()
    expect(guest.page.get_by_role("button", name="New terminal")).to_be_hidden()
    anna.at_prompt()
    guest.terminal.locator("textarea").focus()
    guest.types("echo from the gu''est", "Enter")
    anna.runs("echo from an''na").sees("^from anna$")
    guest.sees("^from anna$")
    assert "guest" not in anna.screen
    answers = guest.page.evaluate(TRY_EVERYTHING, anna.session)
    assert answers == ["attached", *["not-allowed"] * 6]
    assert not server.home.joinpath("forced").exists()
    guest.page.get_by_role("tab", name="Scroll").click()
    expect(guest.entry).to_be_disabled()
    anna.in_scroll()
    anna.enters("echo for all to see")
    expect(guest.page.locator(".block .output")).to_have_text("for all to see\n", use_inner_text=False)
    expect(guest.page.locator(".block").get_by_role("button", name=re.compile("Stop|Rerun|Run again"))).to_have_count(0)


def test_a_watcher_sees_the_size_of_who_works(anna: Visitor, arrive: Arrive, server: Server) -> None:
    guest = arrive(viewport={"width": 500, "height": 400})
    guest.page.goto(f"{server.url}?token={server.view_token}#s={anna.session}")
    guest.sees("^ready>")
    rows = anna.terminal.locator(".xterm-rows > div").count()
    expect(guest.terminal.locator(".xterm-rows > div")).to_have_count(rows)
    anna.page.set_viewport_size({"width": 900, "height": 600})
    expect(guest.terminal.locator(".xterm-rows > div")).not_to_have_count(rows)
    expect(guest.terminal.locator(".xterm-rows > div")).to_have_count(
        anna.terminal.locator(".xterm-rows > div").count()
    )
