"""What strangers may cost: bodies, odd requests, time and connections."""

from __future__ import annotations

import resource
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from autobahn.twisted.resource import WebSocketResource
from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import SSL4ClientEndpoint, TCP4ClientEndpoint, serverFromString
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import CertificateOptions
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase
from web.web_wire import BEARER, TOKEN, UPGRADE, World, parsed

from webshell.certificate import ensure_certificate
from webshell.web.channel import LINGER_BYTES
from webshell.web.limits import HELD_BODIES, LARGE_BODIES, LimitedSite

reactor: Any = installed
HEAD = f"Host: localhost:8080\r\nAuthorization: Bearer {TOKEN}\r\n"
MB = b"x" * (1 << 20)
PATHS = ("/ws", "/", "/api", "/login", "/nowhere")


@pytest.fixture
def no_files(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[object]]:
    made: list[object] = []

    def refuse(*args: object, **named: object) -> None:
        made.append(args)

    monkeypatch.setattr("webshell.web.channel.TemporaryFile", refuse)
    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    yield made
    assert made == []


# --- bodies


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("kind", ["length", "chunked"])
@pytest.mark.parametrize("expect", ["", "Expect: 100-continue\r\n"])
@pytest.mark.usefixtures("no_files")
def test_case_30_300_mb(path: str, kind: str, expect: str) -> None:
    world = World()
    wire = world.wire()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    framing = "Content-Length: 314572800" if kind == "length" else "Transfer-Encoding: chunked"
    wire.send(f"POST {path} HTTP/1.1\r\n{HEAD}{expect}{framing}\r\n\r\n".encode())
    if kind == "length":
        assert wire.transport.value().startswith(b"HTTP/1.1 413 ")  # before a byte of it, and without a 100
    else:
        wire.send(b"12c00000\r\n")
    fed = 0
    while not wire.closed:
        wire.send(MB[:65536])
        fed += 65536
        assert fed < 1 << 20
    received = wire.received().removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
    answer, rest = parsed(received)
    assert (answer.status, answer.get("connection"), rest) == (413, "close", b"")
    assert fed <= LINGER_BYTES + (64 << 10) + 65536
    for _ in range(300):
        wire.send(MB)  # what a peer sends that does not care
    assert wire.transport.value() == b""
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # kB; the whole interpreter's peak
    assert world.reached == []


@pytest.mark.usefixtures("no_files")
def test_bodies_up_to_the_limit_arrive(world: World) -> None:
    for size in (0, 1, 65536):
        assert world.ask("/api", *BEARER, method="POST", body=b"x" * size).status == 200
        chunks = f"{size:x}\r\n".encode() + b"x" * size + b"\r\n0\r\n\r\n" if size else b"0\r\n\r\n"
        wire = world.wire()
        wire.send(f"POST /api HTTP/1.1\r\n{HEAD}Transfer-Encoding: chunked\r\n\r\n".encode() + chunks)
        assert wire.answer().status == 200
        assert wire.ask("/api", *BEARER).status == 200  # and the connection goes on
    assert world.ask("/api", *BEARER, method="POST", body=b"x" * 65537).status == 413
    assert world.ask("/api", *BEARER, method="GET", body=b"x" * 1025).status == 413
    assert world.ask("/api", *BEARER, method="DELETE", body=b"x" * 1025).status == 413
    assert world.ask("/ws", *BEARER, method="POST", body=b"x").status == 413
    assert world.ask("/ws", *BEARER, *UPGRADE, body=b"x").status == 400


def test_forms_are_not_parsed_before_it_is_known_whose_they_are(world: World) -> None:
    broken = "Content-Type: multipart/form-data; boundary="
    assert world.ask("/api", *BEARER, broken, method="POST", body=b"x").status == 200  # Twisted's parser would say 400


