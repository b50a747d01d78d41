"""One connection that carries requests and their answers; requests may follow one another before they are answered."""

from __future__ import annotations

import io
import json
import socket
from collections.abc import Mapping
from http.client import HTTPException, HTTPResponse
from typing import Any, cast

from execnet import HostNotFound

from webshell import __version__
from webshell.execnet.dial import Dialer, Wire

BUFFER_BYTES = 1 << 18
"""Read at a time: what streams comes in chunks of 64 kB and more."""

SAID_BYTES = 1 << 16
"""Of an error that is for people; there is never so much of it."""

FAILURES = (OSError, EOFError, HTTPException, HostNotFound)
"""What an exchange fails with when the other end, or what lies between, does not play along."""


class _Raw(io.RawIOBase):
    """A connection as a file."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._wire.recv_into(buffer)


class _Kept(io.BufferedReader):
    """A file that an answer does not close when it has been read: the next answer is in it."""

    def makefile(self, mode: str) -> _Kept:
        """What :class:`HTTPResponse` asks of a connection."""
        return self

    def close(self) -> None:
        """Not now."""

    def flush(self) -> None:
        """Nothing is written to it; an answer asks for this when it is forgotten, maybe after the connection."""


class Exchange:
    """An open connection."""

    def __init__(self, dialer: Dialer, seconds: float) -> None:
        """:param seconds: that anything may take.

        :raises OSError: there is none; its text says why.
        :raises execnet.HostNotFound: there is no such machine.
        """
        self._dialer = dialer
        self._wire = dialer.dial(seconds)
        self._wire.settimeout(seconds)
        self._file = _Kept(_Raw(self._wire), BUFFER_BYTES)
        common = {"Host": dialer.address.site, "User-Agent": f"webshell-execnet/{__version__}", **dialer.headers()}
        self._common = "".join(f"{name}: {value}\r\n" for name, value in common.items())
        self.usable = True
        """Whether another request can follow."""

    def ask(
        self, method: str, path: str, body: bytes | memoryview = b"", headers: Mapping[str, str] | None = None
    ) -> None:
        """Send a request for *path* below the server's.

        :raises OSError: the connection is gone.
        """
        more = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        length = f"Content-Length: {len(body)}\r\n" if body or method == "POST" else ""
        head = f"{method} {self._dialer.address.path}{path} HTTP/1.1\r\n{self._common}{more}{length}\r\n".encode()
        if len(body) < BUFFER_BYTES:
            self._wire.sendall(head + body)
        else:
            self._wire.sendall(head)
            self._wire.sendall(body)

    def answer(self, method: str) -> HTTPResponse:
        """The answer to the first request that has none yet.

        :raises OSError: the connection is gone.
        :raises HTTPException: it is no answer.
        """
        answer = HTTPResponse(cast("socket.socket", self._file), method=method)
        answer.begin()
        if answer.will_close:
            self.usable = False
        return answer

    def receive(self) -> bytes:
        """What comes behind an answer that switched to another protocol; empty: the end.

        :raises OSError: the connection is gone, or silent for too long.
        """
        return self._file.read1(BUFFER_BYTES)

    def send(self, data: bytes | memoryview) -> None:
        """The same for what goes out.

        :raises OSError: the connection is gone.
        """
        self._wire.sendall(data)

    def cut(self) -> None:
        """End it, whoever uses it."""
        self.usable = False
        try:
            self._wire.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # it was gone

    def close(self) -> None:
        """Let go of it; nobody else may use it."""
        self.cut()
        self._wire.close()


def said(answer: HTTPResponse) -> str:
    """What the server says about its answer, for people; the answer has been read then, or its connection is broken."""
    try:
        body = answer.read(SAID_BYTES)
    except FAILURES:
        return ""  # its status is known, and says what is to be done
    if "json" not in (answer.getheader("Content-Type") or ""):
        return ""
    try:
        return str(json.loads(body)["message"])
    except (ValueError, LookupError, TypeError):
        return ""


def count(answer: HTTPResponse, name: str) -> int | None:
    """A number in a header; None: it has none."""
    text = answer.getheader(name) or ""
    try:
        return int(text)
    except ValueError:
        return None
