"""The command's client of the protocol, without I/O: the transcripts of docs/protocol.rst, and cuts."""

from __future__ import annotations

import json
import struct
from typing import Any, cast

import pytest
from core.test_transcripts import TRANSCRIPTS, binary, matches
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from webshell.cli.client import ACK_BYTES, Client, Frame, Message
from webshell.cli.link import CLOSE_SECONDS, Link
from webshell.cli.outbox import Outbox
from webshell.cli.transport import Door

HELLO = {"type": "hello", "limits": {"input": 8, "frame": 9 + 5}, "instance": "one"}
SPOKEN = {"start": "U start", "open": "U open"}


class Listening:
    """A listener that keeps all in one list."""

    def __init__(self, log: list[Any]) -> None:
        self.log = log

    def output(self, process: int, stream: int, data: bytes) -> None:
        self.log.append((process, stream, data))

    def event(self, message: Message) -> None:
        self.log.append(message["type"])

    def room(self, process: int) -> None:
        self.log.append(("room", process))


def ignored(reply: Message) -> None:
    """Nobody waits for it."""


class Replay:
    """One transcript: the client must send the C lines when the U lines happen."""

    def __init__(self) -> None:
        self.sent: list[Frame] = []
        self.client = Client(Listening([]))
        self.client.connected(self.sent.append)

    def line(self, line: str) -> None:
        who, _, what = line.partition(" ")
        {"S": self.server, "C": self.expected, "U": self.user, "P": lambda what: None}[who](what)

    def server(self, what: str) -> None:
        mark, _, text = what.partition(" ")
        if mark == ">":
            self.client.receive(text)
        else:
            first, process, payload = binary(text)
            self.client.receive(struct.pack("!BI", first, process) + payload)

    def expected(self, what: str) -> None:
        mark, _, text = what.partition(" ")
        if mark == "=":
            first, process, payload = binary(text)
            assert self.sent.pop(0) == struct.pack("!BI", first, process) + payload
            return
        members = json.loads(text)
        if members["type"] in ("dance", "resize", "ping", "seen", "tell"):  # what nobody asked the client for in words
            self.client.ask(
                members["type"],
                ignored,
                **{name: value for name, value in members.items() if name not in ("type", "id")},
            )
            asked = json.loads(self.sent.pop(0))
            assert asked.keys() - {"id"} == members.keys() - {"id"}
            return
        frame = self.sent.pop(0)
        assert isinstance(frame, str)
        assert matches(json.loads(frame), members), frame

    def user(self, what: str) -> None:
        action, _, rest = what.partition(" ")
        if action == "open":
            self.client.open(ignored, **json.loads(rest))
        elif action == "start":
            self.client.ask("start", ignored, **json.loads(rest))
        elif action == "type":
            process, _, text = rest.partition(" ")
            self.client.write(int(process), json.loads(text).encode())
        elif action == "drawn":
            process, _, offset = rest.partition(" ")
            self.client.consumed(int(process), int(offset))
        elif action == "cut":
            self.client.disconnected()
        elif action == "reconnect":
            self.client.connected(self.sent.append)


@pytest.mark.parametrize("name", sorted(TRANSCRIPTS))
def test_transcript(name: str) -> None:
    replay = Replay()
    for line in TRANSCRIPTS[name]:
        replay.line(line)
    assert replay.sent == []


def record(number: int, **members: Any) -> Message:
    return {"process": number, "offset": 0, "end": 0, "taken": 0, "state": "running", **members}


def attached(client: Client, *records: Message) -> None:
    client.receive(json.dumps({"type": "attached", "id": 1, "session": "s", "processes": records}))


def begun(log: list[Any]) -> Client:
    client = Client(Listening(log), name="me")
    client.connected(log.append)
    client.open(ignored)
    client.receive(json.dumps(HELLO))
    attached(client, record(1))
    log.clear()
    return client


