"""Who uses the page without a mouse, by ear, or with weak eyes, in Chromium: names, roles, focus, contrast."""

from __future__ import annotations

import pytest
from page.browsing import CONTRAST, Arrive, Visitor, fresh_session
from playwright.sync_api import expect
from wire import Server

FOCUS = """() => {
  const one = document.activeElement;
  return one.getAttribute('aria-label') ?? (one.textContent.trim() || one.tagName);
}"""
LEGIBLE = 4.5
"""WCAG AA, for text."""
TOLD = frozenset(
    {"button", "textbox", "searchbox", "tab", "radio", "menuitem", "menuitemradio", "link", "dialog", "log"}
)
"""Roles that need a name."""


def unnamed(visitor: Visitor) -> list[str]:
    """Roles of what Chromium's own accessibility tree has no name for."""
    tree = visitor.context.new_cdp_session(visitor.page).send("Accessibility.getFullAXTree")
    return [
        node["role"]["value"]
        for node in tree["nodes"]
        if not node.get("ignored")
        and node.get("role", {}).get("value") in TOLD
        and not node.get("name", {}).get("value", "").strip()
    ]


def faint(visitor: Visitor) -> list[list[object]]:
    """Texts that stand out too little, with their contrast."""
    return [found for found in visitor.page.evaluate(CONTRAST, "body *") if float(str(found[1])) < LEGIBLE]


def test_the_menu_by_keyboard(anna: Visitor) -> None:
    page = anna.page
    menu, typing = page.get_by_role("menu"), anna.terminal.locator("textarea")
    expect(menu).to_be_hidden()
    anna.presses("Alt+Shift+M")
    expect(menu.get_by_role("menuitem", name="New terminal")).to_be_focused()
    anna.presses("Escape")
    expect(menu).to_be_hidden()
    expect(typing).to_be_focused()
    anna.presses("Alt+Shift+M")
    expect(menu).to_be_visible()
    anna.presses("End")
    expect(menu.get_by_role("menuitem", name="Log out")).to_be_focused()
    anna.presses("ArrowUp")
    expect(menu.get_by_role("menuitem", name="Keys and help")).to_be_focused()
    anna.presses("Enter")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    anna.presses("Escape")
    expect(typing).to_be_focused()
    page.get_by_role("button", name="Menu").click()
    page.get_by_role("menuitemradio", name="As the system").click()
    expect(typing).to_be_focused()
    anna.types("echo went o''n", "Enter").sees("^went on$")


def test_focus_goes_in_order(anna: Visitor) -> None:
    anna.in_scroll()
    block = anna.enters("echo over; exit 3")
    expect(block.locator(".result")).to_contain_text("exit 3")
    anna.page.get_by_role("tab", selected=True).focus()
    order = []
    for _ in range(9):
        order.append(anna.page.evaluate(FOCUS))
        anna.presses("Tab")
    assert order == ["Scroll", "New terminal", "Menu", "Results", "Rerun", "Copy", "Shell", "Shell command", "Run"]
    anna.page.get_by_role("radio", name="Shell").focus()
    anna.presses("ArrowRight")
    expect(anna.page.get_by_role("radio", name="Python")).to_be_checked()
    expect(anna.page.get_by_role("textbox", name="Python")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everything_has_a_name_and_stands_out(arrive: Arrive, server: Server, scheme: str) -> None:
    visitor = arrive(color_scheme=scheme).enter(server, f"#s={fresh_session(server)}").at_prompt()
    page = visitor.page
    visitor.in_scroll()
    assert (unnamed(visitor), faint(visitor)) == ([], [])
    for line, end in (("echo good", "done"), ("echo bad >&2; exit 3", "exit 3")):
        expect(visitor.enters(line).locator(".result")).to_contain_text(end)
    running = visitor.enters("cat")
    expect(running.get_by_role("textbox", name="Input for this command")).to_be_visible()
    expect(visitor.enters("print('fine')\n1 / 0", mode="Python").locator(".result")).to_contain_text("raised")
    page.get_by_role("button", name="Menu").click()
    expect(page.get_by_role("menuitem", name="Log out")).to_be_visible()
    assert (unnamed(visitor), faint(visitor)) == ([], [])
    page.get_by_role("menuitem", name="What runs here").click()
    expect(page.get_by_role("dialog").get_by_role("row", name="cat")).to_be_visible()
    assert (unnamed(visitor), faint(visitor)) == ([], [])
    visitor.presses("Escape", "Alt+2")
    visitor.at_prompt().presses("Control+Shift+F")
    visitor.types("ready").presses("Enter")
    expect(page.get_by_role("search")).to_contain_text("1 of 1")
    assert (unnamed(visitor), faint(visitor)) == ([], [])
    visitor.presses("Escape", "Alt+1")
    running.get_by_role("button", name="Stop").click()
    expect(running).not_to_contain_text("running")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_login_has_names_and_stands_out(arrive: Arrive, server: Server, scheme: str) -> None:
    visitor = arrive(color_scheme=scheme)
    visitor.page.goto(server.url)
    expect(visitor.page.get_by_label("Login token")).to_be_focused()
    assert (unnamed(visitor), faint(visitor)) == ([], [])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_letters_stand_out_whatever_a_program_chose(arrive: Arrive, server: Server, scheme: str) -> None:
    visitor = arrive(color_scheme=scheme).enter(server, f"#s={fresh_session(server)}").at_prompt()
    visitor.runs(
        r"for bg in 40 42 44 46 47 49; do for fg in 30 31 33 34 37 39 97; do printf '\033[%s;%smtext\033[m ' $fg $bg; "
        r"done; echo; done; "
        r"printf '\033[7minverse\033[m \033[7;31mred\033[m \033[38;2;250;250;10mpale\033[m '; echo e''nd"
    ).sees("end$")
    visitor.at_prompt()
    cells = visitor.page.evaluate(CONTRAST, ".terminal .xterm-rows span")
    assert len(cells) > 45
    assert [cell for cell in cells if cell[1] < LEGIBLE - 0.1] == []  # xterm.js rounds colours
