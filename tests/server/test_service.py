"""A daemon's life: what it says, where its secrets are not, and how it ends, whoever started it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from server.daemons import FOREGROUND, LOOPBACK, LOUD, MODULE, TWISTD, alive, ask, environment, run, until
from twisted.internet.task import Clock
from wire import PATIENCE, Refused, Server, WireClient

from webshell.config import Config
from webshell.grant import Grant
from webshell.service import StartError, shell_resource
from webshell.web.access import Authorize

BOTH = pytest.mark.parametrize("command", [MODULE, FOREGROUND], ids=["module", "twistd"])
SIGNALS = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=lambda n: n.name)


def where(server: Server) -> tuple[str, int]:
    parts = urlsplit(server.url)
    return parts.hostname or "", parts.port or 0


def host(server: Server) -> str:
    return urlsplit(server.url).netloc


def stubborn(client: WireClient) -> int:
    """Start what ignores everything but KILL; its process id."""
    line = "trap '' HUP TERM INT; echo $$ ready; while :; do sleep 1000; done"
    client.send({"type": "start", "id": 2, "runner": "sh", "line": line})
    found = re.match(rb"(\d+) ready", client.until(lambda output: b"ready" in output))
    assert found
    return int(found[1])


def sleeper(client: WireClient) -> int:
    """Start what ends when it is told; its process id."""
    client.send({"type": "start", "id": 2, "runner": "sh", "line": "echo $$ ready; exec sleep 1000"})
    found = re.match(rb"(\d+) ready", client.until(lambda output: b"ready" in output))
    assert found
    return int(found[1])


@BOTH
@SIGNALS
def test_a_signal_stops_it_in_order(command: Sequence[str], number: int, tmp_path: Path) -> None:
    with Server(tmp_path, argv=command) as server, server.open() as client:
        child = sleeper(client)
        with server.client(subprotocols=()) as other:
            server.process.send_signal(number)
            assert client.gone() == 1001
            assert other.gone() == 1001
        assert server.process.wait(PATIENCE) == 0
        assert not alive(child)
        log = server.log
        assert "Main loop terminated" in log
        assert "Traceback" not in log
        assert "Unhandled" not in log


EARLY = """
import os, signal, sys
import webshell.certificate, webshell.service

def told(function):
    return lambda *given: (os.kill(os.getpid(), signal.{signal}), function(*given))[1]

