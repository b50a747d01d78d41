"""Clients of each server's own protocol: what its output is wrapped in, how input goes to it, what it wants to hear."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Sequence
from typing import Any, ClassVar

from benchmarks.websocket import BINARY, PATIENCE, TEXT, Closed, WebSocket, frame

ACKNOWLEDGED_BYTES = 96 << 10
"""Of output between two acknowledgements: as the page (``credit.js``)."""
TAIL_BYTES = 2 << 20
"""At the end of an expected output: from there on it is looked at, before that only counted."""
SEEN_BYTES = 4096
"""Kept of what was looked at."""


class Terminal:
    """A terminal of a server; as it stands, one whose frames are the bare output and input."""

    path: ClassVar[str] = "/ws"
    subprotocol: ClassVar[str] = ""
    output_opcode: ClassVar[int] = BINARY
    wrapping: ClassVar[int] = 0
    """Bytes of each frame of output that are not output; counting is exact where they always are the same number."""
    growth: ClassVar[float] = 1.0
    """At least as many bytes on the wire for each of output."""
    exact: ClassVar[bool] = True
    """The bytes of output can be told from counting alone."""

    def __init__(
        self, port: int, argv: Sequence[str], token: str = "", *, tls: bool = False, receive_buffer: int = 0
    ) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.argv = argv
        self.socket = WebSocket(
            port, self.path, subprotocol=self.subprotocol, headers=headers, tls=tls, receive_buffer=receive_buffer
        )
        self.socket.on_frame = self._arrived
        if self.output_opcode != TEXT:
            self.socket.wanted = frozenset({TEXT})
        self.seen = b""
        """The end of the output that was looked at."""
        self.begin()

    def begin(self) -> None:
        """Ask for the terminal."""

    def unwrapped(self, payload: bytes) -> bytes:
        """The output in a frame."""
        return payload

    def wrapped(self, data: bytes) -> bytes:
        """A frame of input."""
        return frame(data)

    def consumed(self) -> None:
        """Something has been received: time to acknowledge?"""

    def told(self, payload: bytes) -> None:
        """A message that is not output."""

    # what measurements do

    @property
    def output_bytes(self) -> int:
        """Of output, so far."""
        return self.socket.arrived - self.wrapping * self.socket.frames

    def type(self, data: bytes) -> None:
        """Send input."""
        self.socket.socket.sendall(self.wrapped(data))

    def turn(self) -> int:
        """Receive once. Returns how many bytes it brought."""
        count = self.socket.pump()
        self.consumed()
        return count

    def skim(self, expected: int) -> None:
        """Only count, until nearly *expected* bytes of output have come from now on."""
        self.seen = b""
        self.socket.keep_from = self.socket.arrived + max(0, int(expected * self.growth) - TAIL_BYTES)
        self.socket.wanted = self.socket.wanted - {self.output_opcode}

    def wait_for(self, mark: bytes) -> None:
        """Receive until *mark* has been in the output.

        :raises Closed: that did not happen.
        """
        end = time.monotonic() + 2 * PATIENCE
        while mark not in self.seen:
            self.turn()
            if time.monotonic() > end:
                raise Closed(f"no {mark!r} came")

    def close(self) -> None:
        """Leave; the server ends what it has started."""
        self.socket.close()

    def _arrived(self, opcode: int, payload: bytes) -> None:
        if opcode == self.output_opcode:
            self.seen = self.seen[-SEEN_BYTES:] + self.unwrapped(payload)
        else:
            self.told(payload)


class Webshell(Terminal):
    """The native dialect, with a session, its scrollback, and credit by acknowledgements.

    :ivar last: the type of the message that came last.
    :ivar input_limit: bytes of input that may be under way; *taken*: that have arrived.
    """

    subprotocol = "webshell.v1"
    wrapping = 5
    pty: ClassVar[bool] = True

    def begin(self) -> None:
        """A session of one terminal."""
        self.acknowledged = 0
        self.texts = 0
        self.session = ""
        self.last = ""
        self.input_limit = self.taken = 0
        self.ask(type="open", linger=0, client="benchmark")
        self.ask(type="start", runner="exec", argv=[*self.argv], pty=self.pty)

    def ask(self, **message: Any) -> None:
        """Send a request."""
        self.socket.send(json.dumps(message).encode(), TEXT)

    def told(self, payload: bytes) -> None:
        """Messages are no output."""
        self.texts += len(payload) - self.wrapping
        message = json.loads(payload)
        self.last = message["type"]
        if self.last == "error":
            raise Closed(message["message"])
        if self.last == "hello":
            self.input_limit = message["limits"]["input"]
        elif self.last == "attached":
            self.session = message["session"]
        elif self.last == "taken":
            self.taken = message["count"]

    @property
    def output_bytes(self) -> int:
        """Of output, so far; the part of a frame whose head has come counts."""
        return super().output_bytes - self.texts

    def unwrapped(self, payload: bytes) -> bytes:
        """Behind stream and process."""
        return payload[5:]

    def wrapped(self, data: bytes) -> bytes:
        """Typed, to process 1."""
        return frame(b"\1\0\0\0\1" + data)

    def consumed(self) -> None:
        """Acknowledge, in steps."""
        output = self.output_bytes
        if output - self.acknowledged >= ACKNOWLEDGED_BYTES:
            self.acknowledged = output
            self.ask(type="ack", process=1, offset=output)


class WebshellPipe(Webshell):
    """The same without a terminal in between."""

    pty = False


class WebshellViewer(Webshell):
    """One more client of a session that there is: *argv* is its id."""

    def begin(self) -> None:
        """Attach."""
        self.acknowledged = self.texts = 0
        (self.session,) = self.argv
        self.ask(type="attach", session=self.session, client="viewer")


class Ttyd(Terminal):
    """ttyd: one byte before everything."""

    subprotocol = "tty"
    wrapping = 1

    def begin(self) -> None:
        """The size."""
        self.socket.send(json.dumps({"AuthToken": "", "columns": 80, "rows": 24}).encode())

    def unwrapped(self, payload: bytes) -> bytes:
        """Without titles and preferences."""
        return payload[1:] if payload[:1] == b"0" else b""

    def wrapped(self, data: bytes) -> bytes:
        """As input."""
        return frame(b"0" + data)


class Gotty(Terminal):
    """gotty: output in base64."""

    subprotocol = "webtty"
    output_opcode = TEXT
    growth = 4 / 3
    exact = False

    def begin(self) -> None:
        """Arguments and authentication."""
        self.socket.send(json.dumps({"Arguments": "", "AuthToken": ""}).encode(), TEXT)

    def unwrapped(self, payload: bytes) -> bytes:
        """Decoded."""
        return base64.b64decode(payload[1:]) if payload[:1] == b"1" else b""

    def wrapped(self, data: bytes) -> bytes:
        """As input."""
        return frame(b"1" + data, TEXT)


class Terminado(Terminal):
    """terminado, what Jupyter's terminals are: JSON."""

    path = "/websocket"
    output_opcode = TEXT
    exact = False

    def unwrapped(self, payload: bytes) -> bytes:
        """Of its messages, stdout."""
        kind, *rest = json.loads(payload)
        return str(rest[0]).encode() if kind == "stdout" else b""

    def wrapped(self, data: bytes) -> bytes:
        """As stdin."""
        return frame(json.dumps(["stdin", data.decode("latin-1")]).encode(), TEXT)


class Websocketd(Terminal):
    """websocketd: pipes, no terminal."""

    path = "/"


class Wetty(Terminal):
    """wetty: socket.io over WebSocket, with credit."""

    path = "/socket.io/?EIO=4&transport=websocket"
    output_opcode = TEXT
    exact = False
    reported = 0

    def begin(self) -> None:
        """Join the default room."""
        self.socket.send(b"40", TEXT)

    def unwrapped(self, payload: bytes) -> bytes:
        """Of its events, data; a ping is answered."""
        if payload == b"2":
            self.socket.send(b"3", TEXT)
        event = json.loads(payload[2:]) if payload[:2] == b"42" else [""]
        return str(event[1]).encode() if event[0] == "data" else b""

    def wrapped(self, data: bytes) -> bytes:
        """As an event."""
        return frame(b"42" + json.dumps(["input", data.decode("latin-1")]).encode(), TEXT)

    def consumed(self) -> None:
        """It asks for a report every 256 kB."""
        count = self.socket.arrived - self.reported
        if count >= 256 << 10:
            self.reported += count
            self.socket.send(b'42["commit",%d]' % count, TEXT)
