"""Frames of a WebSocket, against an independent implementation of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage

from webshell.execnet.frames import BINARY, CLOSE, PING, PONG, TEXT, TEXT_BYTES, Frames, Malformed, frame, text

SIZES = (0, 1, 3, 4, 125, 126, 127, 65535, 65536, 300_001)


@pytest.mark.parametrize("size", SIZES)
def test_what_we_send_is_understood(size: int) -> None:
    data = bytes(number * 7 % 256 for number in range(size))
    server = Connection(ConnectionType.SERVER)
    server.receive_data(frame(BINARY, memoryview(data)) + frame(PING, b"you") + text(ack=5, eof=1))
    messages, pings, texts = b"", [], ""
    for event in server.events():
        if isinstance(event, BytesMessage):
            messages += event.data
        elif isinstance(event, TextMessage):
            texts += event.data
        elif isinstance(event, Ping):
            pings.append(bytes(event.payload))
    assert messages == data
    assert pings == [b"you"]
    assert json.loads(texts) == {"ack": 5, "eof": 1}


def test_masks_are_random() -> None:
    assert len({frame(BINARY, b"the same") for _ in range(20)}) == 20


EVENTS = st.one_of(
    st.builds(BytesMessage, st.binary(max_size=300), message_finished=st.booleans()),
    st.builds(TextMessage, st.text(max_size=50), message_finished=st.booleans()),
    st.builds(Ping, st.binary(max_size=125)),
    st.builds(Pong, st.binary(max_size=125)),
)


@given(st.lists(EVENTS, max_size=12), st.lists(st.integers(1, 40), min_size=1))
@example([BytesMessage(bytes(70_000)), Ping(b"in"), BytesMessage(bytes(130)), TextMessage("x")], [1, 2, 3, 50_000])
def test_what_is_sent_to_us_is_understood(events: list[Any], cuts: list[int]) -> None:
    server = Connection(ConnectionType.SERVER)
    wanted: list[tuple[int, bytes]] = []
    binary, open_text, kind = b"", "", None
    data = b""
    for event in events:
        if isinstance(event, BytesMessage | TextMessage):
            if kind not in (None, type(event)):
                continue  # a message of the other kind is not over
            kind = None if event.message_finished else type(event)
            if isinstance(event, BytesMessage):
                binary += event.data
            else:
                open_text += event.data
                if event.message_finished:
                    wanted.append((TEXT, open_text.encode()))
                    open_text = ""
        elif isinstance(event, Ping | Pong):
            wanted.append((PING if isinstance(event, Ping) else PONG, bytes(event.payload)))
        data += server.send(event)
    data += server.send(CloseConnection(4000, "exit 0"))
    wanted.append((CLOSE, b"\x0f\xa0exit 0"))
    frames, found, got = Frames(), [], b""
    at = turn = 0
    while at < len(data):
        size = cuts[turn % len(cuts)]
        for opcode, content in frames.add(data[at : at + size]):
            if opcode == BINARY:
                got += content
            else:
                found.append((opcode, content))
        at, turn = at + size, turn + 1
    assert got == binary
    assert found == wanted


@pytest.mark.parametrize(
    "data",
    [
        frame(BINARY, b"masked, as only a client's are"),
        b"\xc2\x01x",  # of an extension
        b"\x80\x01x",  # goes on with nothing
        b"\x01\x01x\x01\x01x",  # two at once
        b"\x83\x01x",  # of no kind
        b"\x81\x7f" + (TEXT_BYTES + 1).to_bytes(8, "big"),  # too long
        (b"\x01\x7e\xff\xff" + bytes(65535)) + (b"\x00\x7e\xff\xff" + bytes(65535)),  # does not end
    ],
)
def test_what_no_server_sends(data: bytes) -> None:
    with pytest.raises(Malformed):
        list(Frames().add(data))
