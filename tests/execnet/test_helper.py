"""The program that stands for an interpreter at a server, and what other programs do with it or with ``install``."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import execnet
import pytest
from gateways import alive, eventually, exists, pid_of, site
from needs import need_module
from wire import PATIENCE, Server

from webshell.execnet import Group, helper
from webshell.execnet.group import EXIT_SECONDS

PYTHON = f"{sys.executable} -m webshell.execnet.helper"

TESTS = """
import os, pytest

@pytest.mark.parametrize("number", range(5))
def test_passes(number):
    assert os.getppid() == int(open("server").read())

def test_fails():
    assert 6 * 7 == 41
"""


def environment(server: Server, **more: str) -> dict[str, str]:
    """What programs are started with."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("WEBSHELL_", "PYTEST_"))}
    return {**kept, "PYTHONPATH": os.pathsep.join(sys.path), "WEBSHELL_TOKEN": server.token, **more}


def run(server: Server, *words: str, input: bytes = b"", **more: Any) -> subprocess.CompletedProcess[bytes]:
    """Run the program to its end."""
    return subprocess.run(
        [sys.executable, "-m", "webshell.execnet.helper", *words],
        input=input,
        capture_output=True,
        timeout=PATIENCE,
        check=False,
        env=environment(server),
        **more,
    )


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A daemon."""
    with Server(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.mark.parametrize("transport", ["http", "ws"])
def test_case_23_pytest_xdist(there: Server, tmp_path: Path, transport: str) -> None:
    """As it was released, on two workers that are the server's children."""
    need_module("xdist")
    (tmp_path / "test_it.py").write_text(TESTS)
    (tmp_path / "server").write_text(str(there.pid))
    place = f"2*popen//python={PYTHON} {transport}={site(there)} python={sys.executable} cwd=."
    command = [sys.executable, "-m", "pytest", "-q", "-d", "--tx", place, "-p", "no:cacheprovider", "-v", "test_it.py"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment(there), capture_output=True, text=True, timeout=2 * PATIENCE, check=False
    )
    assert "1 failed, 5 passed" in done.stdout, done.stdout + done.stderr
    assert "2 workers [6 items]" in done.stdout
    assert there.token not in done.stdout + done.stderr


