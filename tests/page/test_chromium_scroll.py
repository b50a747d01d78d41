"""The scroll in Chromium: shell commands, Python blocks, and what is there again after a reload."""

from __future__ import annotations

import re
from pathlib import Path

from page.browsing import Visitor
from playwright.sync_api import Locator, expect


def said(block: Locator) -> Locator:
    return block.locator(".output")


def result(block: Locator) -> Locator:
    return block.locator(".result")


def test_shell_commands(anna: Visitor) -> None:
    anna.in_scroll()
    block = anna.enters("echo hello; echo oops >&2; exit 3")
    expect(block).to_contain_text("echo hello; echo oops >&2; exit 3")
    expect(said(block)).to_have_text("hello\noops\n", use_inner_text=False)
    expect(said(block).locator(".stderr")).to_have_text("oops")
    expect(result(block)).to_have_text(re.compile(r"^exit 3 · \d+\.\d+ s$"))
    expect(result(anna.enters("true"))).to_contain_text("done")


def test_python_keeps_its_state(anna: Visitor) -> None:
    anna.in_scroll()
    first = anna.enters("x = 41", mode="Python")
    second = anna.enters("x + 1")
    expect(said(second)).to_have_text("42\n", use_inner_text=False)
    expect(said(first)).to_be_empty()
    expect(result(first)).to_contain_text("done")
    raised = anna.enters("1 / 0")
    expect(said(raised)).to_contain_text("ZeroDivisionError")
    expect(result(raised)).to_contain_text("raised")
    several = anna.enters("for n in range(3):\n    print(n)\n\nn")
    expect(said(several)).to_have_text("0\n1\n2\n2\n", use_inner_text=False)
    asks = anna.enters("name = input('who? ')")
    expect(said(asks)).to_contain_text("who?")
    anna.entry.fill("Anna")
    anna.entry.press("Enter")
    expect(result(asks)).to_contain_text("done")
    expect(said(anna.enters("name"))).to_have_text("'Anna'\n", use_inner_text=False)


def test_python_is_stopped_and_goes_on(anna: Visitor) -> None:
    anna.in_scroll()
    block = anna.enters("print('sleeping', flush=True)\nimport time; time.sleep(1000)", mode="Python")
    expect(said(block)).to_contain_text("sleeping")
    block.get_by_role("button", name="Stop").click()
    expect(said(block)).to_contain_text("KeyboardInterrupt")
    expect(said(anna.enters("'still ' + 'there'"))).to_contain_text("still there")
    ended = anna.enters("raise SystemExit(5)")
    expect(result(ended)).to_contain_text(re.compile("ended|exit", re.I))
    expect(said(anna.enters("'a new ' + 'one'"))).to_contain_text("a new one")


def test_the_directory_stays(anna: Visitor, home: Path) -> None:
    home.joinpath("sub").mkdir()
    anna.in_scroll()
    expect(result(anna.enters("cd sub"))).to_contain_text("done")
    expect(anna.page.locator(".entry .prompt")).to_contain_text("sub")
    expect(said(anna.enters("pwd"))).to_have_text(f"{home}/sub\n", use_inner_text=False)
    expect(result(anna.enters("cd nowhere"))).to_contain_text("exit")
    expect(said(anna.enters("pwd"))).to_have_text(f"{home}/sub\n", use_inner_text=False)


def test_a_command_is_stopped(anna: Visitor) -> None:
    anna.in_scroll()
    first = anna.enters("echo first; sleep 1000")
    expect(said(first)).to_contain_text("first")
    first.get_by_role("button", name="Stop").click()
    expect(first).not_to_have_class(re.compile("running"))
    second = anna.enters("echo second; sleep 1000")
    expect(said(second)).to_contain_text("second")
    anna.entry.press("Control+c")
    expect(second).not_to_have_class(re.compile("running"))
    second.get_by_role("button", name=re.compile("Rerun|Run again")).click()
    expect(anna.blocks).to_have_count(3)
    expect(said(anna.blocks.nth(2))).to_contain_text("second")
    anna.entry.press("Control+c")
    expect(anna.blocks.nth(2)).not_to_have_class(re.compile("running"))


