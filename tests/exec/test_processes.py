"""Processes over HTTP: started, fed, read, signalled, waited for; by offset, exactly once (cases 2, 3, 6, 8, 9, 18)."""

from __future__ import annotations

import json
import os
import signal
import sys

import pytest
from exec.asking import Api, lower, until

CAT = "import os\nwhile data := os.read(0, 65536): os.write(1, data)"

IDLE = "\nprint('on\\n', end='')\nwhile 1: time.sleep(9)"


# ---- case 2: started


def test_case_2_each_start_is_a_process_of_its_own(api: Api) -> None:
    answers = [api.ask("POST", "popen") for _ in range(2)]
    names = [answer.body.decode().strip() for answer in answers]
    assert [answer.status for answer in answers] == [201, 201]
    assert [answer.headers["location"] for answer in answers] == [f"exec/{name}" for name in names]
    assert len(set(names)) == 2
    assert all(len(name.rpartition(".")[0]) * 6 >= 128 for name in names)  # bits in base64
    pids = {api.status(name)["pid"] for name in names}
    assert len(pids) == 2
    for pid in pids:
        os.kill(pid, 0)
    for name in names:
        assert api.ask("DELETE", f"exec/{name}?signal=KILL").status == 204


def test_an_empty_start_is_execnets_worker(api: Api) -> None:
    name = api.popen()
    source = "import sys\nsys.stdout.write('1')\nsys.stdout.flush()\nsys.stdin.read()\n"
    assert api.feed(name, repr(source).encode() + b"\n", 0).status == 204
    assert api.read(name).body == b"1"
    assert api.feed(name, b"", eof=True).status == 204
    assert api.wait(name) == 0


def test_a_start_may_say_everything(api: Api, tmp_path: os.PathLike[str]) -> None:
    program = "import os,sys; print(os.getcwd(), os.environ['COLOUR'], sys.stdout.isatty(), os.get_terminal_size())"
    name = api.python(program, cwd=str(tmp_path), env={"COLOUR": "blue"}, pty=True, rows=11, cols=99, name="mine")
    assert api.read_until(name) == f"{tmp_path} blue True os.terminal_size(columns=99, lines=11)\r\n".encode()
    status = api.status(name)
    assert (status["pty"], status["rows"], status["cols"], status["name"]) == (True, 11, 99, "mine")


def test_an_interpreter_may_be_named(api: Api) -> None:
    name = api.popen(python=f"'{sys.executable}' -X dev")
    api.feed(name, b"'import sys; print(sys.flags.dev_mode)'\n")
    assert api.read_until(name) == b"True\n"


def test_a_line_is_run_by_a_shell(api: Api) -> None:
    name = api.popen(line="echo $((6 * 7)) | cat")
    assert api.read_until(name) == b"42\n"


def test_in_a_session_that_is_there(api: Api) -> None:
    first = api.popen("cat")
    session = first.rpartition(".")[0]
    second = api.popen("echo", "hi", session=session)
    assert second == f"{session}.2"
    assert api.read_until(second) == b"hi\n"
    api.ask("DELETE", f"exec/{first}")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ("{", 400, "bad-request"),
        ("[]", 400, "bad-request"),
        ('{"argv": "ls"}', 400, "bad-request"),
        ('{"argv": ["ls"], "env": []}', 400, "bad-request"),
        ('{"runner": "none"}', 400, "bad-request"),
        ('{"python": 3}', 400, "bad-request"),
        ('{"python": "\'"}', 400, "bad-request"),
        ('{"grace": "x"}', 400, "bad-request"),
        ('{"grace": -1}', 400, "bad-request"),
        ('{"target": "moon"}', 400, "bad-request"),
        ('{"argv": ["/no/such/program"]}', 422, "spawn-failed"),
        ('{"argv": ["ls"], "cwd": "/no/such/folder"}', 422, "spawn-failed"),
    ],
)
def test_a_start_that_cannot_be(api: Api, body: str, status: int, code: str) -> None:
    answer = api.ask("POST", "popen", body)
    assert (answer.status, answer.json["error"]) == (status, code)
    assert answer.headers["content-type"] == "application/json"
    assert answer.body.endswith(b"\n")


