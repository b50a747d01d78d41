"""What goes in and out of a terminal beside its keys, in Chromium: copied, pasted, written by programs, followed."""

from __future__ import annotations

from pathlib import Path

from page.browsing import Visitor
from playwright.sync_api import Locator, expect


def holds(visitor: Visitor, text: str) -> None:
    """Wait until the clipboard holds *text*."""
    visitor.context.grant_permissions(["clipboard-read", "clipboard-write"])
    visitor.page.wait_for_function("async (text) => (await navigator.clipboard.readText()) === text", arg=text)


def empty(visitor: Visitor) -> None:
    visitor.context.grant_permissions(["clipboard-read", "clipboard-write"])
    visitor.page.evaluate("navigator.clipboard.writeText('')")


def over(visitor: Visitor, text: str) -> tuple[float, float]:
    """The place of the first letters of the row that begins with *text*."""
    row = visitor.terminal.locator(".xterm-rows > div").filter(has_text=text).last.bounding_box()
    assert row is not None
    return row["x"] + 20, row["y"] + row["height"] / 2


def shown_link(visitor: Visitor, text: str) -> Locator:
    """Point at the link that the row with *text* begins with. Returns what tells where it leads."""
    visitor.page.mouse.move(300, 500)
    visitor.page.mouse.move(*over(visitor, text), steps=3)
    return visitor.terminal.locator(".terminal-link")


def test_what_is_selected_is_copied(anna: Visitor) -> None:
    empty(anna)
    anna.runs("echo pick''me up").sees("^pickme up$")
    anna.at_prompt()
    anna.page.mouse.dblclick(*over(anna, "pickme up"))
    anna.presses("Control+Shift+C")
    holds(anna, "pickme")


def test_the_output_of_a_command_is_copied(anna: Visitor) -> None:
    empty(anna)
    anna.in_scroll()
    block = anna.enters("echo one; echo two")
    expect(block.locator(".result")).to_contain_text("done")
    block.get_by_role("button", name="Copy").click()
    holds(anna, "one\ntwo\n")
    expect(anna.page.get_by_role("log", name="Notices")).to_contain_text("Copied.")


def test_who_looks_at_several_lines_may_say_no(anna: Visitor, home: Path) -> None:
    anna.runs("stty -echo; echo rea''dy; cat >kept; stty echo").sees("^ready$")
    anna.pastes("one\ntwo\n")
    dialog = anna.page.get_by_role("dialog", name="Paste 2 lines?")
    expect(dialog.locator("pre")).to_have_text("one\ntwo\n", use_inner_text=False)
    dialog.get_by_role("button", name="Cancel").click()
    expect(anna.terminal.locator("textarea")).to_be_focused()
    anna.types("three", "Enter").presses("Control+d").at_prompt()
    assert home.joinpath("kept").read_text() == "three\n"


def test_a_shell_that_marks_what_is_pasted_is_not_asked_about(anna: Visitor) -> None:
    anna.pastes("echo pas''ted; \\\necho twi''ce").sees("echo twi''ce$")
    expect(anna.page.get_by_role("dialog")).to_have_count(0)
    assert "pasted" not in anna.screen  # it waits for the Enter key
    anna.presses("Enter").sees("^pasted\ntwice$")


def test_a_program_writes_to_the_clipboard_and_cannot_read_it(anna: Visitor) -> None:
    empty(anna)
    anna.runs("printf '\\033]52;c;%s\\007' $(printf 'from a program' | base64)")
    holds(anna, "from a program")
    anna.runs("printf '\\033]52;c;?\\007'; read -rs -t 0.5 -N 1 answer; echo \"got [$answer]\"").sees(r"^got \[\]$")


def test_links_show_where_they_lead_and_wait_for_a_key(anna: Visitor) -> None:
    page = anna.page
    page.evaluate("() => { window.opened = []; window.open = (...what) => { opened.push(what); }; }")
    anna.runs(
        r"printf '%s\n' https://example.org/pl''ain; "
        r"printf '\033]8;;%s\033\\%s\033]8;;\033\\\n' https://example.org/real https://bank.exa''mple "
        r"javascript:alert scr''ipt file:///etc/passwd loc''al"
    ).sees("^local$")
    anna.at_prompt()
    expect(shown_link(anna, "https://example.org/plain")).to_contain_text("https://example.org/plain")
    tip = shown_link(anna, "https://bank.example")
    expect(tip).to_have_text("https://example.org/real (Ctrl+click to open)")
    page.mouse.click(*over(anna, "https://bank.example"))
    assert page.evaluate("opened") == []
    page.keyboard.down("Control")
    page.mouse.click(*over(anna, "https://bank.example"))
    page.keyboard.up("Control")
    page.wait_for_function("opened.length")
    assert page.evaluate("opened") == [["https://example.org/real", "_blank", "noopener,noreferrer"]]
    for text in ("script", "local"):
        expect(shown_link(anna, text)).to_be_hidden()
        page.keyboard.down("Control")
        page.mouse.click(*over(anna, text))
        page.keyboard.up("Control")
    anna.runs("echo still he''re").sees("^still here$")
    assert len(page.evaluate("opened")) == 1