def test_a_command_reads_lines(anna: Visitor) -> None:
    anna.in_scroll()
    block = anna.enters("read line; echo got: $line; cat; echo end")
    field = block.get_by_role("textbox")
    field.fill("a line")
    field.press("Enter")
    expect(said(block)).to_contain_text("got: a line")
    field.press("Control+d")
    expect(said(block)).to_contain_text("end")
    expect(result(block)).to_contain_text("done")


def test_colours_and_overwriting(anna: Visitor) -> None:
    anna.in_scroll()
    block = anna.enters(
        r"printf '10%%\r\033[K100%%\n\033[1;38;2;1;2;3mtrue\033[m \033[31mred\033[m \033[4mline\033[m\n'"
    )
    expect(said(block)).to_have_text("100%\ntrue red line\n", use_inner_text=False)
    expect(said(block).get_by_text("true", exact=True)).to_have_css("color", "rgb(1, 2, 3)")
    expect(said(block).get_by_text("true", exact=True)).to_have_css("font-weight", re.compile("[67]00"))
    expect(said(block).get_by_text("line", exact=True)).to_have_css("text-decoration-line", "underline")


def test_much_output_stays_bounded(anna: Visitor) -> None:
    anna.in_scroll()
    block = anna.enters("seq 30000")
    expect(result(block)).to_contain_text("done")
    expect(block).to_contain_text(re.compile(r"20[.,\u202f\u00a0 ]?000 lines above are not shown"))
    expect(said(block)).to_contain_text("30000")
    assert said(block).locator("> div > span").count() <= 10_001


def test_everything_is_there_after_a_reload(anna: Visitor) -> None:
    anna.in_scroll()
    expect(result(anna.enters("echo kept"))).to_contain_text("done")
    expect(said(anna.enters("y = 6 * 7\ny", mode="Python"))).to_contain_text("42")
    running = anna.enters("import time\nwhile True: print('tick', flush=True); time.sleep(0.2)")
    expect(said(running)).to_contain_text("tick")
    anna.reload()
    anna.in_scroll()
    expect(anna.blocks).to_have_count(3)
    expect(said(anna.blocks.nth(0))).to_have_text("kept\n", use_inner_text=False)
    expect(anna.blocks.nth(1)).to_contain_text("y = 6 * 7")
    expect(said(anna.blocks.nth(1))).to_have_text("42\n", use_inner_text=False)
    running = anna.blocks.nth(2)
    expect(running).to_have_class(re.compile("running"))
    running.get_by_role("button", name="Stop").click()
    expect(result(running)).to_contain_text("raised")
    expect(said(anna.enters("y + 1", mode="Python"))).to_have_text("43\n", use_inner_text=False)


def test_the_keyboard_alone(anna: Visitor) -> None:
    anna.in_scroll()
    anna.entry.fill("echo one")
    anna.entry.press("Enter")
    expect(result(anna.blocks.nth(0))).to_contain_text("done")
    anna.entry.press("ArrowUp")
    expect(anna.entry).to_have_value("echo one")
    anna.entry.press("Shift+Enter")
    anna.types("echo two", "Enter")
    expect(said(anna.blocks.nth(1))).to_have_text("one\ntwo\n", use_inner_text=False)
    anna.entry.press("Control+l")
    expect(anna.blocks).to_have_count(0)


def test_what_was_entered_before(anna: Visitor) -> None:
    anna.in_scroll()
    for line in ("echo first", "echo second"):
        expect(result(anna.enters(line))).to_contain_text("done")
    expect(result(anna.enters("x = 1", mode="Python"))).to_contain_text("done")
    anna.page.get_by_role("radio", name="Shell").click()
    anna.entry.fill("half a li")
    for key, shown in (
        ("ArrowUp", "echo second"),  # each mode has a history of its own
        ("ArrowUp", "echo first"),
        ("ArrowDown", "echo second"),
        ("ArrowDown", "half a li"),  # what was not entered is not lost
    ):
        anna.entry.press(key)
        expect(anna.entry).to_have_value(shown)
    anna.reload()
    anna.in_scroll()
    anna.entry.press("ArrowUp")
    expect(anna.entry).to_have_value("echo second")


def test_programs_that_are_told_to_use_colours_do(anna: Visitor, home: Path) -> None:
    home.joinpath("folder").mkdir()
    anna.in_scroll()
    expect(said(anna.enters("ls -d --color=always folder")).locator(".fg4")).to_have_text("folder")
    expect(said(anna.enters("ls -d --color=auto folder")).locator("[class*=fg]")).to_have_count(0)
