"""The page in Chromium: floods until their last line is drawn, Ctrl-C, echo; against ttyd's way and xterm.js alone.

    python benchmarks/page.py [--megabytes 50] [--keys 60] [--rounds 5] [--profile FILE]

ttyd itself is not needed. ``reference`` is a page with its parts (xterm.js, its fit addon, its WebGL renderer) and its
way with floods: after each 100,000 bytes the terminal is asked to call back; with more than 10 such calls under way the
server is told to pause, with fewer than 4 to go on. A loop in a process of its own, a thread for each direction, speaks
ttyd's protocol: a frame for each read of the pty. ``reference DOM`` is the same without WebGL, and ``memory`` its
terminal fed from memory, which is the limit. All take turns within one run; medians and ratios are printed. Absolute
figures say little on a shared machine. Needs playwright, Chromium in the PATH and ``npm ci`` in ``static/``.

A time begins with the key event in the page and ends with the frame in which xterm.js has drawn.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import hashlib
import json
import os
import pty
import re
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from fcntl import ioctl
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, Route, ViewportSize, sync_playwright

STATIC = Path(__file__).parent.parent / "static"
PROMPT = "ready>"
LAST = "the-last-line-of-it"
SECONDS = 180.0
"""Nothing takes so long that works."""
FLOOD_SECONDS = 2.0
"""Of a flood, before it is interrupted."""
STEP_BYTES = 1 << 16
"""What the terminal is given at once from memory."""
VIEWPORT = ViewportSize(width=1280, height=800)

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
    took: null,
  };
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

MODULES = "/node_modules/@xterm"
REFERENCE = f"""<!doctype html>
<link rel="stylesheet" href="{MODULES}/xterm/css/xterm.css">
<style>html, body, #terminal {{ height: 100%; margin: 0; overflow: hidden }}</style>
<div id="terminal"></div>
<script type="module">
import {{ Terminal }} from "{MODULES}/xterm/lib/xterm.mjs";
import {{ FitAddon }} from "{MODULES}/addon-fit/lib/addon-fit.mjs";
import {{ WebglAddon }} from "{MODULES}/addon-webgl/lib/addon-webgl.mjs";
const LIMIT = 100000, HIGH = 10, LOW = 4;
const terminal = new Terminal({{ allowProposedApi: true, fontSize: 14, fontFamily: "monospace" }});
const fit = new FitAddon();
terminal.loadAddon(fit);
terminal.open(document.getElementById("terminal"));
fit.fit();
if (location.search.includes("webgl")) terminal.loadAddon(new WebglAddon());
window.bench.came(terminal);
const encoder = new TextEncoder(), decoder = new TextDecoder();
const socket = new WebSocket(location.href.replace("http", "ws"), ["tty"]);
socket.binaryType = "arraybuffer";
let written = 0, pending = 0;
socket.onopen = () => socket.send(encoder.encode(JSON.stringify({{ columns: terminal.cols, rows: terminal.rows }})));
socket.onmessage = ({{ data }}) => {{
  if (String.fromCharCode(new Uint8Array(data)[0]) !== "0") return;
  const bytes = new Uint8Array(data.slice(1));
  written += bytes.length;
  if (written <= LIMIT) {{
    terminal.write(bytes);
    return;
  }}
  terminal.write(bytes, () => {{
    pending = Math.max(pending - 1, 0);
    if (pending < LOW) socket.send(encoder.encode("3"));
  }});
  pending += 1;
  written = 0;
  if (pending > HIGH) socket.send(encoder.encode("2"));
}};
terminal.onData((data) => socket.send(encoder.encode("0" + data)));
terminal.focus();
window.bench.memory = async (bytes, step) => {{
  const began = performance.now();
  const {{ port1, port2 }} = new MessageChannel();
  for (let at = 0; at < bytes.length; at += step) {{
    const piece = bytes.subarray(at, at + step);
    port2.postMessage(null); // in a task of its own: see static/js/feed.js
    await new Promise((begun) => (port1.onmessage = begun));
    await new Promise((parsed) => terminal.write(piece, parsed));
  }}
  const drawn = new Promise((resolve) => terminal.onRender(resolve));
  terminal.write("\\r\\ndrawn");
  await drawn;
  return performance.now() - began;
}};
</script>
"""

Times = dict[str, defaultdict[str, list[float]]]


# ---- the reference's server


def exactly(connection: socket.socket, count: int) -> bytes:
    """*count* bytes.

    :raises EOFError: it was closed before
    """
    data = b""
    while len(data) < count:
        more = connection.recv(count - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def frames(connection: socket.socket) -> Iterator[bytes]:
    """What a browser sends, until it closes."""
    with contextlib.suppress(EOFError, OSError):
        while True:
            first, size = exactly(connection, 2)
            size &= 127
            if size > 125:
                size = int.from_bytes(exactly(connection, 2 if size == 126 else 8), "big")
            mask, data = exactly(connection, 4), exactly(connection, size)
            if first & 15 == 8:
                return
            yield bytes(byte ^ mask[place & 3] for place, byte in enumerate(data))


def forward(descriptor: int, connection: socket.socket, going: threading.Event) -> None:
    """From the pty to the browser, a frame for each read."""
    with contextlib.suppress(OSError):
        while True:
            going.wait()
            data = b"0" + os.read(descriptor, 1 << 16)
            size = len(data)
            head = struct.pack("!BB", 0x82, size) if size < 126 else struct.pack("!BBH", 0x82, 126, size)
            connection.sendall(head + data)


def terminal(connection: socket.socket, home: str) -> None:
    """A shell in a pty for a browser that speaks ttyd's protocol."""
    pid, descriptor = pty.fork()
    if pid == 0:
        os.chdir(home)
        os.execvpe("bash", ["-bash"], {**os.environ, "HOME": home, "TERM": "xterm-256color"})
    going = threading.Event()
    going.set()
    thread = threading.Thread(target=forward, args=(descriptor, connection, going))
    for number, data in enumerate(frames(connection)):
        if number == 0:
            size = json.loads(data)
            ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", size["rows"], size["columns"], 0, 0))
            thread.start()
        elif data[:1] == b"0":
            os.write(descriptor, data[1:])
        elif data[:1] == b"2":
            going.clear()
        elif data[:1] == b"3":
            going.set()
    going.set()
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    connection.close()
    thread.join()
    os.close(descriptor)


