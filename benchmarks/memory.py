"""A page with xterm.js and nothing else, which is fed a file from memory: benchmarks/page.py starts it.

    python benchmarks/memory.py HOME

The port is printed.
"""

from __future__ import annotations

import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

STATIC = Path(__file__).parent.parent / "static"
MODULES = "/node_modules/@xterm"
PAGE = f"""<!doctype html>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{MODULES}/xterm/css/xterm.css">
<style>html, body, #terminal {{ height: 100%; margin: 0; overflow: hidden }}</style>
<div id="terminal"></div>
<script type="module">
import {{ Terminal }} from "{MODULES}/xterm/lib/xterm.mjs";
import {{ FitAddon }} from "{MODULES}/addon-fit/lib/addon-fit.mjs";
const terminal = new Terminal({{ fontSize: 14, fontFamily: "monospace" }});
const fit = new FitAddon();
terminal.loadAddon(fit);
terminal.open(document.getElementById("terminal"));
fit.fit();
window.draw = async (name, step) => {{
  const bytes = new Uint8Array(await (await fetch(`/file/${{name}}`)).arrayBuffer());
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


class Files(SimpleHTTPRequestHandler):
    """The page, its modules below ``/node_modules``, and the files of a folder below ``/file``."""

    def __init__(self, *arguments: object, home: str) -> None:
        self._home = home
        super().__init__(*arguments, directory=str(STATIC))  # type: ignore[arg-type]

    def do_GET(self) -> None:
        """The page itself is made here."""
        if self.path != "/":
            super().do_GET()
            return
        body = PAGE.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def translate_path(self, path: str) -> str:
        """Where a file is."""
        if path.startswith("/file/"):
            return str(Path(self._home, Path(path).name))
        return super().translate_path(path)

    def log_message(self, format: str, *arguments: object) -> None:
        """Nobody reads it."""


def main(home: str) -> None:
    """Serve for ever; the port is printed."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Files, home=home))
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1])
