"""The native dialect, ``webshell.v1``: JSON control messages in text frames, bytes of processes in binary ones.

docs/protocol.rst is its reference; this module is the only one that knows how it looks.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from webshell import messages as m
from webshell.channels import KINDS
from webshell.command import Size
from webshell.dialects import Frame
from webshell.errors import BadRequest, UnknownType, WebshellError
from webshell.uploads import parcel

SUBPROTOCOL = "webshell.v1"

SIGNALS = frozenset({"INT", "HUP", "QUIT", "TERM", "KILL", "STOP", "TSTP", "CONT", "USR1", "USR2", "WINCH"})
"""What a client may send by name."""

MAX_GRACE = 60.0
"""Seconds between TERM and KILL that a client may ask for."""

MAX_WORDS = 4096
"""Arguments of a program, variables of an environment, offsets of an attach: more is a mistake."""

_OUTPUT = struct.Struct("!BI")
_SAID = struct.Struct("!BIB")
_SIDE = 3  # where output has the number of its stream
_KINDS = {int(kind): kind for kind in m.Kind}
_KIND_NAMES = {kind.name.lower(): kind for kind in m.Kind}

Members = dict[str, Any]
"""A decoded JSON object: typed only by the readers below."""


class Native:
    """The codec of one connection; it has no state at all."""

    __slots__ = ()
    acknowledges = True
    finished = False

    def opening(self) -> Sequence[m.Request]:
        """Nothing: a client asks by itself."""
        return ()

    def decode(self, frame: Frame) -> Sequence[m.Request]:
        """What *frame* asks."""
        if isinstance(frame, bytes):
            return (_input(frame),)
        request_id: m.RequestId = None
        try:
            members = _object(frame)
            request_id = _request_id(members)
            name = members.get("type")
            if not isinstance(name, str):
                raise BadRequest("'type' is missing: a request is an object with a 'type'")
            read = _REQUESTS.get(name)
            if read is None:
                raise UnknownType(f"this server knows no request {name[:64]!r}")
            return (read(members, request_id),)
        except WebshellError as error:
            return (m.Malformed(error, request_id),)

    def encode(self, event: m.Event) -> Sequence[Frame]:
        """How *event* is said."""
        if type(event) is m.Output:  # the hot path: no JSON, one join
            return (_OUTPUT.pack(event.stream, event.process) + event.data,)
        if type(event) is m.Said:
            name = event.channel.encode()
            return (_SAID.pack(_SIDE, event.process, len(name)) + name + event.message,)
        # in ASCII: an id or a file name may hold a lone surrogate, which UTF-8 has no form for
        return (_ENCODE({"type": _NAMES[type(event)], **_members(event)}),)


# ---- reading


def _object(frame: str) -> Members:
    try:
        members = json.loads(frame)
    except (ValueError, RecursionError):  # RecursionError: 200,000 opening brackets
        raise BadRequest("this is not JSON") from None
    if not isinstance(members, dict):
        raise BadRequest("a request is a JSON object")
    return members


def _request_id(members: Members) -> m.RequestId:
    value = members.get("id")
    if value is None or (type(value) is int and abs(value) < 1 << 53) or (isinstance(value, str) and len(value) <= 64):
        return value
    raise BadRequest("'id' must be an integer or a string of up to 64 characters")


def _text(members: Members, name: str, default: str | None = "", longest: int = 1 << 20) -> str:
    value = members.get(name, default)
    if not isinstance(value, str):
        raise BadRequest(f"{name!r} must be a string" if name in members else f"{name!r} is missing")
    if len(value) > longest:
        raise BadRequest(f"{name!r} is longer than {longest} characters")
    return _encodable(name, value)


def _encodable(name: str, value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:  # a lone surrogate: JSON can say it, UTF-8 cannot
        raise BadRequest(f"{name!r} is not valid Unicode") from None
    return value


def _integer(members: Members, name: str, least: int = 0, most: int = 1 << 53) -> int:
    value = members.get(name)
    if type(value) is not int:
        raise BadRequest(f"{name!r} must be an integer" if name in members else f"{name!r} is missing")
    if not least <= value <= most:
        raise BadRequest(f"{name!r} must be from {least} to {most}")
    return value


def _process(members: Members) -> int:
    return _integer(members, "process", 1, (1 << 32) - 1)


def _seconds(members: Members, name: str, most: float = math.inf) -> float | None:
    value = members.get(name)
    if value is None:
        return None
    if type(value) not in (int, float) or not 0 <= value <= most:  # NaN compares false
        raise BadRequest(f"{name!r} must be a number of seconds from 0 to {most:g}")
    return float(min(value, 1e9))


def read_size(members: Members, default: Size | None = None) -> Size:
    """The size of a terminal that *members* tell.

    :raises BadRequest: they do not.
    """
    rows = members.get("rows", default and default.rows)
    cols = members.get("cols", default and default.cols)
    if type(rows) is not int or type(cols) is not int:
        raise BadRequest("'rows' and 'cols' must be integers")
    return Size.clamped(rows, cols)


def _strings(members: Members, name: str) -> tuple[str, ...]:
    value = members.get(name, [])
    if not isinstance(value, list) or len(value) > MAX_WORDS or not all(isinstance(word, str) for word in value):
        raise BadRequest(f"{name!r} must be a list of at most {MAX_WORDS} strings")
    return tuple(_encodable(name, word) for word in value)


def _channels(members: Members) -> tuple[str, ...]:
    names = _strings(members, "channels")
    for name in names:
        if name not in KINDS:
            raise BadRequest(f"there is no channel {name[:64]!r}; there are: {', '.join(KINDS)}")
    return names


def _environment(members: Members) -> dict[str, str]:
    value = members.get("env", {})
    if not isinstance(value, dict) or len(value) > MAX_WORDS or not all(isinstance(v, str) for v in value.values()):
        raise BadRequest("'env' must be an object of strings")
    return {_encodable("env", name): _encodable("env", text) for name, text in value.items()}


def _offsets(members: Members) -> dict[int, int]:
    value = members.get("offsets", {})
    if not isinstance(value, dict) or len(value) > MAX_WORDS:
        raise BadRequest("'offsets' must be an object: process number to offset")
    offsets: dict[int, int] = {}
    for number, offset in value.items():
        if not number.isascii() or not number.isdecimal() or len(number) > 10 or type(offset) is not int or offset < 0:
            raise BadRequest("'offsets' must map process numbers to offsets")
        offsets[int(number)] = offset
    return offsets


def _client(members: Members) -> str:
    return _text(members, "client", longest=64)


def _choice(members: Members, name: str, choices: Sequence[str], default: str | None) -> str:
    value = _text(members, name, default)
    if value not in choices:
        raise BadRequest(f"{name!r} must be one of {', '.join(choices)}")
    return value


def _input(frame: bytes) -> m.Request:
    if len(frame) < _OUTPUT.size:
        return m.Malformed(BadRequest("a binary frame begins with a kind and a process number, five bytes"))
    number, process = _OUTPUT.unpack_from(frame)
    kind = _KINDS.get(number)
    if kind is None:
        return m.Malformed(BadRequest(f"there is no kind of input {number}"))
    return m.Input(process, kind, frame[_OUTPUT.size :])


def read_start(members: Members, request_id: m.RequestId = None) -> m.Start:
    """What *members* ask to be started.

    :raises BadRequest: one is missing or of the wrong kind.
    """
    pty = members.get("pty")
    if pty is not None and not isinstance(pty, bool):
        raise BadRequest("'pty' must be true or false")
    return m.Start(
        runner=_text(members, "runner", None, 64),
        line=_text(members, "line"),
        argv=_strings(members, "argv"),
        cwd=_text(members, "cwd", longest=4096),
        env=_environment(members),
        pty=pty,
        size=read_size(members, Size()),
        keep=_choice(members, "keep", ("tail", "all"), "tail"),
        name=_text(members, "name", longest=4096),
        queue=_text(members, "queue", longest=64),
        channels=_channels(members),
        id=request_id,
    )


def _typed(members: Members, request_id: m.RequestId) -> m.Request:
    kind = _KIND_NAMES[_choice(members, "kind", tuple(_KIND_NAMES), "typed")]
    return m.Input(_process(members), kind, _text(members, "text", None).encode(), request_id)


_REQUESTS: Mapping[str, Callable[[Members, m.RequestId], m.Request]] = {
    "ack": lambda d, i: m.Ack(_process(d), _integer(d, "offset"), i),
    "attach": lambda d, i: m.Attach(_text(d, "session", None, 64), _offsets(d), _client(d), i),
    "close": lambda d, i: m.Close(i),
    "detach": lambda d, i: m.Detach(i),
    "eof": lambda d, i: m.EndInput(_process(d), i),
    "input": _typed,
    "list": lambda d, i: m.ListSessions(i),
    "open": lambda d, i: m.Open(_text(d, "name", longest=4096), _seconds(d, "linger"), _client(d), i),
    "ping": lambda d, i: m.Ping(i),
    "remove": lambda d, i: m.Remove(_process(d), i),
    "rename": lambda d, i: m.Rename(_text(d, "name", None, 4096), None if d.get("process") is None else _process(d), i),
    "resize": lambda d, i: m.Resize(_process(d), read_size(d), i),
    "seen": lambda d, i: m.Seen(_process(d), _text(d, "channel", None, 64), _integer(d, "count"), i),
    "signal": lambda d, i: m.Signal(_process(d), _choice(d, "signal", sorted(SIGNALS), None), i),
    "start": read_start,
    "stop": lambda d, i: m.Stop(_process(d), _seconds(d, "grace", MAX_GRACE), i),
    "tell": lambda d, i: m.Tell(_process(d), _text(d, "channel", None, 64), _text(d, "text", None).encode(), i),
    "upload": lambda d, i: m.Upload(parcel(d.get("directory")), None if "user" not in d else _text(d, "user"), i),
}

_NAMES: Mapping[type[m.Event], str] = {
    m.Attached: "attached",
    m.Closed: "closed",
    m.Done: "done",
    m.Exited: "exited",
    m.Failed: "error",
    m.Gap: "gap",
    m.Hello: "hello",
    m.Pong: "pong",
    m.Presence: "presence",
    m.Removed: "removed",
    m.Renamed: "renamed",
    m.Resized: "resized",
    m.SessionList: "sessions",
    m.Started: "started",
    m.Taken: "taken",
    m.Uploaded: "uploaded",
}


def _members(value: Any) -> Members:
    """A message or record as JSON can say it; what is within is said when the encoder comes to it."""
    return {name: getattr(value, name) for name in value.__dataclass_fields__}


_ENCODE = json.JSONEncoder(default=_members).encode
"""The encoder itself looks at what it can say: a third of the time (measured)."""
