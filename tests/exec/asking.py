"""A client of the process API made of the standard library alone, and small programs to run."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from wire import PATIENCE, Ended, Server, WireClient
from wsproto.connection import ConnectionState

POLL = 10
"""Seconds that a question waits at the server."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as a value."""
        return json.loads(self.body)

    @property
    def ended(self) -> bool:
        """Whether it says that everything was read, and the process has ended."""
        return self.status == 204 and self.headers.get("x-eof") == "1"


@dataclass(slots=True)
class Api:
    """The process API of a server, asked with a token.

    :ivar trusted: the file of the server's certificate.
    """

    url: str
    token: str
    trusted: str = ""

    def connection(self) -> http.client.HTTPConnection:
        """A new connection; the caller closes it."""
        parts = urlsplit(self.url)
        host, port = parts.hostname or "", parts.port
        if parts.scheme == "https":
            context = ssl.create_default_context(cafile=self.trusted)
            made: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, port, timeout=PATIENCE, context=context
            )
        else:
            made = http.client.HTTPConnection(host, port, timeout=PATIENCE)
        made.connect()
        made.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made

    def ask(self, method: str, path: str, body: bytes | str | None = None, **headers: str) -> Answer:
        """One question, one connection. Names of headers are written with ``_`` for a dash."""
        connection = self.connection()
        try:
            return self.ask_on(connection, method, path, body, **headers)
        finally:
            connection.close()

    def ask_on(
        self, connection: http.client.HTTPConnection, method: str, path: str, body: bytes | str | None, **headers: str
    ) -> Answer:
        """The same on a connection that stays open."""
        response = self.begin(connection, method, path, body, **headers)
        return Answer(response.status, lower(response), response.read())

    def begin(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        body: bytes | str | None = None,
        **headers: str,
    ) -> http.client.HTTPResponse:
        """Ask, and read the headers of the answer only."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token:
            sent["Authorization"] = f"Bearer {self.token}"
        connection.request(method, urlsplit(self.url).path + path, body, sent)
        return connection.getresponse()

    @contextmanager
    def streaming(self, path: str, **headers: str) -> Iterator[http.client.HTTPResponse]:
        """An answer that is still coming."""
        connection = self.connection()
        try:
            yield self.begin(connection, "GET", path, **headers)
        finally:
            connection.close()

    def popen(self, *argv: str, session: str = "", **members: object) -> str:
        """Start a process. Returns its id."""
        asked = json.dumps({"argv": argv, **members}) if argv or members else ""
        answer = self.ask("POST", f"popen?session={session}" if session else "popen", asked)
        assert answer.status == 201, answer
        return answer.body.decode().strip()

    def python(self, program: str, session: str = "", **members: object) -> str:
        """Start a Python program."""
        return self.popen(sys.executable, "-u", "-c", program, session=session, **members)

    def status(self, name: str) -> dict[str, Any]:
        """What the process is like."""
        answer = self.ask("GET", f"exec/{name}/status")
        assert answer.status == 200, answer
        told: dict[str, Any] = answer.json
        return told

    def feed(self, name: str, data: bytes, off: int | None = None, *, eof: bool = False) -> Answer:
        """Give it input."""
        parts = [*([f"off={off}"] if off is not None else []), *(["eof=1"] if eof else [])]
        return self.ask("POST", f"exec/{name}?{'&'.join(parts)}", data)

    def read(self, name: str, off: int = 0, stream: str = "out", poll: float | None = POLL, more: str = "") -> Answer:
        """Ask once for output."""
        wait = "" if poll is None else f"&poll={poll}"
        return self.ask("GET", f"exec/{name}?off={off}&stream={stream}{wait}{more}")

    def read_until(
        self, name: str, enough: Callable[[bytes], bool] = lambda _: False, off: int = 0, stream: str = "out"
    ) -> bytes:
        """Output from *off* on, until *enough* says so of it or all is read and the process has ended."""
        output = b""
        deadline = time.monotonic() + PATIENCE
        while not enough(output):
            answer = self.read(name, off + len(output), stream)
            if answer.ended:
                break
            assert answer.status in (200, 204), answer
            assert int(answer.headers["x-off"]) == off + len(output)
            output += answer.body
            assert time.monotonic() < deadline, output[-200:]
        return output

    def wait(self, name: str) -> int:
        """Its exit code, when it has ended."""
        answer = self.ask("GET", f"exec/{name}/wait?timeout={PATIENCE}")
        assert answer.status == 200, answer
        code: int = answer.json["exit"]
        return code


def lower(response: http.client.HTTPResponse) -> dict[str, str]:
    """The headers, with names in lower case."""
    return {name.lower(): value for name, value in response.getheaders()}


def until(reached: Callable[[], bool], what: str = "it") -> None:
    """Wait for something that happens elsewhere and cannot be waited for."""
    deadline = time.monotonic() + PATIENCE
    while not reached():
        assert time.monotonic() < deadline, f"{what} did not happen"
        time.sleep(0.01)


def api_of(server: Server) -> Api:
    """The API of *server*, asked by its operator."""
    return Api(server.url, server.token)


class Line(WireClient):
    """A process over a WebSocket.

    :ivar read: the bytes that have arrived.
    :ivar accepted: how much input was, as far as we were told.
    """

    def __init__(self, api: Api, name: str, off: int | None = None, more: str = "", *, offer: bool = True) -> None:
        query = more if off is None else f"off={off}{more}"
        subprotocols = ["webshell.exec"] if offer else []
        super().__init__(api.url, api.token, subprotocols=subprotocols, path=f"exec/{name}?{query}")
        self.read = b""
        self.told: list[dict[str, Any]] = []

    @property
    def accepted(self) -> int:
        """How much input was, as far as we were told."""
        return max((message["in"] for message in self.told if "in" in message), default=0)

    def more(self, *, ack: bool = True) -> None:
        """The next message; output is acknowledged."""
        frame = self.receive()
        if isinstance(frame, bytes):
            self.read += frame
            if ack and self.ws.state is ConnectionState.OPEN:
                self.send({"ack": self.told[0]["off"] + len(self.read)})
        else:
            assert isinstance(frame, dict)
            self.told.append(frame)

    def go_on(self, enough: Callable[[], bool] = lambda: False) -> tuple[int, str]:
        """Go on until *enough* says so, or the server closes: its code and reason."""
        try:
            while not enough():
                self.more()
        except Ended as ended:
            return ended.code or 0, ended.reason
        return 0, ""
