"""The dialect of further-link's old ``/run-py``: one Python at a time, again and again, without a name."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence

from webshell import messages as m
from webshell.dialects import Frame
from webshell.dialects.envelope import (
    CHANNELS,
    SIZE,
    STOP_SECONDS,
    Members,
    Speech,
    error_text,
    key_event,
    opened,
    optional,
    side_message,
    text,
)
from webshell.errors import BadRequest, NoSuchProcess, UnknownType, WebshellError
from webshell.recipes import PREFIX
from webshell.uploads import parcel

PROCESS = "python"
"""The request id of the one start that may be under way."""


class FurtherPython:
    """The codec of one connection."""

    __slots__ = ("_ended", "_number", "_pty", "_speech", "_user", "finished")
    acknowledges = False

    def __init__(self, *, pty: bool = False, user: str | None = None) -> None:
        """
        :param pty: whether Python runs in a terminal.
        :param user: the system user to run it as; None: the daemon's own.
        """
        self.finished = False
        self._pty = pty
        self._user = user
        self._number = 0  # of what runs; 0: nothing
        self._ended = 0  # exited, and still kept by the session; 0: nothing
        self._speech = Speech(pty, _frame)

    def opening(self) -> Sequence[m.Request]:
        """A session that ends with the connection."""
        return (m.Open(name="further-link", linger=0.0, grace=STOP_SECONDS),)

    def decode(self, frame: Frame) -> Sequence[m.Request]:
        """What a message asks."""
        try:
            kind, _, members = opened(frame)
            read = _REQUESTS.get(kind)
            if read is None:
                raise UnknownType(f"there is no message type {kind[:64]!r}")
            return read(self, members)
        except WebshellError as error:
            return (m.Malformed(error),)

    def encode(self, event: m.Event) -> Sequence[Frame]:
        """How *event* is said, if it is."""
        match event:
            case m.Output():
                return self._speech.output(event)
            case m.Said():
                return (_frame(event.channel, side_message(event)),)
            case m.Uploaded():
                return (_frame("uploaded"),)
            case m.Pong():
                return (_frame("pong"),)
            case m.Started():
                self._number = event.process.process
                self._speech = Speech(self._pty, _frame)
                return (_frame("started"),)
            case m.Exited():
                self._number, self._ended = 0, event.process
                return self._speech.ended(event)
            case m.Removed():
                self._ended = 0
            case m.Failed():
                shown = error_text(event.code)
                if shown is None:
                    return ()
                more = {"detail": event.message} if event.id == PROCESS else {}
                return (_frame("error", json.dumps({"message": shown, **more})),)
            case m.Closed():
                self.finished = True
        return ()

    # ---- requests

    def _running(self) -> int:
        if not self._number:
            raise NoSuchProcess("nothing is running")
        return self._number

    def _ping(self, members: Members) -> Sequence[m.Request]:
        return (m.Ping(),)

    def _start(self, members: Members) -> Sequence[m.Request]:
        if self._number:
            raise BadRequest("a process is running already")
        code = optional(members, "sourceScript")
        path = optional(members, "directoryName" if code is not None else "sourcePath") or ""
        if code is None and not path:
            raise BadRequest("say which script to run, by 'sourceScript' or 'sourcePath'")
        start = m.Start(
            PREFIX + "python3",
            code=code,
            path=path,
            pty=self._pty,
            size=SIZE,
            keep="all",
            user=self._user,
            channels=CHANNELS,
            id=PROCESS,
        )
        return (m.Remove(self._ended), start) if self._ended else (start,)

    def _stdin(self, members: Members) -> Sequence[m.Request]:
        return (m.Input(self._running(), m.Kind.TYPED, text(members, "input").encode()),)

    def _key_event(self, members: Members) -> Sequence[m.Request]:
        return (key_event(self._running(), members),)

    def _upload(self, members: Members) -> Sequence[m.Request]:
        user = optional(members, "user")
        return (m.Upload(parcel(members.get("directory")), self._user if user is None else user),)

    def _stop(self, members: Members) -> Sequence[m.Request]:
        return (m.Stop(self._running(), STOP_SECONDS, hangup=False),)


def _frame(kind: str, data: str = "null") -> str:
    return f'{{"type": "{kind}", "data": {data}, "process": ""}}'


_REQUESTS: Mapping[str, Callable[[FurtherPython, Members], Sequence[m.Request]]] = {
    "keyevent": FurtherPython._key_event,
    "ping": FurtherPython._ping,
    "start": FurtherPython._start,
    "stdin": FurtherPython._stdin,
    "stop": FurtherPython._stop,
    "upload": FurtherPython._upload,
}
