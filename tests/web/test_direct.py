"""The short way from a frame to the kernel: nothing lost, nothing out of order, and nobody passed by."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from OpenSSL import SSL
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import DefaultOpenSSLContextFactory
from twisted.internet.tcp import Connection as Stream
from twisted.internet.testing import MemoryReactorClock
from twisted.protocols.haproxy._wrapper import HAProxyProtocolWrapper
from twisted.protocols.policies import ProtocolWrapper, ThrottlingFactory, ThrottlingProtocol, WrappingFactory
from twisted.protocols.tls import BufferingTLSTransport, TLSMemoryBIOFactory

from webshell.certificate import ensure_certificate
from webshell.web.direct import OVERHEAD_BYTES, RECORD_BYTES, Encrypted, Plain, direct


class Wire:
    """A kernel's socket that takes only so much."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.sent = bytearray()

    def send(self, data: bytes) -> int:
        if not self.room:
            raise BlockingIOError
        count = min(self.room, len(data))
        self.room -= count
        self.sent += data[:count]
        return count

    def sendmsg(self, pieces: tuple[bytes, ...]) -> int:
        return self.send(b"".join(pieces))


class Below(Stream):
    """Twisted's stream without a reactor: what the kernel does not take is in its buffer."""

    def __init__(self, room: int) -> None:
        self.socket = Wire(room)  # type: ignore[assignment]
        self.dataBuffer = b""
        self._tempDataLen = 0
        self.disconnected = False
        self.rest = bytearray()

    def write(self, data: bytes) -> None:
        self.rest += data
        self._tempDataLen += len(data)

    def arrived(self) -> bytes:
        return bytes(self.socket.sent) + bytes(self.rest)  # type: ignore[attr-defined]


class Tls:
    """Both ends of TLS in memory, as Twisted's transport keeps its own."""

    def __init__(self, file: str, room: int) -> None:
        context = SSL.Context(SSL.TLS_METHOD)
        context.use_privatekey_file(file)
        context.use_certificate_file(file)
        self.client = SSL.Connection(SSL.Context(SSL.TLS_METHOD), None)
        self.client.set_connect_state()
        self.stream = Below(room)
        self.server = SSL.Connection(context, None)
        self.server.set_accept_state()
        self._meet()
        self.flushed = 0
        self.transport: Any = SimpleNamespace(
            _tlsConnection=self.server,
            _appSendBuffer=[],
            _aggregator=SimpleNamespace(_buffer=[]),
            _flushSendBIO=self._flush,
        )

    def heard(self) -> bytes:
        """What the client decrypts of all that was sent."""
        self.client.bio_write(self.stream.arrived())
        return _all(lambda: self.client.recv(1 << 20))

    def _meet(self) -> None:
        for _ in range(4):
            for one, other in ((self.client, self.server), (self.server, self.client)):
                try:
                    one.do_handshake()
                except SSL.WantReadError:
                    pass
                if said := _all(lambda one=one: one.bio_read(1 << 16)):  # type: ignore[misc]
                    other.bio_write(said)

    def _flush(self) -> None:
        self.flushed += 1
        self.stream.write(_all(lambda: self.server.bio_read(1 << 16)))


def _all(read: Callable[[], bytes]) -> bytes:
    found = bytearray()
    try:
        while True:
            found += read()
    except SSL.WantReadError:
        return bytes(found)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> str:
    path: Path = tmp_path_factory.mktemp("tls") / "server.pem"
    ensure_certificate(path, ["localhost"])
    return str(path)


def test_a_frame_goes_to_the_kernel() -> None:
    below = Below(100)
    assert Plain(below).send(b"head", b"body") == 8
    assert below.arrived() == b"headbody"


def test_what_the_kernel_does_not_take_is_the_callers() -> None:
    assert Plain(Below(5)).send(b"head", b"body") == 5
    assert Plain(Below(0)).send(b"head", b"body") == 0


@pytest.mark.parametrize("waiting", [{"dataBuffer": b"x"}, {"_tempDataLen": 1}])
def test_nothing_overtakes_what_waits(waiting: dict[str, Any], file: str) -> None:
    tls = Tls(file, 1000)
    for name, value in waiting.items():
        setattr(tls.stream, name, value)
    assert Plain(tls.stream).send(b"head", b"body") == 0
    assert Encrypted(tls.stream, tls.transport).send(b"head", b"body") == 0
    assert tls.stream.arrived() == b""


