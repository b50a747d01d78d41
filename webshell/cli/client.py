"""The client's end of ``webshell.v1`` without I/O: frames come in, frames and calls go out."""

from __future__ import annotations

import json
import secrets
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from webshell.cli.outbox import Outbox

Message = dict[str, Any]
Frame = str | bytes
Answered = Callable[[Message], None]

SUBPROTOCOL = "webshell.v1"
TYPED, PASTED, ANSWER = 1, 2, 3
OUTPUT = (1, 2)
"""First bytes of frames with output: its stream. Others are side channels, which this client never asks for."""

HEADER = struct.Struct("!BI")
WINDOW_BYTES = 256 << 10
"""Until ``hello`` says otherwise: the server's own default."""

FRAME_BYTES = 64 << 10
"""Of input in one frame; larger ones gain nothing, and a key would wait behind them."""

ACK_BYTES = 32 << 10
"""Output is acknowledged in such steps, and at once when nothing more waits to be written."""


class Listener(Protocol):
    """Who is told what the server says."""

    def output(self, process: int, stream: int, data: bytes) -> None:
        """A process wrote."""

    def event(self, message: Message) -> None:
        """Anything else but answers to requests."""

    def room(self, process: int) -> None:
        """All input has been sent; there is room for more."""


@dataclass(slots=True)
class _Process:
    offset: int = 0
    acknowledged: int = 0
    outbox: Outbox = field(default_factory=Outbox)
    eof: Answered | None = None  # the standard input shall be closed after what waits in the outbox


