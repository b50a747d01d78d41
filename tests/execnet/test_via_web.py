"""Gateways through and behind a webshell: an interpreter that a server starts, as master and as the one behind it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import execnet
import pytest
from wire import Server

from webshell.execnet.group import Group
from webshell.execnet.trouble import NotStarted, Untrusted

PATIENCE = 20.0
"""Seconds for what takes milliseconds."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("home")) as server:
        yield server


@pytest.fixture
def place(server: Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """HOST:PORT//path=PATH, as a spec has it; the token is in the environment."""
    monkeypatch.setenv("WEBSHELL_TOKEN", server.token)
    site, _, path = server.url.partition("://")[2].partition("/")
    return f"{site}//path={path}" if path else site


@pytest.fixture
def group() -> Iterator[Group]:
    group = Group()
    yield group
    group.terminate(timeout=5)


def ask(gateway: execnet.Gateway, source: str) -> Any:
    return gateway.remote_exec(source).receive(PATIENCE)


def pid_of(gateway: execnet.Gateway) -> int:
    return int(ask(gateway, "import os; channel.send(os.getpid())"))


def parent_of(gateway: execnet.Gateway) -> int:
    return int(ask(gateway, "import os; channel.send(os.getppid())"))


def echoes(gateway: execnet.Gateway) -> bool:
    channel = gateway.remote_exec("while True: channel.send(channel.receive())")
    for item in (1, b"\0" * 3_000_000, "x"):
        channel.send(item)
        if channel.receive(PATIENCE) != item:
            return False
    return True


def test_case_24_through_a_gateway_over_http(group: Group, place: str) -> None:
    master = group.makegateway(f"http={place}//id=master")
    second = group.makegateway("popen//via=master//id=second")
    third = group.makegateway("popen//via=second")
    assert parent_of(second) == pid_of(master)
    assert parent_of(third) == pid_of(second)
    assert echoes(third)
    channel = second.remote_exec("channel.receive()")
    os.kill(pid_of(second), signal.SIGKILL)
    with pytest.raises(EOFError, match="SIGKILL"):
        channel.waitclose(PATIENCE)
    assert echoes(master)


@pytest.mark.parametrize("key", ["http", "ws"])
def test_case_24_over_the_web_through_any_gateway(group: Group, server: Server, place: str, key: str) -> None:
    group.makegateway("popen//id=first")
    second = group.makegateway("popen//via=first//id=second")
    gateway = group.makegateway(f"{key}={place}//via=second//id=web")
    assert parent_of(gateway) == server.pid
    assert echoes(gateway)
    behind = group.makegateway("popen//via=web")
    assert parent_of(behind) == pid_of(gateway)
    # it is the second that the server is connected with: without it there is no way
    channel = gateway.remote_exec("channel.receive()")
    os.kill(pid_of(second), signal.SIGKILL)
    with pytest.raises(EOFError, match="second, to go through, has ended"):
        channel.waitclose(PATIENCE)
    with pytest.raises(NotStarted, match="second, to go through, has ended"):
        group.makegateway(f"{key}={place}//via=second")


def test_case_24_errors_of_connections_over_the_web(group: Group, place: str) -> None:
    group.makegateway("popen//id=first")
    with pytest.raises(ConnectionRefusedError, match="refuses connections"):
        group.makegateway("http=127.0.0.1:9//via=first")
    with pytest.raises(execnet.HostNotFound, match=r"no machine is called nowhere\.invalid"):
        group.makegateway("http=nowhere.invalid//via=first//plain")
    with pytest.raises(KeyError, match="via=nobody"):
        group.makegateway(f"http={place}//via=nobody")


def test_case_26_one_stopped_behind_a_gateway_over_http(group: Group, place: str) -> None:
    group.makegateway(f"http={place}//id=master")
    stopped, sibling = (group.makegateway("popen//via=master") for _ in range(2))
    channel = stopped.remote_exec("channel.send(sum(len(channel.receive()) for _ in range(100)))")
    pid = pid_of(stopped)
    os.kill(pid, signal.SIGSTOP)

    def send() -> None:
        for _ in range(100):
            channel.send(b"x" * 100_000)

    sending = threading.Thread(target=send, daemon=True)
    sending.start()
    sending.join(0.5)
    assert sending.is_alive()
    for gateway in (sibling, group["master"]):
        assert echoes(gateway)
    os.kill(pid, signal.SIGCONT)
    assert channel.receive(PATIENCE) == 10_000_000
    sending.join(PATIENCE)


def test_a_server_at_a_socket_that_only_the_other_gateway_reaches(
    group: Group, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "s"
    with Server(tmp_path, "--listen", f"unix:{path}:mode=600") as server:
        monkeypatch.setenv("WEBSHELL_TOKEN", server.token)
        group.makegateway("popen//id=first")
        gateway = group.makegateway(f"http=unix:{path}//via=first")
        assert parent_of(gateway) == server.pid
        group.terminate(timeout=5)


@pytest.mark.parametrize("key", ["https", "wss"])
def test_case_24_tls_remains_between_the_two_ends(
    group: Group, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    certificate = tmp_path / "certificate.pem"
    with Server(tmp_path, "--self-signed", str(certificate)) as server:
        monkeypatch.setenv("WEBSHELL_TOKEN", server.token)
        group.makegateway("popen//id=first")
        place = server.url.partition("://")[2].strip("/")
        assert echoes(group.makegateway(f"{key}={place}//ca_file={certificate}//via=first"))
        with pytest.raises(Untrusted, match="not trusted"):
            group.makegateway(f"{key}={place}//via=first")
        group.terminate(timeout=5)


@pytest.mark.parametrize("key", ["http", "ws"])
@pytest.mark.parametrize("deeper", [False, True])
@pytest.mark.parametrize("queued", [False, True])
def test_a_callback_of_the_gateway_in_between_writes_without_waiting(
    group: Group, place: str, key: str, deeper: bool, queued: bool
) -> None:
    """It is called by the thread that brings the answers for which it would wait."""
    first = group.makegateway("popen//id=first")
    behind = group.makegateway(f"{key}={place}//via=first//id=behind")
    if deeper:
        behind = group.makegateway("popen//via=behind")
    counting = behind.remote_exec("channel.send(sum(len(channel.receive()) for _ in range(300)))")

    def send(_: object) -> None:
        for _ in range(300):
            counting.send(b"x" * 100_000)

    calling = first.remote_exec("channel.send(1)")
    if queued:
        calling.waitclose(PATIENCE)  # then it is this thread that calls, while it holds up the receiver
    calling.setcallback(send)
    assert counting.receive(PATIENCE) == 30_000_000
