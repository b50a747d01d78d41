"""What a process is like now, and when it has ended."""

from __future__ import annotations

from collections.abc import Callable

from twisted.web.server import NOT_DONE_YET, Request

from webshell.dialects.native import SIGNALS, read_size
from webshell.errors import BadRequest
from webshell.executions import Execution, Executions
from webshell.grant import Right
from webshell.messages import Resize
from webshell.target import STDERR, STDOUT
from webshell.web.access import granted
from webshell.web.exec.answers import body_of, nothing, object_of, said, seconds

WAIT_SECONDS = 60.0
"""The longest that a question may wait: proxies cut what is idle for longer."""

TAIL_BYTES = 64 << 10
"""Of standard error, told with the state: what a program says that fails at its start."""


def status(executions: Executions, execution: Execution, request: Request) -> int:
    """Answer with all that is known."""
    process = execution.process
    record, kept = process.record(), process.scrollback
    (base, end), (errors_base, errors_end) = kept.span(STDOUT), kept.span(STDERR)
    said(
        request,
        200,
        {
            "id": execution.id,
            "session": execution.session.id,
            "process": process.number,
            "name": record.name,
            "runner": record.runner,
            "state": record.state,
            "exit": execution.exit,
            "signal": record.signal,
            "survivors": record.survivors,
            "pid": process.child.pid if process.child is not None else None,
            "pty": record.pty,
            "rows": record.rows,
            "cols": record.cols,
            "started": record.started,
            "duration": record.duration,
            "out": {"base": base, "end": end, "reader": executions.reading(process, STDOUT)},
            "err": {
                "base": errors_base,
                "end": errors_end,
                "reader": executions.reading(process, STDERR),
                "tail": kept.tail(STDERR, TAIL_BYTES).decode("utf-8", "replace"),
            },
            "reader": executions.reading(process, STDOUT),
            "in": process.feed.accepted,
            "eof": process.feed.ended,
        },
    )
    return NOT_DONE_YET


def wait(executions: Executions, execution: Execution, request: Request) -> int:
    """Answer when it has ended, or with 204 when that takes too long."""
    patience = seconds(request, "timeout", WAIT_SECONDS)
    if execution.exit is not None:
        _tell(execution, request)
    elif patience == 0:
        nothing(request)
    else:
        _Wait(executions, execution, request, WAIT_SECONDS if patience is None else patience)
    return NOT_DONE_YET


def signal_named(name: str) -> str:
    """The signal of that *name*, with or without ``SIG``.

    :raises BadRequest: it is none that may be sent.
    """
    short = name.upper().removeprefix("SIG")
    if short not in SIGNALS:
        raise BadRequest(f"there is no signal {name[:32]!r} here; there are: {', '.join(sorted(SIGNALS))}")
    return short


def signal(executions: Executions, execution: Execution, request: Request) -> int:
    """Send the signal that the body names, as JSON or by itself."""
    granted(request).require(Right.TYPE)
    body = body_of(request)
    members = object_of(body) if body.lstrip()[:1] == b"{" else {"signal": body.decode("utf-8", "replace").strip()}
    name = members.get("signal")
    if not isinstance(name, str):
        raise BadRequest("'signal' must be a string")
    execution.process.living().signal(signal_named(name))
    nothing(request)
    return NOT_DONE_YET


def resize(executions: Executions, execution: Execution, request: Request) -> int:
    """Give the terminal the size that the body tells."""
    granted(request).require(Right.TYPE)
    size = read_size(object_of(body_of(request)))
    execution.session.resize(Resize(execution.process.number, size))
    nothing(request)
    return NOT_DONE_YET


class _Wait:
    """Somebody waits for an end; a guest of the session so long."""

    def __init__(self, executions: Executions, execution: Execution, request: Request, patience: float) -> None:
        self._execution = execution
        self._request = request
        self._late = executions.sessions.clock.callLater(patience, self._expired)
        session, number = execution.session, execution.process.number
        self._leave: Callable[[], None] = executions.sessions.ended.wait(session.id, number, self._ended)
        session.welcome(self)
        request.notifyFinish().addErrback(lambda _: self._stop())

    def _expired(self) -> None:
        self._stop(timed=False)
        nothing(self._request)

    def _ended(self) -> None:
        self._stop()
        _tell(self._execution, self._request)

    def _stop(self, timed: bool = True) -> None:
        if timed:
            self._late.cancel()
        self._leave()
        self._execution.session.dismiss(self)


def _tell(execution: Execution, request: Request) -> None:
    record = execution.process.record()
    told = {"exit": execution.exit, "signal": record.signal, "survivors": record.survivors}
    said(request, 200, {**told, "duration": record.duration})
