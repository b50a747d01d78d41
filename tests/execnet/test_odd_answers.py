"""Gateways over the web and what servers, or what stands before them, answer seldom; a stand-in says it by a script."""

from __future__ import annotations

import base64
import hashlib
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator

import pytest
from execnet import XSpec
from execnet.gateway_base import get_execmodel
from gateways import alive, eventually
from wire import PATIENCE, Server

from webshell.execnet import Group, patience, stream
from webshell.execnet.dial import Dialer, Wire
from webshell.execnet.spec import read_spec
from webshell.execnet.web_io import WebIO
from webshell.execnet.worker import Worker

MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def answer(status: int, body: bytes = b"", **headers: object) -> bytes:
    """An answer; names of headers are written with ``_`` for a dash."""
    lines = [f"HTTP/1.1 {status} -", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
    if status != 204:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


class Standin:
    """A server that answers as it is told, by method and path; the last answer goes on and on, and empty is a cut.

    :ivar script: what it answers.
    :ivar asked: method, target and body of each request.
    :ivar then: what happens with a connection that has become a WebSocket.
    """

    def __init__(self) -> None:
        self.script: dict[str, list[bytes]] = {
            "POST /popen": [answer(201, b"abc.1\n")],
            "GET /exec/abc.1/wait": [answer(200, b'{"exit": 0}')],
            "DELETE /exec/abc.1": [answer(204)],
        }
        self.asked: list[tuple[str, str, bytes]] = []
        self.then: Callable[[socket.socket], None] = lambda connection: None
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._connections: list[socket.socket] = []
        self._over = threading.Event()
        self.spec = f"127.0.0.1:{self._listening.getsockname()[1]}"
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self._connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        file = connection.makefile("rb")
        try:
            while line := file.readline().decode():
                headers = b"".join(iter(file.readline, b"\r\n")).decode()
                length = re.search(r"Content-Length: (\d+)", headers)
                method, target, _ = line.split()
                self.asked.append((method, target, file.read(int(length[1])) if length else b""))
                key = re.search(r"Sec-WebSocket-Key: (\S+)", headers)
                said = self._answer(f"{method} {target.partition('?')[0]}")
                if said == b"hold":
                    self._over.wait(PATIENCE)
                elif said == b"upgrade":
                    assert key
                    proof = base64.b64encode(hashlib.sha1(key[1].encode() + MAGIC).digest()).decode()
                    connection.sendall(
                        f"HTTP/1.1 101 -\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {proof}\r\n\r\n".encode()
                    )
                    self.then(connection)
                    return
                else:
                    connection.sendall(said)
                if not said:
                    return
        except OSError:
            pass
        finally:
            file.close()
            connection.close()

    def _answer(self, what: str) -> bytes:
        answers = self.script.get(what, [b"hold"])
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def close(self) -> None:
        self._over.set()
        self._listening.shutdown(socket.SHUT_RDWR)
        self._thread.join(PATIENCE)
        self._listening.close()
        for connection in self._connections:
            connection.close()


@pytest.fixture
def standin(monkeypatch: pytest.MonkeyPatch) -> Iterator[Standin]:
    monkeypatch.setattr(patience, "FIRST_PAUSE", 0.001)
    standin = Standin()
    yield standin
    standin.close()


def gateway_io(standin: Standin, transport: str, more: str = "") -> WebIO:
    wanted = read_spec(XSpec(f"{transport}={standin.spec}{more}"), {})
    return WebIO(Worker(wanted.dialer(), wanted), wanted, get_execmodel("thread"))


def closed(io: WebIO) -> None:
    io.kill()
    io.close_read()


ACCEPTED = answer(204, X_In_Off=5)


@pytest.mark.parametrize(
    "first",
    [
        answer(503, b"{}", X_In_Off=0, Retry_After=0),
        answer(503, Retry_After=0),
        answer(502),
        answer(429, Retry_After=0),
        b"",
        b"nonsense\r\n\r\n",
    ],
)
def test_input_is_tried_again(standin: Standin, first: bytes) -> None:
    standin.script["POST /exec/abc.1"] = [first, first, ACCEPTED]
    io = gateway_io(standin, "http")
    io.write(b"input")
    assert eventually(lambda: [body for method, _, body in standin.asked if body == b"input"] == [b"input"] * 3)
    assert eventually(lambda: io._sender._held == 0)
    closed(io)


def test_input_goes_on_where_it_was(standin: Standin) -> None:
    """A gap, as after a piece that was not taken: what is missing goes again."""
    standin.script["POST /exec/abc.1"] = [ACCEPTED, answer(409, b"{}", X_In_Off=5), answer(204, X_In_Off=9)]
    io = gateway_io(standin, "http")
    io.write(b"input")
    assert eventually(lambda: io._sender._held == 0)
    io.write(b"more")
    assert eventually(lambda: io._sender._held == 0)
    targets = [target for method, target, _ in standin.asked if target.startswith("/exec/abc.1?off")]
    assert [target for target in targets if "off=5" in target] == ["/exec/abc.1?off=5"] * 2
    closed(io)


ENDED = (404, 410)
"""What says that the process has: what else is to be read of it says the same."""


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (
            answer(409, b'{"message": "somebody ended it"}', X_In_Off=0, Content_Type="application/json"),
            "somebody ended",
        ),
        (answer(403), "does not allow that"),
        (answer(401), "wants a token"),
        (answer(413), "the server answered 413"),
        (answer(404), r"there is no process abc\.1"),
        (answer(410, X_Exit=-9), r"the process abc\.1 has ended by signal 9"),
        (answer(410, X_Exit=0), r"the process abc\.1 has ended with status 0"),
    ],
)
def test_input_that_is_refused(standin: Standin, said: bytes, text: str) -> None:
    standin.script["POST /exec/abc.1"] = [said]
    io = gateway_io(standin, "http")
    io.write(b"input")
    assert eventually(lambda: io._sender._closed)
    with pytest.raises(OSError, match=text):
        io.write(b"more")
    assert len([body for _, _, body in standin.asked if body == b"input"]) == 1
    if int(said.split()[1]) not in ENDED:  # without input there is no gateway, whatever might still come
        with pytest.raises(EOFError, match=text):
            io.read(1)
    closed(io)


