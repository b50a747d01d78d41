"""Output and input over real connections to a real daemon: nothing lost, nobody in anybody's way, memory bounded."""

from __future__ import annotations

import hashlib
import random
import struct
import time

import pytest
from wire import PATIENCE, Server, WireClient

from webshell.limits import Limits

MEGABYTE = 1_000_000

# 64 kB blocks that all differ; the same on both ends of the wire
BLOCKS = (
    "import hashlib,sys\nfor i in range({count}): sys.stdout.buffer.write(hashlib.sha512(b'%d' % i).digest() * 1024)"
)


def block(number: int) -> bytes:
    return hashlib.sha512(b"%d" % number).digest() * 1024


def start(client: WireClient, **members: object) -> int:
    client.send({"type": "start", "id": 9, **members})
    number = client.expect("started")["process"]["process"]
    assert isinstance(number, int)
    return number


def flood(client: WireClient, count: int, **members: object) -> int:
    """Start a terminal that writes *count* blocks, unprocessed."""
    source = BLOCKS.format(count=count)
    return start(client, runner="exec", argv=["sh", "-c", f'stty raw; exec python3 -c "{source}"'], pty=True, **members)


def ends(server: Server) -> dict[str, int]:
    """The output offsets of all first processes, by session."""
    with server.client() as observer:
        observer.send({"type": "list", "id": 1})
        sessions = observer.expect("sessions")["sessions"]
    return {session["session"]: session["processes"][0]["end"] for session in sessions if session["processes"]}


def test_200_megabytes_arrive_identically_over_twenty_lost_connections(server: Server) -> None:
    count = 200 * MEGABYTE // 65536
    size = count * 65536
    chance = random.Random(20)
    cuts = sorted(chance.randrange(size) for _ in range(20))
    client = server.client()
    client.send({"type": "open", "id": 1})
    session = client.expect("attached")["session"]
    flood(client, count, keep="all")
    received = hashlib.sha256()
    offset = 0
    cut = 0
    while offset < size:
        if cut < len(cuts) and offset >= cuts[cut]:
            cut += 1
            client.close()
            client = server.client()
            client.send({"type": "attach", "id": 1, "session": session, "offsets": {"1": offset}})
            record = client.expect("attached")["processes"][0]
            assert record["offset"] == offset
            client.offsets[1] = offset
        _, _, data = client.output()
        received.update(data)
        offset += len(data)
    expected = hashlib.sha256()
    for number in range(count):
        expected.update(block(number))
    assert cut == 20
    assert received.hexdigest() == expected.hexdigest()
    assert client.expect("exited")["exit_code"] == 0
    assert not any(isinstance(frame, dict) and frame["type"] == "gap" for frame in client.passed)
    client.close()


@pytest.mark.parametrize("dialect", [("webshell.v1",), ()], ids=["native", "plain"])
def test_a_client_that_never_reads_costs_no_memory_and_stops_only_its_own_child(
    server: Server, dialect: tuple[str, ...]
) -> None:
    others = server.open()
    start(others, runner="exec", argv=["cat"])
    before = server.memory()
    stuck = server.client(subprotocols=dialect, receive_buffer=4096)
    if dialect:
        stuck.send({"type": "open", "id": 1})
        session = stuck.expect("attached")["session"]
        start(stuck, runner="exec", argv=["yes"], pty=True)
    else:
        known = set(ends(server))
        stuck.send("yes")
        session = ""
        while not session:
            session = next(iter(set(ends(server)) - known), "")
    last, now = -1, ends(server)[session]
    deadline = time.monotonic() + PATIENCE
    while now != last:  # it stands still once every buffer on the way is full
        assert time.monotonic() < deadline
        for _ in range(20):  # meanwhile others are served
            others.type("x")
            assert others.output()[2] == b"x"
        last, now = now, ends(server)[session]
    assert now < 16 * MEGABYTE
    assert server.memory() - before < 12 * MEGABYTE
    stuck.close()
    others.close()