def test_case_18_an_interpreter_that_is_not_there_is_named(api: Api) -> None:
    connection = api.connection()
    response = api.begin(connection, "POST", "popen", json.dumps({"python": "/no/such"}))
    assert (response.status, response.reason.partition(" ")[0]) == (422, "Unprocessable")
    assert "/no/such" in json.loads(response.read())["message"]
    connection.close()


def test_case_18_an_interpreter_that_is_none(api: Api) -> None:
    name = api.popen(python="/bin/false")
    assert api.read(name).ended
    assert api.wait(name) == 1
    name = api.popen(python="/bin/sh -c 'echo no gateway >&2; exit 3'")
    assert api.wait(name) == 3
    assert api.status(name)["err"]["tail"] == "no gateway\n"


# ---- case 3: read


def test_case_3_what_was_written_while_nobody_read(api: Api) -> None:
    name = api.python("import sys\nfor n in range(5): print(n)\nsys.stdin.read()")
    until(lambda: api.status(name)["out"]["end"] == 10, "the five values")
    assert api.read(name).body == b"0\n1\n2\n3\n4\n"
    assert api.read(name, 10, poll=0).status == 204  # once
    api.ask("DELETE", f"exec/{name}")


def test_a_stream_goes_on_until_the_end(api: Api) -> None:
    name = api.python(CAT)
    with api.streaming(f"exec/{name}?off=0") as stream:
        headers = lower(stream)
        assert (stream.status, headers["x-off"], headers["content-type"]) == (200, "0", "application/octet-stream")
        assert headers["cache-control"] == "no-store"
        assert headers["x-accel-buffering"] == "no"
        assert headers["transfer-encoding"] == "chunked"
        for text in (b"one", b"two"):
            api.feed(name, text)
            assert stream.read(3) == text
        api.feed(name, b"", eof=True)
        assert stream.read() == b""
    answer = api.read(name, 6)
    assert (answer.status, answer.headers["x-eof"], answer.headers["x-exit"]) == (204, "1", "0")


def test_the_end_comes_only_with_the_last_byte(api: Api) -> None:
    name = api.popen("echo", "x" * 9)
    assert api.wait(name) == 0
    answer = api.read(name)
    assert (answer.status, answer.body, "x-eof" in answer.headers) == (200, b"x" * 9 + b"\n", False)
    assert api.read(name, 9).body == b"\n"
    assert api.read(name, 10).ended


def test_nothing_comes_in_time(api: Api) -> None:
    name = api.popen("cat")
    answer = api.read(name, poll=0.05)
    assert (answer.status, answer.headers["x-off"], "x-eof" in answer.headers) == (204, "0", False)
    api.ask("DELETE", f"exec/{name}")


def test_case_20_two_streams(api: Api) -> None:
    name = api.python("import sys\nfor text in 'ab':\n print(text)\n print(text * 2, file=sys.stderr)")
    assert api.read_until(name) == b"a\nb\n"
    assert api.read_until(name, stream="err") == b"aa\nbb\n"
    status = api.status(name)
    assert (status["out"]["end"], status["err"]["end"], status["err"]["tail"]) == (4, 6, "aa\nbb\n")


# ---- case 6: killed


def test_case_6_killed_while_it_is_read(api: Api) -> None:
    name = api.python("import time\nprint('there')\ntime.sleep(600)")
    with api.streaming(f"exec/{name}?off=0") as stream:
        assert stream.read(6) == b"there\n"
        os.kill(api.status(name)["pid"], signal.SIGKILL)
        assert stream.read() == b""
    answer = api.read(name, 6)
    assert (answer.ended, answer.headers["x-exit"]) == (True, "-9")
    fed = api.feed(name, b"more", 0)
    assert (fed.status, fed.headers["x-exit"], fed.json["error"]) == (410, "-9", "gone")
    assert api.wait(name) == -9
    assert api.status(name)["signal"] == "KILL"


# ---- case 8: ranges


def test_case_8_offsets_that_are_not_there(api: Api) -> None:
    name = api.python("print('x' * 99)\ninput()")
    assert len(api.read_until(name, lambda output: len(output) == 100)) == 100
    above = api.read(name, 101)
    assert (above.status, above.headers["x-range"]) == (416, "0-100")
    assert (above.json["error"], above.json["base"], above.json["end"]) == ("out-of-range", 0, 100)
    api.ask("DELETE", f"exec/{name}")