def serve(connection: socket.socket, home: str) -> None:
    """One connection of a browser: a file, or a terminal."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    request = b""
    while b"\r\n\r\n" not in request:
        more = connection.recv(1 << 16)
        if not more:
            return
        request += more
    key = re.search(rb"(?i)sec-websocket-key: (\S+)", request)
    if key:
        digest = hashlib.sha1(key[1] + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
        connection.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Protocol: tty\r\nSec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
        )
        terminal(connection, home)
        return
    path = request.split()[1].decode().partition("?")[0]
    file = STATIC / path.lstrip("/")
    body, kind = REFERENCE.encode(), "text/html"
    if path.startswith(MODULES):
        body, kind = file.read_bytes(), "text/css" if file.suffix == ".css" else "text/javascript"
    elif path.startswith("/file/"):
        body, kind = Path(home, path.rpartition("/")[2]).read_bytes(), "application/octet-stream"
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    connection.sendall(head.encode() + body)
    connection.close()


def reference(home: str) -> None:
    """Serve for ever; the port is printed."""
    listening = socket.create_server(("127.0.0.1", 0))
    print(listening.getsockname()[1], flush=True)
    while True:
        connection, _ = listening.accept()
        threading.Thread(target=serve, args=(connection, home), daemon=True).start()


# ---- what is measured


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


def wait(page: Page, expression: str) -> Any:
    """The value of *expression* when it has one."""
    end = time.monotonic() + SECONDS
    while not (value := page.evaluate(expression)):
        if time.monotonic() > end:
            raise SystemExit(f"{expression} did not come true")
        time.sleep(0.02)  # a page that is asked more often does less
    return value


def took(page: Page, what: str, key: str) -> float:
    """Milliseconds from *key* until *what* is drawn."""
    page.evaluate("what => window.bench.expect(what)", what)
    page.keyboard.press(key)
    return float(wait(page, "window.bench.took"))


def measured(page: Page, names: dict[str, str], keys: int) -> Iterator[tuple[str, float]]:
    """Everything that is measured at one terminal, in milliseconds."""
    wait(page, "window.bench?.prompt()")
    for name, shown in names.items():
        page.keyboard.type(f"cat {name}")
        yield shown, took(page, "last", "Enter")
    page.keyboard.type("clear")
    took(page, "prompt", "Enter")
    for _ in range(keys):
        yield "echo of a key", took(page, "echo", "x")
    page.keyboard.press("Control+u")
    page.keyboard.type("yes")
    page.keyboard.press("Enter")
    time.sleep(FLOOD_SECONDS)
    yield "Ctrl-C in a flood", took(page, "prompt", "Control+c")


def from_memory(page: Page, names: dict[str, str]) -> Iterator[tuple[str, float]]:
    """The terminal of the reference's page, without a server."""
    for name, shown in names.items():
        page.evaluate(
            "async name => window.file = new Uint8Array(await (await fetch(`/file/${name}`)).arrayBuffer())", name
        )
        yield shown, page.evaluate("step => window.bench.memory(window.file, step)", STEP_BYTES)


