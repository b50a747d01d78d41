"""A process over a WebSocket: binary messages are bytes both ways, text is JSON about how far they have got."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from webshell.errors import BadRequest, Gone, InputFull, OutOfOrder, OutOfRange, WebshellError
from webshell.executions import Execution, Executions
from webshell.feed import Offer
from webshell.grant import Grant
from webshell.limits import Timer
from webshell.process import Process
from webshell.readers import Reader, Why
from webshell.web.conversation import End
from webshell.web.exec.answers import described, object_of, status_of

SUBPROTOCOL = "webshell.exec"
"""May be offered; nothing else is spoken there."""

INPUT_BYTES = 4 << 20
"""Input that may be sent and not accepted yet: the client is told, and keeps it until it is."""

PIECE_BYTES = 256 << 10
"""Input is offered to the process in pieces of this size, so that its progress shows."""

REPORT_BYTES = 64 << 10
"""After so much input its progress is told at once …"""

REPORT_SECONDS = 0.05
"""… and otherwise after so long: a word back for each key would cost more than the key."""

ENDED = 4000
"""Closed: all was delivered and the process has ended; the reason is ``exit CODE``."""

TAKEN = 4001
"""Closed: somebody else reads now."""

CODES: Mapping[int, int] = {403: 4003, 404: 4004, 409: 4009, 410: 4010, 416: 4016, 503: 4013}
"""Of errors, by the status that HTTP has for them."""

MALFORMED = 4002
"""Closed: what the client says makes no sense."""


@dataclass(frozen=True, slots=True)
class Question:
    """What the address of the WebSocket says.

    :ivar name: the id of a process.
    :ivar stream: which of its streams is read.
    :ivar offset: from where; None: from the first byte that there is.
    :ivar alone: not if somebody reads already.
    """

    name: str
    stream: int
    offset: int | None
    alone: bool


class Talk:
    """Our end of it: a :class:`webshell.web.conversation.Conversation`, and a :class:`webshell.readers.Sink`."""

    writable = True

    def __init__(
        self, executions: Executions, grant: Grant, question: Question, send: Callable[[str | bytes], None], end: End
    ) -> None:
        self._executions = executions
        self._grant = grant
        self._question = question
        self._send = send
        self._end = end
        self._execution: Execution
        self._reader: Reader | None = None
        self._closing = False
        self._waiting = bytearray()  # input that is not yet offered
        self._queued = 0  # the offset after it
        self._at = 0  # where the client's next binary message begins
        self._offer: Offer | None = None
        self._finish = False  # the end of the input was said, and is not yet offered
        self._told = 0  # how much was accepted
        self._late: Timer | None = None

    # ---- what a WebSocket does

    def opened(self) -> None:
        """The connection is up: say where both directions are, and begin."""
        question = self._question
        try:
            execution = self._executions.find(self._grant, question.name)
            base, _ = execution.process.scrollback.span(question.stream)
            offset = base if question.offset is None else question.offset
            limit = execution.process.scrollback.capacity
            reader = self._executions.read(
                self._grant, execution, question.stream, offset, limit, self, alone=question.alone
            )
        except WebshellError as error:
            self._refuse(error)
            return
        self._execution, self._reader = execution, reader
        self._at = self._queued = self._told = execution.process.feed.accepted
        self._say({"off": offset, "in": self._at, "window": INPUT_BYTES})
        reader.begin()

    def receive(self, frame: str | bytes) -> None:
        """A frame arrived."""
        if self._closing:
            return
        try:
            if isinstance(frame, bytes):
                self._take(frame)
            else:
                self._hear(object_of(frame.encode("utf-8", "surrogatepass")))
        except WebshellError as error:
            self._refuse(error)

    def pause(self) -> None:
        """The transport is full."""
        self.writable = False
        if self._reader is not None:
            self._reader.pause()

    def resume(self) -> None:
        """It has room again."""
        self.writable = True
        if self._reader is not None:
            self._reader.resume()

    def closed(self) -> None:
        """The connection is gone: whoever comes back finds everything."""
        if self._reader is not None:
            self._executions.leave(self._reader)
        if self._offer is not None:
            self._process.feed.cancel(self._offer)
        if self._late is not None:
            self._late.cancel()

    # ---- what a process does

    def hand(self, data: bytes) -> None:
        """The next bytes."""
        self._send(data)

    def halt(self, why: Why) -> None:
        """Nothing comes any more, or until it acknowledges."""
        if why is Why.EXITED:
            self._close(ENDED, f"exit {self._execution.exit}")
        elif why is Why.TAKEN:
            self._close(TAKEN, "somebody else reads now")
        elif why is Why.LOST:
            self._refuse(OutOfRange(*self._process.scrollback.span(self._question.stream)))

    # ---- inside

    @property
    def _process(self) -> Process:
        return self._execution.process

    def _take(self, data: bytes) -> None:
        """Input from the client's offset on: what was there already is dropped."""
        known = self._queued - self._at
        if known < 0:
            raise OutOfOrder(f"input up to {self._queued} is here: what begins at {self._at} is out of order")
        self._at += len(data)
        data = data[known:]
        if self._queued + len(data) - self._process.feed.accepted > INPUT_BYTES:
            raise InputFull(f"more than {INPUT_BYTES} bytes are on their way: wait for 'in'")
        self._queued += len(data)
        self._waiting += data
        self._push()

    def _hear(self, message: Mapping[str, Any]) -> None:
        """How far the client has got."""
        for name in ("ack", "in"):
            value = message.get(name, 0)
            if type(value) is not int or value < 0:
                raise BadRequest(f"{name!r} must be a number of bytes")
        if "ack" in message and self._reader is not None:
            self._reader.acknowledge(message["ack"])
        self._at = message.get("in", self._at)
        if message.get("eof"):
            self._finish = True
            self._push()

    def _push(self) -> None:
        """Offer what waits, one piece after another; a process that has exited takes nothing, and its end is told."""
        if self._offer is not None or not (self._waiting or self._finish) or not self._process.running:
            return
        piece = bytes(self._waiting[:PIECE_BYTES])
        del self._waiting[:PIECE_BYTES]
        last = self._finish and not self._waiting
        self._finish = self._finish and not last
        self._offer = Offer(self._queued - len(self._waiting) - len(piece), piece, last, self._answered)
        self._process.offer(self._offer)

    def _answered(self, error: WebshellError | None) -> None:
        self._offer = None
        if error is None:
            self._report()
            self._push()
        elif self._process.running:
            self._refuse(error)

    def _report(self) -> None:
        """Tell how much was accepted: at once if it is much, else soon."""
        if self._process.feed.accepted - self._told >= REPORT_BYTES or self._process.feed.ended:
            self._tell()
        elif self._late is None:
            self._late = self._executions.sessions.clock.callLater(REPORT_SECONDS, self._tell_late)

    def _tell_late(self) -> None:
        self._late = None
        self._tell()

    def _tell(self) -> None:
        self._told = self._process.feed.accepted
        self._say({"in": self._told})

    def _say(self, message: Mapping[str, Any]) -> None:
        self._send(json.dumps(message))

    def _refuse(self, error: WebshellError) -> None:
        self._say(described(error))
        if isinstance(error, OutOfRange):
            reason = f"range {error.base}-{error.end}"
        elif isinstance(error, Gone) and error.exit is not None:
            reason = f"exit {error.exit}"
        else:
            reason = error.code
        self._close(CODES.get(status_of(error), MALFORMED), reason)

    def _close(self, code: int, reason: str) -> None:
        if not self._closing:
            self._closing = True
            self._end(code, reason)
