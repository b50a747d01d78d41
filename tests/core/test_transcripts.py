"""The transcripts of docs/protocol.rst against the core: it says the S lines when the C and P lines happen."""

from __future__ import annotations

import json
import re
from collections import deque
from pathlib import Path
from typing import Any

import pytest
from doubles import FakeChild, FakeClient, World

from webshell.grant import Grant

PAGE = Path(__file__).parents[2] / "docs" / "protocol.rst"

ANY = "…"
CLIENT = "the client's own name"


def transcripts() -> dict[str, list[str]]:
    found = re.findall(r"^ {4}# transcript: (\S+)\n((?: {4}.*\n)+)", PAGE.read_text("utf-8"), re.MULTILINE)
    return {name: [line.strip() for line in lines.splitlines()] for name, lines in found}


TRANSCRIPTS = transcripts()


def matches(actual: Any, expected: Any) -> bool:
    """Whether both are equal, where ``…`` stands for any value."""
    if expected == ANY:
        return True
    if isinstance(expected, dict):
        return (
            isinstance(actual, dict)
            and actual.keys() == expected.keys()
            and all(matches(actual[key], expected[key]) for key in expected)
        )
    if isinstance(expected, list):
        return (
            isinstance(actual, list)
            and len(actual) == len(expected)
            and all(matches(one, other) for one, other in zip(actual, expected, strict=True))
        )
    return bool(actual == expected)


def binary(text: str) -> tuple[int, int, bytes]:
    first, process, payload = text.split(" ", 2)
    return int(first), int(process), json.loads(payload).encode()


class Replay:
    """One transcript: a client and a world; the frames that the client got and the transcript has not yet told of."""

    def __init__(self) -> None:
        self.world = World()
        self.session = ""
        self.connect()

    def connect(self) -> None:
        self.client = FakeClient([], self.world.sessions, "client", Grant("operator"))
        self.client.connection.opened()
        self.frames = deque(self.client.frames)
        self.client.frames.clear()

    def line(self, line: str) -> None:
        who, _, what = line.partition(" ")
        if who != "S":
            assert not self.frames, "the server said more than the transcript"
        {"S": self.server, "C": self.from_client, "P": self.process, "U": self.user}[who](what)
        self.frames.extend(self.client.frames)
        self.client.frames.clear()

    def server(self, what: str) -> None:
        assert self.frames, "the server said less than the transcript"
        frame = self.frames.popleft()
        mark, _, text = what.partition(" ")
        if mark == "=":
            assert isinstance(frame, bytes), frame
            assert (frame[0], int.from_bytes(frame[1:5], "big"), frame[5:]) == binary(text)
        else:
            assert isinstance(frame, str), frame
            members = json.loads(frame)
            assert matches(members, json.loads(text)), f"it said {frame}"
            self.session = members.get("session", self.session)

    def from_client(self, what: str) -> None:
        mark, _, text = what.partition(" ")
        if mark == "=":
            self.client.send(*binary(text))
        else:
            members = json.loads(text)
            known = {"session": self.session, "client": CLIENT}
            members.update({key: known[key] for key, value in members.items() if value == ANY})
            self.client.ask(members.pop("type"), **members)

    def process(self, what: str) -> None:
        kind, number, text = what.split(" ", 2)
        child: FakeChild = self.world.children[int(number) - 1]
        if kind == "exit":
            code = int(text) if text.isdecimal() else None
            child.parent.exited(code, None if code is not None else text, ())
        elif kind == "said":
            channel, _, message = text.partition(" ")
            child.parent.said(channel, json.loads(message).encode())
        else:
            child.parent.wrote({"out": 1, "err": 2}[kind], json.loads(text).encode())

    def user(self, what: str) -> None:
        if what == "cut":
            self.client.connection.closed()
        elif what == "reconnect":
            self.connect()


@pytest.mark.parametrize("name", sorted(TRANSCRIPTS))
def test_transcript(name: str) -> None:
    replay = Replay()
    for line in TRANSCRIPTS[name]:
        replay.line(line)
    assert not replay.frames, "the server said more than the transcript"


def test_the_transcripts_are_found() -> None:
    assert {"command", "resume", "side-channels", "mistakes"} <= TRANSCRIPTS.keys()
