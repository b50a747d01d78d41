"""How it ends: nobody comes back, programs that will not, what was left behind, what is gone (cases 5, 14, 16, 17)."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from exec.asking import Api, until
from gateways import quick
from wire import Server

GRACE = 1.0
"""Seconds; a question must come within them on a machine that does much else."""

FAMILY = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGHUP, signal.SIG_IGN)
if os.fork() == 0:
    if os.fork() == 0:
        os.setpgid(0, 0)
        os.write(1, b'%d ' % os.getpid())
        while True: time.sleep(9)
    os.write(1, b'%d ' % os.getpid())
    while True: time.sleep(9)
os.write(1, b'%d ' % os.getpid())
while True: time.sleep(9)
"""


def alive(pid: int) -> bool:
    """Whether that process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def limits(folder: Path, text: str) -> str:
    """A configuration with those limits."""
    path = folder / "webshell.toml"
    path.write_text(f"[limits]\n{text}\n")
    return str(path)


def family(api: Api, name: str) -> list[int]:
    """The pids that FAMILY tells."""
    told = api.read_until(name, lambda output: output.count(b" ") == 3)
    return [int(word) for word in told.split()]


# ---- case 16


def test_case_16_a_start_that_nobody_follows(api: Api) -> None:
    def end() -> float:
        begin = time.monotonic()
        name = api.python(FAMILY, grace=GRACE)
        pid = api.status(name)["pid"]
        until(lambda: api.ask("GET", f"exec/{name}/status").status == 410, "the process is cleaned up")
        until(lambda: not alive(pid), "its end")
        took = time.monotonic() - begin
        # it may have been told to end before it had learnt to ignore that
        until(lambda: api.ask("GET", f"exec/{name}").headers.get("x-exit") in ("-9", "-15"), "its end is known")
        return took

    assert not quick(GRACE + 2, end)


def test_case_16_a_client_that_is_killed(api: Api) -> None:
    program = (
        "import sys, urllib.request as u\n"
        "r = u.Request(sys.argv[1], headers={'Authorization': 'Bearer ' + sys.argv[2]})\n"
        "s = u.urlopen(r)\nprint('reading', flush=True)\ns.read()\n"
    )

    def end() -> float:
        name = api.python(FAMILY, grace=GRACE)
        pids = family(api, name)
        assert len(set(pids)) == 3
        command = [sys.executable, "-c", program, f"{api.url}exec/{name}?off=0", api.token]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as client:
            assert client.stdout is not None
            with api.streaming(f"exec/{name}", Accept="application/x-ndjson"):  # it starts slowly: somebody is there
                assert client.stdout.readline() == b"reading\n"
            time.sleep(1.5 * GRACE)  # it is there: nothing ends
            assert all(alive(pid) for pid in pids)
            client.kill()
            killed = time.monotonic()
        until(lambda: not any(alive(pid) for pid in pids), "the end of all that it started")
        took = time.monotonic() - killed
        assert took >= GRACE
        return took

    assert not quick(GRACE + 2, end)


def test_somebody_who_waits_is_there(api: Api) -> None:
    name = api.popen("cat", grace=GRACE)
    assert api.ask("GET", f"exec/{name}/wait?timeout={1.5 * GRACE}").status == 204
    assert api.status(name)["state"] == "running"
    api.ask("DELETE", f"exec/{name}")


def test_somebody_who_watches_is_there(server: Server, api: Api) -> None:
    with server.client() as page:
        name = api.popen("cat", grace=GRACE)
        page.send({"type": "attach", "session": name.rpartition(".")[0], "client": "page"})
        page.expect("attached")
        api.feed(name, b"hello")
        assert page.output() == (1, 1, b"hello")
        time.sleep(1.5 * GRACE)
        page.type("and more")
        assert page.output() == (1, 1, b"and more")
        # what nobody reads by offset is held back for its readers no longer: the page alone keeps it going
        assert api.status(name)["out"] == {"base": 0, "end": 13, "reader": False}
        page.send({"type": "stop", "process": 1})
        page.expect("exited")


def test_a_session_that_does_not_linger_has_no_processes_of_its_own(tmp_path: Path) -> None:
    with Server(tmp_path, "--config", limits(tmp_path, "linger = 0")) as server:
        answer = Api(server.url, server.token).ask("POST", "popen")
        assert (answer.status, answer.json["error"]) == (429, "limit")
        assert answer.headers["retry-after"] == "1"


def test_somebody_who_feeds_is_there(api: Api) -> None:
    name = api.python("import os, time\nwhile os.read(0, 1): time.sleep(0.2)", grace=2 * GRACE)
    for off in range(9):
        assert api.feed(name, b"x", off).status == 204
        time.sleep(0.3)
    assert api.ask("DELETE", f"exec/{name}").status == 204


def test_a_client_that_vanished_is_looked_for(server: Server, api: Api) -> None:
    name = api.popen("cat")
    connection = api.connection()
    with contextlib.closing(connection):
        api.begin(connection, "GET", f"exec/{name}?off=0")
        port = connection.sock.getsockname()[1]
        probed = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()]
        timers = [line[5][:2] for line in probed if line[2].endswith(f":{port:04X}")]
        assert timers == ["02"]  # the server's end: a keep-alive timer runs
    api.ask("DELETE", f"exec/{name}")


def test_too_many(tmp_path: Path) -> None:
    with Server(tmp_path, "--config", limits(tmp_path, "sessions = 1")) as server:
        api = Api(server.url, server.token)
        name = api.popen("cat")
        answer = api.ask("POST", "popen")
        assert (answer.status, answer.json["error"], answer.headers["retry-after"]) == (429, "limit", "1")
        assert api.ask("DELETE", f"exec/{name}").status == 204


# ---- case 17


@pytest.mark.parametrize("flooded", [False, True])
def test_case_17_a_busy_program_and_what_it_started(api: Api, flooded: bool) -> None:
    flood = "import os\nwhile True: os.write(1, b'x' * 65536)"
    name = api.python(flood if flooded else FAMILY)
    if flooded:
        pids = [api.status(name)["pid"]]
        until(lambda: api.status(name)["out"]["end"] >= 1 << 20, "it is held back")
    else:
        pids = family(api, name)
    assert api.ask("DELETE", f"exec/{name}").status == 204
    until(lambda: not any(alive(pid) for pid in pids), "the end of all")
    assert api.wait(name) == (-15 if flooded else -9)
    if flooded:  # all of it can still be read
        assert set(api.read_until(name)) == {ord("x")}


def test_killed_at_once(api: Api) -> None:
    name = api.python(FAMILY)
    pids = family(api, name)
    started = time.monotonic()
    assert api.ask("DELETE", f"exec/{name}?signal=kill").status == 204
    assert api.wait(name) == -9
    assert time.monotonic() - started < 30
    assert not any(alive(pid) for pid in pids)


def test_a_session_that_is_ended_while_it_is_read(server: Server, api: Api) -> None:
    name = api.popen("cat")
    with server.client() as page, api.streaming(f"exec/{name}?off=0") as stream:
        page.send({"type": "attach", "session": name.rpartition(".")[0]})
        page.expect("attached")
        api.feed(name, b"last words")
        until(lambda: api.status(name)["out"]["end"] == 10, "they are said")
        page.send({"type": "close"})
        assert stream.read() == b"last words"
    answer = api.read(name, 10)
    assert (answer.status, answer.json["error"]) == (410, "gone")
    until(lambda: api.read(name, 10).headers.get("x-exit") in ("-1", "-15"), "its end is known")


# ---- case 5


@pytest.mark.parametrize("name", ["1", "x.1", "a" * 22 + ".1", ".", "x", "%00.1", "a" * 200, "ä.1", "x.99999999999999"])
def test_case_5_what_never_was(api: Api, name: str) -> None:
    for method, path in (("GET", ""), ("POST", ""), ("DELETE", ""), ("GET", "/status"), ("GET", "/wait")):
        answer = api.ask(method, "exec/" + name.replace("ä", "%C3%A4") + path)
        assert answer.status == 404, (method, path)
    for method in ("GET", "POST", "DELETE"):
        assert api.ask(method, f"exec/{name}/no/such".replace("ä", "%C3%A4")).status == 404


def test_case_5_the_error_is_json(api: Api) -> None:
    answer = api.ask("GET", "exec/x.1")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json == {"error": "no-process", "message": "there is no process x.1"}


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "exec/x.1", "DELETE, GET, POST"),
        ("POST", "exec/x.1/status", "GET"),
        ("GET", "exec/x.1/signal", "POST"),
        ("GET", "popen", "POST"),
    ],
)
def test_a_method_that_is_not_served(api: Api, method: str, path: str, allowed: str) -> None:
    answer = api.ask(method, path)
    assert (answer.status, answer.headers["allow"]) == (405, allowed)
    assert answer.json["error"] == "bad-request"


@pytest.mark.parametrize(
    "query", ["off=x", "off=-1", "off=1&off=2", "off=" + "9" * 30, "poll=x", "poll=nan", "poll=-1", "stream=all"]
)
def test_a_question_that_makes_no_sense(api: Api, query: str) -> None:
    name = api.popen("cat")
    assert api.ask("GET", f"exec/{name}?{query}").status == 400
    api.ask("DELETE", f"exec/{name}")


# ---- case 14


def test_case_14_strangers(server: Server, api: Api) -> None:
    name = api.popen("cat")
    questions = [("POST", "popen")]
    questions += [(method, f"exec/{name}") for method in ("GET", "POST", "DELETE")]
    questions += [("GET", f"exec/{name}/status"), ("GET", f"exec/{name}/wait"), ("POST", f"exec/{name}/signal")]
    for method, path in questions:
        answer = Api(server.url, "").ask(method, path)
        assert answer.status == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.json["error"] == "not-allowed"
    assert Api(server.url, "").ask("POST", f"exec/{name}", b"x" * 4_000_000).status == 401
    assert api.status(name)["in"] == 0
    api.ask("DELETE", f"exec/{name}")


def test_case_14_a_wrong_token(server: Server, api: Api) -> None:
    answer = Api(server.url, "wrong").ask("POST", "popen")
    assert (answer.status, answer.json["error"]) == (401, "not-allowed")  # RFC 6750, 3.1: another one may do
    assert answer.json["message"] != Api(server.url, "").ask("POST", "popen").json["message"]


def test_case_14_who_may_only_watch(server: Server, api: Api) -> None:
    watcher = Api(server.url, server.view_token)
    name = api.popen("cat")
    assert watcher.ask("GET", f"exec/{name}/status").status == 200
    for method, path in (
        *(("POST", "popen"), ("POST", f"exec/{name}"), ("DELETE", f"exec/{name}")),
        *(("GET", f"exec/{name}"), ("POST", f"exec/{name}/signal"), ("POST", f"exec/{name}/resize")),
    ):
        answer = watcher.ask(method, path)
        assert (answer.status, answer.json["error"]) == (403, "not-allowed")
    assert api.status(name)["state"] == "running"
    api.ask("DELETE", f"exec/{name}")


# ---- case 10


def test_case_10_cut_connections_lose_and_double_nothing(api: Api) -> None:
    name = api.python("import os,sys\nfor line in sys.stdin:\n for n in range(int(line)): os.write(1, b'%06d\\n' % n)")
    api.feed(name, b"3000\n", 0)
    api.feed(name, b"3000\n", 0)  # the answer was lost, so it is sent again
    output, cuts = b"", 0
    while len(output) < 21000:
        with api.streaming(f"exec/{name}?off={len(output)}") as stream:
            assert stream.status == 200
            piece = stream.read1(3501)
            assert piece
            output += piece
            cuts += 1
    assert output == b"".join(b"%06d\n" % number for number in range(3000))
    assert cuts >= 6
    assert api.feed(name, b"", eof=True).status == 204
    assert api.read(name, 21000).ended


def test_the_server_restarts(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        api = Api(server.url, server.token)
        name = api.popen("cat")
        pid = api.status(name)["pid"]
        with api.streaming(f"exec/{name}?off=0") as stream:
            server.process.send_signal(signal.SIGTERM)
            with contextlib.suppress(http.client.IncompleteRead):  # that is no end, so it would be asked again
                stream.read()
    until(lambda: not alive(pid), "its end")
    with Server(tmp_path) as server:
        assert Api(server.url, server.token).ask("GET", f"exec/{name}").status == 404
    assert os.listdir(tmp_path) == ["server.log"]
