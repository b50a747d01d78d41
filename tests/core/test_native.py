"""The native dialect: every request is read, every event is said, and nothing that arrives raises."""

from __future__ import annotations

import json
import typing
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from webshell import messages as m
from webshell.command import Size
from webshell.dialects.native import MAX_WORDS, SIGNALS, Native
from webshell.grant import Right
from webshell.records import ClientRecord, ProcessRecord, SessionRecord
from webshell.uploads import Parcel


def decoded(frame: str | bytes) -> m.Request:
    (request,) = Native().decode(frame)
    return request


def asked(type_: str, **members: object) -> m.Request:
    return decoded(json.dumps({"type": type_, "id": 1, **members}))


def said(event: m.Event) -> dict[str, Any]:
    (frame,) = Native().encode(event)
    assert isinstance(frame, str)
    members = json.loads(frame)
    assert isinstance(members, dict)
    return members


READ: list[tuple[dict[str, Any], m.Request]] = [
    ({"type": "list"}, m.ListSessions(1)),
    ({"type": "open"}, m.Open(id=1)),
    ({"type": "open", "name": "n", "linger": 5, "client": "c"}, m.Open("n", 5.0, "c", 1)),
    ({"type": "open", "linger": None}, m.Open(id=1)),
    ({"type": "attach", "session": "s"}, m.Attach("s", {}, "", 1)),
    ({"type": "attach", "session": "s", "offsets": {"1": 7, "20": 0}}, m.Attach("s", {1: 7, 20: 0}, "", 1)),
    ({"type": "attach", "session": "s", "offsets": {}, "client": "c"}, m.Attach("s", {}, "c", 1)),
    ({"type": "detach"}, m.Detach(1)),
    ({"type": "start", "runner": "shell"}, m.Start("shell", id=1)),
    (
        {
            "type": "start", "runner": "r", "line": "l", "argv": ["a", ""], "cwd": "/", "env": {"A": "b"}, "pty": False,
            "rows": 5, "cols": 2000, "keep": "all", "name": "n", "queue": "q",
        },
        m.Start("r", "l", ("a", ""), "/", {"A": "b"}, False, Size(5, 1000), "all", "n", "q", 1),
    ),
    ({"type": "start", "runner": "r", "pty": True, "rows": 5}, m.Start("r", pty=True, size=Size(5, 80), id=1)),
    ({"type": "resize", "process": 1, "rows": 0, "cols": 70_000}, m.Resize(1, Size(1, 1000), 1)),
    ({"type": "resize", "process": 1, "rows": -(10**400), "cols": 10**400}, m.Resize(1, Size(1, 1000), 1)),
    ({"type": "signal", "process": 1, "signal": "INT"}, m.Signal(1, "INT", 1)),
    ({"type": "stop", "process": 1}, m.Stop(1, None, 1)),
    ({"type": "stop", "process": 1, "grace": 60}, m.Stop(1, 60.0, 1)),
    ({"type": "eof", "process": (1 << 32) - 1}, m.EndInput((1 << 32) - 1, 1)),
    ({"type": "input", "process": 1, "text": "ä"}, m.Input(1, m.Kind.TYPED, "ä".encode(), 1)),
    ({"type": "input", "process": 1, "text": "", "kind": "pasted"}, m.Input(1, m.Kind.PASTED, b"", 1)),
    ({"type": "input", "process": 1, "text": "x", "kind": "answer"}, m.Input(1, m.Kind.ANSWER, b"x", 1)),
    ({"type": "ack", "process": 1, "offset": 1 << 53}, m.Ack(1, 1 << 53, 1)),
    (
        {"type": "start", "runner": "r", "channels": ["video", "keyevent"]},
        m.Start("r", channels=("video", "keyevent"), id=1),
    ),
    ({"type": "tell", "process": 1, "channel": "c", "text": "ä"}, m.Tell(1, "c", "ä".encode(), 1)),
    ({"type": "seen", "process": 1, "channel": "c", "count": 5}, m.Seen(1, "c", 5, 1)),
    ({"type": "rename", "name": "n"}, m.Rename("n", None, 1)),
    ({"type": "rename", "name": "n", "process": None}, m.Rename("n", None, 1)),
    ({"type": "rename", "name": "n", "process": 2}, m.Rename("n", 2, 1)),
    ({"type": "remove", "process": 1}, m.Remove(1, 1)),
    ({"type": "close"}, m.Close(1)),
    ({"type": "upload", "directory": {"name": "d", "files": {}}}, m.Upload(Parcel("d", ()), None, 1)),
    ({"type": "upload", "directory": {"name": "d", "files": {}}, "user": "pi"}, m.Upload(Parcel("d", ()), "pi", 1)),
    ({"type": "ping"}, m.Ping(1)),
    ({"type": "ping", "unknown": [1, {}]}, m.Ping(1)),
]  # fmt: skip