def test_nothing_is_asked_before_hello() -> None:
    log: list[Any] = []
    client = Client(Listening(log), name="me")
    client.connected(log.append)
    client.open(ignored)
    assert log == []
    client.receive(json.dumps(HELLO))
    assert log == ['{"type": "open", "id": 1, "client": "me"}', "hello"]


def test_input_waits_for_room_and_end_of_input_for_both() -> None:
    log: list[Any] = []
    client = begun(log)
    assert not client.write(1, b"0123456789")
    client.eof(1, ignored)
    assert log == [b"\x01\x00\x00\x00\x0101234567"]
    client.receive('{"type": "taken", "process": 1, "count": 8}')
    assert log[1:] == [b"\x01\x00\x00\x00\x0189", '{"type": "eof", "id": 2, "process": 1}', ("room", 1), "taken"]


def test_after_a_cut_exactly_what_was_not_accepted_is_sent_again() -> None:
    log: list[Any] = []
    client = begun(log)
    client.write(1, b"0123456789")
    client.receive('{"type": "taken", "process": 1, "count": 2}')
    client.receive(struct.pack("!BI", 1, 1) + b"abc")
    client.disconnected()
    client.write(1, b"xyz")
    log.clear()
    client.connected(log.append)
    client.receive(json.dumps(HELLO))
    assert json.loads(log[0])["offsets"] == {"1": 3}
    assert log[1:] == ["hello"]
    log.clear()
    client.receive(
        json.dumps({"type": "attached", "id": 2, "session": "s", "processes": [record(1, offset=3, taken=5)]})
    )
    assert log == [b"\x01\x00\x00\x00\x0156789", '{"type": "ping", "id": 3}', "resumed"]
    client.receive('{"type": "taken", "process": 1, "count": 10}')
    assert log[3:] == [b"\x01\x00\x00\x00\x01xyz", ("room", 1), "taken"]


def test_requests_fail_with_the_connection() -> None:
    log: list[Any] = []
    client = begun(log)
    client.ask("list", lambda reply: log.append(reply["code"]))
    client.disconnected()
    assert log[1:] == ["disconnected"]


def test_acknowledged_in_steps_and_at_rest() -> None:
    log: list[Any] = []
    client = begun(log)
    client.consumed(1, 10, idle=False)
    assert log == []
    client.consumed(1, ACK_BYTES, idle=False)
    client.consumed(1, ACK_BYTES + 1)
    client.consumed(1, ACK_BYTES + 1)
    assert [json.loads(frame)["offset"] for frame in log] == [ACK_BYTES, ACK_BYTES + 1]


def test_a_gap_moves_the_offset() -> None:
    log: list[Any] = []
    client = begun(log)
    client.receive('{"type": "gap", "process": 1, "lost": 90, "offset": 100, "restore": ""}')
    assert client.offset(1) == 100


@pytest.mark.parametrize("hurried", [False, True])
def test_nobody_waits_longer_than_he_wants_for_the_end_of_a_session(hurried: bool) -> None:
    log: list[Any] = []
    clock = Clock()
    link = Link(clock, cast("Door", None), Listening([]), note=log.append, patience=0)
    link.client.connected(log.append)
    link.client.open(ignored)
    link.client.receive(json.dumps(HELLO))
    attached(link.client)
    left = Deferred.fromCoroutine(link.close(hurried=hurried))
    left.addCallback(lambda nothing: log.append("left"))
    assert json.loads(log[-1]) == {"type": "close", "id": 2}
    clock.advance(CLOSE_SECONDS)
    assert (log[-1] == "left") is hurried
    link.hurry()
    assert log[-1] == "left"


def test_what_the_server_took_late_is_not_sent_again() -> None:
    outbox = Outbox()
    outbox.add(b"abcdef")
    assert outbox.take(100, 4) == b"abcd"
    outbox.again(0)
    outbox.took(5)
    assert (outbox.sent, outbox.take(100, 4), outbox.unsent) == (5, b"f", 0)
