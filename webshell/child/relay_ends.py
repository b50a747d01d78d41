"""What is beside a far interpreter and has bytes to relay: a child of it, or a connection that is made from there.

``relay.py`` needs it, and is sent with it: the standard library of Python 3.8 only.
"""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

PIECE = 1 << 16
"""Bytes of one message, at most: what has to wait behind it waits for no more than that."""

TAIL_BYTES = 8192
"""Of standard error, for the message that says why a process ended."""

LISTENING = 0.5
"""Seconds after a process's exit for the last of its standard error; what it left behind may hold that for ever."""

CONNECTING = 30.0
"""Seconds for a connection to be made."""

RESET = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
"""Lingering for no time: a connection that is closed is reset."""


class Process:
    """A child, in a process session of its own."""

    def __init__(self, argv: list[str]) -> None:
        """:param argv: an empty first word stands for this interpreter.

        :raises OSError: it cannot be started.
        """
        self._child = subprocess.Popen(
            [argv[0] or sys.executable, *argv[1:]],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
        )
        self.pid = self._child.pid
        self._tail = b""
        self._listener: threading.Thread | None = None

    def listen(self, show: Callable[[bytes], None] | None) -> None:
        """Take note of its standard error.

        :param show: is called with all of it, in a thread of ours; None: it goes where it would have gone by itself.
        """
        self._listener = threading.Thread(target=self._listen, args=(show or _say,), daemon=True)
        self._listener.start()

    def read(self, size: int) -> bytes:
        """Output, as soon as there is some; empty at its end."""
        assert self._child.stdout is not None
        return self._child.stdout.read(size) or b""

    def write(self, data: bytes) -> None:
        """All of *data*, however long it takes.

        :raises OSError: nobody reads it.
        """
        assert self._child.stdin is not None
        rest = memoryview(data)
        while rest:
            rest = rest[self._child.stdin.write(rest) :]

    def close_write(self) -> None:
        """The end of its input."""
        assert self._child.stdin is not None
        self._child.stdin.close()

    def wait(self, timeout: float | None = None) -> bool:
        """Whether it has ended, after *timeout* seconds at most."""
        try:
            self._child.wait(timeout)
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self) -> None:
        """End it, and what it started in its process session's first group."""
        if self._child.poll() is None:
            try:
                os.killpg(self.pid, signal.SIGKILL)
            except (AttributeError, OSError):
                self._child.kill()

    def result(self) -> tuple[int | None, str]:
        """Its status, negative for a signal, and the last of what it said to standard error."""
        if self._listener is not None:
            self._listener.join(LISTENING)
        return self._child.returncode, self._tail.decode("utf-8", "replace")

    def close(self) -> None:
        """Let go of its pipes."""
        assert self._child.stdout is not None
        self._child.stdout.close()

    def _listen(self, show: Callable[[bytes], None]) -> None:
        assert self._child.stderr is not None
        with self._child.stderr as pipe:
            while True:
                data = pipe.read(PIECE)
                if not data:
                    return
                self._tail = (self._tail + data)[-TAIL_BYTES:]
                show(data)


def _say(data: bytes) -> None:
    try:
        os.write(2, data)
    except OSError:
        pass  # there is none


class Connection:
    """A connection of TCP, or to a socket of this machine."""

    pid = 0

    def __init__(self, place: str | list[Any]) -> None:
        """:param place: a host and a port, or a path.

        :raises OSError: there is none.
        """
        if isinstance(place, str):
            self._socket = socket.socket(socket.AF_UNIX)
            try:
                self._socket.connect(place)
            except OSError:
                self._socket.close()
                raise
        else:
            self._socket = socket.create_connection((place[0], place[1]), CONNECTING)
            self._socket.settimeout(None)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._killed = False
        self._open = {"in", "out"}
        self._ended = threading.Event()

    def listen(self, show: Callable[[bytes], None] | None) -> None:
        """A connection has no standard error."""

    def read(self, size: int) -> bytes:
        """What arrives; empty at its end."""
        try:
            data = self._socket.recv(size)
        except OSError:
            data = b""
        if not data or self._killed:
            self._finished("in")
            return b""
        return data

    def write(self, data: bytes) -> None:
        """All of *data*.

        :raises OSError: the connection is gone.
        """
        try:
            self._socket.sendall(data)
        except OSError:
            self._finished("out")
            raise

    def close_write(self) -> None:
        """Nothing more is sent."""
        self._shut(socket.SHUT_WR)
        self._finished("out")

    def wait(self, timeout: float | None = None) -> bool:
        """Whether both directions have finished."""
        return self._ended.wait(timeout)

    def kill(self) -> None:
        """End it both ways, whatever has arrived; the other side learns of it at once, by a reset."""
        self._killed = True
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        except OSError:
            pass  # it was gone
        self._shut(socket.SHUT_RDWR)
        self._finished("out")

    def result(self) -> tuple[int | None, str]:
        """A connection has none."""
        return None, ""

    def close(self) -> None:
        """Let go of it."""
        self._socket.close()

    def _finished(self, direction: str) -> None:
        self._open.discard(direction)
        if not self._open:
            self._ended.set()

    def _shut(self, how: int) -> None:
        try:
            self._socket.shutdown(how)
        except OSError:
            pass
