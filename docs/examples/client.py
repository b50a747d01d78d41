"""Runs a program on a server from a terminal: ``python client.py URL TOKEN PROGRAM.py [PICTURE.jpg]``.

What the program prints appears here, its latest picture is kept in a file. A key that is typed here is pressed there:
w, a, s, d for the arrows, any other as it is, each followed by Enter.
"""

import base64
import json
import os
import sys
from pathlib import Path

from autobahn.twisted.websocket import WebSocketClientFactory, WebSocketClientProtocol, connectWS
from twisted.internet import reactor, stdio
from twisted.protocols.basic import LineReceiver

ARROWS = {"w": "ArrowUp", "a": "ArrowLeft", "s": "ArrowDown", "d": "ArrowRight", "": " "}
HOLD_SECONDS = 0.1
"""A finger is no faster, and programs that look now and then shall see it."""


class Client(WebSocketClientProtocol):
    """One program, from start to end."""

    listening = frozenset()

    def onOpen(self):
        """Start it."""
        self.listening = set()
        self.say("start", runner="python3", code=Path(sys.argv[3]).read_text())

    def say(self, kind, **data):
        """Send a message."""
        self.sendMessage(json.dumps({"type": kind, "process": "1", "data": data}).encode())

    def onMessage(self, payload, isBinary):
        """The server said something."""
        if self.factory.over:  # a key that was still held when the program ended is no error
            return
        message = json.loads(payload)
        kind, data = message["type"], message["data"] or {}
        if kind in ("stdout", "stderr"):
            print(data["output"], end="", file=getattr(sys, kind), flush=True)
        elif kind == "video":
            picture = Path(sys.argv[4] if len(sys.argv) > 4 else "picture.jpg")
            new = picture.with_suffix(".new")
            new.write_bytes(base64.b64decode(data["output"]))
            os.replace(new, picture)  # whoever looks at it never sees half of it
        elif kind == "keylisten":
            self.listening.add(data["output"])
            print(f"[it listens for {data['output']!r}]", file=sys.stderr, flush=True)
        elif kind == "error" and not self.factory.over:  # else a key that was still held
            self.end(data.get("detail", data["message"]), 1)
        elif kind == "stopped":
            self.end(f"it ended with {data['exitCode']}", data["exitCode"])

    def press(self, key):
        """Press and release a key of the keyboard there."""
        if key in self.listening:
            self.say("keyevent", key=key, event="keydown")
            reactor.callLater(HOLD_SECONDS, self.say, "keyevent", key=key, event="keyup")

    def end(self, text, code):
        """It is over."""
        print(f"[{text}]", file=sys.stderr)
        self.factory.code = code & 0xFF
        self.factory.over = True
        self.sendClose()

    def onClose(self, wasClean, code, reason):
        """The connection is gone."""
        if not self.factory.over:
            print(f"[no connection: {reason}]", file=sys.stderr)
        if reactor.running:
            reactor.stop()


class Keys(LineReceiver):
    """What is typed here."""

    delimiter = b"\n"

    def lineReceived(self, line):
        """A key."""
        key = line.decode().strip()
        if factory.client:  # else nobody listens yet
            factory.client.press(ARROWS.get(key, key))


class Factory(WebSocketClientFactory):
    """Remembers the one client."""

    client, code, over = None, 1, False

    def buildProtocol(self, address):
        """Make it."""
        self.client = super().buildProtocol(address)
        return self.client


if __name__ == "__main__":
    url, token = sys.argv[1:3]
    factory = Factory(url.replace("http", "ws", 1).rstrip("/") + "/run", headers={"Authorization": f"Bearer {token}"})
    factory.protocol = Client
    connectWS(factory)
    stdio.StandardIO(Keys())
    reactor.run()
    sys.exit(factory.code)
