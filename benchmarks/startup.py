"""Start-up: from the command to the first answer, and from following the link to a page that can be typed in.

    python -m benchmarks startup [--rounds 11] [--webshell "twistd -n webshell"]

Each round starts a daemon of its own and loads the page twice: by its link into an empty browser profile, and once
more in another tab. The page needs Chromium in the PATH. Nothing but a script in the page watches it: tools that follow
every request take more processor time than the page. Medians are printed, with the fastest and the slowest round.
"""

from __future__ import annotations

import http.client
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
from pathlib import Path

from benchmarks.chromium import Chromium, Tab

PROMPT = "ready> "
SECONDS = 30.0
"""Nothing takes so long that works."""
SETTLED = 0.5
"""After so long what there was to do is done: a new tab's own start, and the page, which is not disturbed before."""

WATCH = """(() => {
  const times = { requests: [] };
  window.startup = times;
  const look = () => {
    const now = performance.now();
    const screen = document.querySelector(".terminal-panel:not([hidden]) .xterm-rows")?.textContent ?? "";
    if (!times.prompt && screen.replaceAll("\\u00a0", " ").includes("PROMPT")) {
      times.prompt = now;
    }
    const focused = document.activeElement;
    if (!times.keys && focused?.matches("textarea, input") && !focused.disabled && !focused.readOnly) {
      times.keys = now;
    }
    if (!times.prompt || !times.keys) {
      setTimeout(look, 1);
    }
  };
  look();
})()""".replace("PROMPT", PROMPT.strip())
"""Runs in the page before its own scripts."""
TOLD = """() => {
  const { prompt, keys } = window.startup;
  if (!prompt || !keys) {
    return null;
  }
  const [page] = performance.getEntriesByType("navigation");
  const files = performance.getEntriesByType("resource");
  return {
    "page arrived": page.responseEnd,
    "modules arrived": Math.max(...files.filter((file) => file.name.endsWith("js")).map((file) => file.responseEnd)),
    "first paint": performance.getEntriesByName("first-paint")[0]?.startTime ?? 0,
    "prompt drawn": prompt,
    "keys go to it": keys,
    "ready to type in": Math.max(prompt, keys),
    requests: files.filter((file) => file.transferSize).length,
    "kB received": [page, ...files].reduce((sum, file) => sum + file.transferSize, 0) / 1000,
  };
}"""

Times = defaultdict[str, list[float]]


def started(command: list[str], home: str) -> tuple[subprocess.Popen[bytes], str, float]:
    """A daemon: its process, the link that it printed, and the milliseconds until it had answered ``/healthz``."""
    # as installed: with the bytecode that pip has left, not compiled anew at each start
    left_out = ("WEBSHELL_", "PYTHONDONTWRITEBYTECODE")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    began = time.perf_counter()
    process = subprocess.Popen(
        [*command, "--listen", "tcp:0:interface=127.0.0.1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=home,
        env={**environment, "HOME": home},
    )
    assert process.stdout is not None
    for line in process.stdout:
        found = re.search(rb"http://127\.0\.0\.1:(\d+)/\?token=\S+", line)
        if found:
            connection = http.client.HTTPConnection("127.0.0.1", int(found[1]), timeout=SECONDS)
            connection.request("GET", "/healthz")
            answer = connection.getresponse().read()
            took = (time.perf_counter() - began) * 1000
            connection.close()
            threading.Thread(target=process.stdout.read).start()  # its log comes there, too: nothing may wait for us
            assert answer == b"ok\n"
            return process, found[0].decode(), took
    raise SystemExit("the daemon did not start")


def load(browser: Chromium, profile: str, link: str) -> dict[str, float]:
    """Follow *link* in a new tab. Returns milliseconds since then, and what was fetched."""
    tab = Tab(browser, profile, WATCH)
    time.sleep(SETTLED)
    tab.go(link)
    end = time.monotonic() + SECONDS
    while True:
        time.sleep(SETTLED)
        told = tab.value(f"({TOLD})()")
        if told:
            break
        if time.monotonic() > end:
            raise SystemExit("the page did not become ready")
    tab.close()
    return dict(told)


def rounds(command: list[str], count: int, browser: Chromium | None) -> dict[str, Times]:
    """Everything that is measured, by what is loaded."""
    times: dict[str, Times] = defaultdict(lambda: defaultdict(list))
    for number in range(count + 1):
        with tempfile.TemporaryDirectory() as home:
            for name in (".bash_profile", ".profile"):
                Path(home, name).write_text(f"PS1='{PROMPT}'\nunset PROMPT_COMMAND\n")
            process, link, took = started(command, home)
            seen = {"command": {"first answer": took}}
            try:
                if browser is not None:
                    profile = browser.profile()
                    seen["page, empty profile"] = load(browser, profile, link)
                    seen["page, again"] = load(browser, profile, link.partition("?")[0])
                    browser.forget(profile)
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait()
        if number:  # the first one warms the machine's own caches
            for name, values in seen.items():
                for key, value in values.items():
                    times[name][key].append(value)
    return times


def table(times: dict[str, Times]) -> str:
    """The medians."""
    lines = [f"{'':38} median  fastest  slowest"]
    for name, values in times.items():
        for key, figures in values.items():
            unit = "" if key.startswith(("requests", "kB")) else " ms"
            middle = statistics.median(figures)
            lines.append(f"{name + ': ' + key + unit:38} {middle:6.0f} {min(figures):8.0f} {max(figures):8.0f}")
    return "\n".join(lines)


def with_page(command: list[str], count: int) -> dict[str, Times]:
    """Everything, the page included."""
    with tempfile.TemporaryDirectory() as home:
        browser = Chromium(home)
        try:
            return rounds(command, count, browser)
        finally:
            browser.close()


def modules() -> int:
    """How many modules ``import webshell`` brings, beside itself."""
    code = "import sys; before = {*sys.modules}; import webshell; print(len({*sys.modules} - before) - 1)"
    return int(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
