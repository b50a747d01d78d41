"""Output on its way to an HTTP client: as it comes in a body of unknown length, or at the next best moment."""

from __future__ import annotations

from typing import cast

from twisted.web.server import NOT_DONE_YET, Request

from webshell.executions import Execution, Executions
from webshell.limits import Timer
from webshell.readers import Reader, Why
from webshell.target import STDERR, STDOUT
from webshell.web.access import granted
from webshell.web.answers import Malformed
from webshell.web.exec.accepting import Form, named
from webshell.web.exec.answers import argument, flag, nothing, number, seconds
from webshell.web.exec.body import Body

POLL_SECONDS = 60.0
"""The longest that a question may wait: proxies cut what is idle for longer."""

STREAMS = {"": STDOUT, "out": STDOUT, "err": STDERR}


def read(executions: Executions, execution: Execution, request: Request, form: Form) -> int:
    """Answer a GET: what there is from an offset on, or that all has been read and the process has ended."""
    stream = stream_named(argument(request, "stream"))
    offset, poll = number(request, "off"), seconds(request, "poll", POLL_SECONDS)
    base, end = execution.process.scrollback.span(stream)
    if offset is None:
        offset = base
    if offset == end and execution.exit is not None:
        nothing(request, x_off=offset, x_eof=1, x_exit=execution.exit)
        return NOT_DONE_YET
    answer = _Stream(request) if poll is None else _Poll(request, executions, poll)
    limit = execution.process.scrollback.capacity // 2  # so that what is acknowledged makes room before all is full
    reader = executions.read(granted(request), execution, stream, offset, limit, answer, alone=flag(request, "excl"))
    request.notifyFinish().addBoth(lambda _: executions.leave(reader))
    request.setHeader(b"content-type", named(form))
    request.setHeader(b"x-off", b"%d" % offset)
    answer.begin(execution, reader)
    return NOT_DONE_YET


def stream_named(name: str) -> int:
    """The number of the stream of that *name*; empty: standard output."""
    if name not in STREAMS:
        raise Malformed("'stream' is 'out' or 'err'")
    return STREAMS[name]


class _Stream:
    """A body that goes on as long as there is something to tell; a :class:`webshell.readers.Sink`."""

    def __init__(self, request: Request) -> None:
        self._body = Body(request)
        self.hand = self._body.write

    def begin(self, execution: Execution, reader: Reader) -> None:
        """Send the headers, what is there, and what comes."""
        self._body.begin(reader)
        reader.begin()

    def halt(self, why: Why) -> None:
        """The body ends; whoever wants more asks again."""
        self._body.end()


class _Poll:
    """A body of what is there, or of what comes first; a :class:`webshell.readers.Sink`."""

    def __init__(self, request: Request, executions: Executions, patience: float) -> None:
        self._request: Request | None = request
        self._clock = executions.sessions.clock
        self._patience = patience
        self._pieces: list[bytes] = []
        self._waiting = self._halted = False
        self._late: Timer | None = None

    def begin(self, execution: Execution, reader: Reader) -> None:
        """Answer at once if there is anything to tell, else within the time."""
        self._execution, self._reader = execution, reader
        reader.begin()
        if self._pieces or self._halted or not self._patience:
            self._answer()
            return
        self._waiting = True
        self._late = self._clock.callLater(self._patience, self._expired)
        cast("Request", self._request).notifyFinish().addBoth(lambda _: self._over())

    def hand(self, data: bytes) -> None:
        """The next bytes."""
        self._pieces.append(data)
        if self._waiting:
            self._answer()

    def halt(self, why: Why) -> None:
        """Nothing comes any more."""
        self._halted = True
        if self._waiting:
            self._answer()

    def _answer(self) -> None:
        request, self._request = self._request, None
        if request is None:
            return
        self._waiting = False
        body, exit = b"".join(self._pieces), self._execution.exit
        if body:
            request.setHeader(b"content-length", b"%d" % len(body))
            request.write(body)
            request.finish()
        elif exit is not None and self._reader.complete:
            nothing(request, x_eof=1, x_exit=exit)
        else:
            nothing(request)

    def _expired(self) -> None:
        self._late = None
        self._answer()

    def _over(self) -> None:
        self._request = None
        if self._late is not None:
            self._late.cancel()
            self._late = None