@pytest.mark.parametrize("said", [answer(503), b""])
def test_input_that_is_never_taken_ends_the_gateway(standin: Standin, said: bytes) -> None:
    """Where output would come: nobody shall wait for what a process sends that has heard nothing."""
    standin.script["POST /exec/abc.1"] = [said]
    io = gateway_io(standin, "http", "//patience=0.05")
    reading: list[str] = []

    def read() -> None:
        try:
            io.read(1)
        except EOFError as error:
            reading.append(str(error))

    thread = threading.Thread(target=read)
    thread.start()
    assert eventually(lambda: any(target.startswith("/exec/abc.1?off") for _, target, _ in standin.asked))
    io.write(b"input")
    thread.join(PATIENCE)
    assert reading
    assert re.match(r"the connection is lost: .*(takes no more connections|closed)", reading[0]), reading
    closed(io)


def test_a_stream_that_is_let_go_of_while_it_connects(standin: Standin, monkeypatch: pytest.MonkeyPatch) -> None:
    io = gateway_io(standin, "http")
    dial = Dialer.dial

    def late(dialer: Dialer, seconds: float) -> Wire:
        wire = dial(dialer, seconds)
        io._incoming.abandon()
        return wire

    monkeypatch.setattr(Dialer, "dial", late)
    with pytest.raises(EOFError, match="it was closed here"):
        io.read(1)
    assert not [target for _, target, _ in standin.asked if target.startswith("/exec/abc.1?off")]
    closed(io)


