"""What is written: joined, cut, numbered, sent again; how much waits and who; no lock is met where none may be."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Iterator
from queue import Queue

import execnet
import pytest
from gateways import echo, eventually
from wire import PATIENCE

from webshell.execnet import patience as patiences
from webshell.execnet import sender as senders
from webshell.execnet.lines import Accepted, Broken, Piece
from webshell.execnet.patience import Patience
from webshell.execnet.sender import PIECE_BYTES, ROOM_BYTES, WINDOW_BYTES, Sender


class Line:
    """Notes what is sent by it.

    :ivar fails: what sending raises; None: nothing.
    """

    def __init__(self, accepted: int | None = None, pieces: int = 1000) -> None:
        self.accepted = accepted
        self.pieces = pieces
        self.sent: list[Piece] = []
        self.log: list[str] = []
        self.fails: BaseException | None = None
        self.useful = True

    def send(self, piece: Piece) -> None:
        if self.fails is not None:
            raise self.fails
        self.sent.append(Piece(piece.offset, bytes(piece.data), piece.end))

    @property
    def bytes(self) -> int:
        return sum(len(piece.data) for piece in self.sent)

    def cut(self) -> None:
        self.log.append("cut")

    def rest(self) -> bool:
        self.log.append("rest")
        return self.useful

    def leave(self) -> None:
        self.log.append("leave")


class Lines:
    """Gives those that it was given.

    :ivar asked: for one.
    """

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.given: Queue[Line | BaseException | None] = Queue()
        self.closed = threading.Event()

    def line(self) -> Line | None:
        self.asked.set()
        line = self.given.get(timeout=PATIENCE)
        if isinstance(line, BaseException):
            raise line
        return line

    def close(self) -> None:
        self.closed.set()


class Scene:
    """A sender whose first line is there."""

    def __init__(self, seconds: float = 60.0) -> None:
        self.lines = Lines()
        self.over = threading.Event()
        self.given_up: list[str] = []
        self.sender = Sender(Patience(seconds, self.over), self.lines, self.given_up.append)

    def line(self, accepted: int | None = None, pieces: int = 1000) -> Line:
        line = Line(accepted, pieces)
        self.lines.given.put(line)
        return line

    def end(self) -> None:
        self.over.set()
        self.sender.fail("the test is over")
        self.lines.given.put(None)
        assert self.lines.closed.wait(PATIENCE)


@pytest.fixture
def scene() -> Iterator[Scene]:
    scene = Scene()
    yield scene
    scene.end()


def test_small_writes_are_joined_and_large_ones_cut(scene: Scene) -> None:
    scene.sender.write(b"0")
    assert scene.lines.asked.wait(PATIENCE)  # what comes now has to wait
    for number in range(1, 10):
        scene.sender.write(b"%d" % number)
    scene.sender.write(b"x" * (2 * PIECE_BYTES + 5))
    scene.sender.write(b"end")
    line = scene.line()
    assert eventually(lambda: line.bytes == 2 * PIECE_BYTES + 18)
    assert [(piece.offset, len(piece.data)) for piece in line.sent] == [
        (0, 1),
        (1, 9),
        (10, PIECE_BYTES),
        (10 + PIECE_BYTES, PIECE_BYTES),
        (10 + 2 * PIECE_BYTES, 8),
    ]
    assert b"".join(bytes(piece.data) for piece in line.sent) == b"0123456789" + b"x" * (2 * PIECE_BYTES + 5) + b"end"


def test_no_more_than_the_window_is_under_way(scene: Scene) -> None:
    line = scene.line()
    scene.sender.write(b"x" * (WINDOW_BYTES + 3 * PIECE_BYTES))
    assert eventually(lambda: line.bytes == WINDOW_BYTES)
    scene.sender.tell(Accepted(PIECE_BYTES + 1))
    assert eventually(lambda: line.bytes == WINDOW_BYTES + PIECE_BYTES)
    time.sleep(0.02)
    assert line.bytes == WINDOW_BYTES + PIECE_BYTES


def test_no_more_pieces_than_a_line_carries(scene: Scene) -> None:
    line = scene.line(pieces=2)
    scene.sender.write(b"x" * (5 * PIECE_BYTES))
    assert eventually(lambda: len(line.sent) == 2)
    scene.sender.tell(Accepted(PIECE_BYTES))
    assert eventually(lambda: len(line.sent) == 3)
    time.sleep(0.02)
    assert len(line.sent) == 3


def test_what_was_not_accepted_goes_again(scene: Scene) -> None:
    first = scene.line()
    for letter in (b"a", b"b", b"c"):
        scene.sender.write(letter * PIECE_BYTES)
    assert eventually(lambda: len(first.sent) == 3)
    scene.sender.tell(Accepted(PIECE_BYTES))
    second = scene.line()
    scene.sender.tell(Broken(first))
    assert eventually(lambda: len(second.sent) == 2)
    assert second.sent == first.sent[1:]
    assert first.log == ["cut"]
    scene.sender.tell(Broken(first))  # again, when nobody asks for it any more
    third = scene.line(accepted=2 * PIECE_BYTES + 10)
    scene.sender.tell(Broken(second, ConnectionResetError("cut")))
    assert eventually(lambda: len(third.sent) == 1)
    assert third.sent == first.sent[2:]  # its first 10 bytes are there already: the server drops them


def test_a_line_that_fails_while_it_carries(scene: Scene) -> None:
    first = scene.line()
    first.fails = ConnectionResetError("cut")
    second = scene.line()
    scene.sender.write(b"all of it")
    assert eventually(lambda: second.bytes == 9)
    assert first.log == ["cut"]


def test_the_end_comes_last(scene: Scene) -> None:
    line = scene.line()
    scene.sender.write(b"x")
    scene.sender.close()
    scene.sender.close()
    with pytest.raises(OSError, match="it was closed here"):
        scene.sender.write(b"y")
    assert eventually(lambda: line.sent and line.sent[-1].end)
    assert [(piece.offset, piece.data) for piece in line.sent if piece.data] == [(0, b"x")]
    again = scene.line()
    scene.sender.tell(Broken(line))
    assert eventually(lambda: again.sent == line.sent)
    scene.sender.tell(Accepted(1))
    scene.sender.tell(Accepted(1, end=True))
    assert scene.lines.closed.wait(PATIENCE)
    assert again.log == ["leave"]


def test_patience_comes_to_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patiences, "FIRST_PAUSE", 0.001)
    scene = Scene(seconds=0.02)
    for _ in range(100):
        scene.lines.given.put(ConnectionRefusedError("nobody listens"))
    scene.sender.write(b"x")
    assert scene.lines.closed.wait(PATIENCE)
    scene.sender.fail("what comes of it")
    with pytest.raises(OSError, match="the connection is lost: nobody listens"):
        scene.sender.write(b"y")
    assert scene.given_up == ["the connection is lost: nobody listens"]


def test_a_process_that_does_not_read_is_nobodys_fault() -> None:
    """However often it is tried; only where nobody answers at all does it count."""
    scene = Scene(seconds=0.0)
    for _ in range(20):
        scene.line().fails = TimeoutError("not now")
    last = scene.line()
    scene.sender.write(b"x")
    assert eventually(lambda: last.bytes == 1)
    scene.end()


def test_who_has_nothing_to_say_rests(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(senders, "REST_SECONDS", 0.01)
    kept, closed = scene.line(), None
    scene.sender.write(b"x")
    assert eventually(lambda: kept.bytes == 1)
    time.sleep(0.03)
    assert kept.log == []  # something is under way
    scene.sender.tell(Accepted(1))
    assert eventually(lambda: kept.log.count("rest") >= 2)
    kept.useful = False
    closed = scene.line()
    assert eventually(lambda: kept.log[-1] == "rest")
    scene.sender.write(b"y")
    assert eventually(lambda: kept.bytes + closed.bytes == 2)


def test_somebody_else_writes_too(scene: Scene) -> None:
    """What we sent was dropped, as there was something at its place: better no gateway than a confused one."""
    line = scene.line()
    scene.sender.write(b"x")
    assert eventually(lambda: line.bytes == 1)
    scene.sender.tell(Accepted(2))
    assert scene.lines.closed.wait(PATIENCE)
    with pytest.raises(OSError, match="somebody else writes to the process"):
        scene.sender.write(b"y")
    assert scene.given_up == ["somebody else writes to the process, too"]


# ---- room


def test_who_writes_too_much_waits(scene: Scene) -> None:
    scene.line()
    scene.sender.write(bytes(ROOM_BYTES + 1))  # one write may be larger
    written = threading.Event()

    def write() -> None:
        scene.sender.write(bytes(10))
        written.set()

    thread = threading.Thread(target=write)
    thread.start()
    assert not written.wait(0.02)
    scene.sender.write(bytes(9))  # a message without content, which the garbage collector may send
    scene.sender.tell(Accepted(WINDOW_BYTES))
    assert written.wait(PATIENCE)
    thread.join()


def test_who_reads_does_not_wait(scene: Scene) -> None:
    scene.line()
    scene.sender.reads()
    for _ in range(3):
        scene.sender.write(bytes(ROOM_BYTES))


def test_who_waits_is_told_of_the_end(scene: Scene) -> None:
    failed: list[str] = []

    def write() -> None:
        try:
            scene.sender.write(bytes(10))
        except OSError as error:
            failed.append(str(error))

    scene.sender.write(bytes(ROOM_BYTES))
    thread = threading.Thread(target=write)
    thread.start()
    scene.sender.fail("the worker has ended")
    thread.join(PATIENCE)
    assert failed == ["the worker has ended"]
    assert scene.given_up == []


def test_the_collector_may_come_at_any_time(gateway: execnet.Gateway) -> None:
    """Channels are collected in the middle of writes, in whatever thread, and their ends sent from there."""
    channel = echo(gateway)
    thresholds = gc.get_threshold()

    def cycle() -> None:
        other = gateway.newchannel()
        ring: list[object] = [other]
        ring.append(ring)

    gc.set_threshold(1)
    try:
        for number in range(200):
            cycle()
            channel.send((number, b"." * number))
            assert channel.receive(PATIENCE) == (number, b"." * number)
    finally:
        gc.set_threshold(*thresholds)


# ---- patience


def test_pauses_grow_and_begin_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    class Clock(threading.Event):
        now = 0.0
        pauses: list[float]

        def wait(self, timeout: float | None = None) -> bool:
            assert timeout is not None
            self.pauses.append(round(timeout, 3))
            self.now += timeout
            return False

    clock = Clock()
    clock.pauses = []
    monkeypatch.setattr(time, "monotonic", lambda: clock.now)
    patience = Patience(10.0, clock)
    for _ in range(10):
        patience.fail(OSError("gone"))
    with pytest.raises(OSError, match="gone"):
        patience.fail(OSError("gone"))
    assert clock.pauses == [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 2.0, 2.0]
    clock.pauses.clear()
    patience.worked()
    patience.fail(OSError("gone"), 1.0)
    patience.fail(OSError("gone"), 100.0)
    assert clock.pauses == [1.0, 2.0]
    patience.worked()
    clock.set()
    with pytest.raises(OSError, match="gone"):
        patience.fail(OSError("gone"))
