"""Cases 37 to 46 of the acceptance list: stopping, ending, leaving."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from further.links import BAD, Link, configured, message
from server.daemons import FOREGROUND
from wire import PATIENCE, Server
from wsproto.events import CloseConnection


def gone(pid: int) -> bool:
    """Whether a process has ended, or does soon."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX":
                return True
        except OSError:
            return True
        time.sleep(0.01)
    return False


def test_case_37_stop_ends_by_term(link: Link) -> None:
    link.start(code="while True: pass")
    link.say("stop")
    assert link.until_stopped() == ("", "", -15)


@pytest.mark.parametrize("query", ["", "pty=1"])
def test_stop_ends_a_flood_that_nobody_reads_at_once(further: Server, query: str) -> None:
    with Link(further, query) as link:
        link.start("flood", code="import os\nprint(os.getpid(), flush=True)\nwhile True: print('x' * 100)")
        pid = int(link.until_said("\n").split()[0])
        time.sleep(0.5)  # everything between the flood and us is full now
        link.say("stop", "flood")
        began = time.monotonic()
        assert gone(pid)
        assert time.monotonic() - began < 3
        output, _, code = link.until_stopped("flood")
    assert code in (-15, -9)
    assert len(output) < 16 << 20


def test_a_flood_does_not_keep_others_waiting(further: Server) -> None:
    with Link(further) as link, Link(further) as other:
        link.start("flood", code="while True: print('x' * 100)")
        for _ in range(3):
            other.start(code="print(1)")
            assert other.until_stopped() == ("1\n", "", 0)
        link.say("ping", None)
        link.say("stop", "flood")
        kinds = [link.heard()["type"]]
        while kinds[-1] != "stopped":
            kinds.append(link.heard()["type"])
    assert kinds.count("pong") == 1


def test_case_38_who_ignores_term_is_killed(link: Link) -> None:
    link.start(code="import signal, time\nsignal.signal(15, signal.SIG_IGN)\nprint('ready')\ntime.sleep(60)")
    link.until_said("ready")
    began = time.monotonic()
    link.say("stop")
    assert link.until_stopped() == ("", "", -9)
    assert time.monotonic() - began < 3


def test_case_39_who_handles_term_says_so(link: Link) -> None:
    link.start(
        code="import signal, sys, time\n"
        "def end(*_):\n    print('ending')\n    sys.exit(5)\n"
        "signal.signal(15, end)\nprint('ready')\ntime.sleep(60)"
    )
    link.until_said("ready")
    link.say("stop")
    assert link.until_stopped() == ("ending\n", "", 5)


@pytest.mark.parametrize(
    ("code", "end"),
    [
        ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)", -11),
        ("import sys\nsys.exit(300)", 44),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGRTMIN + 3)", -signal.SIGRTMIN - 3),
    ],
)
def test_case_40_ends_are_told_as_python_tells_them(link: Link, code: str, end: int) -> None:
    link.start(code=code)
    assert link.until_stopped()[2] == end


def test_case_41_stop_ends_all_that_was_started(link: Link) -> None:
    link.start(
        code="import os, subprocess, time\n"
        "children = [subprocess.Popen(['sleep', '60']), subprocess.Popen(['setsid', 'sleep', '60'])]\n"
        "print(*(child.pid for child in children), flush=True)\ntime.sleep(60)"
    )
    pids = [int(word) for word in link.until_said("\n").split()]
    link.say("stop")
    assert link.until_stopped() == ("", "", -15)
    assert all(gone(pid) for pid in pids)


def test_case_42_stop_twice_is_one_end(link: Link) -> None:
    link.start(code="import signal, time\nsignal.signal(15, signal.SIG_IGN)\nprint('ready')\ntime.sleep(60)")
    link.until_said("ready")
    link.say("stop")
    link.say("stop")
    assert link.until_stopped() == ("", "", -9)
    link.say("stop")
    assert link.told() == BAD
    link.quiet()


def test_case_43_a_name_is_taken_until_the_end_is_told(link: Link) -> None:
    link.start(code="while True: pass")
    link.send(message("stop"), message("start", runner="python3", code=""))
    assert link.told() == BAD
    assert link.told() == ("stopped", {"exitCode": -15})


def test_case_44_processes_and_connections_are_apart(further: Server, link: Link) -> None:
    link.start("1", code="print('one', input())")
    link.start("zwei/ü", code="print('two', input())")
    with Link(further) as other:
        other.start("1", code="print('other', input())")
        link.say("stdin", "zwei/ü", input="b\n")
        assert link.until_stopped("zwei/ü") == ("two b\n", "", 0)
        link.say("stdin", "1", input="a\n")
        assert link.until_stopped("1") == ("one a\n", "", 0)
        other.quiet()
        other.say("stdin", input="c\n")
        assert other.until_stopped() == ("other c\n", "", 0)


@pytest.mark.parametrize("clean", [True, False])
@pytest.mark.parametrize("query", ["", "pty=1"])
def test_case_45_who_leaves_leaves_nothing(further: Server, query: str, clean: bool) -> None:
    code = (
        "import os, signal, time\nfor number in (1, 15): signal.signal(number, signal.SIG_IGN)\n"
        "print(os.getpid(), flush=True)\ntime.sleep(60)"
    )
    with Link(further, query) as link:
        pids = []
        for name in ("1", "2", "3"):
            link.start(name, code=code)
            pids.append(int(link.until_said("\n")))
        if clean:
            link.socket.sendall(link.ws.send(CloseConnection(1000)))
            assert link.gone() == 1000
    began = time.monotonic()
    assert all(gone(pid) for pid in pids)
    assert time.monotonic() - began < 3
    deadline = time.monotonic() + PATIENCE
    while list((further.home / "temp").iterdir()):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_case_46_when_the_server_stops_clients_are_told_and_nothing_is_left(tmp_path: Path) -> None:
    with Server(tmp_path, "--config", configured(tmp_path), argv=FOREGROUND) as server, Link(server) as link:
        link.start(code="import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(60)")
        pid = int(link.until_said("\n"))
        os.kill(server.pid, signal.SIGTERM)
        assert link.gone() == 1001
        server.stop()
        assert gone(pid)
        assert list((tmp_path / "temp").iterdir()) == []