class Client:
    """One client, over as many connections as it takes."""

    def __init__(self, listener: Listener, name: str = "") -> None:
        self._listener = listener
        self.name = name or secrets.token_urlsafe(16)
        self.session = ""
        self.hello: Message = {}
        self._send: Callable[[Frame], None] | None = None
        self._ready = False  # hello has come, and the session that we know is attached again
        self._next = 1
        self._asked: dict[int, Answered] = {}
        self._held: list[tuple[str, Message, Answered]] = []
        self._processes: dict[int, _Process] = {}

    @property
    def ready(self) -> bool:
        """Whether a request would be sent at once."""
        return self._ready

    # ---- what the transport does

    def connected(self, send: Callable[[Frame], None]) -> None:
        """A connection is up; the server speaks first."""
        self._send = send

    def disconnected(self) -> None:
        """It is gone. Requests that have not been answered fail."""
        self._send = None
        self._ready = False
        asked, self._asked = self._asked, {}
        for answered in asked.values():
            answered({"type": "error", "code": "disconnected", "message": "the connection was lost"})

    def receive(self, frame: Frame) -> None:
        """A frame has arrived."""
        if isinstance(frame, bytes):
            self._output(frame)
            return
        message: Message = json.loads(frame)
        kind = message["type"]
        if kind in _EVENTS:
            _EVENTS[kind](self, message)
        answered = self._asked.pop(message["id"], None) if message.get("id") is not None else None
        if answered is not None:
            answered(message)
        if answered is None or kind == "started":
            self._listener.event(message)

    # ---- what a command does

    def ask(self, kind: str, answered: Answered, **members: Any) -> None:
        """Send a request, as soon as that is possible; *answered* gets its one reply, an ``error`` perhaps."""
        if not self._ready:
            self._held.append((kind, members, answered))
            return
        number, self._next = self._next, self._next + 1
        self._asked[number] = answered
        self._say({"type": kind, "id": number, **members})

    def open(self, answered: Answered, **members: Any) -> None:
        """Make a session and attach to it."""
        self.ask("open", answered, **members, client=self.name)

    def attach(self, session: str, answered: Answered) -> None:
        """Attach to a session."""
        self.ask("attach", answered, session=session, client=self.name)

    def write(self, process: int, data: bytes) -> bool:
        """Input. Returns whether there is room for more; if not, ``room`` says when."""
        state = self._processes.setdefault(process, _Process())
        state.outbox.add(data)
        self._pump(process, state)
        return not state.outbox.unsent

    def answer(self, process: int, data: bytes) -> None:
        """What a terminal says by itself; it is not counted, and lost without a connection."""
        if self._ready:
            self._frame(ANSWER, process, data)

    def eof(self, process: int, answered: Answered) -> None:
        """Close the standard input, after what was written."""
        state = self._processes.setdefault(process, _Process())
        state.eof = answered
        self._pump(process, state)

    def consumed(self, process: int, offset: int, *, idle: bool = True) -> None:
        """Output below *offset* has been written.

        :param idle: nothing waits to be written.
        """
        state = self._processes.get(process)
        if not self._ready or state is None or offset <= state.acknowledged:
            return
        if idle or offset - state.acknowledged >= ACK_BYTES:
            state.acknowledged = offset
            self._say({"type": "ack", "process": process, "offset": offset})

    def offset(self, process: int) -> int:
        """The first byte of a process's output that has not arrived."""
        state = self._processes.get(process)
        return state.offset if state else 0

    # ---- inside: what is sent

    def _say(self, message: Message) -> None:
        assert self._send is not None
        self._send(json.dumps(message))

    def _frame(self, kind: int, process: int, data: bytes) -> None:
        assert self._send is not None
        self._send(HEADER.pack(kind, process) + data)

    def _pump(self, process: int, state: _Process) -> None:
        if not self._ready:
            return
        limits = self.hello["limits"] if isinstance(self.hello.get("limits"), dict) else {}
        window = limits.get("input", WINDOW_BYTES)
        size = min(FRAME_BYTES, limits.get("frame", FRAME_BYTES + HEADER.size) - HEADER.size)
        while piece := state.outbox.take(window, size):
            self._frame(TYPED, process, piece)
        if state.eof is not None and not state.outbox.unsent:
            answered, state.eof = state.eof, None
            self.ask("eof", answered, process=process)

    # ---- inside: what the server says

    def _output(self, frame: bytes) -> None:
        stream, process = HEADER.unpack_from(frame)
        if stream not in OUTPUT:
            return
        state = self._processes.setdefault(process, _Process())
        data = frame[HEADER.size :]
        state.offset += len(data)
        self._listener.output(process, stream, data)

    def _greeted(self, message: Message) -> None:
        self.hello = message
        self._ready = True
        if self.session:
            offsets = {str(number): state.offset for number, state in self._processes.items()}
            self.ask("attach", self._back, session=self.session, offsets=offsets, client=self.name)
            self._ready = False  # nothing else before that
            return
        self._release()

    def _back(self, message: Message) -> None:
        if message["type"] == "attached":
            self._listener.event({**message, "type": "resumed"})
        else:
            self._listener.event({**message, "type": "lost"})

    def _attached(self, message: Message) -> None:
        self._ready = True
        again = message["session"] == self.session
        self.session = message["session"]
        if not again:
            self._processes.clear()
        for record in message["processes"]:
            self._joined(record, again=again)
        self._release()
        if again and any(state.outbox.unsent for state in self._processes.values()):
            self.ask("ping", lambda reply: None)  # what was reported as taken may have been lost with the connection

    def _joined(self, record: Message, *, again: bool) -> None:
        number = record["process"]
        if not again or number not in self._processes:
            self._processes.setdefault(number, _Process()).offset = record["offset"]
            return
        state = self._processes[number]
        state.acknowledged = min(state.acknowledged, state.offset)
        state.outbox.again(record["taken"])

    def _release(self) -> None:
        for number, state in tuple(self._processes.items()):
            self._pump(number, state)
            self._tell_room(number, state)
        held, self._held = self._held, []
        for kind, members, answered in held:
            self.ask(kind, answered, **members)

    def _taken(self, message: Message) -> None:
        counts = message["taken"] if message["type"] == "pong" else {message["process"]: message["count"]}
        for number, count in counts.items():
            state = self._processes.get(int(number))
            if state is not None:
                state.outbox.took(count)
                self._pump(int(number), state)
                self._tell_room(int(number), state)

    def _tell_room(self, number: int, state: _Process) -> None:
        if not state.outbox.unsent:
            self._listener.room(number)

    def _gap(self, message: Message) -> None:
        self._processes.setdefault(message["process"], _Process()).offset = message["offset"]

    def _started(self, message: Message) -> None:
        record = message["process"]
        self._processes.setdefault(record["process"], _Process()).offset = record["offset"]

    def _left(self, message: Message) -> None:
        self.session = ""
        self._processes.clear()


_EVENTS: dict[str, Callable[[Client, Message], None]] = {
    "hello": Client._greeted,
    "attached": Client._attached,
    "started": Client._started,
    "taken": Client._taken,
    "pong": Client._taken,
    "gap": Client._gap,
    "closed": Client._left,
}
"""What is noted before anybody is told of it."""
