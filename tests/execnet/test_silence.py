"""Gateways over the web when nothing is said for long: by the worker, by the server, or by one that stands still."""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import execnet
import pytest
from gateways import Heard, alive, echo, eventually, pid_of, site
from wire import PATIENCE, Server

from webshell.execnet import Group, conversation, posts, socket_line, stream
from webshell.execnet.conversation import Conversation
from webshell.execnet.frames import PONG

SHORT = 0.15
"""Seconds in place of those that a silence may last; the tests wait for a few of them."""


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "IDLE_SECONDS", SHORT)
    monkeypatch.setattr(posts, "ANSWER_SECONDS", SHORT)
    monkeypatch.setattr(conversation, "PING_SECONDS", SHORT)


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """A process that stands still."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def answers(channel: execnet.Channel, item: object) -> bool:
    channel.send(item)
    return bool(channel.receive(PATIENCE) == item)


def test_a_silent_worker(gateway: execnet.Gateway) -> None:
    channel = echo(gateway)
    for number in range(2):
        assert answers(channel, number)
        time.sleep(3 * SHORT)
    assert answers(channel, "still there")


def test_pings_keep_a_silent_connection(web: Group, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBSHELL_TOKEN", server.token)
    pongs: list[socket_line.Line] = []
    hear = Conversation._hear

    def noted(self: Conversation, line: socket_line.Line, opcode: int, content: bytes) -> None:
        if opcode == PONG:
            pongs.append(line)
        hear(self, line, opcode, content)

    monkeypatch.setattr(Conversation, "_hear", noted)
    gateway = web.makegateway(f"ws={site(server)}")
    channel = echo(gateway)
    assert answers(channel, 1)
    # answered each time, it is kept: on a machine that does much else not the first, maybe
    assert eventually(lambda: len(pongs) >= 3 and pongs[-1] is pongs[-2] is pongs[-3])
    assert answers(channel, 2)


def test_a_server_that_stands_still(tmp_path_factory: pytest.TempPathFactory, web: Group, transport: str) -> None:
    home = tmp_path_factory.mktemp("home")
    token = home / "token"
    with Server(home, "--token-file", str(token)) as server:
        channel = echo(web.makegateway(f"{transport}={site(server)}//token_file={token}"))
        assert answers(channel, 1)
        with stopped(server.pid):
            channel.send(2)
            time.sleep(4 * SHORT)
        assert channel.receive(PATIENCE) == 2
        assert answers(channel, 3)
        web.terminate(5)


def test_case_12_a_worker_that_stands_still_for_long(gateway: execnet.Gateway) -> None:
    """What waits for it is asked again and again, and arrives once."""
    channel = gateway.remote_exec("""
        digest = 0
        for _ in range(12):
            digest = (digest * 31 + sum(channel.receive()[::1000])) % 1_000_003
        channel.send(digest)
    """)
    assert alive(gateway)
    pid = pid_of(gateway)
    digest = 0
    with stopped(pid):
        for number in range(12):
            blob = bytes([number + 1]) * (1 << 20)
            digest = (digest * 31 + sum(blob[::1000])) % 1_000_003
            channel.send(blob)
        time.sleep(6 * SHORT)
    assert channel.receive(PATIENCE) == digest
    assert alive(gateway)


def test_a_long_poll(web: Group, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBSHELL_TOKEN", server.token)
    gateway = web.makegateway(f"http={site(server)}//poll=0.1")
    channel = echo(gateway)
    blob = bytes(range(256)) * 9000
    for item in (1, blob, "x"):
        assert answers(channel, item)
        time.sleep(0.25)
    channel = gateway.remote_exec("import os; os._exit(5)")
    with pytest.raises(EOFError, match="has ended with status 5"):
        channel.waitclose(PATIENCE)


def test_errors_that_nobody_could_keep(web: Group, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind what the server has dropped, standard error goes on."""
    monkeypatch.setenv("WEBSHELL_TOKEN", server.token)
    heard = Heard()
    monkeypatch.setattr(sys, "stderr", heard)
    gateway = web.makegateway(f"http={site(server)}")
    gateway.remote_exec("import sys; sys.stderr.write('x' * 3_000_000 + 'all')").waitclose(PATIENCE)
    assert eventually(lambda: "all" in heard.text)
    reading = gateway._io._errors._stream  # type: ignore[attr-defined]
    reading.offset = 0  # as if it had been away for long
    reading._exchange.cut()
    gateway.remote_exec("import sys; sys.stderr.write('later')").waitclose(PATIENCE)
    assert eventually(lambda: "later" in heard.text)
    assert re.search(r'stream=err HTTP/1.1" 416', server.log)


def test_threads_are_ready_for_the_end(server: Server, transport: str, web: Group, spec: str) -> None:
    """None is begun once a gateway is there: none can be when the interpreter shuts down (3.12 on)."""
    gateway = web.makegateway(spec)
    channel = echo(gateway)
    assert answers(channel, 1)
    begun: list[str] = []
    start = threading.Thread.start

    def noted(self: threading.Thread) -> None:
        begun.append(self.name)
        start(self)

    threading.Thread.start = noted  # type: ignore[method-assign]
    try:
        time.sleep(2 * SHORT)
        assert answers(channel, bytes(3_000_000))
        channel.send(None)
        gateway.exit()
        gateway.join(PATIENCE)
        assert gateway._io.wait() == 0
    finally:
        threading.Thread.start = start  # type: ignore[method-assign]
    assert [name for name in begun if name.startswith("webshell")] == []
