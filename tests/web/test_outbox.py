"""What a WebSocket says goes in as few pieces as it may, complete and in order."""

from __future__ import annotations

from typing import cast

from twisted.internet.interfaces import ITransport
from twisted.internet.tcp import Connection as Stream
from twisted.internet.testing import StringTransport

from webshell.web.frames import BINARY, TEXT, head
from webshell.web.outbox import HELD_BYTES, Outbox


class Kernel:
    """A socket that takes everything."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def setblocking(self, flag: bool) -> None: ...

    def fileno(self) -> int:
        return 7

    def sendmsg(self, pieces: tuple[bytes, ...]) -> int:
        self.pieces.append(b"".join(pieces))
        return len(self.pieces[-1])

    def send(self, data: bytes) -> int:
        return self.sendmsg((data,))


class Reactor:
    def addWriter(self, stream: object) -> None: ...

    def removeWriter(self, stream: object) -> None: ...


class Below(Stream):
    """Twisted's stream, connected to such a kernel."""

    def __init__(self) -> None:
        super().__init__(Kernel(), None, Reactor())  # type: ignore[arg-type]
        self.connected = 1

    @property
    def pieces(self) -> list[bytes]:
        return self.socket.pieces  # type: ignore[attr-defined]


def framed(first: int, data: bytes) -> bytes:
    return head(first, len(data)) + data


def test_each_message_goes_at_once() -> None:
    stream = Below()
    outbox = Outbox(stream)
    assert outbox.file == 7
    outbox.send(TEXT, b"one")
    outbox.send(BINARY, b"two")
    assert stream.pieces == [framed(TEXT, b"one"), framed(BINARY, b"two")]


def test_what_is_held_goes_in_one_piece() -> None:
    stream = Below()
    outbox = Outbox(stream)
    outbox.hold()
    outbox.send(TEXT, b"one")
    outbox.hold()
    outbox.send(BINARY, b"two")
    assert stream.pieces == []
    outbox.release()
    outbox.release()
    outbox.send(TEXT, b"three")
    assert stream.pieces == [framed(TEXT, b"one") + framed(BINARY, b"two"), framed(TEXT, b"three")]


def test_only_so_much_is_held() -> None:
    stream = Below()
    outbox = Outbox(stream)
    outbox.hold()
    large = bytes(HELD_BYTES)
    outbox.send(TEXT, b"one")
    outbox.send(BINARY, large)
    assert stream.pieces == [framed(TEXT, b"one") + framed(BINARY, large)]
    outbox.send(TEXT, b"two")
    assert len(stream.pieces) == 1
    outbox.release()
    assert stream.pieces[1:] == [framed(TEXT, b"two")]


def test_what_the_transport_has_is_flushed() -> None:
    stream = Below()
    outbox = Outbox(stream)
    outbox.flush()
    assert stream.pieces == []
    stream.write(b"HTTP/1.1 101 \r\n\r\n")
    outbox.send(TEXT, b"hello")
    assert stream.pieces == []
    outbox.flush()
    assert stream.pieces == [b"HTTP/1.1 101 \r\n\r\n" + framed(TEXT, b"hello")]
    outbox.send(TEXT, b"directly")
    assert len(stream.pieces) == 2


def test_who_closes_is_left_to_the_reactor() -> None:
    """It learns from what ``doWrite`` returns that all is said, and only then closes."""
    stream = Below()
    outbox = Outbox(stream)
    stream.write(b"last words")
    stream.disconnecting = True
    outbox.flush()
    assert stream.pieces == []


def test_without_a_stream_the_transport_has_all() -> None:
    transport = StringTransport()
    outbox = Outbox(cast("ITransport", transport))
    assert outbox.file == -1
    outbox.hold()
    outbox.send(TEXT, b"one")
    outbox.flush()
    assert transport.value() == b""
    outbox.release()
    assert transport.value() == framed(TEXT, b"one")