@pytest.mark.parametrize(("members", "request_"), READ, ids=str)
def test_a_request_is_read(members: dict[str, Any], request_: m.Request) -> None:
    assert decoded(json.dumps({**members, "id": 1})) == request_


def test_every_request_can_be_read() -> None:
    assert {type(request) for _, request in READ} == set(typing.get_args(m.Request)) - {m.Malformed}


@pytest.mark.parametrize("id_", ["", "x" * 64, "ü", 0, -5, (1 << 53) - 1, None])
def test_an_id_is_kept(id_: m.RequestId) -> None:
    assert decoded(json.dumps({"type": "ping", "id": id_})) == m.Ping(id_)


NOT_JSON = ["", "{", "nonsense", '{"type": "ping"}}', "[" * 200_000, "{" * 200_000, '{"type": ' + "9" * 5000 + "}"]


@pytest.mark.parametrize("frame", NOT_JSON, ids=lambda frame: frame[:20])
def test_what_is_no_json_is_malformed(frame: str) -> None:
    request = decoded(frame)
    assert isinstance(request, m.Malformed)
    assert (request.error.code, str(request.error), request.id) == ("bad-request", "this is not JSON", None)


@pytest.mark.parametrize("frame", ["1", "[]", '"ping"', "null", "true", "NaN", "1e999"])
def test_what_is_no_object_is_malformed(frame: str) -> None:
    request = decoded(frame)
    assert isinstance(request, m.Malformed)
    assert "object" in str(request.error)


@pytest.mark.parametrize("members", ["{}", '{"type": null}', '{"type": 5}', '{"type": ["ping"]}'])
def test_what_has_no_type_is_malformed(members: str) -> None:
    request = decoded(members)
    assert isinstance(request, m.Malformed)
    assert request.error.code == "bad-request"


@pytest.mark.parametrize("type_", ["", "dance", "Ping", "__class__", "x" * 100_000, "\ud800"])
def test_an_unknown_type_is_malformed_and_named(type_: str) -> None:
    request = asked(type_)
    assert isinstance(request, m.Malformed)
    assert (request.error.code, request.id) == ("unknown-type", 1)
    assert len(str(request.error)) < 500


@pytest.mark.parametrize("id_", ["true", "1.5", "[]", "{}", str(1 << 53), "1e999", '"' + "x" * 65 + '"', "NaN"])
def test_a_wrong_id_cannot_be_answered_with(id_: str) -> None:
    request = decoded(f'{{"type": "ping", "id": {id_}}}')
    assert isinstance(request, m.Malformed)
    assert (request.error.code, request.id) == ("bad-request", None)


RESIZE = {"process": 1, "rows": 24, "cols": 80}
MANY = MAX_WORDS + 1