def test_nothing_overtakes_what_waits_in_tls(file: str) -> None:
    tls = Tls(file, 1000)
    tls.transport._appSendBuffer = [b"before"]
    assert Encrypted(tls.stream, tls.transport).send(b"head", b"body") == 0
    tls.transport._appSendBuffer = []
    tls.transport._aggregator._buffer = [b"before"]
    assert Encrypted(tls.stream, tls.transport).send(b"head", b"body") == 0
    assert tls.stream.arrived() == b""


@pytest.mark.parametrize("room", [0, 1, 20_000, 10_000_000])
@pytest.mark.parametrize("size", [1, RECORD_BYTES - 4, RECORD_BYTES, 5 * RECORD_BYTES + 7])
def test_encrypted_frames_arrive_whole_whatever_the_kernel_takes(file: str, room: int, size: int) -> None:
    tls = Tls(file, room)
    way = Encrypted(tls.stream, tls.transport)
    assert way.send(b"head", b"x" * size) == 4 + size
    assert tls.heard() == b"head" + b"x" * size
    assert not tls.flushed


def test_what_tls_had_to_say_besides_goes_out_behind(file: str) -> None:
    tls = Tls(file, 1 << 20)
    mine = b"y" * (2 * RECORD_BYTES)
    for at in (0, RECORD_BYTES):
        tls.server.send(mine[at : at + RECORD_BYTES])  # not yet flushed, and more than a frame's allowance
    assert Encrypted(tls.stream, tls.transport).send(b"head", b"body") == 8
    assert tls.flushed
    assert tls.heard() == mine + b"headbody"


def test_a_connection_that_tls_has_ended_is_the_transports_business(file: str) -> None:
    tls = Tls(file, 1000)
    tls.server.shutdown()
    assert Encrypted(tls.stream, tls.transport).send(b"head", b"body") == 0
    assert tls.stream.arrived() == b""


def test_a_records_overhead_is_below_the_allowance(file: str) -> None:
    tls = Tls(file, 1 << 20)
    Encrypted(tls.stream, tls.transport).send(b"", b"x" * RECORD_BYTES)
    assert 0 < len(tls.stream.arrived()) - RECORD_BYTES < OVERHEAD_BYTES


# ---- which way there is


def _encrypted(file: str, below: Any) -> BufferingTLSTransport:
    factory = TLSMemoryBIOFactory(
        DefaultOpenSSLContextFactory(file, file), False, Factory.forProtocol(Protocol), MemoryReactorClock()
    )
    wrapper = BufferingTLSTransport(factory, Protocol())
    wrapper.makeConnection(below)
    return wrapper


def test_ways(file: str) -> None:
    below = Below(0)
    assert direct(object()) is None
    stream, way = direct(below) or (None, None)
    assert stream is below
    assert isinstance(way, Plain)
    stream, way = direct(_encrypted(file, below)) or (None, None)
    assert stream is below
    assert isinstance(way, Encrypted)


def test_what_only_wraps_is_in_nobodys_way(file: str) -> None:
    factory: Any = WrappingFactory(Factory())
    below = Below(0)
    for wrapper in (ProtocolWrapper(factory, Protocol()), HAProxyProtocolWrapper(factory, Protocol())):
        wrapper.transport = below
        assert isinstance((direct(wrapper) or (None, None))[1], Plain)
        assert isinstance((direct(_encrypted(file, wrapper)) or (None, None))[1], Encrypted)


def test_what_changes_or_counts_the_bytes_is_not_passed_by(file: str) -> None:
    factory: Any = ThrottlingFactory(Factory())
    throttling = ThrottlingProtocol(factory, Protocol())
    throttling.transport = below = Below(0)
    assert direct(throttling) == (below, None)
    assert direct(_encrypted(file, throttling)) == (below, None)
    assert direct(_encrypted(file, _encrypted(file, below))) == (below, None)


def test_a_twisted_with_other_names_is_served_more_slowly(file: str) -> None:
    below = Below(0)
    wrapper = _encrypted(file, below)
    del wrapper._tlsConnection
    assert direct(wrapper) == (below, None)
    wrapper = _encrypted(file, below)
    wrapper._aggregator = SimpleNamespace()  # type: ignore[assignment]
    assert direct(wrapper) == (below, None)
    del below._tempDataLen
    assert direct(below) == (below, None)
