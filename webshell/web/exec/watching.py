"""What a process writes, for who only watches: both streams as they come, in plain bytes or in rows of JSON.

Nothing is acknowledged and nobody is driven away: it may be read by many at once, with the right to view alone.
"""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Protocol

from twisted.web.server import NOT_DONE_YET, Request

from webshell.executions import Execution
from webshell.messages import Event, Exited, Gap, Output
from webshell.target import STDERR, STDOUT
from webshell.web.exec.accepting import Form, named
from webshell.web.exec.body import Body

CHARACTER_BYTES = 4
"""Of the longest character in UTF-8."""

_NAMES = {STDOUT: "out", STDERR: "err"}


class Writing(Protocol):
    """How events become a body."""

    def output(self, stream: int, data: bytes) -> bytes:
        """Bytes of a stream."""

    def gap(self, gap: Gap) -> bytes:
        """Some are not kept any more."""

    def exited(self, exit: int, event: Exited) -> bytes:
        """The process has ended."""


class Watcher:
    """Listens to a process for a body; a :class:`webshell.cursor.Listener`."""

    window = None  # the connection alone is its pace
    client = ""
    may_type = False

    def __init__(self, execution: Execution, body: Body, writing: Writing) -> None:
        self.writable = True
        self._execution = execution
        self._body = body
        self._writing = writing

    def begin(self) -> None:
        """Write what is kept, and then what comes."""
        process = self._execution.process
        process.attach(self, process.scrollback.base, told_exit=False)
        process.resume(self)

    def deliver(self, event: Event) -> None:
        """Write *event*; side channels are others' business."""
        match event:
            case Output(stream=stream, data=data):
                self._body.write(self._writing.output(stream, data))
            case Gap():
                self._body.write(self._writing.gap(event))
            case Exited():
                self._body.write(self._writing.exited(self._execution.exit or 0, event))
                self._body.end()

    def pause(self) -> None:
        """The connection is full."""
        self.writable = False

    def resume(self) -> None:
        """It has room again."""
        self.writable = True
        self._execution.process.resume(self)


class Plain:
    """Both streams, as a terminal would show them."""

    def output(self, stream: int, data: bytes) -> bytes:
        """As it is."""
        return data

    def gap(self, gap: Gap) -> bytes:
        """What terminals were told before is told again."""
        return gap.restore.encode()

    def exited(self, exit: int, event: Exited) -> bytes:
        """The end of the body."""
        return b""


class Rows:
    """A JSON object in each line: offset, stream and text; at last, how it ended."""

    def __init__(self, execution: Execution) -> None:
        self._scrollback = execution.process.scrollback
        self._begin(self._scrollback.base)

    def output(self, stream: int, data: bytes) -> bytes:
        """Text, but for what is none."""
        start = self._offsets[stream] - len(self._held[stream])
        self._offsets[stream] += len(data)
        data = self._held[stream] + data
        cut = _whole(data)
        self._held[stream] = data[cut:]
        return _row(start, stream, data[:cut])

    def gap(self, gap: Gap) -> bytes:
        """How many bytes of both are lost."""
        held = self._rest()
        self._begin(gap.offset)
        return held + _line({"gap": gap.lost})

    def exited(self, exit: int, event: Exited) -> bytes:
        """How it ended."""
        return self._rest() + _line({"exit": exit, "signal": event.signal, "survivors": event.survivors})

    def _begin(self, offset: int) -> None:
        output, errors = self._scrollback.counts(offset)
        self._offsets = {STDOUT: output, STDERR: errors}
        self._held = {STDOUT: b"", STDERR: b""}  # the beginning of a character whose end is still to come

    def _rest(self) -> bytes:
        return b"".join(_row(self._offsets[of] - len(held), of, held) for of, held in self._held.items())


def watch(execution: Execution, request: Request, form: Form) -> int:
    """Answer with everything that is kept of the process, and what comes until it ends."""
    request.setHeader(b"content-type", named(form))
    body = Body(request)
    watcher = Watcher(execution, body, Rows(execution) if form is Form.ROWS else Plain())
    session = execution.session
    session.welcome(watcher)
    request.notifyFinish().addBoth(lambda _: _leave(execution, watcher))
    body.begin(watcher)
    watcher.begin()
    return NOT_DONE_YET


def _leave(execution: Execution, watcher: Watcher) -> None:
    execution.process.detach(watcher)
    execution.session.dismiss(watcher)


def _whole(data: bytes) -> int:
    """Where the last character that is not there to its end begins, if nothing else is wrong."""
    try:
        data.decode()
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data" and len(data) - error.start < CHARACTER_BYTES:
            return error.start
    return len(data)


def _row(offset: int, stream: int, data: bytes) -> bytes:
    if not data:
        return b""
    try:
        content = {"text": data.decode()}
    except UnicodeDecodeError:
        content = {"base64": b64encode(data).decode()}
    return _line({"off": offset, "stream": _NAMES[stream], **content})


def _line(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode() + b"\n"
