"""What holds back whom: paused children, readers that take over, input that waits, bodies that are too long."""

from __future__ import annotations

import hashlib
import os
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

from exec.asking import Api, until
from wire import PATIENCE, Server

from webshell.feed import OFFERS
from webshell.limits import SCROLLBACK_BYTES
from webshell.web.exec.input import INPUT_BYTES

HUNDRED = 100 << 20
PIECE = bytes(range(256)) * 256

FLOOD = "import os\ndata = bytes(range(256)) * 4096\nfor _ in range(100): os.write(1, data)\nos.write(2, b'done')"
DIGEST = "digest = hashlib.sha256()\nwhile data := os.read(0, 65536): digest.update(data)\nprint(digest.hexdigest())"
COUNT = "import os,sys\ntotal = 0\nwhile data := os.read(0, 1 << 20): total += len(data)\nprint(total)"


# ---- case 4


def test_case_4_a_hundred_megabytes_that_nobody_reads(server: Server, api: Api) -> None:
    name = api.python(FLOOD)
    until(lambda: api.status(name)["out"]["end"] >= SCROLLBACK_BYTES, "the scrollback is full")
    time.sleep(0.1)  # what is not to happen: more
    status = api.status(name)
    assert status["out"]["base"] == 0
    assert status["out"]["end"] <= SCROLLBACK_BYTES + (1 << 20)
    assert status["state"] == "running"
    digest, off = hashlib.sha256(), 0
    while True:
        with api.streaming(f"exec/{name}?off={off}") as stream:
            if stream.status == 204:
                assert stream.headers["X-Eof"] == "1"
                break
            assert stream.status == 200
            while data := stream.read1(1 << 18):
                digest.update(data)
                off += len(data)
    assert off == HUNDRED
    expected = hashlib.sha256()
    for _ in range(HUNDRED // len(PIECE)):
        expected.update(PIECE)
    assert digest.digest() == expected.digest()
    assert api.status(name)["err"]["end"] == 4
    below = api.read(name, 0)  # case 8: below what is kept
    status = api.status(name)
    assert (below.status, below.headers["x-range"]) == (416, f"{status['out']['base']}-{HUNDRED}")
    assert status["out"]["base"] > 0


# ---- case 7


def test_case_7_the_newest_reader_wins(api: Api) -> None:
    name = api.popen("cat")
    with api.streaming(f"exec/{name}?off=0") as first:
        api.feed(name, b"one")
        assert first.read(3) == b"one"
        refused = api.read(name, 3, more="&excl=1")
        assert (refused.status, refused.json["error"]) == (409, "occupied")
        with api.streaming(f"exec/{name}?off=3") as second:
            assert first.read() == b""  # a clean end
            api.feed(name, b"two")
            assert second.read(3) == b"two"
    until(lambda: not api.status(name)["reader"], "the second reader has left")
    assert api.read(name, 6, poll=0, more="&excl=1").status == 204
    api.ask("DELETE", f"exec/{name}")


def test_a_reader_that_polls_gives_way(api: Api) -> None:
    name = api.popen("cat")
    with ThreadPoolExecutor() as pool:
        first = pool.submit(api.read, name)
        until(lambda: api.status(name)["reader"], "the first reader is there")
        second = pool.submit(api.read, name)
        assert first.result().status == 204
        api.feed(name, b"one")
        assert second.result().body == b"one"
    api.ask("DELETE", f"exec/{name}")


# ---- case 9, with many at once


def test_case_9_pieces_from_eight_threads(api: Api) -> None:
    name = api.python("import os\nwhile data := os.read(0, 65536): os.write(1, data)")
    pieces = [b"%07d " % number for number in range(800)]
    offsets = [8 * number for number in range(800)]
    ready = threading.Lock()
    todo = list(zip(offsets, pieces, strict=True))

    def send() -> None:
        connection = api.connection()
        while True:
            with ready:
                if not todo:
                    break
                off, data = todo.pop(0)
            while True:  # whoever comes too early, comes again; now and then somebody sends twice
                answer = api.ask_on(connection, "POST", f"exec/{name}?off={off}", data)
                if answer.status == 409:
                    assert int(answer.headers["x-in-off"]) < off
                    continue
                assert answer.status == 204
                if off % 7:
                    break
                off += 1
                data = data[1:]
        connection.close()

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    expected = b"".join(pieces)
    assert api.read_until(name, lambda output: len(output) >= len(expected)) == expected
    for thread in threads:
        thread.join()
    assert api.status(name)["in"] == len(expected)
    api.ask("DELETE", f"exec/{name}")


# ---- case 11


def test_case_11_a_body_that_is_too_long_is_not_read(server: Server, api: Api) -> None:
    name = api.popen("cat")
    parts = urlsplit(api.url)
    for framing in (f"Content-Length: {INPUT_BYTES + 1}", f"Content-Length: {1 << 40}\r\nExpect: 100-continue"):
        with socket.create_connection((parts.hostname or "", parts.port or 0), PATIENCE) as wire:
            head = f"POST /exec/{name} HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {api.token}\r\n"
            wire.sendall(f"{head}{framing}\r\n\r\n".encode())
            answer = b""
            while not answer.endswith(b"}\n"):  # without a byte of the body
                piece = wire.recv(65536)
                assert piece, answer
                answer += piece
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b'"error": "limit"' in answer
    assert api.status(name)["in"] == 0
    api.ask("DELETE", f"exec/{name}")


def test_case_11_the_longest_body_is_no_file(server: Server, api: Api) -> None:
    name = api.python(COUNT)
    opened: set[str] = set()
    watching = threading.Event()

    def watch() -> None:
        while not watching.is_set():
            for entry in Path(f"/proc/{server.pid}/fd").iterdir():
                try:
                    opened.add(os.readlink(entry))
                except OSError:
                    continue

    thread = threading.Thread(target=watch)
    thread.start()
    off = 0
    for _ in range(25):  # a hundred megabytes, as a client splits them
        assert api.feed(name, b"x" * INPUT_BYTES, off).status == 204
        off += INPUT_BYTES
    watching.set()
    thread.join()
    assert api.feed(name, b"", eof=True).status == 204
    assert api.read_until(name) == b"%d\n" % HUNDRED
    assert not {name for name in opened if "(deleted)" in name or name.startswith("/tmp/tmp")}


# ---- case 12


def test_case_12_a_child_that_does_not_read(server: Server, api: Api) -> None:
    name = api.python("import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)\n" + COUNT)
    other = api.popen("cat")
    until(lambda: _state(api.status(name)["pid"]) == "T", "the child is stopped")
    before = server.memory()
    with ThreadPoolExecutor(16) as pool:
        piece = b"x" * (1 << 20)
        sent = [pool.submit(api.feed, name, piece, number << 20) for number in range(12)]
        until(lambda: api.status(name)["in"] >= 1 << 20, "what there is room for is accepted")
        for number in range(20):  # others go on
            api.feed(other, b"%02d" % number)
            assert api.read_until(other, lambda output: len(output) == 2, off=2 * number) == b"%02d" % number
        assert api.status(name)["in"] <= 2 << 20
        assert server.memory() - before < 80 << 20
        assert api.ask("POST", f"exec/{name}/signal", "CONT").status == 204
        answers = [one.result() for one in sent]
    done = sum(1 for answer in answers if answer.status == 204)
    assert {answer.status for answer in answers} <= {204, 409}  # who overtook another one comes again
    assert done
    off = api.status(name)["in"]
    while off < 50 << 20:
        answer = api.feed(name, piece, off)
        assert answer.status == 204
        off = int(answer.headers["x-in-off"])
    api.feed(name, b"", off, eof=True)
    assert api.read_until(name) == b"%d\n" % off
    api.ask("DELETE", f"exec/{other}")


def test_case_10_a_body_that_waits_when_its_connection_is_cut(api: Api) -> None:
    name = api.python(f"import os, signal, hashlib\nos.kill(os.getpid(), signal.SIGSTOP)\n{DIGEST}")
    until(lambda: _state(api.status(name)["pid"]) == "T", "the child is stopped")
    body = bytes(range(251)) * (3 << 12)  # 251: no piece looks like another one
    connection = api.connection()
    connection.putrequest("POST", f"/exec/{name}?off=0")
    connection.putheader("Authorization", f"Bearer {api.token}")
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body)
    until(lambda: api.status(name)["in"] >= 1 << 20, "what there is room for is accepted")
    accepted = api.status(name)["in"]
    assert accepted < len(body)
    connection.close()
    with ThreadPoolExecutor() as pool:
        again = pool.submit(api.feed, name, body, 0)  # it does not know how much
        assert api.ask("POST", f"exec/{name}/signal", "CONT").status == 204
        assert again.result().headers["x-in-off"] == str(len(body))
    assert api.feed(name, b"", len(body), eof=True).status == 204
    assert api.read_until(name).decode().strip() == hashlib.sha256(body).hexdigest()


def test_input_that_waits_is_bounded(api: Api) -> None:
    name = api.popen("sleep", "600")
    with ThreadPoolExecutor(OFFERS + 1) as pool:
        waiting = [pool.submit(api.feed, name, b"x" * (1 << 20), 0) for _ in range(2)]
        until(lambda: api.status(name)["in"] >= 1 << 20, "what there is room for is accepted")
        more = [pool.submit(api.feed, name, b"x" * (3 << 20)) for _ in range(6)]
        until(lambda: any(one.done() for one in more), "one is refused")
        refused = [one.result() for one in more if one.done()]
        assert all(one.status == 503 and one.json["error"] == "input-full" for one in refused)
        assert all("x-in-off" in one.headers and "retry-after" in one.headers for one in refused)
        api.ask("DELETE", f"exec/{name}?signal=KILL")
        # what waits for a child that is dying gets there, or is told
        assert {one.result().status for one in [*waiting, *more]} <= {204, 410, 503}


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
