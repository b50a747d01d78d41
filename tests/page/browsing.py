"""People with Chromium in front of the page: what they see, type and click. Everything waits for a condition."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, expect
from wire import PATIENCE, Server

PROMPT = "ready> "
"""Of the shell in the tests, whatever the machine's own profile says."""

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
CUT_OFF = re.compile(
    r"WebSocket connection to .* failed|Failed to load resource: (net::ERR_|the server responded with a status of 401)"
)
"""What Chromium itself says when there is no server; the page cannot keep it from it."""

expect.set_options(timeout=PATIENCE * 1000)


def home_for(home: Path) -> Path:
    """Give the account of a test a prompt that can be recognised."""
    home.joinpath(".bash_profile").write_text(f"PS1='{PROMPT}'\nunset PROMPT_COMMAND\nAT_FIRST=$(stty size)\n")
    home.joinpath(".profile").write_text(f"PS1='{PROMPT}'\nAT_FIRST=$(stty size)\n")
    return home


def fresh_session(server: Server) -> str:
    """The id of a session with nothing in it and nobody there."""
    with server.client() as client:
        client.send({"type": "open", "id": 1})
        return str(client.expect("attached")["session"])


class Visitor:
    """One person with one page."""

    def __init__(self, context: BrowserContext) -> None:
        self.context = context
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE * 1000)
        self.complaints: list[str] = []
        self.page.on("console", self._logged)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _logged(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def enter(self, server: Server, fragment: str = "") -> Visitor:
        """Follow the link that the server printed."""
        self.page.goto(f"{server.url}?token={server.token}{fragment}")
        return self

    def reload(self) -> None:
        """Press F5."""
        self.page.reload()

    # ---- the terminal

    @property
    def terminal(self) -> Locator:
        """The one that is shown."""
        return self.page.locator(".terminal:visible")

    @property
    def screen(self) -> str:
        """Its text."""
        return str(self.page.evaluate(SCREEN))

    def sees(self, pattern: str, within: float = PATIENCE) -> str:
        """Wait until *pattern* (a regular expression, ``^`` and ``$`` at lines) is on the terminal's screen."""
        try:
            self.page.wait_for_function(
                f"pattern => new RegExp(pattern, 'm').test(({SCREEN})())", arg=pattern, timeout=within * 1000
            )
        except Exception as error:
            raise AssertionError(f"{pattern!r} did not appear in {within} s:\n{self.screen}") from error
        return self.screen

    def at_prompt(self) -> Visitor:
        """Wait for a prompt with nothing behind it, and put the focus there."""
        self.sees(f"^{PROMPT.strip()}\\s*$(?![\\s\\S]*\\S)")
        self.terminal.locator("textarea").focus()
        return self

    def types(self, text: str, *keys: str) -> Visitor:
        """On the keyboard, then press *keys*."""
        self.page.keyboard.type(text)
        return self.presses(*keys)

    def presses(self, *keys: str) -> Visitor:
        """Keys by name."""
        for key in keys:
            self.page.keyboard.press(key)
        return self

    def runs(self, line: str) -> Visitor:
        """Type a command line at the prompt."""
        return self.at_prompt().types(line, "Enter")

    def pastes(self, text: str) -> Visitor:
        """Through the browser's clipboard, with the keys for it."""
        self.context.grant_permissions(["clipboard-read", "clipboard-write"])
        self.page.evaluate("text => navigator.clipboard.writeText(text)", text)
        return self.presses("Control+Shift+V")

    # ---- the scroll

    @property
    def blocks(self) -> Locator:
        """The results in the scroll."""
        return self.page.locator(".block")

    @property
    def entry(self) -> Locator:
        """The input box under them."""
        return self.page.locator(".entry textarea")

    def in_scroll(self) -> Visitor:
        """Look at the scroll."""
        self.page.get_by_role("tab", name="Scroll").click()
        expect(self.entry).to_be_enabled()
        return self

    def enters(self, line: str, mode: str = "") -> Locator:
        """Enter *line* in the input box. Returns its block."""
        if mode:
            self.page.get_by_role("radio", name=mode).click()
        before = self.blocks.count()
        self.entry.fill(line)
        self.entry.press("Enter")
        expect(self.blocks).to_have_count(before + 1)
        return self.blocks.nth(before)

    # ---- the page

    def menu(self, item: str) -> None:
        """Choose *item* in the menu."""
        self.page.get_by_role("button", name="Menu").click()
        self.page.get_by_role("menuitem", name=re.compile(item)).click()

    @property
    def status(self) -> Locator:
        """The bar that says what is the matter."""
        return self.page.get_by_role("status")

    @property
    def session(self) -> str:
        """Its id, from the address."""
        self.page.wait_for_url(re.compile(r"#s=.+"))
        return self.page.url.split("#s=")[1]

    def leave(self, allowed: re.Pattern[str] | None) -> list[str]:
        """Close the page. Returns the complaints in its console that are not *allowed*."""
        self.page.close()
        return [text for text in self.complaints if not (allowed and allowed.search(text))]


def profile_of(browser: Browser, **options: Any) -> BrowserContext:
    """A browser profile, with nothing in it; *options* are those of Playwright's ``new_context``."""
    return browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})


Arrive = Callable[..., Visitor]
"""Makes a visitor; keywords are those of Playwright's ``new_context``."""

CONTRAST = """(selector) => {
  const channels = (colour) => {
    const mixed = document.createElement('canvas').getContext('2d');
    mixed.fillStyle = colour;
    mixed.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = mixed.getImageData(0, 0, 1, 1).data;
    return {colour: [red, green, blue], alpha: alpha / 255};
  };
  const over = (top, share, below) => top.map((value, channel) => value * share + below[channel] * (1 - share));
  const luminance = (colour) => colour
    .map((value) => value / 255)
    .map((value) => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
    .reduce((sum, value, channel) => sum + value * [0.2126, 0.7152, 0.0722][channel], 0);
  const ground = (element) => {
    if (element === null) {
      return [255, 255, 255];
    }
    const {colour, alpha} = channels(getComputedStyle(element).backgroundColor);
    return alpha > 0.99 ? colour : over(colour, alpha, ground(element.parentElement));
  };
  const found = [];
  for (const element of document.querySelectorAll(selector)) {
    const waits = Boolean(element.placeholder) && !element.value;
    const own = [...element.childNodes].filter((node) => node.nodeType === 3).map((node) => node.data).join('').trim();
    const text = waits ? element.placeholder : own;
    if (!text || !element.checkVisibility() || element.closest('script, style, noscript, option, :disabled')) {
      continue;
    }
    const below = ground(element);
    const {colour, alpha} = channels(getComputedStyle(element, waits ? '::placeholder' : null).color);
    let share = alpha;
    for (let one = element; one; one = one.parentElement) {
      share *= Number(getComputedStyle(one).opacity);
    }
    const [light, dark] = [luminance(over(colour, share, below)), luminance(below)].sort((a, b) => b - a);
    found.push([text.slice(0, 40), Math.round((light + 0.05) / (dark + 0.05) * 100) / 100]);
  }
  return found;
}"""
"""Each text that can be seen, with the contrast of its letters to what is behind them, as WCAG reckons it."""

SCREEN = """() => [...document.querySelectorAll('.terminal .xterm-rows')]
  .filter((rows) => rows.checkVisibility())
  .flatMap((rows) => [...rows.children].map((row) => row.textContent.replaceAll('\\u00a0', ' ').trimEnd()))
  .join('\\n')"""
