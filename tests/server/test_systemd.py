"""Under systemd, by the unit files that ``docs/operations.rst`` prints: what they rely on, without systemd itself."""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from needs import need
from server.daemons import FOREGROUND, MODULE, ask, environment, until
from server.examples import documented
from wire import PATIENCE

from webshell.config import Config
from webshell.service import CLOSE_SECONDS
from webshell.targets.ending import KILL_SECONDS
from webshell.web.tokens import new_token

SOCKET = documented("docs/operations.rst", "[Unit]\n    Description=webshell's socket")
SERVICE = documented("docs/operations.rst", "[Unit]\n    Description=webshell\n")

SPAWN = """
import os, sys
os.environ["LISTEN_PID"] = str(os.getpid())
os.dup2(int(sys.argv[1]), 3)
os.set_inheritable(3, True)
os.execv(sys.argv[2], sys.argv[2:])
"""
"""What systemd does between fork and exec."""


def setting(unit: str, name: str) -> str:
    found = re.search(rf"^{name}=(.*)", unit.replace("\\\n", ""), re.MULTILINE)
    assert found, name
    return found[1]


@contextmanager
def handed_over(listening: socket.socket, home: Path, *command: str, lines: int = 3) -> Iterator[str]:
    """A daemon that is given a socket. Yields what it says first; at the end it must stop in order."""
    with (home / "journal").open("ab") as journal:
        process = subprocess.Popen(
            [sys.executable, "-c", SPAWN, str(listening.fileno()), *command],
            cwd=home,
            env=environment(home, LISTEN_FDS="1", LISTEN_FDNAMES=setting(SOCKET, "FileDescriptorName")),
            stdout=subprocess.PIPE,
            stderr=journal,
            text=True,
            pass_fds=[listening.fileno()],
        )
    assert process.stdout is not None
    with process.stdout:
        try:
            yield "".join(process.stdout.readline() for _ in range(lines))
        finally:
            process.send_signal(signal.SIGTERM)
            status = process.wait(PATIENCE)
    assert status == 0
    log = (home / "journal").read_text()
    assert "Traceback" not in log
    assert "\0" not in log  # it would end a line of the journal


def with_token(home: Path) -> dict[str, str]:
    token = new_token()
    (home / "token").touch(0o600)
    (home / "token").write_text(token)
    return {"Authorization": f"Bearer {token}"}


def test_systemd_finds_nothing_wrong_with_the_units(tmp_path: Path) -> None:
    analyze = need("systemd-analyze")
    assert "/opt/webshell/bin/python" in SERVICE
    (tmp_path / "webshell.socket").write_text(SOCKET)
    (tmp_path / "webshell.service").write_text(SERVICE.replace("/opt/webshell/bin/python", sys.executable))
    units = ["./webshell.socket", "./webshell.service"]
    done = subprocess.run([analyze, "verify", *units], cwd=tmp_path, capture_output=True, text=True, check=False)
    about = [line for line in done.stderr.splitlines() if "webshell" in line]  # others' units may have faults
    assert (done.returncode, about) == (0, [])


def test_the_command_of_the_unit_serves_at_its_socket_and_leaves_it_to_the_next(tmp_path: Path) -> None:
    bearer, path, mode = with_token(tmp_path), tmp_path / "w.sock", int(setting(SOCKET, "SocketMode"), 8)
    command = setting(SERVICE, "ExecStart").replace("/var/lib/webshell/token", f"{tmp_path}/token")
    program, *options = shlex.split(command)
    assert program == "/opt/webshell/bin/python"
    with socket.socket(socket.AF_UNIX) as listening, socket.socket(socket.AF_UNIX) as early:
        listening.bind(str(path))
        path.chmod(mode)
        listening.listen()
        for where in (path, early):
            with handed_over(listening, tmp_path, sys.executable, *options) as said:
                assert "Log in with the token in" in said
                assert path.stat().st_mode & 0o777 == mode
                assert ask(where, "/whoami", host="shell.example.org", headers=bearer).status == 200
            assert path.stat().st_mode & 0o777 == mode
            if where is path:
                early.connect(str(path))  # while nobody is there: it is heard by the next one


@pytest.mark.parametrize("command", [MODULE, FOREGROUND], ids=["module", "twistd"])
@pytest.mark.parametrize(("family", "which"), [("INET", "index=0"), ("UNIX", "name=webshell")])
def test_a_socket_is_handed_over(command: Sequence[str], family: str, which: str, tmp_path: Path) -> None:
    bearer = with_token(tmp_path)
    where: tuple[str, int] | Path = tmp_path / "s.sock"
    with socket.socket(getattr(socket, "AF_" + family)) as listening:
        listening.bind(str(where) if family == "UNIX" else ("127.0.0.1", 0))
        listening.listen()
        if family == "INET":
            where = listening.getsockname()
        host = f"127.0.0.1:{where[1]}" if isinstance(where, tuple) else "localhost"
        arguments = ("--listen", f"systemd:domain={family}:{which}", "--token-file", "token")
        for _ in range(2):
            with handed_over(listening, tmp_path, *command, *arguments) as said:
                assert (f"http://{host}/" if family == "INET" else "systemd:domain=UNIX:name=webshell") in said
                assert ask(where, "/whoami", host=host, headers=bearer).status == 200


def test_children_have_neither_the_socket_nor_its_names(tmp_path: Path) -> None:
    bearer, path = {**with_token(tmp_path), "Content-Type": "application/json"}, tmp_path / "s.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        arguments = ("--listen", "systemd:domain=UNIX:name=webshell", "--token-file", "token")
        with handed_over(listening, tmp_path, *MODULE, *arguments):
            there = tmp_path / "there"
            script = f"(env; ls -l /proc/self/fd) >{shlex.quote(str(there))}.part; mv {there}.part {there}"
            body = b'{"argv": ["sh", "-c", "%s"]}' % script.encode()
            assert ask(path, "/popen", method="POST", headers=bearer, body=body).status in (200, 201)
            until(there.exists)
            seen = there.read_text()
            inode = os.fstat(listening.fileno()).st_ino
            assert "LISTEN_" not in seen
            assert f"socket:[{inode}]" not in seen


def test_it_ends_before_systemd_loses_patience() -> None:
    assert Config().limits.grace + KILL_SECONDS + CLOSE_SECONDS < float(setting(SERVICE, "TimeoutStopSec"))