def test_a_kill_that_finds_no_connection_is_told(standin: Standin) -> None:
    standin.script["DELETE /exec/abc.1"] = [answer(503)]
    io = gateway_io(standin, "http")
    io.kill()
    with pytest.raises(EOFError, match="it was closed here"):
        io.read(1)
    io.close_read()


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (answer(416, X_Range="10-20"), "has gone on: what comes next is not kept"),
        (answer(200, b"xyz", X_Off=3), "."),  # not what was asked for
        (answer(403), "does not allow that"),
        (answer(204, X_Eof=1, X_Exit=3), "has ended with status 3"),
        (answer(410, X_Exit=4), "has ended with status 4"),
    ],
)
def test_output_that_is_refused(standin: Standin, said: bytes, text: str) -> None:
    standin.script["GET /exec/abc.1"] = [said]
    io = gateway_io(standin, "http")
    with pytest.raises(EOFError, match=text):
        io.read(1)
    with pytest.raises(EOFError, match=text):
        io.read_some()
    closed(io)


def test_output_is_tried_again(standin: Standin) -> None:
    standin.script["GET /exec/abc.1"] = [answer(502), b"", answer(429, Retry_After=0), answer(204), answer(200, b"xyz")]
    io = gateway_io(standin, "http")
    assert io.read(2) == b"xy"
    assert io.read_some() == b"z"
    closed(io)


def test_a_passing_error_that_is_cut_is_no_end(standin: Standin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "IDLE_SECONDS", 0.2)
    cut = answer(502, b'{"message": "more"}', Content_Type="application/json").replace(b": 19\r", b": 99\r")
    standin.script["GET /exec/abc.1"] = [cut, answer(200, b"xyz")]
    io = gateway_io(standin, "http")
    assert io.read(3) == b"xyz"
    closed(io)


@pytest.mark.parametrize("said", [answer(404), answer(410), answer(403), b""])
def test_how_it_ended_is_not_known(standin: Standin, said: bytes) -> None:
    standin.script["GET /exec/abc.1/wait"] = [said]
    io = gateway_io(standin, "http", "//patience=0.01")
    assert io.wait() is None
    closed(io)


def test_how_it_ended_is_asked_until_it_is_known(standin: Standin) -> None:
    standin.script["GET /exec/abc.1/wait"] = [answer(204), answer(502), b"", answer(200, b'{"exit": -15}')]
    io = gateway_io(standin, "http")
    assert io.wait() == -15
    closed(io)


# ---- WebSockets


def frame(opcode: int, data: bytes) -> bytes:
    assert len(data) < 126
    return struct.pack("!BB", 0x80 | opcode, len(data)) + data


GREETING = frame(1, b'{"off": 0, "in": 0}')


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (frame(8, struct.pack("!H", 4000) + b"exit 3"), "has ended with status 3"),
        (frame(8, struct.pack("!H", 4001) + b"taken"), "cannot be read any more: taken"),
        (frame(8, struct.pack("!H", 4004)), "cannot be read any more: 4004"),
        (frame(8, struct.pack("!H", 4010) + b"exit -9"), "has ended by signal 9"),
        (frame(8, struct.pack("!H", 4016) + b"range 5-9"), "cannot be read any more: range 5-9"),
        (frame(1, b'{"off": 7, "in": 0}'), r"goes on at 7, not at 4"),
    ],
)
def test_a_socket_that_ends_for_good(standin: Standin, said: bytes, text: str) -> None:
    standin.script["GET /exec/abc.1"] = [b"upgrade"]
    standin.then = lambda connection: connection.sendall(GREETING + frame(2, b"last") + said)
    io = gateway_io(standin, "ws")
    assert io.read(4) == b"last"
    with pytest.raises(EOFError, match=text):
        io.read(5)
    with pytest.raises(OSError, match=text):
        io.write(b"x")
    assert len([target for _, target, _ in standin.asked if target.startswith("/exec/abc.1?off")]) == 1
    closed(io)


