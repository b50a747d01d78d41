"""A process over a WebSocket: both directions by offset, credit, ends (cases 5, 7, 8, 10, 12, 13)."""

from __future__ import annotations

import threading
import time
from functools import partial

import pytest
from exec.asking import Api, Line, until
from wire import Refused, Server

from webshell.limits import SCROLLBACK_BYTES
from webshell.web.exec.talk import INPUT_BYTES


def enough(line: Line, size: int) -> bool:
    """Whether so much has arrived."""
    return len(line.read) >= size


CAT = "import os\nwhile data := os.read(0, 65536): os.write(1, data)"


@pytest.mark.parametrize("offer", [False, True])
def test_both_directions(api: Api, offer: bool) -> None:
    name = api.python(CAT)
    with Line(api, name, 0, offer=offer) as line:
        assert line.subprotocol == ("webshell.exec" if offer else None)
        line.more()
        assert line.told == [{"off": 0, "in": 0, "window": INPUT_BYTES}]
        line.send(b"hello")
        line.send(b" there")
        line.go_on(lambda: len(line.read) == 11)
        line.go_on(lambda: line.accepted == 11)
        line.send({"eof": True})
        assert line.go_on() == (4000, "exit 0")
        assert line.read == b"hello there"


def test_who_reads_is_seen_and_what_was_read_is_not_kept_for_ever(api: Api) -> None:
    name = api.python("import os\nfor _ in range(64): os.write(1, bytes(65536))\nos.read(0, 1)")
    with Line(api, name) as line:
        line.go_on(lambda: len(line.read) == 64 << 16)
        assert api.status(name)["reader"]
        assert api.status(name)["out"]["base"] > 0
    until(lambda: not api.status(name)["reader"], "it has left")
    api.ask("DELETE", f"exec/{name}")


def test_who_does_not_acknowledge_gets_no_more_than_the_bound(api: Api) -> None:
    name = api.python("import os\nwhile True: os.write(1, bytes(65536))")
    with Line(api, name) as line:
        while len(line.read) < SCROLLBACK_BYTES:
            line.more(ack=False)
        assert len(line.read) <= SCROLLBACK_BYTES + (1 << 16)
        line.socket.settimeout(0.3)
        with pytest.raises(TimeoutError):
            line.more()
        line.socket.settimeout(30)
        line.send({"ack": len(line.read)})
        before = len(line.read)
        line.go_on(lambda: len(line.read) > before + (2 << 20))
    api.ask("DELETE", f"exec/{name}?signal=KILL")


def test_case_7_the_newest_wins(api: Api) -> None:
    name = api.popen("cat")
    with Line(api, name) as first:
        first.send(b"one")
        first.go_on(lambda: first.read == b"one")
        with Line(api, name, 0, "&excl=1") as refused:
            assert refused.go_on() == (4009, "occupied")
            assert refused.told[0]["error"] == "occupied"
        with Line(api, name, 3) as second:
            assert first.go_on()[0] == 4001
            second.send(b"two")
            second.go_on(lambda: second.read == b"two")
            with api.streaming(f"exec/{name}?off=6") as stream:  # however it is read
                assert second.go_on()[0] == 4001
                api.feed(name, b"three")
                assert stream.read(5) == b"three"
    api.ask("DELETE", f"exec/{name}")


@pytest.mark.parametrize(
    ("path", "code", "reason", "error"),
    [
        ("x.1?off=0", 4004, "no-process", "no-process"),
        ("NAME?off=9", 4016, "range 0-0", "out-of-range"),
    ],
)
def test_cases_5_and_8_what_is_not_there(api: Api, path: str, code: int, reason: str, error: str) -> None:
    name = api.popen("cat")
    with Line(api, path.partition("?")[0].replace("NAME", name), int(path[-1])) as line:
        assert line.go_on() == (code, reason)
        assert line.told[0]["error"] == error
    api.ask("DELETE", f"exec/{name}")


def test_case_5_what_is_gone(api: Api) -> None:
    name = api.popen("false")
    assert api.wait(name) == 1
    with Line(api, name, 0) as line:
        assert line.go_on() == (4000, "exit 1")
    assert api.ask("DELETE", f"exec/{name}").status == 204
    with Line(api, name, 0) as line:
        assert line.go_on() == (4010, "exit 1")
        assert line.told == [
            {"error": "gone", "message": f"the process {name} has ended and was cleaned up", "exit": 1}
        ]


def test_case_10_cut_and_come_back(api: Api) -> None:
    name = api.python(CAT)
    lines = [b"%06d\n" % number for number in range(3000)]
    expected = b"".join(lines)
    output, accepted, cuts = b"", 0, 0
    while len(output) < len(expected):
        with Line(api, name, len(output)) as line:
            line.more()
            accepted = line.accepted
            assert len(output) <= accepted <= len(expected)
            while accepted < len(expected) and accepted < (cuts + 1) * 3500:
                line.send(expected[accepted : accepted + 700])
                accepted += 700
            left = min(1000, len(expected) - len(output))
            line.go_on(partial(enough, line, left))
            output += line.read
            cuts += 1
    assert output == expected
    assert cuts >= 6
    with Line(api, name, len(output)) as line:
        line.send({"eof": True})
        assert line.go_on() == (4000, "exit 0")


