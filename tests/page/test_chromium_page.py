"""The page around the terminals: tabs, keys, menu, dialogs, themes, small screens."""

from __future__ import annotations

import re

import pytest
from page.browsing import Arrive, Visitor, fresh_session
from playwright.sync_api import Page, expect
from wire import Server

WIDER_THAN_THE_SCREEN = "() => document.documentElement.scrollWidth > innerWidth"


def tabs(page: Page) -> int:
    return page.get_by_role("tab").count()


def test_tabs_by_keyboard(anna: Visitor) -> None:
    page = anna.page
    expect(page.get_by_role("tab")).to_have_count(2)
    anna.presses("Alt+Shift+N")
    expect(page.get_by_role("tab")).to_have_count(3)
    anna.at_prompt().runs("echo the se''cond").sees("^the second$")
    anna.presses("Alt+1")
    expect(page.get_by_role("tab", name="Scroll", selected=True)).to_be_visible()
    expect(anna.entry).to_be_focused()
    anna.presses("Alt+3").sees("^the second$")
    page.get_by_role("tab", selected=True).focus()
    anna.presses("ArrowLeft")
    expect(page.get_by_role("tab").nth(1)).to_be_focused()
    expect(page.get_by_role("tab").nth(1)).to_have_attribute("aria-selected", "true")
    anna.presses("F2")
    page.get_by_role("dialog").get_by_role("textbox").fill("deploy")
    anna.presses("Enter")
    expect(page.get_by_role("tab", name="deploy")).to_be_visible()
    anna.presses("Alt+3")
    anna.sees("^the second$")
    anna.presses("Alt+Shift+W")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("still running")
    anna.presses("Escape")
    expect(page.get_by_role("tab")).to_have_count(3)
    anna.presses("Alt+Shift+W")
    dialog.get_by_role("button", name="End it").click()
    expect(page.get_by_role("tab")).to_have_count(2)
    expect(page.get_by_role("tab", name="deploy")).to_be_visible()


def test_the_page_knows_its_modules_in_advance_and_keeps_them(server: Server, arrive: Arrive) -> None:
    visitor = arrive().enter(server).at_prompt()
    fetched = "() => performance.getEntriesByType('resource').map((file) => [file.name, file.transferSize])"
    hinted = "() => [...document.querySelectorAll('link[rel=modulepreload]')].map((link) => link.href)"
    first: dict[str, int] = dict(visitor.page.evaluate(fetched))
    modules = {name for name in first if name.endswith("js")}
    assert modules == set(visitor.page.evaluate(hinted))
    assert len(modules) > 30
    compressed = 260 << 10  # bytes; they are 570 kB on disk
    assert sum(first.values()) < compressed
    visitor.page.goto("about:blank")
    visitor.enter(server).at_prompt()
    again: dict[str, int] = dict(visitor.page.evaluate(fetched))
    assert modules <= again.keys()
    assert {name: size for name, size in again.items() if size and "/v/" in name} == {}


def test_every_tab_names_its_panel(anna: Visitor) -> None:
    for tab in anna.page.get_by_role("tab").all():
        tab.click()
        panel = anna.page.locator(f"#{tab.get_attribute('aria-controls')}")
        expect(panel).to_be_visible()
        expect(panel).to_have_role("tabpanel")
        expect(panel).to_have_attribute("aria-labelledby", tab.get_attribute("id") or "")


def test_search(anna: Visitor) -> None:
    anna.runs("seq 500").sees("^500$")
    anna.at_prompt()
    search = anna.page.get_by_role("search")
    anna.presses("Control+Shift+F").types("137").sees("^137$")
    expect(search).to_contain_text("1 of 1")
    anna.page.get_by_role("searchbox").fill("49")
    expect(search).to_contain_text("15 of 15")  # the last one first: 499, 498 …
    anna.presses("Enter", "Enter", "Enter", "Shift+Enter")
    expect(search).to_contain_text("13 of 15")
    anna.page.get_by_role("searchbox").fill("nobody wrote this")
    expect(search).to_contain_text("not there")
    anna.presses("Escape")
    expect(search).to_be_hidden()
    expect(anna.terminal.locator("textarea")).to_be_focused()
    anna.presses("Alt+1", "Control+Shift+F")
    expect(anna.entry).to_be_focused()
    expect(search).to_be_hidden()  # the scroll is searched by the browser