{moment} = told({moment})
"""
MOMENTS = ("os.fsync", "webshell.certificate.os.fdopen", "webshell.service.ShellService._up")
"""Of a start, before its reactor runs: the token's draft is written, the certificate's file is there, it listens."""


@pytest.mark.parametrize("number", ["SIGTERM", "SIGINT", "SIGHUP"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_signal_while_it_starts_leaves_nothing_behind(moment: str, number: str, tmp_path: Path) -> None:
    program = EARLY.format(signal=number, moment=moment) + "from webshell.__main__ import main\nsys.exit(main())"
    done = run(tmp_path, MODULE[0], "-c", program, "--listen", "unix:w.sock", *KEPT)
    assert (done.returncode, left(tmp_path)) == (0, ["w.pem", "w.token"]), done.stdout
    assert "Traceback" not in done.stdout
    assert "PRIVATE KEY" in (tmp_path / "w.pem").read_text()


def test_a_signal_while_twistd_starts_leaves_no_pid_file_either(tmp_path: Path) -> None:
    program = EARLY.format(signal="SIGTERM", moment=MOMENTS[-1]) + "from twisted.scripts.twistd import run\nrun()"
    twistd = ("-n", "--pidfile=w.pid", "--logfile=w.log", "webshell")
    done = run(tmp_path, MODULE[0], "-c", program, *twistd, "--listen", "unix:w.sock", *KEPT)
    assert (done.returncode, left(tmp_path)) == (0, ["w.log", "w.pem", "w.token"]), done.stdout
    assert "Traceback" not in (tmp_path / "w.log").read_text()


KEPT = ("--token-file", "w.token", "--self-signed", "w.pem")


def left(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


@BOTH
def test_a_second_signal_leaves_children_no_more_time(command: Sequence[str], tmp_path: Path) -> None:
    (tmp_path / "slow.toml").write_text("[limits]\ngrace = 1000\n")
    with Server(tmp_path, "--config", "slow.toml", argv=command) as server, server.open() as client:
        child = stubborn(client)
        server.process.send_signal(signal.SIGTERM)
        assert client.gone() == 1001
        client.close()
        assert alive(child)
        assert server.process.poll() is None
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(PATIENCE) == 0
        assert not alive(child)


def test_without_a_second_one_the_grace_decides(tmp_path: Path) -> None:
    (tmp_path / "quick.toml").write_text("[limits]\ngrace = 0.2\n")
    with Server(tmp_path, "--config", "quick.toml") as server, server.open() as client:
        child = stubborn(client)
        assert server.stop() == 0
        assert not alive(child)


def test_a_client_that_does_not_take_its_leave_holds_nothing_up(tmp_path: Path) -> None:
    with Server(tmp_path) as server, server.open() as client:
        sleeper(client)
        begin = time.monotonic()
        assert server.stop() == 0  # the client reads nothing
        assert time.monotonic() - begin < PATIENCE / 2


def test_a_resource_stops_with_its_reactor() -> None:
    shell_resource(reactor := Reactor(), Config(no_auth=True))
    assert [trigger[:2] for trigger in reactor.triggers] == [("before", "shutdown")]


class Reactor(Clock):
    """What :func:`shell_resource` needs of a reactor before anything runs."""

    def __init__(self) -> None:
        super().__init__()
        self.triggers: list[tuple[object, ...]] = []

    def addSystemEventTrigger(self, *trigger: object) -> None:
        self.triggers.append(trigger)


def test_a_resource_that_nobody_could_log_in_to_is_refused() -> None:
    with pytest.raises(StartError, match="who may come in"):
        shell_resource(Reactor(), Config())


@pytest.mark.parametrize("authorize", [None, lambda request: Grant("alice")])
def test_frame_ancestors_are_checked_for_a_site_that_exists_too(authorize: Authorize | None) -> None:
    config = Config(no_auth=True, frame_ancestors=("https://a.example", "https://b.example/;"))
    with pytest.raises(StartError, match=r"'https://b\.example/;' may not be named as a frame ancestor"):
        shell_resource(Reactor(), config, authorize)


def test_a_page_whose_files_are_missing_is_refused_in_plain_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "vendor.json").write_text('["node_modules/a/b.js"]')
    monkeypatch.setattr("webshell.service.static_folder", lambda: tmp_path)
    with pytest.raises(StartError, match=r"b\.js is missing: run 'npm ci --omit=dev --prefix static'"):
        shell_resource(Reactor(), Config(no_auth=True))


# --- what it says


def test_it_says_where_it_is_and_who_may_do_what(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        lines = server.announced.splitlines()
        assert lines[0] == "webshell is at"
        assert lines[1] == f"    {server.url}?token={server.token}"
        assert lines[2] == "Whoever has this link may do everything; this one may only watch:"
        assert lines[3] == f"    {server.url}?token={server.view_token}"
        with WireClient(server.url, server.token) as client:
            assert client.expect("hello")["rights"] == ["manage", "run", "type", "view"]
        with WireClient(server.url, server.view_token) as client:
            assert client.expect("hello")["rights"] == ["view"]


@BOTH
def test_no_auth_says_loudly_what_it_means(command: Sequence[str], tmp_path: Path) -> None:
    with Server(tmp_path, "--no-auth", argv=command) as server:
        assert "WITHOUT A LOGIN (--no-auth): every user and program of this machine may use it." in server.announced
        with WireClient(server.url) as client:
            assert client.expect("hello")["identity"] == "operator"


def test_a_token_file_is_made_and_stays(tmp_path: Path) -> None:
    file = tmp_path / "webshell.token"
    for _ in range(2):
        with Server(tmp_path, "--token-file", "webshell.token") as server:
            assert "Log in with the token in webshell.token." in server.announced
            token = file.read_text().strip()
            assert token not in server.announced
            assert (
                ask(where(server), "/whoami", host=host(server), headers={"Authorization": f"Bearer {token}"}).status
                == 200
            )
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("checker", ["memory:anna:a long secret", "file:passwords"])
def test_passwords(checker: str, tmp_path: Path) -> None:
    (tmp_path / "passwords").write_text("otto:something else\nanna:a long secret\n")
    with Server(tmp_path, "--auth", checker) as server:
        assert "Log in with a name and password." in server.announced
        assert "secret" not in server.announced + server.log
        answer = ask(
            where(server), "/whoami", host=host(server), headers={"Authorization": "Basic YW5uYTphIGxvbmcgc2VjcmV0"}
        )
        assert (answer.status, b'"anna"' in answer.body) == (200, True)
        assert (
            ask(where(server), "/whoami", host=host(server), headers={"Authorization": "Basic YW5uYTp4"}).status == 401
        )


@BOTH
def test_secrets_reach_no_log(command: Sequence[str], tmp_path: Path) -> None:
    with Server(tmp_path, argv=command) as server:
        secret = server.token
        for path in (
            f"/?token={secret}",
            f"/whoami?token={secret}&x=1",
            f"/nothing?Token={secret}",
            f"/?%74oken={secret}",
        ):
            ask(where(server), path, host=host(server), headers={"Accept": "text/html", "Referer": f"http://a/{path}"})
        ask(where(server), f"/login?token={secret}", method="POST", host=host(server), body=f"token={secret}".encode())
        with server.client(), server.client(subprotocols=(), path=f"ws?token={secret}"):
            pass
        with pytest.raises(Refused):  # said in the wrong place
            server.client(subprotocols=(secret,))
        server.stop()
        log = server.log
        assert '"GET /whoami?x=1 HTTP/1.1" 303' in log
        assert secret not in log
        assert server.view_token not in log


# --- a daemon that leaves its terminal


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[tuple[Path, str, int]]:
    """The folder of a daemon in the background, what it has said, and its process id."""
    done = run(tmp_path, *TWISTD, "--pidfile=a.pid", "--logfile=a.log", "webshell", "--listen", LOOPBACK)
    assert done.returncode == 0, done.stdout
    until((tmp_path / "a.pid").exists)
    pid = int((tmp_path / "a.pid").read_text())
    yield tmp_path, done.stdout, pid
    if alive(pid):
        os.kill(pid, signal.SIGKILL)


def test_in_the_background(daemon: tuple[Path, str, int]) -> None:
    folder, said, pid = daemon
    secrets = re.findall(r"\?token=(\S+)", said)
    assert len(set(secrets)) == len(secrets) == 2
    log = folder / "a.log"
    found = re.search(r"LimitedSite starting on (\d+)", log.read_text())
    assert found
    port = int(found[1])
    url = f"http://127.0.0.1:{port}/"
    with WireClient(url, secrets[0]) as client:
        client.expect("hello")
        client.send({"type": "open", "id": 1, "client": "test"})
        client.expect("attached")
        child = sleeper(client)
        os.kill(pid, signal.SIGTERM)
        assert client.gone() == 1001
    until(lambda: not alive(pid))
    assert not alive(child)
    assert not (folder / "a.pid").exists()
    assert not any(secret in log.read_text() for secret in secrets)
    assert "Traceback" not in log.read_text()


def test_in_the_background_the_link_is_said_where_the_port_is_known(tmp_path: Path) -> None:
    # a port that was free a moment ago: taken by somebody else in between, this says so and proves as much
    import socket

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    where = f"tcp:{port}:interface=127.0.0.1"
    done = run(tmp_path, *TWISTD, "--pidfile=a.pid", "--logfile=a.log", "webshell", "--listen", where)
    lines = done.stdout.splitlines()
    assert lines[0] == "webshell is at"
    assert lines[1].startswith(f"    http://127.0.0.1:{port}/?token=")
    assert done.stdout.count(lines[1]) == 1
    if done.returncode == 0:
        until((tmp_path / "a.pid").exists)
        pid = int((tmp_path / "a.pid").read_text())
        os.kill(pid, signal.SIGTERM)
        until(lambda: not alive(pid))


def test_it_needs_no_terminal_to_say_it_to(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [*LOUD, "--listen", LOOPBACK], cwd=tmp_path, env=environment(tmp_path), stdout=log, stderr=log
        )
    try:
        until(lambda: "may only watch" in (tmp_path / "log").read_text())
        found = re.search(r"127\.0\.0\.1:(\d+)/\?token", (tmp_path / "log").read_text())
        assert found
        # who answers takes signals, too
        assert ask(("127.0.0.1", int(found[1])), host=f"127.0.0.1:{found[1]}").status == 200
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