def test_limits_by_path(no_files: list[object]) -> None:
    world = World(settings={"body_limit": lambda method, path: 70_000 if path == b"/upload/x" else 10})
    assert world.ask("/upload/x?y", *BEARER, method="PUT", body=b"x" * 70_000).status == 200
    assert world.ask("/api", *BEARER, method="POST", body=b"x" * 11).status == 413
    assert no_files == []


@pytest.mark.parametrize(("limit", "most"), [(8 << 20, LARGE_BODIES), (4 << 20, HELD_BODIES)])
def test_an_address_may_send_so_many_large_bodies_at_once(limit: int, most: int) -> None:
    world = World(settings={"body_limit": lambda method, path: limit})
    head = f"POST /api HTTP/1.1\r\n{HEAD}".encode()
    sizes = [b"Content-Length: 200000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n"] * (most // 2)
    wires = [world.wire() for _ in sizes]
    for wire, size in zip(wires, sizes, strict=True):
        wire.send(head + size)
    assert world.ask("/api", *BEARER, method="POST", body=b"x" * 200_000).status == 429
    assert world.ask("/api", *BEARER, method="POST", body=b"x" * 100_000).status == 200  # a small one is in memory
    assert world.ask("/api", *BEARER, method="POST", body=b"x" * 200_000, peer="203.0.113.9").status == 200
    wires[0].lose()
    assert world.ask("/api", *BEARER, method="POST", body=b"x" * 200_000).status == 200
    wires[2].send(b"x" * 200_000)
    assert wires[2].answer().status == 200
    many = [world.wire() for _ in range(2)]
    for wire in many:
        wire.send(head + sizes[0])
        assert wire.received() == b""
    assert world.ask("/api", *BEARER, method="POST", body=b"x" * 200_000).status == 429
    for wire in (*wires[1:], *many):
        wire.lose()


def test_a_refused_sender_can_read_the_answer(world: World) -> None:
    wire = world.wire()
    wire.send(f"POST /api HTTP/1.1\r\n{HEAD}Content-Length: 100000\r\n\r\n".encode() + b"x" * 50_000)
    assert wire.answer().status == 413
    assert not wire.closed
    wire.send(b"x" * 50_000 + f"GET /api HTTP/1.1\r\n{HEAD}\r\n".encode())
    assert wire.received() == b""  # nothing that follows is taken for a request
    world.clock.advance(2)
    assert wire.closed
    wire.lose()
    assert world.clock.getDelayedCalls() == []


# --- odd requests


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET / HTTP/1.1\r\nHost: localhost:8080\r\n" + b"x: y\r\n" * 501 + b"\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost:8080\r\nx: " + b"y" * 17_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost:8080\r\nx: " + b"y" * 40_000,
        b"GET /" + b"y" * 17_000 + b" HTTP/1.1\r\nHost: localhost:8080\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost:8080\r\nx: a\0b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost:8080\r\nx: a\r\n b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost:8080\r\n\tx: a\r\n\r\n",
        b"GET / HTTP/1.1\nHost: localhost:8080\n\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost:8080\r\nx: a\ny: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost:8080\r\nx: a\ry: b\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost:8080\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost:8080\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        b"POST / HTTP/1.1\r\nHost: localhost:8080\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost:8080\r\nContent-Length: +1\r\n\r\nx",
        b"POST / HTTP/1.1\r\nHost: localhost:8080\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\nx",
        b"POST / HTTP/1.1\r\nHost: localhost:8080\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost:8080\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"GET / HTTP/1.1\r\nHost : localhost:8080\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\nHost: localhost:8080\r\n\r\n",
        b"GET / HTTP/2.0\r\nHost: localhost:8080\r\n\r\n",
        b"GET /\r\nHost: localhost:8080\r\n\r\n",
        b"GET  / HTTP/1.1\r\nHost: localhost:8080\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        # case 35
        b"GET http://localhost:8080/ HTTP/1.1\r\nHost: localhost:8080\r\n\r\n",
        b"GET * HTTP/1.1\r\nHost: localhost:8080\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: localhost:8080\r\n\r\n",
    ],
)
@pytest.mark.parametrize("at_once", [True, False])
def test_cases_33_and_35_malformed(request_bytes: bytes, at_once: bool) -> None:
    world = World()
    wire = world.wire()
    if at_once:
        wire.send(request_bytes)
    else:
        for start in range(0, len(request_bytes), 61):
            wire.send(request_bytes[start : start + 61])
    answer, rest = parsed(wire.received())
    assert (answer.status, answer.get("connection"), rest) == (400, "close", b"")
    assert "default-src 'none'" in answer.get("content-security-policy")
    wire.send(f"GET /api HTTP/1.1\r\n{HEAD}\r\n".encode())
    assert wire.received() == b""
    world.clock.advance(2)
    assert wire.closed
    assert world.reached == []


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "BREW", "get", "PROPFIND", "PRI"])
def test_case_35_methods(method: str) -> None:
    world = World()
    for target in ("/", "localhost:8080", "*", "http://localhost:8080/"):
        answer = world.ask(target, *BEARER, method=method)
        assert (answer.status, "GET" in answer.get("allow")) == (405, True)
    assert world.reached == []