def watched(route: Route) -> None:
    """The page's module with the third-party parts, reporting its terminals."""
    answer = route.fetch()
    route.fulfill(response=answer, body=answer.text() + REPORT)


class Daemon:
    """A process of ours in a home directory of its own; what it prints first says where it listens."""

    def __init__(self, command: list[str], home: Path, pattern: str) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("WEBSHELL_")}
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=home, env={**environment, "HOME": str(home)}
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


def profiled(page: Page, file: Path) -> Callable[[], None]:
    """Take a profile of the page's processor time. Returns what writes it: Chromium's tools load it."""
    tools = page.context.new_cdp_session(page)
    tools.send("Profiler.enable")
    tools.send("Profiler.start")

    def stop() -> None:
        file.write_text(json.dumps(tools.send("Profiler.stop")["profile"]))

    return stop


def rounds(browser: Browser, addresses: dict[str, str], names: dict[str, str], options: argparse.Namespace) -> Times:
    """All figures, by side and by what was measured."""
    times: Times = {side: defaultdict(list) for side in addresses}
    for number in range(options.rounds):
        order = list(addresses.items())
        for side, address in order if number % 2 else reversed(order):
            context = browser.new_context(viewport=VIEWPORT)
            page = context.new_page()
            page.set_default_timeout(SECONDS * 1000)
            page.add_init_script(WATCH)
            page.route("**/js/vendor.js", watched)
            page.goto(address)
            stop = profiled(page, options.profile) if options.profile and side == "webshell" else None
            figures = from_memory(page, names) if side == "memory" else measured(page, names, options.keys)
            for what, milliseconds in figures:
                times[side][what].append(milliseconds)
            if stop:
                stop()
            context.close()
    return times


def table(times: Times) -> str:
    """Medians, and ours as a share of each."""
    sides = list(times)
    lines = [f"{'milliseconds, medians':32}" + "".join(f"{side:>24}" for side in sides)]
    for what, ours in times["webshell"].items():
        middle = statistics.median(ours)
        line = f"{what:32}"
        for side in sides:
            figures = times[side].get(what)
            shown = (
                "" if not figures else f"{statistics.median(figures):.0f} (x {middle / statistics.median(figures):.2f})"
            )
            line += f"{shown:>24}"
        lines.append(line)
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--megabytes", type=int, default=50)
    parser.add_argument("--keys", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--profile", type=Path, help="where to write a profile of our page")
    parser.add_argument("--sides", default="webshell,reference,reference DOM,memory")
    parser.add_argument("--reference", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.reference:
        reference(options.reference)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        home = Path(folder)
        for name in (".bash_profile", ".profile"):
            home.joinpath(name).write_text(f"PS1='{PROMPT} '\nunset PROMPT_COMMAND\n")
        names = files(home, options.megabytes)
        listen = ["--listen", "tcp:0:interface=127.0.0.1"]
        daemon = Daemon([sys.executable, "-m", "webshell", *listen], home, r"http://127\.0\.0\.1:\d+/\?token=\S+")
        other = Daemon([sys.executable, __file__, "--reference", folder], home, r"^\d+")
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        origin = f"http://127.0.0.1:{other.said}/"
        addresses = {"webshell": daemon.said, "reference": f"{origin}?webgl", "reference DOM": origin, "memory": origin}
        try:
            print(table(rounds(browser, {side: addresses[side] for side in options.sides.split(",")}, names, options)))
        finally:
            browser.close()
            daemon.stop()
            other.stop()


if __name__ == "__main__":
    main()
