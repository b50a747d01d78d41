"""``webshell ls`` and ``webshell kill``."""

from __future__ import annotations

import json
import os
import subprocess

from cli.commands import COMMAND, environment, sessions, webshell
from wire import PATIENCE, Server

from webshell.cli.ls import LINE_CHARACTERS, shown


def test_what_is_there(server: Server) -> None:
    with server.client() as client:
        client.send({"type": "open", "id": 1, "name": "work\x1b[31m", "linger": 0})
        session = client.expect("attached")["session"]
        client.send({"type": "start", "id": 2, "runner": "exec", "argv": ["sleep", "1000"]})
        client.send({"type": "start", "id": 3, "runner": "sh", "line": "exit 3"})
        client.expect("exited")
        done = webshell(server, "ls")
        assert done.returncode == 0
        lines = done.stdout.decode().splitlines()
        assert lines == [
            f"{session}  work�[31m  operator, 1 attached",
            "     1  running     sleep 1000",
            "     2  exit 3      exit 3",
        ]
        (listed,) = json.loads(webshell(server, "ls", "--json").stdout)
        assert (listed["session"], len(listed["processes"])) == (session, 2)
        # a signal, a process, the session
        assert webshell(server, "kill", session, "1", "--signal", "SIGINT").returncode == 0
        assert client.expect("exited")["signal"] == "INT"
        client.send({"type": "start", "id": 4, "runner": "exec", "argv": ["sleep", "1000"]})
        assert client.expect("started")["process"]["process"] == 3
        assert webshell(server, "kill", session, "3").returncode == 0
        assert client.expect("exited")["process"] == 3
        assert webshell(server, "kill", session).returncode == 0
        client.expect("closed")
    assert sessions(server) == []


def test_names_that_are_none_or_several(server: Server) -> None:
    with server.client() as one, server.client() as other:
        for client in (one, other):
            client.send({"type": "open", "id": 1, "name": "twin", "linger": 0})
            client.expect("attached")
        done = webshell(server, "kill", "twin")
        assert (done.returncode, done.stderr) == (
            1,
            b"webshell: 2 sessions are called twin; take an id instead: webshell ls shows them\n",
        )
        assert len(sessions(server)) == 2
    done = webshell(server, "kill", "nobody")
    assert (done.returncode, b"there is no session nobody" in done.stderr) == (1, True)


def test_what_is_missing_is_said(server: Server) -> None:
    assert (webshell(server, "kill").returncode, webshell(server, "kill", "a", "--signal", "INT").returncode) == (2, 2)


def test_a_line_stays_one() -> None:
    assert shown("a\nb\x9b\u202e") == "a�b��"
    assert len(shown("x" * 1000)) == LINE_CHARACTERS


def test_where_it_cannot_be_shown(server: Server) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*COMMAND, "ls", "--json", server.url],
            env=environment(server.token),
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=PATIENCE,
            check=False,
        )
    assert (done.returncode, done.stderr) == (1, b"webshell: the output cannot be written: No space left on device\n")
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [*COMMAND, "ls", "--json", server.url],
        env=environment(server.token),
        stdout=writing,
        stderr=subprocess.PIPE,
        timeout=PATIENCE,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


def test_help_where_letters_are_few() -> None:
    done = subprocess.run(
        [*COMMAND, "cp", "--help"],
        env=environment("", PYTHONIOENCODING="ascii"),
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"usage: webshell cp [options] SOURCE ? URL:PATH")