WRONG: list[tuple[str, dict[str, Any], str, list[Any]]] = [
    ("resize", RESIZE, "rows", [1e999, 1.0, "24", None, True, []]),
    ("eof", {}, "process", [0, -1, 1 << 32, 1.0, True, "1", None, 1e999]),
    ("ack", {"process": 1}, "offset", [-1, (1 << 53) + 1, 0.5, float("nan"), "0", False]),
    ("open", {}, "linger", [-1, "5", True, float("nan"), -1e999, []]),
    ("open", {}, "name", [5, None, "x" * 4097, "\ud800", []]),
    ("open", {}, "client", [5, None, "x" * 65]),
    ("attach", {}, "session", [1, "x" * 65]),
    ("attach", {"session": "s"}, "offsets", [[], None, 5, dict.fromkeys(map(str, range(MANY)), 0)]),
    ("attach", {"session": "s"}, "offsets", [{"x": 1}, {"": 1}, {"-1": 1}, {"١": 1}, {"1" * 11: 1}]),
    ("attach", {"session": "s"}, "offsets", [{"1": -1}, {"1": 1.0}, {"1": True}, {"1": None}]),
    ("start", {}, "runner", [None, 1, "x" * 65]),
    ("start", {"runner": "r"}, "pty", [0, 1, "yes", [], 1.0]),
    ("start", {"runner": "r"}, "keep", ["", "some", None]),
    ("start", {"runner": "r"}, "argv", ["ls", [1], None, {}, ["\udfff"], [""] * MANY]),
    ("start", {"runner": "r"}, "env", [[], {"A": 1}, {"A": "\ud800"}, {"\ud800": ""}, None]),
    ("start", {"runner": "r"}, "env", [dict.fromkeys(map(str, range(MANY)), "")]),
    ("start", {"runner": "r"}, "rows", ["1", None]),
    ("start", {"runner": "r"}, "line", [1]),
    ("start", {"runner": "r"}, "cwd", ["x" * 4097]),
    ("start", {"runner": "r"}, "queue", ["x" * 65]),
    ("start", {"runner": "r"}, "channels", ["video", ["stdin"], ["video", "x" * 1000], [1], None]),
    ("tell", {"process": 1, "channel": "c"}, "text", [None, 5, "\ud800"]),
    ("seen", {"process": 1, "channel": "c"}, "count", [-1, 1.5, "1", None]),
    ("signal", {"process": 1}, "signal", ["int", "SIGINT", "", "SEGV", 2, None]),
    ("stop", {"process": 1}, "grace", [-0.1, 60.1, 1e999, float("nan"), "1", True]),
    ("input", {"process": 1}, "text", [None, 5, "\ud800", ["x"]]),
    ("input", {"process": 1, "text": "x"}, "kind", ["shouted", 1, None]),
    ("rename", {"name": "n"}, "process", ["1", 0]),
]


@pytest.mark.parametrize(
    ("type_", "members"),
    [(type_, {**members, name: value}) for type_, members, name, values in WRONG for value in values],
    ids=lambda value: str(value)[:60],
)
def test_a_wrong_member_is_malformed_and_named(type_: str, members: dict[str, object]) -> None:
    request = asked(type_, **members)
    assert isinstance(request, m.Malformed)
    assert (request.error.code, request.id) == ("bad-request", 1)
    assert "'" in str(request.error)
    assert len(str(request.error)) < 200


@pytest.mark.parametrize(
    ("type_", "members", "missing"),
    [
        ("attach", {}, "session"),
        ("start", {}, "runner"),
        ("resize", {"rows": 24, "cols": 80}, "process"),
        ("resize", {"process": 1, "cols": 80}, "rows"),
        ("resize", {"process": 1, "rows": 24}, "cols"),
        ("signal", {"signal": "INT"}, "process"),
        ("signal", {"process": 1}, "signal"),
        ("stop", {}, "process"),
        ("eof", {}, "process"),
        ("input", {"text": "x"}, "process"),
        ("input", {"process": 1}, "text"),
        ("ack", {"offset": 1}, "process"),
        ("ack", {"process": 1}, "offset"),
        ("tell", {"process": 1, "text": ""}, "channel"),
        ("seen", {"process": 1, "channel": "c"}, "count"),
        ("rename", {}, "name"),
        ("remove", {}, "process"),
    ],
)
def test_a_missing_member_is_malformed_and_named(type_: str, members: dict[str, Any], missing: str) -> None:
    request = asked(type_, **members)
    assert isinstance(request, m.Malformed)
    assert (request.error.code, request.id) == ("bad-request", 1)
    assert repr(missing) in str(request.error)