# ---- case 9: input, exactly once


def test_case_9_input_by_offset(api: Api) -> None:
    name = api.python(CAT)
    assert api.feed(name, b"abc", 0).headers["x-in-off"] == "3"
    assert api.feed(name, b"abc", 0).status == 204  # again
    assert api.feed(name, b"bcdef", 1).headers["x-in-off"] == "6"  # an overlap
    gap = api.feed(name, b"xyz", 7)
    assert (gap.status, gap.headers["x-in-off"], gap.json["error"]) == (409, "6", "out-of-order")
    assert api.feed(name, b"ghi").headers["x-in-off"] == "9"  # at the end
    assert api.feed(name, b"", 9, eof=True).status == 204
    assert api.feed(name, b"", 9, eof=True).status in (204, 410)  # again
    assert api.read_until(name) == b"abcdefghi"
    assert api.wait(name) == 0


def test_input_after_its_end(api: Api) -> None:
    name = api.python("import sys, time\nsys.stdin.read()\ntime.sleep(600)")
    assert api.feed(name, b"x", 0, eof=True).status == 204
    more = api.feed(name, b"y", 1)
    assert (more.status, more.json["error"], more.headers["x-in-off"]) == (409, "wrong-state", "1")
    api.ask("DELETE", f"exec/{name}")


# ---- signals, sizes, ends


def test_a_signal_by_either_form(api: Api) -> None:
    program = "import signal, time\nsignal.signal(signal.SIGUSR1, lambda *_: print('usr1\\n', end=''))" + IDLE
    name = api.python(program)
    assert api.read(name).body == b"on\n"
    for body in ("", "NONE", '{"signal": 2}', "{"):
        assert api.ask("POST", f"exec/{name}/signal", body).status == 400, body
    assert api.ask("POST", f"exec/{name}/signal", '{"signal": "USR1"}').status == 204
    assert api.read(name, 3).body == b"usr1\n"
    assert api.ask("POST", f"exec/{name}/signal", "SIGINT\n").status == 204
    assert api.wait(name) == -2
    assert api.ask("POST", f"exec/{name}/signal", "INT").status == 409


def test_a_terminals_size(api: Api) -> None:
    program = "import os, signal as s, time\ns.signal(s.SIGWINCH, lambda *_: print(*os.get_terminal_size()))" + IDLE
    name = api.python(program, pty=True)
    assert api.read_until(name, lambda output: len(output) == 4) == b"on\r\n"
    assert api.ask("POST", f"exec/{name}/resize", '{"rows": 5, "cols": 77}').status == 204
    assert api.read_until(name, lambda output: b"\n" in output, 4) == b"77 5\r\n"
    assert api.ask("POST", f"exec/{name}/resize", '{"rows": 5}').status == 400
    api.ask("DELETE", f"exec/{name}")


def test_waiting(api: Api) -> None:
    name = api.popen("cat")
    assert api.ask("GET", f"exec/{name}/wait?timeout=0").status == 204
    assert api.ask("GET", f"exec/{name}/wait?timeout=0.05").status == 204
    api.feed(name, b"", eof=True)
    answer = api.ask("GET", f"exec/{name}/wait")
    assert (answer.status, answer.json["exit"], answer.json["signal"]) == (200, 0, None)


def test_an_end_on_demand(api: Api) -> None:
    ignored = "".join(f"signal.signal(signal.{name}, signal.SIG_IGN)\n" for name in ("SIGTERM", "SIGHUP"))
    name = api.python("import signal, time\n" + ignored + IDLE)
    assert api.read(name).body == b"on\n"
    assert api.ask("DELETE", f"exec/{name}?signal=INT").status == 400
    assert api.ask("DELETE", f"exec/{name}").status == 204
    assert api.wait(name) == -9  # after the grace
    assert api.read(name, 3).ended
    assert api.ask("DELETE", f"exec/{name}").status == 204  # forget it
    for method, path in (("GET", ""), ("POST", ""), ("DELETE", ""), ("GET", "/wait"), ("GET", "/status")):
        answer = api.ask(method, f"exec/{name}{path}")
        assert (answer.status, answer.headers["x-exit"], answer.json["error"]) == (410, "-9", "gone")
