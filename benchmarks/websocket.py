"""The WebSocket client of every measurement: a raw socket that counts what comes in and copies as little as it can.

``python -m benchmarks null`` shows that it is not what is measured.
"""

from __future__ import annotations

import base64
import os
import socket
import ssl
import struct
from collections.abc import Callable

RECEIVE_BYTES = 1 << 20
"""Of one receive; more than a socket has at once."""
PATIENCE = 60.0
"""Seconds that a socket may be silent: something is broken then."""
MASK = b"\x5a\x3c\x96\xf1"
"""Of every frame that we send: real masks have to be undone, a random one for each would only cost us time."""

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10

OnFrame = Callable[[int, bytes], None]


class Closed(Exception):
    """The server has closed the connection, or refused it."""


def frame(payload: bytes, opcode: int = BINARY) -> bytes:
    """A masked frame."""
    size = len(payload)
    if size < 126:
        head = bytes((0x80 | opcode, 0x80 | size))
    elif size < 1 << 16:
        head = struct.pack("!BBH", 0x80 | opcode, 0x80 | 126, size)
    else:
        head = struct.pack("!BBQ", 0x80 | opcode, 0x80 | 127, size)
    mask = (MASK * (size // 4 + 1))[:size]
    masked = int.from_bytes(payload, "little") ^ int.from_bytes(mask, "little")
    return head + MASK + masked.to_bytes(size, "little")


class WebSocket:
    """One connection.

    What arrives goes through :meth:`pump`. The payload of frames is counted in :attr:`arrived`; whole frames are handed
    to *on_frame* only when they are control frames, when their opcode is in :attr:`wanted`, or once :attr:`arrived` has
    passed :attr:`keep_from`.
    """

    def __init__(
        self,
        port: int,
        path: str,
        *,
        subprotocol: str = "",
        headers: dict[str, str] | None = None,
        tls: bool = False,
        receive_buffer: int = 0,
    ) -> None:
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(("127.0.0.1", port))
        if tls:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
        self.arrived = 0
        """Payload bytes of data frames."""
        self.frames = 0
        """Data frames that have begun to arrive."""
        self.keep_from = 0
        self.wanted = frozenset({TEXT})
        self.on_frame: OnFrame = lambda _opcode, _payload: None
        self._buffer = bytearray(RECEIVE_BYTES)
        self._view = memoryview(self._buffer)
        self._rest = b""  # the beginning of a head
        self._left = 0  # payload bytes of the current frame that are still to come
        self._opcode = 0
        self._kept: bytearray | None = None
        names = {
            "Host": f"127.0.0.1:{port}",
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
            "Sec-WebSocket-Version": "13",
            "Origin": f"http{'s' if tls else ''}://127.0.0.1:{port}",
            **({"Sec-WebSocket-Protocol": subprotocol} if subprotocol else {}),
            **(headers or {}),
        }
        lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in names.items())]
        self.socket.sendall("\r\n".join([*lines, "", ""]).encode())
        answer = b""
        while b"\r\n\r\n" not in answer:
            piece = self.socket.recv(1 << 16)
            if not piece:
                raise Closed(f"no answer to the handshake: {answer[:200]!r}")
            answer += piece
        head, _, self._early = answer.partition(b"\r\n\r\n")
        if b" 101 " not in head.split(b"\r\n")[0]:
            self.socket.close()
            raise Closed(repr(head[:300]))

    def fileno(self) -> int:
        """For a poll."""
        return self.socket.fileno()

    def send(self, payload: bytes, opcode: int = BINARY) -> None:
        """Send one frame."""
        self.socket.sendall(frame(payload, opcode))

    def pump(self) -> int:
        """Receive once. Returns the payload bytes that it brought.

        :raises Closed: the server has closed the connection.
        :raises TimeoutError: it is silent.
        """
        before = self.arrived
        if self._early:
            early, self._early = self._early, b""
            self._take(memoryview(early), len(early))
            return self.arrived - before
        count = self.socket.recv_into(self._buffer)
        if not count:
            raise Closed("end of the connection")
        if self._rest:
            joined = self._rest + self._view[:count]
            self._rest = b""
            self._take(memoryview(joined), len(joined))
        else:
            self._take(self._view, count)
        return self.arrived - before

    def close(self) -> None:
        """Without a word."""
        self.socket.close()

    def _take(self, view: memoryview, size: int) -> None:
        at = 0
        while at < size:
            if not self._left:
                head = self._head(view, at, size)
                if not head:
                    self._rest = bytes(view[at:size])
                    return
                at += head
            part = min(self._left, size - at)
            if self._opcode < CLOSE:
                self.arrived += part
            if self._kept is not None:
                self._kept += view[at : at + part]
            at += part
            self._left -= part
            if self._kept is not None and not self._left:
                payload, self._kept = bytes(self._kept), None
                self._whole(payload)

    def _head(self, view: memoryview, at: int, size: int) -> int:
        """Begin the frame at *at*. Returns the size of its head, 0 if that is not all there."""
        if size - at < 2:
            return 0
        length, head = view[at + 1] & 127, 2
        if length > 125:
            head = 4 if length == 126 else 10
            if size - at < head:
                return 0
            length = int.from_bytes(view[at + 2 : at + head], "big")
        self._opcode, self._left = view[at] & 15, length
        if self._opcode < CLOSE:
            self.frames += 1
        if self._opcode >= CLOSE or self._opcode in self.wanted or self.arrived >= self.keep_from:
            self._kept = bytearray()
        return head

    def _whole(self, payload: bytes) -> None:
        if self._opcode == PING:
            self.send(payload, PONG)
        elif self._opcode == CLOSE:
            raise Closed(repr(payload))
        elif self._opcode != PONG:
            self.on_frame(self._opcode, payload)