def test_input_that_is_sent_again(api: Api) -> None:
    name = api.python(CAT)
    with Line(api, name) as line:
        line.send(b"abcdef")
        line.send({"in": 0})
        line.send(b"abc")
        line.send({"in": 4})
        line.send(b"efgh")
        line.go_on(lambda: len(line.read) == 8)
        assert line.read == b"abcdefgh"
        line.send({"in": 99})
        line.send(b"x")
        assert line.go_on() == (4009, "out-of-order")
    api.ask("DELETE", f"exec/{name}")


def test_case_12_input_that_waits_is_bounded(api: Api) -> None:
    name = api.popen("sleep", "600")
    with Line(api, name) as line:
        line.more()
        piece = bytes(1 << 19)
        for _ in range(INPUT_BYTES // len(piece)):
            line.send(piece)
        line.go_on(lambda: line.accepted >= 1 << 20)
        assert api.status(name)["in"] < 2 << 20
        for _ in range(4):
            line.send(piece)
        assert line.go_on() == (4013, "input-full")
    with Line(api, name) as line:  # what was not accepted is not there
        line.more()
        assert line.accepted == api.status(name)["in"] < 2 << 20
    api.ask("DELETE", f"exec/{name}?signal=KILL")


def test_case_13_a_flood_both_ways(api: Api) -> None:
    name = api.python(CAT)
    total = 800 * 65536
    piece = bytes(range(256)) * 256
    one_at_a_time, room = threading.Lock(), threading.Condition()
    with Line(api, name) as line:
        line.more()

        def send(frame: bytes | dict[str, int]) -> None:
            with one_at_a_time:
                line.send(frame)

        def flood() -> None:
            for end in range(len(piece), total + 1, len(piece)):
                with room:
                    assert room.wait_for(lambda: end - line.accepted <= INPUT_BYTES, 30)  # noqa: B023
                send(piece)

        thread = threading.Thread(target=flood)
        thread.start()
        received = 0
        while received < total:
            frame = line.receive()
            if isinstance(frame, bytes):
                received += len(frame)
                send({"ack": received})
            else:
                assert isinstance(frame, dict)
                with room:
                    line.told.append(frame)
                    room.notify()
        thread.join()
    assert api.status(name)["in"] == total
    api.ask("DELETE", f"exec/{name}")


@pytest.mark.parametrize("message", ["{", "[]", '{"ack": "x"}', '{"ack": -1}', '{"in": 1.5}', '{"ack": true}'])
def test_what_makes_no_sense(api: Api, message: str) -> None:
    name = api.popen("cat")
    with Line(api, name) as line:
        line.send(message)
        assert line.go_on() == (4002, "bad-request")
        assert line.told[-1]["error"] == "bad-request"
    api.ask("DELETE", f"exec/{name}")


def test_input_for_what_has_exited(api: Api) -> None:
    name = api.python("import os\nos.write(1, bytes(1 << 20))\nos._exit(3)")
    with Line(api, name) as line:
        line.more()
        until(lambda: api.status(name)["state"] == "exited", "its end")
        line.send(b"x")
        line.send({"eof": True})
        assert line.go_on() == (4000, "exit 3")
        assert len(line.read) == 1 << 20


def test_after_the_end_of_input(api: Api) -> None:
    name = api.python("import os, time\nwhile os.read(0, 99): pass\ntime.sleep(600)")
    with Line(api, name) as line:
        line.send(b"x")
        line.send({"eof": True})
        line.send({"eof": True})  # again
        line.go_on(lambda: line.accepted == 1)
        line.send(b"y")
        assert line.go_on() == (4009, "wrong-state")
    assert api.status(name)["eof"]
    api.ask("DELETE", f"exec/{name}")


@pytest.mark.parametrize("path", ["x.1/status", "x.1?off=x", "x.1?stream=all"])
def test_no_handshake(api: Api, path: str) -> None:
    with pytest.raises(Refused) as refused:
        Line(api, path.partition("?")[0], None, path.partition("?")[2])
    assert refused.value.status == 400


def test_another_subprotocol(server: Server, api: Api) -> None:
    with pytest.raises(Refused) as refused:
        server.client(path="exec/x.1", subprotocols=["chat"])
    assert refused.value.status == 400


def test_case_14_over_a_websocket(server: Server, api: Api) -> None:
    name = api.popen("cat")
    for token in ("", "wrong"):
        with pytest.raises(Refused) as refused:
            Line(Api(server.url, token), name)
        assert refused.value.status == 401
    with Line(Api(server.url, server.view_token), name) as line:
        assert line.go_on() == (4003, "not-allowed")
    api.ask("DELETE", f"exec/{name}")


def test_standard_error(api: Api) -> None:
    name = api.python("import os\nos.write(1, b'out')\nos.write(2, b'err')")
    assert api.wait(name) == 0
    with Line(api, name, 1, "&stream=err") as line:
        assert line.go_on() == (4000, "exit 0")
        assert line.read == b"rr"


def test_who_is_gone_for_the_grace(api: Api) -> None:
    name = api.popen("cat", grace=1)
    with Line(api, name):
        time.sleep(1.5)
        assert api.status(name)["state"] == "running"
    until(lambda: api.ask("GET", f"exec/{name}/status").status == 410, "the process is cleaned up")
