"""What ttyd's page and server do, in the least code: benchmarks/page.py measures beside it and starts it.

    python benchmarks/reference.py HOME

The port is printed. See benchmarks/page.py for what it does as ttyd does.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import pty
import re
import signal
import socket
import struct
import sys
import termios
import threading
from collections.abc import Iterator
from fcntl import ioctl
from pathlib import Path

STATIC = Path(__file__).parent.parent / "static"
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


def main(home: str) -> None:
    """Serve for ever; the port is printed."""
    listening = socket.create_server(("127.0.0.1", 0))
    print(listening.getsockname()[1], flush=True)
    while True:
        connection, _ = listening.accept()
        threading.Thread(target=serve, args=(connection, home), daemon=True).start()


if __name__ == "__main__":
    main(sys.argv[1])