def test_a_stuck_viewer_does_not_slow_the_live_one_and_is_told_what_it_lost(server: Server) -> None:
    live = server.client()
    live.send({"type": "open", "id": 1})
    session = live.expect("attached")["session"]
    stuck = server.client(server.view_token, receive_buffer=4096)
    stuck.send({"type": "attach", "id": 1, "session": session})
    stuck.expect("attached")
    count = 40 * MEGABYTE // 65536
    process = flood(live, count)
    received = hashlib.sha256()
    offset = 0
    while offset < count * 65536:
        _, _, data = live.output()
        received.update(data)
        offset += len(data)
    expected = hashlib.sha256(b"".join(block(number) for number in range(count)))
    assert received.hexdigest() == expected.hexdigest()  # all of it, while the other stood still
    stuck.expect("started")
    position = 0
    gap = 0
    while True:
        frame = stuck.receive()
        if isinstance(frame, bytes):
            assert (
                frame[5:]
                == b"".join(block(number) for number in range(position // 65536, (position + len(frame)) // 65536 + 1))[
                    position % 65536 :
                ][: len(frame) - 5]
            )
            position += len(frame) - 5
            stuck.send({"type": "ack", "process": process, "offset": position})
        elif isinstance(frame, dict) and frame["type"] == "gap":
            assert frame["offset"] == position + frame["lost"]
            position = frame["offset"]
            gap += frame["lost"]
        elif isinstance(frame, dict) and frame["type"] == "exited":
            break
    assert position == count * 65536
    assert gap > 0
    live.close()
    stuck.close()


def test_ctrl_c_ends_a_flood_and_the_prompt_is_back(server: Server) -> None:
    with server.open() as client:
        process = start(client, runner="exec", argv=["sh", "-i"], pty=True, env={"PS1": "ready> "})
        client.until(lambda output: output.endswith(b"ready> "))
        client.type("yes\r", process)
        client.until(lambda output: len(output) > 3 * MEGABYTE)
        client.type("\x03", process)
        assert b"^C" in client.until(lambda output: output.endswith(b"ready> "))


def test_the_window_is_never_exceeded_and_an_ack_moves_it(server: Server) -> None:
    with server.client() as client:
        client.send({"type": "open", "id": 1})
        client.expect("attached")
        process = start(client, runner="exec", argv=["yes"])
        window = Limits().window
        got = 0
        while got < window:
            frame = client.receive()
            got += len(frame) - 5 if isinstance(frame, bytes) else 0
        client.send({"type": "ping", "id": 2})
        assert client.receive() == {"type": "pong", "taken": {}, "id": 2}  # and not one byte more before it
        assert got == window
        client.send({"type": "ack", "process": process, "offset": 1000})
        more = client.receive()
        assert isinstance(more, bytes)
        assert len(more) == 1005


def test_a_large_paste_arrives_intact_by_the_input_window(server: Server) -> None:
    text = b"".join(b"%07d line of a paste\n" % number for number in range(40_000))  # 1 MB
    with server.open() as client:
        target = server.home / "pasted"
        process = start(client, runner="sh", line=f"stty -echo; echo ready; cat >{target}", pty=True)
        client.until(lambda output: b"ready" in output, process)
        taken = sent = 0
        while taken < len(text):
            while sent < len(text) and sent - taken + 32768 <= 256 << 10:
                client.type(text[sent : sent + 32768], process, kind=2)
                sent = min(len(text), sent + 32768)
            client.send({"type": "ping", "id": 3})
            frame = client.receive()
            if isinstance(frame, dict) and frame["type"] in ("taken", "pong"):
                taken = frame["count"] if frame["type"] == "taken" else frame["taken"].get(str(process), 0)
        client.send({"type": "eof", "process": process, "id": 4})
        assert client.expect("exited")["exit_code"] == 0
        assert target.read_bytes() == text


def test_too_much_input_is_refused_and_nothing_else_is_in_its_way(server: Server) -> None:
    with server.open() as client:
        asleep = start(client, runner="exec", argv=["sleep", "1000"])
        awake = start(client, runner="exec", argv=["cat"])
        for _ in range(9):  # the pipe takes 64 kB, then 256 kB may wait
            client.type(b"x" * 60_000, asleep)
        client.type("still here", awake)
        client.send({"type": "stop", "process": asleep, "grace": 1, "id": 5})
        seen: list[object] = []
        while not {"error", "exited"} <= {f["type"] for f in seen if isinstance(f, dict)} or not any(
            isinstance(f, bytes) for f in seen
        ):
            seen.append(client.receive())
        refused = next(frame for frame in seen if isinstance(frame, dict) and frame["type"] == "error")
        assert refused["code"] == "input-full"
        assert struct.pack("!BI", 1, awake) + b"still here" in seen


def test_input_typed_around_a_cut_arrives_once(server: Server) -> None:
    with server.client() as first:
        first.send({"type": "open", "id": 1, "client": "me"})
        session = first.expect("attached")["session"]
        process = start(first, runner="exec", argv=["cat"])
        first.type("one ", process)
        assert first.until(lambda output: output == b"one ", process)
        first.type("two ", process)
    with server.client() as second:
        second.send({"type": "attach", "id": 1, "session": session, "client": "me", "offsets": {str(process): 4}})
        taken = second.expect("attached")["processes"][0]["taken"]
        assert taken in (4, 8)  # "two " may have been lost with the connection
        second.type(b"one two three"[taken:], process)
        second.until(lambda output: output == b"two three", process)


def test_a_viewer_sees_everything_and_changes_nothing(server: Server) -> None:
    with server.client() as owner, server.client(server.view_token) as viewer:
        owner.send({"type": "open", "id": 1})
        session = owner.expect("attached")["session"]
        process = start(owner, runner="exec", argv=["cat"], pty=True)
        viewer.send({"type": "attach", "id": 1, "session": session})
        viewer.expect("attached")
        forbidden: list[dict[str, object]] = [
            {"type": "open"},
            {"type": "start", "runner": "sh", "line": "id"},
            {"type": "resize", "process": process, "rows": 2, "cols": 2},
            {"type": "signal", "process": process, "signal": "KILL"},
            {"type": "stop", "process": process},
            {"type": "eof", "process": process},
            {"type": "input", "process": process, "text": "rm"},
            {"type": "input", "process": process, "text": "\x1b[1;1R", "kind": "answer"},
            {"type": "rename", "name": "mine"},
            {"type": "remove", "process": process},
            {"type": "close"},
        ]
        for number, request in enumerate(forbidden, 100):
            viewer.send({**request, "id": number})
            while True:
                answer = viewer.receive()
                if isinstance(answer, dict) and answer.get("id") == number:
                    break
            assert (answer["type"], answer["code"]) == ("error", "not-allowed"), request
        viewer.type("typed", process)
        refused = viewer.receive()
        assert isinstance(refused, dict)
        assert refused["code"] == "not-allowed"
        owner.type("hello\r", process)
        assert owner.until(lambda output: output.endswith(b"hello\r\nhello\r\n"), process) == b"hello\r\nhello\r\n"
        assert viewer.until(lambda output: output.endswith(b"hello\r\nhello\r\n"), process) == b"hello\r\nhello\r\n"


def test_closing_the_last_connection_of_a_session_without_linger_ends_its_children(server: Server) -> None:
    farewell = server.home / "farewell"
    # said by the shell itself, a program that it started would be stopped, too; and the shell looks at its traps soon
    line = f"trap 'echo >{farewell}; exit' TERM HUP; echo up; while :; do sleep 0.05; done"
    with server.client() as client:
        client.send({"type": "open", "id": 1, "linger": 0})
        session = client.expect("attached")["session"]
        process = start(client, runner="sh", line=line)
        client.until(lambda output: output == b"up\n", process)
    deadline = time.monotonic() + PATIENCE
    while session in ends(server) or not farewell.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_connection_that_says_too_much_is_closed_with_the_right_code(server: Server) -> None:
    with server.client() as large:
        large.send(b"x" * ((1 << 20) + 1))
        assert large.gone() == 1009
    with server.client() as fragmented:
        fragmented.socket.sendall(b"\x01\x80\0\0\0\0" + b"\x00\x80\0\0\0\0" * 2000)
        assert fragmented.gone() == 1008
    with server.client() as unmasked:
        unmasked.socket.sendall(b"\x81\x02{}")
        assert unmasked.gone() == 1002
    with server.client() as garbled:
        garbled.socket.sendall(b"\x81\x82\0\0\0\0\xff\xff")
        assert garbled.gone() == 1007


def test_a_client_that_asks_and_never_reads_answers_is_dropped(server: Server) -> None:
    before = server.memory()
    with server.client(receive_buffer=4096) as client:
        request = {"type": "list", "id": "x" * 60}
        dropped = False
        for _ in range(1_000_000):
            try:
                client.send(request)
            except OSError:
                dropped = True
                break
        assert dropped
    assert server.memory() - before < 20 * MEGABYTE