@pytest.mark.parametrize(
    "said",
    [
        frame(8, struct.pack("!H", 1001) + b"going away"),
        frame(8, b""),
        frame(1, b"no JSON"),
        frame(1, b"[]"),
        b"\xff\xff",
        b"",
    ],
)
def test_a_socket_that_ends_is_made_anew(standin: Standin, said: bytes) -> None:
    turns: list[int] = []

    def then(connection: socket.socket) -> None:
        turns.append(1)
        at = len(turns) - 1
        connection.sendall(frame(1, b'{"off": %d, "in": 0}' % at) + frame(2, b"%d" % at) + (said if at < 3 else b""))
        if at >= 3:
            standin._over.wait(PATIENCE)

    standin.script["GET /exec/abc.1"] = [b"upgrade"]
    standin.then = then
    io = gateway_io(standin, "ws")
    assert io.read(4) == b"0123"
    targets = [target for _, target, _ in standin.asked if target.startswith("/exec/abc.1?off")]
    assert targets == [f"/exec/abc.1?off={number}" for number in range(4)]
    closed(io)


def test_a_server_that_always_closes_is_not_asked_for_ever(standin: Standin) -> None:
    standin.script["GET /exec/abc.1"] = [b"upgrade"]
    standin.then = lambda connection: connection.sendall(GREETING + frame(8, struct.pack("!H", 1011) + b"no"))
    io = gateway_io(standin, "ws", "//patience=0.05")
    with pytest.raises(EOFError, match="the server closed the connection: no"):
        io.read(1)
    closed(io)


def test_a_ping_is_answered(standin: Standin) -> None:
    heard: list[bytes] = []

    def then(connection: socket.socket) -> None:
        connection.sendall(GREETING + frame(9, b"you?"))
        heard.append(connection.recv(100))
        connection.sendall(frame(2, b"x"))
        standin._over.wait(PATIENCE)

    standin.script["GET /exec/abc.1"] = [b"upgrade"]
    standin.then = then
    io = gateway_io(standin, "ws")
    assert io.read(1) == b"x"
    head, mask, data = heard[0][:2], heard[0][2:6], heard[0][6:]
    assert head == b"\x8a\x84"
    assert bytes(byte ^ mask[at % 4] for at, byte in enumerate(data)) == b"you?"
    closed(io)


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (answer(401), "wants a token"),
        (answer(403), "does not allow that"),
        (answer(400), "did not understand"),
        (answer(404), r"there is no process abc\.1"),
        (answer(410, X_Exit=7), "has ended with status 7"),
    ],
)
def test_a_handshake_that_is_refused(standin: Standin, said: bytes, text: str) -> None:
    standin.script["GET /exec/abc.1"] = [said]
    io = gateway_io(standin, "ws")
    with pytest.raises(EOFError, match=text):
        io.read(1)
    assert len([target for _, target, _ in standin.asked if target.startswith("/exec/abc.1?off")]) == 1
    closed(io)


def test_a_handshake_is_tried_again(standin: Standin) -> None:
    wrong = answer(101, Upgrade="websocket", Sec_WebSocket_Accept="wrong")
    standin.script["GET /exec/abc.1"] = [answer(502), b"", wrong, answer(503, Retry_After=0), b"upgrade"]
    standin.then = lambda connection: connection.sendall(GREETING + frame(2, b"x"))
    io = gateway_io(standin, "ws")
    assert io.read(1) == b"x"
    closed(io)


# ---- other ways to a server


def test_a_unix_socket(tmp_path_factory: pytest.TempPathFactory, web: Group, transport: str) -> None:
    home = tmp_path_factory.mktemp("w")
    with Server(home, "--token-file", "token", "--listen", "unix:w.sock:mode=600"):
        gateway = web.makegateway(f"{transport}=unix:{home}/w.sock//token_file={home}/token")
        assert alive(gateway)
        assert gateway.remoteaddress == f"unix:{home}/w.sock"
        web.terminate(5)
    with pytest.raises(OSError, match=r"w\.sock"):
        web.makegateway(f"{transport}=unix:{home}/w.sock//token_file={home}/token")
