"""``/popen`` starts a process; ``/exec/ID`` and what is below it are that process."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from webshell.dialects import Frame
from webshell.errors import WebshellError
from webshell.executions import Execution, Executions
from webshell.grant import Grant, Right
from webshell.web.access import granted
from webshell.web.answers import Malformed, MethodRefused, NotFound
from webshell.web.conversation import End
from webshell.web.exec import input, output, state
from webshell.web.exec.accepting import Form, wanted
from webshell.web.exec.answers import argument, body_of, failed, flag, nothing, number
from webshell.web.exec.permalinks import to_page
from webshell.web.exec.starting import asked
from webshell.web.exec.talk import SUBPROTOCOL, Question, Talk
from webshell.web.exec.watching import watch
from webshell.web.websocket import Sockets

Act = Callable[[Executions, Execution, Request], int]

_FED = re.compile(rb".*/exec/([A-Za-z0-9_.-]{1,96})")


def input_limit(executions: Executions, method: bytes, path: bytes) -> int | None:
    """How large a body may be that is input; None: it is none, or its sender does not even know a process."""
    found = _FED.fullmatch(path) if method == b"POST" else None
    return input.INPUT_BYTES if found is not None and executions.known(found[1].decode()) else None


class Popen(Resource):
    """``popen``: starts a process."""

    isLeaf = True

    def __init__(self, executions: Executions) -> None:
        super().__init__()
        self._executions = executions

    def render(self, request: Request) -> int:
        """Start it, and say where it is."""
        try:
            if request.method != b"POST":
                raise MethodRefused("a process is started by POST", {"Allow": "POST"})
            start, grace = asked(body_of(request))
            execution = self._executions.start(granted(request), start, argument(request, "session"), grace)
        except WebshellError as error:
            return failed(request, error)
        body = execution.id.encode()
        request.setResponseCode(201)
        request.setHeader(b"location", b"exec/" + body)  # relative, so that it holds behind every proxy
        request.setHeader(b"content-type", b"text/plain; charset=utf-8")
        request.setHeader(b"content-length", b"%d" % (len(body) + 1))
        request.write(body + b"\n")
        request.finish()
        return NOT_DONE_YET


class Processes(Resource):
    """``exec``: below it, each process by its id."""

    def __init__(self, executions: Executions, sockets: Sockets) -> None:
        super().__init__()
        self._executions = executions
        self._sockets = sockets

    def getChild(self, name: bytes, request: Request) -> Resource:
        """Whether there is such a process is looked up when the grant is."""
        return _One(self._executions, self._sockets, name.decode("utf-8", "replace"))


class _One(Resource):
    """One process, and what is below it."""

    isLeaf = True

    def __init__(self, executions: Executions, sockets: Sockets, name: str) -> None:
        super().__init__()
        self._executions = executions
        self._sockets = sockets
        self._name = name

    def render(self, request: Request) -> int:
        """Answer, refusals too."""
        try:
            steps = request.postpath or []
            acts = ACTS.get(tuple(steps))
            if acts is None:
                raise NotFound("there is nothing here")
            act = acts.get(request.method)
            if act is None:
                allowed = b", ".join(sorted(acts)).decode()
                raise MethodRefused("this method is not served here", {"Allow": allowed})
            grant = granted(request)
            if request.getHeader(b"upgrade"):
                return self._upgrade(grant, request)
            return act(self._executions, self._executions.find(grant, self._name), request)
        except WebshellError as error:
            return failed(request, error)

    def _upgrade(self, grant: Grant, request: Request) -> int:
        """Whether there is such a process is told in the WebSocket: a browser cannot see why a handshake fails."""
        if request.postpath:
            raise Malformed("only a process itself is a WebSocket, too")
        offered = [
            name.strip()
            for header in request.requestHeaders.getRawHeaders("sec-websocket-protocol", [])
            for name in header.split(",")
        ]
        if offered and SUBPROTOCOL not in offered:
            raise Malformed(f"unknown subprotocol: offer {SUBPROTOCOL}, or none")
        stream, alone = output.stream_named(argument(request, "stream")), flag(request, "excl")
        question = Question(self._name, stream, number(request, "off"), alone)

        def connect(send: Callable[[Frame], None], end: End) -> Talk:
            return Talk(self._executions, grant, question, send, end)

        return self._sockets.join(request, connect, SUBPROTOCOL if offered else None)


def _read(executions: Executions, execution: Execution, request: Request) -> int:
    form = wanted(request)
    if form is Form.PAGE:
        return to_page(request, execution)
    if form is Form.ROWS:
        return watch(execution, request, form)
    return output.read(executions, execution, request, form)


def _feed(executions: Executions, execution: Execution, request: Request) -> int:
    granted(request).require(Right.TYPE)
    return input.feed(executions, execution, request)


def _end(executions: Executions, execution: Execution, request: Request) -> int:
    granted(request).require(Right.RUN)
    signal = state.signal_named(argument(request, "signal") or "TERM")
    if signal not in ("TERM", "KILL"):
        raise Malformed("a process is stopped by TERM or KILL; POST others to its 'signal'")
    executions.end(execution, kill=signal == "KILL")
    nothing(request)
    return NOT_DONE_YET


ACTS: Mapping[tuple[bytes, ...], Mapping[bytes, Act]] = {
    (): {b"GET": _read, b"POST": _feed, b"DELETE": _end},
    (b"status",): {b"GET": state.status},
    (b"wait",): {b"GET": state.wait},
    (b"signal",): {b"POST": state.signal},
    (b"resize",): {b"POST": state.resize},
}