def test_case_23_plain_execnet(there: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of ours is imported there."""
    for name, value in environment(there).items():
        monkeypatch.setenv(name, value)
    group = execnet.Group()
    gateway = group.makegateway(f"popen//python={PYTHON} http={site(there)}")
    assert alive(gateway)
    pid = pid_of(gateway)
    assert Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1] == str(there.pid)
    assert there.token not in Path(f"/proc/{gateway._io.popen.pid}/cmdline").read_text()  # type: ignore[attr-defined]
    group.terminate(5)
    assert eventually(lambda: not exists(pid))


@pytest.mark.parametrize("transport", ["http", "ws"])
def test_the_status_is_the_interpreters(there: Server, transport: str) -> None:
    where = f"{transport}={site(there)}"
    done = run(there, where, "-u", "-c", "ignored", input=b"'import os; os.write(1, bytes(range(256))); os._exit(7)'\n")
    assert (done.stdout, done.stderr, done.returncode) == (bytes(range(256)), b"", 7)
    done = run(there, where, input=b"'import os, sys; print(1, file=sys.stderr); os.kill(os.getpid(), 9)'\n")
    assert (done.stdout, done.stderr, done.returncode) == (b"", b"1\n", 128 + 9)
    assert run(there, where).returncode == 1  # what it reads is no program: as a real one ends


def test_a_large_stream_through_it(there: Server) -> None:
    """Both ways; the program is the first line, read with a buffer, so nothing may come too soon behind it."""
    program = "'import os\\nos.write(1, b\"1\")\\nwhile data := os.read(0, 1 << 20): os.write(1, data)'\n"
    with subprocess.Popen(
        [*PYTHON.split(), f"http={site(there)}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment(there)
    ) as helper:
        assert helper.stdin is not None
        assert helper.stdout is not None
        helper.stdin.write(program.encode())
        helper.stdin.flush()
        assert helper.stdout.read(1) == b"1"
        blob = bytes(range(256)) * 40_000
        output, _ = helper.communicate(blob, PATIENCE)
        assert output == blob
    assert helper.returncode == 0


@pytest.mark.parametrize(
    ("words", "status", "text"),
    [
        ([], 2, "usage: webshell-python http="),
        (["--help"], 2, "usage: webshell-python http="),
        (["python=python3"], 255, "webshell-python: python=python3: one of http=, https=, ws=, wss= is needed"),
        (["http=127.0.0.1:1", "via=gw0"], 255, "no via="),
        (["http=127.0.0.1:1"], 255, "127.0.0.1:1 refuses connections; is the server running there?"),
        (["http=nowhere.invalid", "plain"], 255, "no machine is called nowhere.invalid"),
        (["http=http://x"], 255, "// separates the parts of a spec"),
    ],
)
def test_what_cannot_be(there: Server, words: list[str], status: int, text: str) -> None:
    done = run(there, *words)
    assert done.stdout == b""
    assert done.returncode == status
    assert text in done.stderr.decode()


def test_an_interpreter_that_is_not_there(there: Server) -> None:
    done = run(there, f"http={site(there)}", "python=/no/such")
    assert done.returncode == 255
    assert b"/no/such" in done.stderr


def worker_of(helper: subprocess.Popen[bytes]) -> int:
    assert helper.stdin is not None
    assert helper.stdout is not None
    helper.stdin.write(b"'import os, sys, time; print(os.getpid(), flush=True); time.sleep(1000)'\n")
    helper.stdin.flush()
    return int(helper.stdout.readline())


@pytest.fixture
def running(there: Server) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        [*PYTHON.split(), f"ws={site(there)}", "grace=1"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(there),
    ) as helper:
        yield helper
        helper.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_whoever_ends_it_ends_the_interpreter(running: subprocess.Popen[bytes], number: int) -> None:
    pid = worker_of(running)
    running.send_signal(number)
    assert running.wait(PATIENCE) == (128 + signal.SIGTERM if number == signal.SIGTERM else -number)
    assert eventually(lambda: not exists(pid))


def test_an_interrupt_is_the_interpreters(running: subprocess.Popen[bytes]) -> None:
    worker_of(running)
    running.send_signal(signal.SIGINT)
    assert running.wait(PATIENCE) == 128 + signal.SIGINT
    assert running.stderr is not None
    assert b"KeyboardInterrupt" in running.stderr.read()


def test_nobody_reads_it_any_more(running: subprocess.Popen[bytes]) -> None:
    assert running.stdin is not None
    assert running.stdout is not None
    running.stdin.write(b"'import os, sys\\nwhile True: os.write(1, bytes(100000))'\n")
    running.stdin.flush()
    running.stdout.read(10)
    running.stdout.close()
    assert running.wait(PATIENCE) == 128 + signal.SIGPIPE


def test_the_console_script() -> None:
    """That it is installed is shown by the tests of the wheel."""
    setup = (Path(__file__).parents[2] / "setup.py").read_text("utf-8")
    assert f'"webshell-python = {helper.__name__}:{helper.main.__name__}"' in setup


# ---- install


def ended(there: Server, program: str) -> subprocess.CompletedProcess[str]:
    """What *program* says until its interpreter has ended."""
    return subprocess.run(
        [sys.executable, "-c", dedent(program)],
        env=environment(there),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def test_install(there: Server) -> None:
    """``execnet.makegateway`` and ``execnet.Group`` are ours then, and what ends at exit does."""
    program = f"""
        import execnet, webshell.execnet
        before = execnet.Group
        webshell.execnet.install()
        webshell.execnet.install()
        assert execnet.Group is execnet.multi.Group is webshell.execnet.Group is not before
        assert execnet.default_group is execnet.multi.default_group
        gateway = execnet.makegateway("http={site(there)}")
        assert list(execnet.default_group) == [gateway]
        channel = gateway.remote_exec("import os; channel.send(os.getppid())")
        print(channel.receive())
        local = execnet.makegateway("popen")
        local.remote_exec("channel.send(1)").receive()
        execnet.Group().makegateway("ws={site(there)}").exit()
    """
    done = ended(there, program)
    assert (done.stdout, done.stderr, done.returncode) == (f"{there.pid}\n", "", 0)


@pytest.mark.parametrize("kind", ["popen", "http", "ws"])
def test_what_does_not_end_by_itself_is_killed_at_exit(there: Server, kind: str) -> None:
    """Python 3.12 has no threads for that any more by then."""
    where = kind if kind == "popen" else f"{kind}={site(there)}"
    program = f"""
        import webshell.execnet
        gateway = webshell.execnet.Group().makegateway("{where}")
        source = "import os, signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); channel.send(os.getpid())"
        print(gateway.remote_exec(source + "; time.sleep(1000)").receive())
    """
    done = ended(there, program)
    assert (done.stderr, done.returncode) == ("", 0)
    assert eventually(lambda: not exists(int(done.stdout)))


class Stuck:
    """A gateway that does not end."""

    _group: Group

    def __init__(self, number: int, log: list[float | str]) -> None:
        self.id = f"gw{number}"
        self.spec = execnet.XSpec("popen")
        self._receivepool = self._io = self
        self._log = log

    def exit(self) -> None:
        self._group._unregister(self)  # type: ignore[arg-type]

    def waitall(self, seconds: float) -> bool:
        self._log.append(seconds)
        time.sleep(0.001)
        return False

    def kill(self) -> None:
        self._log.append("killed")


def test_all_of_them_have_one_second_together() -> None:
    group, log = Group(), list[float | str]()
    for number in range(2):
        group._register(Stuck(number, log))  # type: ignore[arg-type]
    group._cleanup_atexit()
    first, killed, second, killed_too = log
    assert killed == killed_too == "killed"
    assert 0.0 <= float(second) < float(first) <= EXIT_SECONDS
    assert not list(group)


@pytest.mark.parametrize("transport", ["http", "ws"])
def test_case_23_pytest_xdist_with_gateways_of_ours(there: Server, tmp_path: Path, transport: str) -> None:
    """With ``install`` xdist takes a spec as it is; its tests are brought there."""
    need_module("xdist")
    project = tmp_path / "project"
    project.mkdir()
    (project / "test_it.py").write_text(TESTS.replace('"server"', repr(str(tmp_path / "server"))))
    (project / "conftest.py").write_text("from webshell.execnet import install\ninstall()\n")
    (project / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "server").write_text(str(there.pid))
    place = f"2*{transport}={site(there)}//chdir={tmp_path}/far//python={sys.executable}//env:PYTHONPATH="
    command = [sys.executable, "-m", "pytest", "-q", "-d", "--tx", place, "-p", "no:cacheprovider", "-v"]
    done = subprocess.run(
        [*command, "--rsyncdir", str(project), str(project)],
        cwd=project,
        env=environment(there),
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
        check=False,
    )
    assert "1 failed, 5 passed" in done.stdout, done.stdout + done.stderr
    assert there.token not in done.stdout + done.stderr
