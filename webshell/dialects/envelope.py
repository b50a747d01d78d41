"""What further-link's two dialects share: the JSON envelope, the two texts of its errors, and how a process speaks."""

from __future__ import annotations

import codecs
import json
import signal
from collections.abc import Callable, Sequence
from json.encoder import encode_basestring_ascii
from typing import Any, ClassVar

from webshell import messages as m
from webshell.command import Size
from webshell.dialects import Frame
from webshell.errors import BadRequest, NoSuchProcess, UnknownType, UploadFailed, WebshellError, WrongState
from webshell.target import STDERR, STDOUT

SIZE = Size(4, 60)
"""A terminal's size until the client says otherwise."""

STOP_SECONDS = 0.1
"""Between TERM and KILL, when a client stops a process or leaves."""

CHANNELS = ("keylisten", "keyevent", "video")
"""The side channels that every process has."""

MOST_CELLS = 0xFFFF
"""Rows and columns as the kernel counts them."""

OUTPUT_CHARACTERS = 1 << 16
"""In one message; with escapes it can be six times as long on the wire."""

BAD_MESSAGE = "Bad message"
MESSAGE_EXCEPTION = "Message Exception"
BAD_UPLOAD = "Bad upload"

Members = dict[str, Any]


class Unserviceable(WebshellError):
    """Well-formed, but it cannot be done."""

    code: ClassVar[str] = "unserviceable"


_STREAMS = {STDOUT: "stdout", STDERR: "stderr"}
_BAD = frozenset({BadRequest.code, NoSuchProcess.code, UnknownType.code})
_SILENT = frozenset({WrongState.code})
"""The process has just ended: a race that every client loses, and no error."""


def opened(frame: Frame) -> tuple[str, str, Members]:
    """Type, process and data of a message; members of the wrong kind are as good as empty.

    :raises WebshellError: it is no message.
    """
    try:
        message = json.loads(frame)
    except RecursionError:
        raise Unserviceable("this is nested too deeply") from None
    except ValueError:
        raise BadRequest("this is not JSON") from None
    if not isinstance(message, dict):
        raise Unserviceable("a message is a JSON object")
    kind, process, members = (message.get(name) for name in ("type", "process", "data"))
    return (
        kind if isinstance(kind, str) else "",
        process if isinstance(process, str) else "",
        members if isinstance(members, dict) else {},
    )


def text(members: Members, name: str) -> str:
    """A member that must be a string.

    :raises WebshellError: it is none, or holds half a character.
    """
    value = members.get(name)
    if not isinstance(value, str):
        raise BadRequest(f"{name!r} must be a string")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Unserviceable(f"{name!r} is not valid Unicode") from None
    return value


def optional(members: Members, name: str) -> str | None:
    """A member that counts only if it is a string."""
    return text(members, name) if isinstance(members.get(name), str) else None


def size(members: Members) -> Size:
    """The terminal's size; rows and columns as far as the kernel can count, clamped to what makes sense.

    :raises WebshellError: they are no integers, or out of range.
    """
    rows, cols = members.get("rows"), members.get("cols")
    if not isinstance(rows, int) or not isinstance(cols, int):
        raise BadRequest("'rows' and 'cols' must be integers")
    if not (0 <= rows <= MOST_CELLS and 0 <= cols <= MOST_CELLS):
        raise Unserviceable(f"'rows' and 'cols' must be from 0 to {MOST_CELLS}")
    return Size.clamped(rows, cols)


def error_text(code: str) -> str | None:
    """What a client is told of the error with this code, if anything."""
    if code in _SILENT:
        return None
    if code == UploadFailed.code:
        return BAD_UPLOAD
    return BAD_MESSAGE if code in _BAD else MESSAGE_EXCEPTION


class Speech:
    """What one process says: its output decoded as it comes, and its end."""

    __slots__ = ("_decoders", "_frame", "_ready", "pty")

    def __init__(self, pty: bool, frame: Callable[[str, str], str]) -> None:
        """
        :param frame: makes the whole message from a type and its data, which is JSON already.
        """
        self.pty = pty
        self._frame = frame
        self._decoders: dict[int, codecs.IncrementalDecoder] = {}  # one for each stream that has said something
        # the hot path only joins: what stands before and after the text is made once
        self._ready = {stream: frame(name, '{"output": \0}').split("\0") for stream, name in _STREAMS.items()}

    def output(self, output: m.Output) -> Sequence[Frame]:
        """Frames of what was written; half a character waits for its other half."""
        decoder = self._decoders.get(output.stream)
        if decoder is None:
            decoder = self._decoders[output.stream] = codecs.getincrementaldecoder("utf-8")("replace")
        return self._said(output.stream, decoder.decode(output.data))

    def ended(self, exited: m.Exited) -> Sequence[Frame]:
        """Frames of the last half character, if any, and of the end."""
        decoders = self._decoders.items()
        rest = [frame for stream, decoder in decoders for frame in self._said(stream, decoder.decode(b"", True))]
        code = exited.exit_code if exited.signal is None else -signal_number(exited.signal)
        return *rest, self._frame("stopped", json.dumps({"exitCode": code}))

    def _said(self, stream: int, said: str) -> Sequence[Frame]:
        before, after = self._ready[stream]
        return [
            f"{before}{encode_basestring_ascii(said[start : start + OUTPUT_CHARACTERS])}{after}"
            for start in range(0, len(said), OUTPUT_CHARACTERS)
        ]


def key_event(number: int, members: Members) -> m.Request:
    """What a client says of a key, as process *number* hears it.

    :raises WebshellError: key or event are no strings.
    """
    return m.Tell(number, "keyevent", f"{text(members, 'key')} {text(members, 'event')}".encode())


def side_message(said: m.Said) -> str:
    """The data of the message that is called as the channel is."""
    return json.dumps({"output": said.message.decode("utf-8", "replace")})


def signal_number(name: str) -> int:
    """The number of the signal ``SIG`` + *name*, or of ``RTMIN+n``."""
    if name.startswith("RTMIN+"):
        return signal.SIGRTMIN + int(name.removeprefix("RTMIN+"))
    return signal.Signals[f"SIG{name}"].value
