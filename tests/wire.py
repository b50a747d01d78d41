"""An independent WebSocket client (wsproto over a blocking socket), and a server under test that is a real process."""

from __future__ import annotations

import builtins
import json
import os
import re
import signal
import socket
import ssl
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    Pong,
    RejectConnection,
    RejectData,
    Request,
    TextMessage,
)

PATIENCE = 30.0
"""Seconds that anything may take on a machine that does much else; nothing waits for as long when it works."""

Frame = dict[str, Any] | str | bytes


class Refused(Exception):
    """The handshake was answered by something else than 101."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(f"{status} {body[:200]!r}")
        self.status = status
        self.body = body


class Ended(Exception):
    """The server closed the connection, with this code and reason."""

    def __init__(self, code: int | None, reason: str = "") -> None:
        super().__init__(f"{code} {reason}")
        self.code = code
        self.reason = reason


class WireClient:
    """One WebSocket connection. JSON objects are dicts, other text is str, binary is bytes."""

    def __init__(
        self,
        url: str,
        token: str = "",
        *,
        subprotocols: Sequence[str] = ("webshell.v1",),
        headers: Sequence[tuple[str, str]] = (),
        path: str = "ws",
        receive_buffer: int = 0,
    ) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
        self.socket = socket.socket(socket.AF_INET6 if ":" in parts.hostname else socket.AF_INET)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(PATIENCE)
        self.socket.connect((parts.hostname, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if parts.scheme == "https":
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            self.socket = context.wrap_socket(self.socket, server_hostname=parts.hostname)
        self.ws = WSConnection(ConnectionType.CLIENT)
        extra = [(name.encode(), value.encode()) for name, value in headers]
        if token:
            extra.append((b"Authorization", b"Bearer " + token.encode()))
        self.offsets: dict[int, int] = {}
        """How many bytes of each process have arrived, as far as :meth:`output` was used."""
        self.passed: list[Frame] = []
        """The messages that :meth:`output` has passed over."""
        self._events: list[Event] = []
        self._text = ""
        self._binary = b""
        target = parts.path + path
        self.socket.sendall(
            self.ws.send(Request(host=parts.netloc, target=target, subprotocols=[*subprotocols], extra_headers=extra))
        )
        self.subprotocol = self._handshake()

    def _handshake(self) -> str | None:
        status, body = 0, b""
        while True:
            event = self._event()
            if isinstance(event, AcceptConnection):
                return event.subprotocol
            if isinstance(event, RejectConnection):
                status = event.status_code
                if not event.has_body:
                    self.close()
                    raise Refused(status, b"")
            elif isinstance(event, RejectData):
                body += event.data
                if event.body_finished:
                    self.close()
                    raise Refused(status, body)
            else:
                self.close()
                raise Refused(status, body)

    # ---- what goes out

    def send(self, *frames: Frame) -> None:
        """Send frames, in one piece: the server has all of them before it does what the first one asks."""
        self.socket.sendall(b"".join(self.ws.send(_message(frame)) for frame in frames))

    def type(self, text: str | bytes, process: int = 1, kind: int = 1) -> None:
        """Send input in a binary frame."""
        self.send(struct.pack("!BI", kind, process) + (text.encode() if isinstance(text, str) else text))

    # ---- what comes in

    def _event(self) -> Event:
        while not self._events:
            data = self.socket.recv(1 << 18)
            self.ws.receive_data(data or None)
            self._events.extend(self.ws.events())
        return self._events.pop(0)

    def receive(self) -> Frame:
        """The next frame; pings are answered on the way."""
        while True:
            event = self._event()
            if isinstance(event, TextMessage):
                self._text += event.data
                if event.message_finished:
                    text, self._text = self._text, ""
                    return _decoded(text)
            elif isinstance(event, BytesMessage):
                self._binary += event.data
                if event.message_finished:
                    binary, self._binary = self._binary, b""
                    return binary
            elif isinstance(event, Ping):
                self.socket.sendall(self.ws.send(event.response()))
            elif isinstance(event, CloseConnection):
                raise Ended(event.code, event.reason or "")
            elif not isinstance(event, Pong):
                raise AssertionError(event)

    def expect(self, kind: str) -> dict[str, Any]:
        """The next control message of this type; others are passed over."""
        while True:
            frame = self.receive()
            if isinstance(frame, dict) and frame["type"] == kind:
                return frame
            if isinstance(frame, dict) and frame["type"] == "error":
                raise AssertionError(frame)

    def output(self) -> tuple[int, int, bytes]:
        """The next output: process, stream and bytes; counted, acknowledged, control messages passed over."""
        while True:
            frame = self.receive()
            if isinstance(frame, bytes):
                stream, process = struct.unpack_from("!BI", frame)
                self.offsets[process] = self.offsets.get(process, 0) + len(frame) - 5
                self.send({"type": "ack", "process": process, "offset": self.offsets[process]})
                return process, stream, frame[5:]
            self.passed.append(frame)

    def until(self, enough: Callable[[bytearray], bool], process: int = 1) -> bytes:
        """Output of *process* until *enough* says so of all of it."""
        output = bytearray()
        deadline = time.monotonic() + PATIENCE
        while not enough(output):
            if time.monotonic() > deadline:
                raise AssertionError(output[-2000:])
            number, _, data = self.output()
            if number == process:
                output += data
        return bytes(output)

    def gone(self) -> int | None:
        """Wait for the end. Returns the close code; None: without one."""
        try:
            while True:
                self.receive()
        except Ended as ended:
            return ended.code
        except OSError:
            return None

    def close(self) -> None:
        """Cut the connection, without a word."""
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: builtins.type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _decoded(text: str) -> Frame:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, dict) else text


class Server:
    """A daemon under test: ``python -m webshell`` or twistd, listening on loopback at a free port."""

    def __init__(
        self, home: Path, *options: str, argv: Sequence[str] = (), listen: str = "", **environment: str
    ) -> None:
        """:param argv: the command instead of ``python -m webshell``; *options* follow it."""
        self.home = home
        listen = listen or "tcp:0:interface=127.0.0.1"
        command = [*(argv or (sys.executable, "-m", "webshell")), "--listen", listen, *options]
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("WEBSHELL_")}
        self.log_file = home / "server.log"
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                cwd=home,
                env={**inherited, "HOME": str(home), "PYTHONFAULTHANDLER": "1", **environment},
                stdout=subprocess.PIPE,
                stderr=log,
            )
        self.announced = ""
        self.url = ""
        try:
            self._read_announcement()
        except BaseException:
            self.process.kill()
            self.stop()
            raise
        found = re.search(r"\?token=(\S+)", self.announced)
        self.token = found[1] if found else ""
        tokens = re.findall(r"\?token=(\S+)", self.announced)
        self.view_token = tokens[1] if len(tokens) > 1 else ""

    def _read_announcement(self) -> None:
        assert self.process.stdout is not None
        for line in iter(self.process.stdout.readline, b""):
            text = line.decode()
            self.announced += text
            found = re.match(r"\s+((https?)://[^?\s]+)", text)
            if found and not self.url:
                self.url = found[1]
            if re.match(r"    https?://\S+\?token=|Log in with|WITHOUT A LOGIN", text) and (
                "only watch" in self.announced or "Log in" in text or "WITHOUT" in text
            ):
                return
        raise AssertionError(f"the server did not start: {self.announced}{self.log}")

    @property
    def log(self) -> str:
        """What it has logged so far, also where twistd was told to."""
        files = (self.log_file, self.home / "twistd.log")
        return "".join(file.read_text("utf-8", "replace") for file in files if file.exists())

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    def memory(self) -> int:
        """Resident bytes."""
        text = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", text)
        assert found
        return int(found[1]) * 1024

    def client(self, token: str = "", **keywords: Any) -> WireClient:
        """A connection that has received the greeting."""
        client = WireClient(self.url, token or self.token, **keywords)
        if client.subprotocol:
            client.expect("hello")
        return client

    def open(self, **keywords: Any) -> WireClient:
        """A connection with a session of its own."""
        client = self.client(**keywords)
        client.send({"type": "open", "id": 1, "client": "test"})
        client.expect("attached")
        return client

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it. Returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)  # where it stands gets into its log
            self.process.wait()
            raise AssertionError(f"the server did not stop: {self.log[-10000:]}") from None
        finally:
            if self.process.stdout is not None:
                self.process.stdout.close()

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self, kind: builtins.type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _message(frame: Frame) -> Event:
    if isinstance(frame, bytes):
        return BytesMessage(data=frame)
    return TextMessage(data=json.dumps(frame) if isinstance(frame, dict) else frame)
