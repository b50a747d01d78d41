"""Frames of a WebSocket as a client writes and reads them (RFC 6455), without compression."""

from __future__ import annotations

import json
import secrets
import struct
from collections.abc import Iterator
from functools import cache

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10

TEXT_BYTES = 1 << 16
"""Of a message for us; the server's are shorter than a line."""

_LONG, _LONGER = 126, 127
"""In place of a length: it follows in 2 or 8 bytes."""


class Malformed(OSError):
    """What came is no frame that a server may send."""


@cache
def _xor(key: int) -> bytes:
    return bytes(byte ^ key for byte in range(256))


def frame(opcode: int, data: bytes | memoryview) -> bytes:
    """A whole message, masked as a client has to."""
    size = len(data)
    if size < _LONG:
        head = struct.pack("!BB", 0x80 | opcode, 0x80 | size)
    elif size < 1 << 16:
        head = struct.pack("!BBH", 0x80 | opcode, 0x80 | _LONG, size)
    else:
        head = struct.pack("!BBQ", 0x80 | opcode, 0x80 | _LONGER, size)
    mask = secrets.token_bytes(4)
    body = bytearray(data)
    for at, key in enumerate(mask):  # 450 MB/s; as one large number, 250
        body[at::4] = body[at::4].translate(_xor(key))
    return head + mask + body


def text(**members: int) -> bytes:
    """A JSON message."""
    return frame(TEXT, json.dumps(members).encode())


class Frames:
    """Takes bytes apart. A binary message's are handed on as they come: where it ends does not matter."""

    def __init__(self) -> None:
        self._unread = bytearray()
        self._binary = 0  # bytes that are missing of a binary frame
        self._text: bytearray | None = None
        self._in_binary = False

    def add(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """What is whole now: opcodes and contents; of a binary message, some of it.

        :raises Malformed: the other end is no server of WebSockets.
        """
        if self._binary and not self._unread:
            if len(data) <= self._binary:  # as most of a flood does
                self._binary -= len(data)
                yield BINARY, data
                return
            yield BINARY, data[: self._binary]
            data, self._binary = data[self._binary :], 0
        self._unread += data
        while (found := self._next()) is not None:
            if found[1] or found[0] != BINARY:
                yield found

    def _next(self) -> tuple[int, bytes] | None:
        buffer = self._unread
        if len(buffer) < 2:
            return None
        size, at = buffer[1], 2
        if size > _LONGER or buffer[0] & 0x70:
            raise Malformed("no frame of a server: it is masked, or of an extension that nobody asked for")
        if size >= _LONG:
            at = 4 if size == _LONG else 10
            if len(buffer) < at:
                return None
            size = int.from_bytes(buffer[2:at], "big")
        final, opcode = bool(buffer[0] & 0x80), buffer[0] & 0x0F
        if opcode == BINARY or (opcode == CONTINUATION and self._in_binary):
            self._in_binary = not final
            data = bytes(memoryview(buffer)[at : at + size])
            self._binary = size - len(data)
            del buffer[: at + size]
            return BINARY, data
        if size > TEXT_BYTES:
            raise Malformed(f"a message of {size} bytes that should be a short one")
        if len(buffer) < at + size:
            return None
        data = bytes(buffer[at : at + size])
        del buffer[: at + size]
        if opcode >= CLOSE:
            return opcode, data
        return self._part_of_text(opcode, data, final)

    def _part_of_text(self, opcode: int, data: bytes, final: bool) -> tuple[int, bytes] | None:
        if (opcode == TEXT) is (self._text is not None) or opcode not in (TEXT, CONTINUATION):
            raise Malformed(f"a frame of kind {opcode} out of order")
        whole = self._text = (self._text or bytearray()) + data
        if len(whole) > TEXT_BYTES:
            raise Malformed("a message that does not end")
        if not final:
            return self._next()
        self._text = None
        return TEXT, bytes(whole)