def test_letters_grow(anna: Visitor) -> None:
    rows = anna.terminal.locator(".xterm-rows > div")
    before = rows.count()
    anna.presses("Control+=", "Control+=", "Control+=")
    expect(rows).not_to_have_count(before)
    anna.presses("Control+0")
    expect(rows).to_have_count(before)


def test_letters_of_the_scroll_grow_too(anna: Visitor) -> None:
    anna.in_scroll()
    block = anna.enters("echo letters")
    expect(block.locator(".output")).to_have_css("font-size", "14px")
    anna.presses("Control+=", "Control+=")
    expect(block.locator(".output")).to_have_css("font-size", "16px")
    anna.presses("Control+0")
    expect(block.locator(".output")).to_have_css("font-size", "14px")


def test_a_terminal_is_renamed_from_the_menu(anna: Visitor) -> None:
    anna.menu("^Rename this terminal")
    anna.page.get_by_role("dialog").get_by_role("textbox").fill("build")
    anna.presses("Enter")
    expect(anna.page.get_by_role("tab", name="build", selected=True)).to_be_visible()
    anna.reload()
    expect(anna.page.get_by_role("tab", name="build", selected=True)).to_be_visible()


def test_sessions(anna: Visitor) -> None:
    first = anna.session
    anna.runs("echo in the fi''rst").sees("^in the first$")
    anna.menu("^New session")
    anna.page.wait_for_function("first => !location.hash.includes(first)", arg=first)
    anna.at_prompt()
    second = anna.session
    assert "in the first" not in anna.screen
    anna.page.goto(f"{anna.page.url.split('#')[0]}#s={first}")
    anna.sees("^in the first$")
    anna.reload()
    anna.sees("^in the first$")
    assert anna.session == first != second
    anna.menu("^End this session")
    anna.page.get_by_role("dialog").get_by_role("button", name="End it").click()
    expect(anna.status).to_contain_text("session has ended")


