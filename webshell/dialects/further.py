"""The dialect of further-link's ``/run``: JSON messages about any number of processes, which the client names.

docs/further-link.rst is its reference. A client that knows no more sees exactly further-link's messages.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence

from webshell import messages as m
from webshell.dialects import Frame
from webshell.dialects.envelope import (
    CHANNELS,
    MESSAGE_EXCEPTION,
    SIZE,
    STOP_SECONDS,
    Members,
    Speech,
    error_text,
    key_event,
    opened,
    optional,
    side_message,
    size,
    text,
)
from webshell.errors import BadRequest, NoSuchProcess, UnknownType, WebshellError
from webshell.recipes import PREFIX


class Further:
    """The codec of one connection."""

    __slots__ = ("_client", "_ended", "_names", "_numbers", "_pty", "_speeches", "_starting", "_user", "finished")
    acknowledges = False

    def __init__(self, *, pty: bool = False, user: str | None = None, client: str = "") -> None:
        """
        :param pty: whether processes run in a terminal.
        :param user: the system user to run them as; None: the daemon's own.
        :param client: goes with every message.
        """
        self.finished = False
        self._pty = pty
        self._user = user
        self._client = json.dumps(client)
        self._starting = ""  # the client's name of what is being started
        self._numbers: dict[str, int] = {}  # by the client's name
        self._names: dict[int, str] = {}
        self._speeches: dict[int, Speech] = {}
        self._ended: dict[int, None] = {}  # exited, and still kept by the session

    def opening(self) -> Sequence[m.Request]:
        """A session that ends with the connection."""
        return (m.Open(name="further-link", linger=0.0, grace=STOP_SECONDS),)

    def decode(self, frame: Frame) -> Sequence[m.Request]:
        """What a message asks."""
        try:
            kind, process, members = opened(frame)
            read = _REQUESTS.get(kind)
            if read is None:
                raise UnknownType(f"there is no message type {kind[:64]!r}")
            return read(self, process, members)
        except WebshellError as error:
            return (m.Malformed(error),)

    def encode(self, event: m.Event) -> Sequence[Frame]:
        """How *event* is said, if it is."""
        match event:
            case m.Output():
                return self._speeches[event.process].output(event)
            case m.Said():
                return (self._frame(event.channel, side_message(event), self._names[event.process]),)
            case m.Pong():
                return (self._frame("pong"),)
            case m.Started():
                return (self._started(event.process.process, event.process.pty),)
            case m.Exited():
                self._ended[event.process] = None
                del self._numbers[self._names.pop(event.process)]
                return self._speeches.pop(event.process).ended(event)
            case m.Removed():
                self._ended.pop(event.process, None)
            case m.Failed():
                return self._failed(event)
            case m.Closed():
                self.finished = True
        return ()

    # ---- events

    def _started(self, number: int, pty: bool) -> Frame:
        name, self._starting = self._starting, ""
        self._numbers[name] = number
        self._names[number] = name
        self._speeches[number] = Speech(pty, lambda kind, data: self._frame(kind, data, name))
        return self._frame("started", process=name)

    def _failed(self, failed: m.Failed) -> Sequence[Frame]:
        name = ""
        if failed.id is not None:
            name, self._starting = self._starting, ""
        shown = error_text(failed.code)
        if shown is None:
            return ()
        if name and shown == MESSAGE_EXCEPTION:  # further-link says nothing here, and its client waits for 20 s
            return (self._frame("error", json.dumps({"message": shown, "detail": failed.message}), name),)
        return (self._frame("error", json.dumps({"message": shown})),)

    def _frame(self, kind: str, data: str = "null", process: str = "") -> str:
        name = json.dumps(process) if process else "null"
        return f'{{"type": "{kind}", "data": {data}, "client": {self._client}, "process": {name}}}'

    # ---- requests

    def _number(self, process: str) -> int:
        try:
            return self._numbers[process]
        except KeyError:
            raise NoSuchProcess(f"there is no process {process[:64]!r}") from None

    def _ping(self, process: str, members: Members) -> Sequence[m.Request]:
        return (m.Ping(),)

    def _start(self, process: str, members: Members) -> Sequence[m.Request]:
        if not process or process in self._numbers:
            raise BadRequest("'process' must be a name that no running process has")
        runner = text(members, "runner")
        start = m.Start(
            PREFIX + runner,
            code=optional(members, "code"),
            path=optional(members, "path") or "",
            pty=self._pty,
            size=SIZE,
            keep="all",
            user=self._user,
            name=process,
            channels=CHANNELS,
            id=process,
        )
        self._starting = process
        # what has exited is nobody's business any more
        return *(m.Remove(number) for number in self._ended), start

    def _stdin(self, process: str, members: Members) -> Sequence[m.Request]:
        return (m.Input(self._number(process), m.Kind.TYPED, text(members, "input").encode()),)

    def _resize(self, process: str, members: Members) -> Sequence[m.Request]:
        number = self._number(process)
        if not self._speeches[number].pty:
            raise BadRequest("this process has no terminal")
        return (m.Resize(number, size(members)),)

    def _key_event(self, process: str, members: Members) -> Sequence[m.Request]:
        return (key_event(self._number(process), members),)

    def _stop(self, process: str, members: Members) -> Sequence[m.Request]:
        return (m.Stop(self._number(process), STOP_SECONDS, hangup=False),)


_REQUESTS: Mapping[str, Callable[[Further, str, Members], Sequence[m.Request]]] = {
    "keyevent": Further._key_event,
    "ping": Further._ping,
    "resize": Further._resize,
    "start": Further._start,
    "stdin": Further._stdin,
    "stop": Further._stop,
}