LINES = [
    "GET / HTTP/1.1", "POST /login HTTP/1.1", "OPTIONS * HTTP/1.1", "Host: localhost:8080", "", "Content-Length: 5",
    "Transfer-Encoding: chunked", "5", "0", "hello", "Expect: 100-continue", "Cookie: a=b", "Accept: text/html",
    "Origin: http://localhost:8080", "Upgrade: websocket", "Authorization: Basic x", "Connection: close", "token=x",
    "Content-Type: application/x-www-form-urlencoded", "Content-Type: multipart/form-data; boundary=x", "GET /?token=x",
]  # fmt: skip
piece = st.one_of(st.binary(max_size=30), st.sampled_from([f"{line}\r\n".encode() for line in LINES]))


@settings(max_examples=300, deadline=None)
@given(st.lists(piece, max_size=25))
@example([b"POST /login HTTP/1.1\r\n", b"Content-Length: 70000\r\n", b"\r\n", b"x" * 80_000])
def test_no_bytes_break_it_or_get_in(pieces: list[bytes]) -> None:
    world = World()
    wire = world.wire()
    for piece in pieces:
        wire.send(piece)
    data = wire.received().replace(b"HTTP/1.1 100 Continue\r\n\r\n", b"")
    while data:
        answer, data = parsed(data)
        assert answer.status in (200, 303, 400, 401, 403, 404, 405, 413, 421, 426)
        assert b"secret" not in answer.body
    wire.lose()
    assert world.reached == []
    assert world.clock.getDelayedCalls() == []


# --- time


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /" + b"x" * 100,
        b"GET /api HTTP/1.1\r\n" + HEAD.encode() + b"x: y\r\n" * 20,
        b"POST /api HTTP/1.1\r\n" + HEAD.encode() + b"Content-Length: 1000\r\n\r\n" + b"x" * 100,
        b"POST /api HTTP/1.1\r\n" + HEAD.encode() + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 50,
    ],
)
def test_case_31_a_slow_request_has_a_total_deadline(request_bytes: bytes) -> None:
    world = World()
    wire = world.wire()
    for position in range(len(request_bytes)):
        wire.send(request_bytes[position : position + 1])
        if position >= len(request_bytes) - 10:  # the rest of it: one byte in four seconds, never idle
            world.clock.advance(4)
        if wire.transport.value():
            break
    answer = wire.answer()
    assert (answer.status, answer.get("connection")) == (408, "close")
    assert 30 <= world.clock.seconds() < 36
    world.clock.advance(2)
    assert wire.closed
    world.clock.advance(15)
    assert wire.transport.aborted  # a peer that does not even take the answer
    assert world.reached == []