def test_what_runs_here(anna: Visitor) -> None:
    anna.in_scroll()
    block = anna.enters("echo on; sleep 1000")
    expect(block.locator(".output")).to_contain_text("on")
    anna.menu("^What runs")
    dialog = anna.page.get_by_role("dialog")
    row = dialog.get_by_role("row").filter(has_text="sleep 1000")
    expect(row.get_by_role("link")).to_have_attribute("href", f"s/{anna.session}#2")
    dialog.get_by_role("link", name="Terminal 1").click()
    expect(dialog).to_have_count(0)
    expect(anna.page.get_by_role("tab", name="Terminal 1", selected=True)).to_be_visible()
    expect(anna.terminal.locator("textarea")).to_be_focused()
    anna.menu("^What runs")
    row.get_by_role("link").click()
    expect(block).to_be_visible()
    anna.menu("^What runs")
    row.get_by_role("button", name="Stop").click()
    expect(block).not_to_have_class(re.compile("running"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_theme_follows_the_system_or_the_choice(arrive: Arrive, server: Server, scheme: str) -> None:
    visitor = arrive(color_scheme=scheme).enter(server, f"#s={fresh_session(server)}").at_prompt()
    root = visitor.page.locator("html")
    expect(root).to_have_attribute("data-theme", scheme)
    other = "dark" if scheme == "light" else "light"
    visitor.page.get_by_role("button", name="Menu").click()
    visitor.page.get_by_role("menuitemradio", name=other.title()).click()
    expect(root).to_have_attribute("data-theme", other)
    visitor.reload()
    expect(root).to_have_attribute("data-theme", other)


def test_small_touch_screens(arrive: Arrive, server: Server) -> None:
    visitor = arrive(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    visitor.enter(server, f"#s={fresh_session(server)}").at_prompt()
    assert not visitor.page.evaluate(WIDER_THAN_THE_SCREEN)
    keys = visitor.page.get_by_role("toolbar", name="Keys")
    visitor.types("echo on a phone", "Enter").sees("^on a phone$")
    keys.get_by_role("button", name="↑").click()
    visitor.sees("^ready> echo on a phone$")
    keys.get_by_role("button", name="Ctrl").click()
    visitor.types("c").sees(r"\^C$")
    visitor.at_prompt().types("cat", "Enter").sees("^ready> cat$")
    keys.get_by_role("button", name="Ctrl").click()
    expect(keys.get_by_role("button", name="Ctrl")).to_have_attribute("aria-pressed", "true")
    visitor.page.evaluate(  # as a touch keyboard does it: no key, only text
        """() => {
          const field = document.activeElement;
          const text = {data: 'd', inputType: 'insertText', bubbles: true, cancelable: true};
          if (field.dispatchEvent(new InputEvent('beforeinput', text))) {
            throw new Error('the text would be typed as it is');
          }
        }"""
    )
    visitor.context.grant_permissions(["clipboard-read", "clipboard-write"])
    visitor.at_prompt().page.evaluate("navigator.clipboard.writeText('echo past' + 'ed')")
    keys.get_by_role("button", name="Paste").click()
    visitor.sees("^ready> echo pasted$")
    visitor.presses("Enter").sees("^pasted$")
    visitor.in_scroll()
    expect(visitor.enters("echo small").locator(".output")).to_have_text("small\n", use_inner_text=False)
    assert not visitor.page.evaluate(WIDER_THAN_THE_SCREEN)
    for item in ("^Keys", "^What runs"):
        visitor.menu(item)
        assert not visitor.page.evaluate(WIDER_THAN_THE_SCREEN)
        visitor.presses("Escape")


def swipe(visitor: Visitor, pixels: float) -> None:
    """As a finger does, from the middle of the screen."""
    devtools = visitor.context.new_cdp_session(visitor.page)
    for kind, share in (("touchStart", 0.0), *(("touchMove", step / 10) for step in range(1, 11))):
        points = [{"x": 150, "y": 350 + pixels * share}]
        devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    devtools.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def test_a_finger_pulls_the_lines_along(arrive: Arrive, server: Server) -> None:
    visitor = arrive(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    visitor.enter(server, f"#s={fresh_session(server)}").at_prompt()
    visitor.runs("seq 300").sees("^300$")
    visitor.at_prompt()
    visitor.page.evaluate("document.activeElement.blur()")
    first = int(visitor.screen.split()[0])
    swipe(visitor, 200)
    visitor.sees(rf"^{first - 11}$")
    assert "300" not in visitor.screen.split()
    assert visitor.page.evaluate("document.activeElement === document.body")  # no keyboard comes up
    swipe(visitor, -300)
    visitor.sees("^300$")
    taps = 0
    while visitor.page.evaluate("document.activeElement === document.body") and taps < 100:
        visitor.page.touchscreen.tap(150, 300)  # the browser may take one for the end of a fling
        visitor.page.wait_for_timeout(100)
        taps += 1
    expect(visitor.terminal.locator("textarea")).to_be_focused()
    visitor.runs("stty -echo; printf '\\033[?1049h\\033[?1h'; echo ru''ns; cat -v").sees("^runs$")
    swipe(visitor, -100)  # a program that has the screen is told of keys …
    visitor.presses("Enter").sees(r"^(\^\[OB)+$")
    visitor.presses("Control+c").types("printf '\\033[?1000h\\033[?1006h'; echo li''stens; cat -v", "Enter").sees(
        "^listens$"
    )
    swipe(visitor, 100)  # … or of the wheel, if it listens
    visitor.presses("Enter").sees(r"^(\^\[\[<64;\d+;\d+M)+")


def test_help_lists_the_keys(anna: Visitor) -> None:
    anna.menu("^Keys")
    expect(anna.page.get_by_role("dialog")).to_contain_text("Alt+Shift+N")
    anna.presses("Escape")
    expect(anna.page.get_by_role("dialog")).to_have_count(0)


def test_login_pages_need_no_script(arrive: Arrive, server: Server) -> None:
    visitor = arrive(java_script_enabled=False)
    visitor.page.goto(server.url)
    visitor.page.get_by_label("Login token").fill(server.token)
    visitor.page.get_by_role("button", name="Log in").click()
    expect(visitor.page.get_by_role("button", name="Menu")).to_be_visible()
