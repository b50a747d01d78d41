"""The benchmarks' client: it counts right, whatever the frames are, and the report says what was measured."""

from __future__ import annotations

import os
import socket
import struct
import threading
from collections import defaultdict

import pytest

from benchmarks.graph import drawn
from benchmarks.null import null
from benchmarks.page import SECONDS, Times, lines
from benchmarks.report import cells, replaced
from benchmarks.targets import Promise, Row, at_least, within
from benchmarks.terminals import Terminal, Webshell
from benchmarks.websocket import CLOSE, MASK, PING, Closed, WebSocket, frame


def served(data: bytes, *, pieces: int) -> tuple[int, threading.Thread, bytearray]:
    """A port that answers one handshake and then sends *data* in so many bytes at a time; and what comes back."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(10)
    heard = bytearray()

    def serve() -> None:
        client, _ = listener.accept()
        client.settimeout(10)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        assert client.recv(1 << 16).endswith(b"\r\n\r\n")
        client.sendall(b"HTTP/1.1 101 -\r\n\r\n")
        for at in range(0, len(data), pieces):
            client.sendall(data[at : at + pieces])
        client.shutdown(socket.SHUT_WR)
        while piece := client.recv(1 << 16):
            heard.extend(piece)
        client.close()
        listener.close()

    thread = threading.Thread(target=serve)
    thread.start()
    return listener.getsockname()[1], thread, heard


def unmasked(payload: bytes, opcode: int = 2) -> bytes:
    size = len(payload)
    if size < 126:
        return struct.pack("!BB", 0x80 | opcode, size) + payload
    if size < 1 << 16:
        return struct.pack("!BBH", 0x80 | opcode, 126, size) + payload
    return struct.pack("!BBQ", 0x80 | opcode, 127, size) + payload


def everything(client: Terminal) -> None:
    while True:
        try:
            client.turn()
        except Closed:
            client.close()
            return


@pytest.mark.parametrize("size", [125, 126, 4096, 65535, 65536])
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_counts_what_the_null_server_has_sent(size: int) -> None:
    assert null(1, size)["MB/s"] > 0  # it exits when it has miscounted


@pytest.mark.parametrize("pieces", [1, 2, 3, 7, 1000, 1 << 20])
def test_frames_in_any_pieces(pieces: int) -> None:
    payloads = [b"", b"a", b"b" * 125, b"c" * 126, b"d" * 300, b"e" * 70_000 if pieces > 3 else b"e" * 700]
    port, thread, heard = served(b"".join(map(unmasked, payloads)) + unmasked(b"ping", PING), pieces=pieces)
    client = Terminal(port, [])
    everything(client)
    thread.join()
    assert client.output_bytes == sum(map(len, payloads))
    assert client.socket.frames == len(payloads)
    assert client.seen.endswith(payloads[-1])
    assert heard == frame(b"ping", 10)


def test_only_the_end_is_looked_at() -> None:
    port, thread, _ = served(unmasked(b"x" * 60_000) * 50 + unmasked(b"DONE"), pieces=1 << 16)
    client = Terminal(port, [])
    client.skim(50 * 60_000)
    looked_at: list[int] = []
    client.socket.on_frame = lambda _, payload: looked_at.append(len(payload))
    everything(client)
    thread.join()
    assert client.output_bytes == 50 * 60_000 + 4
    assert looked_at[-1] == 4
    assert sum(looked_at) < 2_200_000


def test_a_close_frame_and_a_refusal_are_told() -> None:
    port, thread, _ = served(unmasked(b"\x03\xe8", CLOSE), pieces=1 << 16)
    client = WebSocket(port, "/")
    with pytest.raises(Closed):
        client.pump()
    client.close()
    thread.join()


def test_input_is_masked() -> None:
    payload = os.urandom(70_000)
    masked = frame(payload)
    assert masked[10:14] == MASK
    assert bytes(byte ^ MASK[at % 4] for at, byte in enumerate(masked[14:])) == payload


def test_messages_of_the_native_dialect_are_no_output_and_output_is_acknowledged() -> None:
    output = b"\1\0\0\0\1" + b"x" * 60_000
    port, thread, heard = served(unmasked(b'{"type": "presence"}', 1) + unmasked(output) * 2, pieces=999)
    client = Webshell(port, ["sh"])
    everything(client)
    thread.join()
    assert client.output_bytes == 120_000
    sent = frame(b'{"type": "ack", "process": 1, "offset": ', 1)[6:46]
    assert bytes(heard).count(sent) == 1


RESULTS = {"webshell": [{"MB/s": 90.0}, {"MB/s": 110.0}, {"MB/s": 100.0}], "ideal": [{"MB/s": 100.0}] * 3}
RESULTS["relay"] = [{"MB/s": 120.0}] * 3


@pytest.mark.parametrize(
    ("promise", "last"),
    [
        (at_least("MB/s", 0.95, "ideal"), ["1.00", "–", "yes"]),
        (at_least("MB/s", 1.05, "ideal"), ["1.00", "–", "**no**"]),
        (at_least("MB/s", 1.05, "ideal", limit="relay"), ["1.00", "relay 1.20", "**no**"]),
        (at_least("MB/s", 1.05, "ideal", limit="ttyd"), ["1.00", "–", "**no**"]),
        (at_least("MB/s", 1.5, "ttyd"), ["–", "–", "open"]),
        (within("MB/s", 99), ["100", "–", "**no**"]),
    ],
)
def test_a_promise_is_held_against_the_medians(promise: Promise, last: list[str]) -> None:
    row = Row("output", ("webshell", "ideal"), lambda *_: {}, (promise,))
    (line,) = cells(row, RESULTS)
    assert line[0] == "output"
    assert line[2] == "webshell 100 MB/s (90.0–110)"
    assert [*line[4:]] == last


def test_a_part_of_the_page_is_replaced() -> None:
    page = "a\n\n.. one:\n\nold\n\n.. end of one\n\nb\n"
    assert replaced(page, "one", "new") == "a\n\n.. one:\n\nnew\n\n.. end of one\n\nb\n"
    with pytest.raises(SystemExit):
        replaced(page, "two", "new")


def test_the_graph_has_every_point() -> None:
    names = ("MB", "idle % CPU", "active % CPU", "idle p50 µs", "active p50 µs", "idle p99 µs", "active p99 µs")
    points = [{"sessions": float(size), **dict.fromkeys(names, float(size))} for size in (1, 10, 100)]
    picture = drawn(points, "title")
    assert picture.count("<circle") == 3 * len(names)
    assert picture.count("<polyline") == len(names)


def test_what_a_page_has_not_drawn_in_time_is_no_comparison() -> None:
    times: Times = {side: defaultdict(list) for side in ("webshell", "other", "memory")}
    times["webshell"] |= {"cat": [10.0, 30.0, 20.0], "echo": [2.0]}
    times["other"] |= {"cat": [40.0], "echo": [SECONDS * 1000]}
    assert lines(times) == [
        ["milliseconds", "webshell", "other", "memory"],
        ["cat", "20", "40 (webshell: 0.50 ×)", "–"],
        ["echo", "2", "> 180000", "–"],
    ]
