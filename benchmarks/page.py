"""The page in Chromium: floods until their last line is drawn, Ctrl-C, echo; against ttyd's and xterm.js alone.

    python -m benchmarks page [--megabytes 50] [--keys 60] [--rounds 5] [--profile FILE]

``ttyd`` is its own page, left out where it is not installed, with the renderer that is its fastest where there is no
graphics processor, the DOM; ``ttyd WebGL`` with what it takes if nobody chooses. ``memory`` is xterm.js fed from
memory, which is the limit. All take turns within one run. Needs Chromium in the PATH.

A time begins with the key event in the page and ends with the frame in which xterm.js has drawn.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.chromium import Chromium, Tab
from benchmarks.servers import Workshop

MEMORY = Path(__file__).with_name("memory.py")
PROMPT = "ready>"
LAST = "the-last-line-of-it"
SECONDS = 180.0
"""Nothing takes so long that works."""
LOOK_SECONDS = 0.02
"""A page that is asked more often does less."""
FLOOD_SECONDS = 2.0
"""Of a flood, before it is interrupted."""
STEP_BYTES = 1 << 16
"""What the terminal is given at once from memory."""
PING_SECONDS = 3600
"""ttyd drops a page that has not answered a ping for five seconds, and the ping waits behind all output on its way."""

WATCH = """
(() => {
  const began = { at: 0 };
  window.addEventListener("keydown", (event) => (began.at = performance.now()), { capture: true });
  const terminals = new Set();
  const line = (terminal, row) => terminal.buffer.active.getLine(row)?.translateToString(true) ?? "";
  const seen = {
    // a prompt with nothing behind it
    prompt: (terminal) => {
      const { baseY, cursorY, cursorX } = terminal.buffer.active;
      return line(terminal, baseY + cursorY).trimEnd() === "PROMPT" && cursorX > "PROMPT".length;
    },
    // one that follows the last line of a file
    last: (terminal) => {
      const { baseY, cursorY } = terminal.buffer.active;
      return seen.prompt(terminal) && line(terminal, baseY + cursorY - 1).endsWith("LAST");
    },
    // a character more than when it was asked for
    echo: (terminal) => terminal.buffer.active.cursorX !== seen.column,
    column: 0,
  };
  window.bench = {
    terminals,
    came: (terminal) => terminals.add(terminal),
    expect: (what) => {
      const [terminal] = [...terminals].slice(-1);
      seen.column = terminal.buffer.active.cursorX;
      window.bench.took = null;
      began.at = performance.now();
      const listener = terminal.onRender(() => {
        if (seen[what](terminal)) {
          window.bench.took = performance.now() - began.at;
          listener.dispose();
        }
      });
    },
    prompt: () => [...terminals].slice(-1).some((terminal) => seen.prompt(terminal)),
    line: () => {
      const [terminal] = [...terminals].slice(-1);
      return line(terminal, terminal.buffer.active.baseY + terminal.buffer.active.cursorY).trimEnd();
    },
    took: null,
  };
  // where ttyd's page keeps its terminal
  Object.defineProperty(window, "term", { set: window.bench.came, get: () => [...terminals][0] });
})();
""".replace("PROMPT", PROMPT).replace("LAST", LAST)
"""Runs in each page before its own scripts."""

REPORT = """
const open = Terminal.prototype.open;
Terminal.prototype.open = function (element) {
  open.call(this, element);
  window.bench.came(this);
};
"""
"""Added to the page's module with the third-party parts: its terminals are to be watched."""


class Missed(Exception):
    """What was waited for did not come in time."""


Times = dict[str, defaultdict[str, list[float]]]