def test_a_large_body_has_the_time_that_it_needs() -> None:
    world = World(settings={"body_limit": lambda method, path: 10 << 20})
    wire = world.wire()
    wire.send(f"POST /api HTTP/1.1\r\n{HEAD}Content-Length: 1638400\r\n\r\n".encode())
    for _ in range(100):
        assert wire.received() == b""
        world.clock.advance(1.2)
        wire.send(b"x" * 16384)
    assert wire.answer().status == 200
    slow = world.wire()
    slow.send(f"POST /api HTTP/1.1\r\n{HEAD}Content-Length: 1638400\r\n\r\n".encode())
    for _ in range(65):
        assert slow.received() == b""
        slow.send(b"x")
        world.clock.advance(2)
    assert slow.answer().status == 408
    slow.lose()


def test_the_deadline_is_the_requests_not_the_connections(world: World) -> None:
    wire = world.wire()
    for _ in range(10):
        world.clock.advance(20)
        assert wire.ask("/api", *BEARER).status == 200
    world.clock.advance(61)
    assert wire.closed  # idle


def test_a_request_that_waits_behind_another_has_not_begun(world: World) -> None:
    wire = world.wire()
    wire.send(f"GET /waiting HTTP/1.1\r\n{HEAD}\r\n".encode())
    wire.send(f"GET /api HTTP/1.1\r\n{HEAD}".encode())
    world.clock.advance(500)
    assert (wire.closed, wire.received()) == (False, b"")
    wire.lose()
    assert world.clock.getDelayedCalls() == []


# --- connections


def test_case_32_connections_of_one_address(world: World) -> None:
    wires = [world.wire() for _ in range(100)]
    extra = world.wire()
    assert extra.answer().status == 503
    assert extra.closed
    assert world.site.count == 100
    assert world.ask("/api", *BEARER, peer="192.0.2.1").status == 200
    assert world.ask("/api", *BEARER, unix=True, host="localhost").status == 200
    wires[0].lose()
    assert world.ask("/api", *BEARER).status == 200
    for wire in wires[1:]:
        wire.lose()
    assert (world.site.count, world.site._per_address) == (0, {})


def test_connections_of_one_ipv6_network(world: World) -> None:
    for number in range(100):
        world.wire(peer=f"2001:db8::{number:x}")
    assert world.wire(peer="2001:db8::ffff").answer().status == 503
    assert world.ask("/api", *BEARER, peer="2001:db8:0:1::1").status == 200


def test_all_connections() -> None:
    both = World(settings={"connections_per_address": 1, "exempt": ["192.0.2.99"]})
    both.wire(peer="::ffff:192.0.2.99")
    assert both.wire(peer="::ffff:192.0.2.99").received() == b""
    both.wire(peer="::ffff:192.0.2.1")
    assert both.wire(peer="192.0.2.1").answer().status == 503
    world = World(settings={"connections": 30, "connections_per_address": 10, "exempt": ["192.0.2.99"]})
    for _ in range(20):
        world.wire(peer="192.0.2.99")
    for _ in range(10):
        world.wire(unix=True)
    assert world.wire(peer="192.0.2.1").answer().status == 503
    assert world.wire(unix=True).answer().status == 503
    refused = world.wire(peer="192.0.2.1", secure=True)
    assert refused.closed
    assert refused.received() == b""


def test_no_delay_is_set_through_the_counter(world: World) -> None:
    assert world.wire().transport.no_delay
    assert world.wire(secure=True).transport.no_delay
    assert world.site.acceptableProtocols() == [b"http/1.1"]


# --- on real sockets


class Client(Protocol):
    """Collects what arrives; :meth:`until` waits for some of it."""

    def connectionMade(self) -> None:
        self.data = b""
        self.lost: Deferred[bytes] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self.data += data

    def connectionLost(self, reason: object = None) -> None:
        self.lost.callback(self.data)

    def send(self, *lines: str, body: bytes = b"") -> None:
        assert self.transport is not None
        self.transport.write("\r\n".join([*lines, "", ""]).encode() + body)

    async def until(self, text: bytes) -> None:
        while text not in self.data:
            await deferLater(reactor, 0.01)


@pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")  # Twisted's ssl endpoint does
class RealSockets(TestCase):
    """The same site where kernel and TLS are real."""

    timeout = 20

    def setUp(self) -> None:
        self.world = World()
        sockets = WebSocketServerFactory()
        sockets.protocol = WebSocketServerProtocol
        self.world.gate.putChild(b"ws", WebSocketResource(sockets))
        self.site = LimitedSite(self.world.gate, reactor, connections_per_address=2)

    async def listen(self, tls: bool) -> IStreamClientEndpoint:
        kind = "tcp:0"
        if tls:
            folder = tempfile.TemporaryDirectory()
            self.addCleanup(folder.cleanup)
            pem = Path(folder.name, "pem")
            ensure_certificate(pem, ())
            kind = f"ssl:0:privateKey={pem}:certKey={pem}"
        port = await serverFromString(reactor, f"{kind}:interface=127.0.0.1").listen(self.site)
        self.addCleanup(port.stopListening)
        self.authority = f"localhost:{port.getHost().port}"
        if tls:
            return SSL4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port, CertificateOptions())
        return TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port)

    async def client(self, endpoint: IStreamClientEndpoint) -> Client:
        client = await endpoint.connect(Factory.forProtocol(Client))
        assert isinstance(client, Client)
        return client

    async def all_gone(self) -> None:
        while self.site.count:
            await deferLater(reactor, 0.01)

    async def a_refused_upload_reads_its_answer(self, tls: bool) -> None:
        client = await self.client(await self.listen(tls))
        client.send("POST /login HTTP/1.1", f"Host: {self.authority}", "Content-Length: 200000", body=b"x" * 200_000)
        await client.until(b"HTTP/1.1 413 ")
        assert client.transport is not None
        client.transport.loseConnection()
        await client.lost
        await self.all_gone()

    def test_upload_tcp(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self.a_refused_upload_reads_its_answer(False))

    def test_upload_tls(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self.a_refused_upload_reads_its_answer(True))

    async def hosts_and_origins(self, tls: bool) -> None:
        endpoint, scheme = await self.listen(tls), "https" if tls else "http"
        literal = self.authority.replace("localhost", "127.0.0.1")
        for host, origin, status in (
            (self.authority, f"{scheme}://{self.authority}", 200),
            (literal, f"{scheme}://{literal}", 200),
            (literal, f"{scheme}://{self.authority}", 403),
            (self.authority, f"{'http' if tls else 'https'}://{self.authority}", 403),
            ("localhost:8080", f"{scheme}://localhost:8080", 421),
        ):
            client = await self.client(endpoint)
            client.send("GET /api HTTP/1.1", f"Host: {host}", *BEARER, f"Origin: {origin}", "Connection: close")
            assert parsed(await client.lost)[0].status == status
        assert [path for path, _ in self.world.reached] == ["/api", "/api"]

    def test_hosts_tcp(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self.hosts_and_origins(False))

    def test_hosts_tls(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self.hosts_and_origins(True))

    async def upgraded_connections_stay_counted(self, tls: bool) -> None:
        endpoint = await self.listen(tls)
        clients = [await self.client(endpoint) for _ in range(2)]
        for client in clients:
            client.send("GET /ws HTTP/1.1", f"Host: {self.authority}", *UPGRADE, *BEARER)
            await client.until(b"HTTP/1.1 101 ")
        assert self.site.count == 2
        for connection in self.site._connections:
            assert connection.getTcpNoDelay()
        if tls:  # over the limit: no handshake, and no error in the log
            extra = await self.client(endpoint)
            extra.send("GET / HTTP/1.1")
            assert await extra.lost == b""
        else:
            assert (await (await self.client(endpoint)).lost).startswith(b"HTTP/1.1 503 ")
        for client in clients:
            assert client.transport is not None
            client.transport.loseConnection()
            await client.lost
        await self.all_gone()

    def test_upgraded_tcp(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self.upgraded_connections_stay_counted(False))

    def test_upgraded_tls(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self.upgraded_connections_stay_counted(True))
