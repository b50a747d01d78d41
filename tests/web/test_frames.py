"""The short way of small frames, against an independent implementation."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wsproto.frame_protocol import FrameProtocol, Opcode

from webshell.web.frames import BINARY, TEXT, head, small_messages

SMALL = st.binary(max_size=125)
KIND = {TEXT: Opcode.TEXT, BINARY: Opcode.BINARY}


def client_frame(first: int, payload: bytes) -> bytes:
    protocol = FrameProtocol(client=True, extensions=[])
    return bytes(protocol.send_data(payload.decode() if first == TEXT else payload, fin=True))


@given(st.lists(st.one_of(st.tuples(st.just(BINARY), SMALL), st.tuples(st.just(TEXT), st.text(max_size=31)))))
def test_whole_small_messages_are_read(wanted: list[tuple[int, bytes | str]]) -> None:
    messages = [(first, text.encode() if isinstance(text, str) else text) for first, text in wanted]
    data = b"".join(client_frame(first, payload) for first, payload in messages)
    assert small_messages(data) == messages


@given(SMALL, st.data())
def test_a_frame_that_has_not_arrived_whole_is_left(payload: bytes, data: st.DataObject) -> None:
    frame = client_frame(BINARY, payload)
    assert small_messages(frame[: data.draw(st.integers(1, len(frame) - 1))]) is None


@pytest.mark.parametrize(
    "data",
    [
        b"\x82\x01x",  # not masked
        b"\x02\x81\0\0\0\0x",  # not the last fragment
        b"\x80\x81\0\0\0\0x",  # a continuation
        b"\xc2\x81\0\0\0\0x",  # compressed
        b"\x83\x81\0\0\0\0x",  # reserved
        b"\x88\x80\0\0\0\0",  # close
        b"\x89\x80\0\0\0\0",  # ping
        b"\x82\xfe\0\x7e\0\0\0\0" + bytes(126),  # a length of its own
        b"\x82\xff" + bytes(12),
        b"\x82\x81\0\0\0\0x\x89\x80\0\0\0\0",  # one that is, and one that is not
    ],
)
def test_everything_else_is_left(data: bytes) -> None:
    assert small_messages(data) is None


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 100_000])
def test_heads_are_what_a_client_expects(size: int) -> None:
    protocol = FrameProtocol(client=True, extensions=[])
    protocol.receive_bytes(head(BINARY, size) + bytes(size))
    payloads = [frame.payload for frame in protocol.received_frames()]
    assert b"".join(payload for payload in payloads if isinstance(payload, bytes | bytearray)) == bytes(size)