def files(home: Path, megabytes: int) -> dict[str, str]:
    """The files that are shown: lines as logs have them, and a screen that is coloured and moved about in."""
    lines = "".join(
        f"{number:08d} {hashlib.sha256(b'%d' % number).hexdigest()} a line of a log file\n" for number in range(1000)
    )
    colours = "".join(
        f"\x1b[{31 + number % 7}m{number:05d}\x1b[1;38;5;{number % 256}m coloured\x1b[0;48;2;{number % 256};20;90m"
        f" words\x1b[m\x1b[{1 + number % 24};{1 + number % 70}H\x1b[7mthere\x1b[27m\x1b[K\n"
        for number in range(1000)
    )
    sizes = {"text": (lines, megabytes), "colours": (colours, max(1, megabytes * 2 // 5))}
    for name, (text, size) in sizes.items():
        end = f"\x1b[m\x1b[999;1H\n{LAST}\n"
        home.joinpath(name).write_text(text * (size * 1_000_000 // len(text)) + end)
    return {name: f"cat of {size} MB, {name}" for name, (_, size) in sizes.items()}


def wait(tab: Tab, expression: str) -> Any:
    """The value of *expression* when it has one."""
    end = time.monotonic() + SECONDS
    while not (value := tab.value(expression)):
        if time.monotonic() > end:
            raise Missed(f"{expression} did not come true")
        time.sleep(LOOK_SECONDS)
    return value


def took(tab: Tab, what: str, key: str) -> float:
    """Milliseconds from *key* until *what* is drawn; what does not come is as long as nothing may take."""
    tab.value(f"window.bench.expect('{what}')")
    tab.press(key)
    with contextlib.suppress(Missed):
        return float(wait(tab, "window.bench.took"))
    return SECONDS * 1000


def measured(tab: Tab, names: dict[str, str], keys: int) -> Iterator[tuple[str, float]]:
    """Everything that is measured at one terminal, in milliseconds."""
    wait(tab, "window.bench?.prompt()")
    for name, shown in names.items():
        typed(tab, f"cat {name}")
        yield shown, (milliseconds := took(tab, "last", "Enter"))
        if milliseconds == SECONDS * 1000:
            return  # whatever came next would be measured wrongly
    typed(tab, "clear")
    took(tab, "prompt", "Enter")
    for _ in range(keys):
        yield "echo of a key", took(tab, "echo", "x")
    tab.press("Control+u")
    typed(tab, "yes")
    tab.press("Enter")
    time.sleep(FLOOD_SECONDS)
    yield "Ctrl-C in a flood", took(tab, "prompt", "Control+c")


def typed(tab: Tab, line: str) -> None:
    """At the prompt, until it is seen."""
    tab.type(line)
    wait(tab, f"window.bench.line().endsWith('{line}')")


def from_memory(tab: Tab, names: dict[str, str]) -> Iterator[tuple[str, float]]:
    """The terminal without a server."""
    wait(tab, "window.draw !== undefined")
    for name, shown in names.items():
        yield shown, tab.value(f"window.draw('{name}', {STEP_BYTES})")


class Daemon:
    """A process of ours in a home directory of its own; what it prints first says where it listens."""

    def __init__(self, command: list[str], home: Path, pattern: str, folder: Path | None = None) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("WEBSHELL_")}
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=folder or home,
            env={**environment, "HOME": str(home)},
        )
        assert self.process.stdout is not None
        for line in self.process.stdout:
            found = re.search(pattern, line.decode())
            if found:
                self.said = found[0]
                threading.Thread(target=self.process.stdout.read).start()  # nothing may wait for us
                return
        raise SystemExit(f"{command} did not start")

    def stop(self) -> None:
        """End it."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


def profiled(tab: Tab, file: Path) -> Callable[[], None]:
    """Take a profile of the page's processor time. Returns what writes it: Chromium's tools load it."""
    tab.ask("Profiler.enable")
    tab.ask("Profiler.start")

    def stop() -> None:
        file.write_text(json.dumps(tab.ask("Profiler.stop")["profile"]))

    return stop


def rounds(
    browser: Chromium,
    addresses: dict[str, str],
    names: dict[str, str],
    count: int,
    keys: int,
    profile: Path | None,
) -> Times:
    """All figures, by side and by what was measured."""
    times: Times = {side: defaultdict(list) for side in addresses}
    for number in range(count):
        order = list(addresses.items())
        for side, address in order if number % 2 else reversed(order):
            nothing_known = browser.profile()
            tab = Tab(browser, nothing_known, WATCH)
            if side == "webshell":
                tab.go_with(address, "*/js/vendor.js", REPORT)
            else:
                tab.go(address)
            stop = profiled(tab, profile) if profile and side == "webshell" else None
            figures = from_memory(tab, names) if side == "memory" else measured(tab, names, keys)
            for what, milliseconds in figures:
                times[side][what].append(milliseconds)
            if stop:
                stop()
            browser.forget(nothing_known)
    return times


def compared(workshop: Workshop, count: int, megabytes: int, keys: int, profile: Path | None = None) -> Times:
    """Ours beside the others, in so many rounds."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as browsers_home:
        home = Path(folder)
        for name in (".bash_profile", ".profile"):
            home.joinpath(name).write_text(f"PS1='{PROMPT} '\nunset PROMPT_COMMAND\n")
        names = files(home, megabytes)
        daemons: list[Daemon] = []
        browser = Chromium(browsers_home)
        try:
            listen = ["--listen", "tcp:0:interface=127.0.0.1"]
            daemons.append(Daemon([*workshop.webshell, *listen], home, r"http://127\.0\.0\.1:\d+/\?token=\S+"))
            addresses = {"webshell": daemons[0].said}
            if ttyd := workshop.ttyd():
                options = ["--cwd", str(home), "--writable", "--ping-interval", str(PING_SECONDS)]
                command = [*ttyd, *options, "--interface", "lo", "--port", "0", "bash", "-l"]
                # its libwebsockets looks for its own plugins in the current directory
                daemons.append(Daemon(command, home, r"(?<=Listening on port: )\d+", Path(ttyd[0]).parent))
                origin = f"http://127.0.0.1:{daemons[-1].said}/"
                addresses |= {"ttyd": f"{origin}?rendererType=dom", "ttyd WebGL": f"{origin}?rendererType=webgl"}
            daemons.append(Daemon([sys.executable, str(MEMORY), folder], home, r"^\d+"))
            addresses["memory"] = f"http://127.0.0.1:{daemons[-1].said}/"
            return rounds(browser, addresses, names, count, keys, profile)
        finally:
            browser.close()
            for daemon in daemons:
                daemon.stop()


def lines(times: Times) -> list[list[str]]:
    """Medians in milliseconds, and ours as a share of each; of what did not come in time there is no share."""
    head = ["milliseconds", *times]
    body = []
    for what, ours in times["webshell"].items():
        cells = [what]
        for side, figures in times.items():
            middle = statistics.median(figures[what]) if what in figures else None
            if middle is None:
                cells.append("–")
            elif middle >= SECONDS * 1000:
                cells.append(f"> {middle:.0f}")
            else:
                share = "" if side == "webshell" else f" (webshell: {statistics.median(ours) / middle:.2f} ×)"
                cells.append(f"{middle:.0f}{share}")
        body.append(cells)
    return [head, *body]