def test_all_signals_of_the_protocol() -> None:
    assert {"INT", "HUP", "QUIT", "TERM", "KILL", "STOP", "TSTP", "CONT", "USR1", "USR2", "WINCH"} == SIGNALS
    for name in SIGNALS:
        assert asked("signal", process=1, signal=name) == m.Signal(1, name, 1)


def test_seconds_have_an_end() -> None:
    assert decoded('{"type": "open", "linger": 1e999}') == m.Open(linger=1e9)
    assert decoded('{"type": "open", "linger": 1' + "0" * 4000 + "}") == m.Open(linger=1e9)


def test_of_a_member_that_is_there_twice_the_last_counts() -> None:
    assert decoded('{"type": "dance", "type": "ping", "id": 1, "id": 2}') == m.Ping(2)


# ---- binary frames


@pytest.mark.parametrize(
    ("frame", "request_"),
    [
        (b"\x01\0\0\0\x01ls\r", m.Input(1, m.Kind.TYPED, b"ls\r")),
        (b"\x02\0\0\1\0", m.Input(256, m.Kind.PASTED, b"")),
        (b"\x03\xff\xff\xff\xff\0\xff", m.Input((1 << 32) - 1, m.Kind.ANSWER, b"\0\xff")),
    ],
)
def test_input_is_read(frame: bytes, request_: m.Request) -> None:
    assert decoded(frame) == request_


@pytest.mark.parametrize("frame", [b"", b"\x01", b"\x01\0\0\0", b"\0\0\0\0\1x", b"\x04\0\0\0\1x", b"\xff" * 9])
def test_a_wrong_binary_frame_is_malformed(frame: bytes) -> None:
    request = decoded(frame)
    assert isinstance(request, m.Malformed)
    assert (request.error.code, request.id) == ("bad-request", None)


def test_output_is_a_binary_frame() -> None:
    assert Native().encode(m.Output(258, 2, b"oops\xff")) == (b"\x02\0\0\x01\x02oops\xff",)


def test_what_a_program_says_is_a_binary_frame() -> None:
    assert Native().encode(m.Said(258, "video", b"picture\xff")) == (b"\x03\0\0\x01\x02\x05videopicture\xff",)


# ---- events

PROCESS = ProcessRecord(1, "n", "sh", "l", True, 24, 80, "exited", None, "KILL", (7, 8), 1.5, 2.5, 3, 4, 5)
PROCESS_MEMBERS = {
    "process": 1, "name": "n", "runner": "sh", "line": "l", "pty": True, "rows": 24, "cols": 80, "state": "exited",
    "exit_code": None, "signal": "KILL", "survivors": [7, 8], "started": 1.5, "duration": 2.5, "offset": 3, "end": 4,
    "taken": 5,
}  # fmt: skip

SAID: list[tuple[m.Event, dict[str, Any]]] = [
    (
        m.Hello("webshell.v1", "server", "i", "ada", tuple(sorted(Right)), {"window": 5}, ("sh",)),
        {
            "type": "hello", "protocol": "webshell.v1", "server": "server", "instance": "i", "identity": "ada",
            "rights": ["manage", "run", "type", "view"], "limits": {"window": 5}, "runners": ["sh"],
        },
    ),
    (
        m.SessionList((SessionRecord("s", "n", "ada", 2, 5.0, (PROCESS,)),), 1),
        {
            "type": "sessions", "id": 1, "sessions": [{
                "session": "s", "name": "n", "owner": "ada", "clients": 2, "linger": 5.0,
                "processes": [PROCESS_MEMBERS],
            }],
        },
    ),
    (
        m.Attached("s", "n", "ada", 5.0, (PROCESS,), 1),
        {
            "type": "attached", "id": 1, "session": "s", "name": "n", "owner": "ada", "linger": 5.0,
            "processes": [PROCESS_MEMBERS],
        },
    ),
    (m.Started(PROCESS, 1), {"type": "started", "id": 1, "process": PROCESS_MEMBERS}),
    (
        m.Exited(1, 0, None, (), 1.5),
        {"type": "exited", "process": 1, "exit_code": 0, "signal": None, "survivors": [], "duration": 1.5},
    ),
    (m.Gap(1, 5, 10, "\x1b[1m"), {"type": "gap", "process": 1, "lost": 5, "offset": 10, "restore": "\x1b[1m"}),
    (m.Taken(1, 5), {"type": "taken", "process": 1, "count": 5}),
    (m.Resized(1, 24, 80), {"type": "resized", "process": 1, "rows": 24, "cols": 80}),
    (m.Renamed(None, "ü"), {"type": "renamed", "process": None, "name": "ü"}),
    (m.Removed(1), {"type": "removed", "process": 1}),
    (
        m.Presence((ClientRecord("ada", (Right.VIEW,), True),)),
        {"type": "presence", "clients": [{"identity": "ada", "rights": ["view"], "you": True}]},
    ),
    (m.Closed("over"), {"type": "closed", "reason": "over"}),
    (m.Done("x"), {"type": "done", "id": "x"}),
    (m.Uploaded(1), {"type": "uploaded", "id": 1}),
    (m.Pong({1: 5}, 1), {"type": "pong", "id": 1, "taken": {"1": 5}}),
    (m.Failed("limit", "too many", 1), {"type": "error", "id": 1, "code": "limit", "message": "too many"}),
]  # fmt: skip


@pytest.mark.parametrize(("event", "members"), SAID, ids=lambda value: type(value).__name__)
def test_an_event_is_said(event: m.Event, members: dict[str, Any]) -> None:
    assert said(event) == members


def test_every_event_can_be_said() -> None:
    assert {type(event) for event, _ in SAID} == set(typing.get_args(m.Event)) - {m.Output, m.Said}


def test_what_utf_8_has_no_form_for_can_be_said() -> None:
    request = asked("ping", id="\ud800")
    (frame,) = Native().encode(m.Done(request.id))
    assert isinstance(frame, str)
    frame.encode()
    assert json.loads(frame)["id"] == "\ud800"


def test_a_client_begins_by_itself() -> None:
    assert Native().opening() == ()
    assert not Native().finished


# ---- anything at all

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from([1e999, 70_000, 1 << 64]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=8,
)
NAMES = sorted({name for members, _ in READ for name in members} | {"id"})
MEMBERS = st.fixed_dictionaries(
    {"type": st.sampled_from([members["type"] for members, _ in READ]) | JSON},
    optional={name: JSON | st.sampled_from([1, "x", {"1": 1}]) for name in NAMES if name != "type"},
)


@given(MEMBERS)
@example({"type": "resize", "process": 1, "rows": 1e999, "cols": 80})
@example({"type": "resize", "process": 1, "rows": 70_000, "cols": 80})
@example({"type": "start", "runner": "shell", "rows": 1e999})
@example({"type": "ack", "process": 1 << 64, "offset": 1})
def test_no_object_raises(members: dict[str, Any]) -> None:
    assert isinstance(decoded(json.dumps(members)), typing.get_args(m.Request))


@given(st.text() | JSON.map(json.dumps) | st.text().map(lambda text: '{"type":' + text))
@example("[" * 200_000)
@example('{"type": "resize", "rows": 1e999}')
@example("1" * 5000)
def test_no_text_raises(text: str) -> None:
    assert isinstance(decoded(text), typing.get_args(m.Request))


@given(st.binary())
def test_no_bytes_raise(frame: bytes) -> None:
    assert isinstance(decoded(frame), m.Input | m.Malformed)
