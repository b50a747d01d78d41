"""How gateways over the web end: the worker's end, the server's, ours, and what is left of any of them: nothing."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path
from statistics import median
from textwrap import dedent

import execnet
import pytest
from cli.commands import Wire
from exec.asking import api_of
from gateways import alive, ask, echo, eventually, exists, pid_of, quick, site
from wire import PATIENCE, Server

from webshell.execnet import Group
from webshell.execnet.sender import ROOM_BYTES
from webshell.execnet.socket_line import opened
from webshell.execnet.web_io import WebIO


def io_of(gateway: execnet.Gateway) -> WebIO:
    io = gateway._io
    assert isinstance(io, WebIO)
    return io


def forget(server: Server, gateway: execnet.Gateway, method: str = "DELETE", more: str = "?signal=KILL") -> int:
    """Ask the server for something about the worker, as somebody else would."""
    import http.client

    host, port = site(server).split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=PATIENCE)
    path = f"/exec/{io_of(gateway).worker.id}{more}"
    connection.request(method, path, headers={"Authorization": f"Bearer {server.token}"})
    status = connection.getresponse().status
    connection.close()
    return status


def test_case_5_a_worker_that_is_unknown(web: Group, cuttable: str, wire: Wire, server: Server) -> None:
    """As after a restart of the server: it is told at once, and nobody asks again."""

    def end() -> float:
        gateway = web.makegateway(cuttable)
        channel = echo(gateway)
        worker = io_of(gateway).worker
        name = worker.id
        worker.id = "nobody.1"  # a server that has forgotten it answers so
        asked = server.log.count("nobody.1")
        begin = time.monotonic()
        wire.cut()
        with pytest.raises(EOFError, match=r"nobody\.1"):
            channel.receive(PATIENCE)
        with pytest.raises(OSError, match="cannot send"):
            channel.send(1)
        took = time.monotonic() - begin
        assert io_of(gateway).wait() is None
        assert server.log.count("nobody.1") - asked <= 8  # output, errors, input, the end: each once or twice
        worker.id = name
        worker.kill()
        return took

    assert not quick(1, end)


def test_case_5_a_worker_that_was_cleaned_up(web: Group, cuttable: str, wire: Wire, server: Server) -> None:
    gateway = web.makegateway(cuttable)
    channel = echo(gateway)
    pid = pid_of(gateway)
    wire.cut(dead=True)
    os.kill(pid, signal.SIGTERM)
    assert eventually(lambda: not exists(pid))
    assert eventually(lambda: forget(server, gateway, more="") in (404, 410))
    wire.mend()
    with pytest.raises(EOFError, match=rf"the process {io_of(gateway).worker.id} has ended by signal 15"):
        channel.receive(PATIENCE)
    assert io_of(gateway).wait() == -15


def test_case_6_killed(web: Group, spec: str) -> None:
    def end() -> float:
        gateway = web.makegateway(spec)
        channel = echo(gateway)
        os.kill(pid_of(gateway), signal.SIGKILL)
        with pytest.raises(EOFError, match="has ended by signal 9"):
            channel.waitclose(PATIENCE)
        with pytest.raises(OSError, match="cannot send"):
            channel.send(1)
        assert io_of(gateway).wait() == -9
        begin = time.monotonic()
        web.terminate(2)
        assert not web
        return time.monotonic() - begin

    assert not quick(3, end)


def test_case_6_writing_to_what_has_ended_fails_at_once(gateway: execnet.Gateway) -> None:
    io = io_of(gateway)
    os.kill(pid_of(gateway), signal.SIGKILL)
    gateway.join(PATIENCE)
    for _ in range(3):
        with pytest.raises(OSError, match="has ended by signal 9"):
            io.write(b"x")
    for _ in range(3):
        with pytest.raises(EOFError, match="has ended by signal 9"):
            io.read(1)
    io.close_write()
    io.close_read()


def test_the_end_of_a_worker_is_its_own(gateway: execnet.Gateway) -> None:
    channel = gateway.remote_exec("import os; os._exit(7)")
    with pytest.raises(EOFError, match="has ended with status 7"):
        channel.waitclose(PATIENCE)
    assert io_of(gateway).wait() == 7


def test_what_has_ended_is_forgotten_by_the_server(web: Group, gateway: execnet.Gateway, server: Server) -> None:
    """Or each would be kept, with its session, until the server thinks that nobody comes back."""
    web.terminate(5)
    assert eventually(lambda: forget(server, gateway, "GET", "/status") == 410)


def test_case_7_somebody_else_reads_now(web: Group, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest wins; a gateway does not fight for its worker."""
    monkeypatch.setenv("WEBSHELL_TOKEN", server.token)
    gateway = web.makegateway(f"ws={site(server)}")
    channel = echo(gateway)
    worker = io_of(gateway).worker
    thief = opened(worker, 0, PATIENCE)
    with pytest.raises(EOFError, match="somebody else reads now"):
        channel.receive(PATIENCE)
    thief.close()
    worker.kill()


def test_somebody_else_writes_too(web: Group, gateway: execnet.Gateway, server: Server) -> None:
    channel = echo(gateway)
    channel.send(1)
    assert channel.receive(PATIENCE) == 1
    name = io_of(gateway).worker.id
    assert api_of(server).feed(name, bytes(100_000)).status == 204

    def refused() -> bool:
        try:
            channel.send(1)
        except OSError:
            return True
        return False

    assert eventually(refused)
    io_of(gateway).kill()


def round_trip(gateway: execnet.Gateway) -> float:
    """Seconds, the median of many."""
    channel = echo(gateway)
    times = []
    for number in range(31):
        begin = time.monotonic()
        channel.send(number)
        assert channel.receive(PATIENCE) == number
        times.append(time.monotonic() - begin)
    channel.send(None)
    return median(times)


def test_case_12_a_worker_that_does_not_read(web: Group, spec: str, server: Server) -> None:
    """Who writes waits, the server's memory is bounded, others go on; then all of it arrives."""
    stopped, other = web.makegateway(spec), web.makegateway(spec)
    channel = stopped.remote_exec("channel.send(sum(len(channel.receive()) for _ in range(100)))")
    assert alive(stopped)
    pid = pid_of(stopped)
    os.kill(pid, signal.SIGSTOP)
    before = server.memory()
    written: list[int] = []

    def write() -> None:
        for number in range(100):
            channel.send(bytes(1 << 19))
            written.append(number)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert eventually(lambda: len(written) >= 20)
        assert not quick(0.01, partial(round_trip, other))
        assert len(written) < 60
        assert server.memory() - before < 24 << 20
    finally:
        os.kill(pid, signal.SIGCONT)
    assert channel.receive(PATIENCE) == 50 << 20
    writer.join(PATIENCE)
    assert len(written) == 100


def test_case_12_who_waits_for_room_is_told_of_the_end(web: Group, spec: str) -> None:
    gateway = web.makegateway(spec)
    channel = echo(gateway)
    pid = pid_of(gateway)
    os.kill(pid, signal.SIGSTOP)
    failed: list[OSError] = []

    def write() -> None:
        try:
            while True:  # for a moment, what is written to a process that has just died may still be taken
                channel.send(bytes(1 << 19))
        except OSError as error:
            failed.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    sender = io_of(gateway)._sender
    assert eventually(lambda: sender._held > ROOM_BYTES - (1 << 20))
    os.kill(pid, signal.SIGKILL)
    writer.join(PATIENCE)
    assert not writer.is_alive()
    assert len(failed) == 1


def test_case_15_the_server_restarts(tmp_path: Path, web: Group, transport: str) -> None:
    token = str(tmp_path / "token")

    def restart() -> float:
        with Wire() as wire:
            spec = f"{transport}={wire.host}//token_file={token}"
            options = ("--token-file", token, "--host", wire.host)
            with Server(tmp_path, *options) as server:
                wire.lead_to(server)
                gateway = web.makegateway(spec)
                channel = echo(gateway)
                pid = pid_of(gateway)
            ended = time.monotonic()
            wire.cut(dead=True)
            with Server(tmp_path, *options) as server:
                wire.lead_to(server)
                wire.mend()
                back = time.monotonic()
                with pytest.raises(EOFError, match="process"):
                    channel.receive(PATIENCE)
                with pytest.raises(OSError, match="cannot send"):
                    channel.send(1)
                told = time.monotonic() - back
                assert eventually(lambda: not exists(pid))
                gone = time.monotonic() - ended
                assert alive(web.makegateway(spec))
                web.terminate(5)
        return max(told / 6, gone / 15)

    assert not quick(1, restart)


def test_case_15_the_server_does_not_come_back(tmp_path: Path, web: Group, transport: str) -> None:
    token = tmp_path / "token"
    with Server(tmp_path, "--token-file", str(token)) as server:
        gateway = web.makegateway(f"{transport}={site(server)}//token_file={token}//patience=0.2")
        channel = echo(gateway)
        pid = pid_of(gateway)
    with pytest.raises(EOFError, match=r"refuses connections|ended"):
        channel.receive(PATIENCE)
    with pytest.raises(OSError, match="cannot send"):
        channel.send(1)
    assert not exists(pid)


def test_case_16_the_client_is_killed(server: Server, transport: str) -> None:
    program = f"""
        from webshell.execnet import Group
        gateway = Group().makegateway("{transport}={site(server)}//grace=1")
        channel = gateway.remote_exec('''
            import os, subprocess
            channel.send((os.getpid(), subprocess.Popen(["sleep", "1000"]).pid))
            channel.receive()
        ''')
        print(*channel.receive(), flush=True)
        channel.receive()
    """

    def end() -> float:
        with subprocess.Popen(
            [sys.executable, "-c", dedent(program)],
            env={"WEBSHELL_TOKEN": server.token, "PYTHONPATH": ":".join(sys.path)},
            stdout=subprocess.PIPE,
            text=True,
        ) as client:
            assert client.stdout is not None
            pids = [int(word) for word in client.stdout.readline().split()]
            assert [exists(pid) for pid in pids] == [True, True]
            client.kill()
            begin = time.monotonic()
        assert eventually(lambda: not any(exists(pid) for pid in pids))
        return time.monotonic() - begin

    assert not quick(1 + 2, end)


def test_case_17_a_busy_worker(web: Group, spec: str) -> None:
    def end() -> float:
        gateway = web.makegateway(spec)
        pids = ask(
            gateway,
            """
            import os, subprocess
            channel.send((os.getpid(), subprocess.Popen(["sleep", "1000"]).pid))
            """,
        )
        gateway.remote_exec("while True: pass")
        begin = time.monotonic()
        web.terminate(1.0)
        took = time.monotonic() - begin
        assert not web
        assert eventually(lambda: not any(exists(pid) for pid in pids))
        return took

    assert not quick(2, end)


def test_case_17_a_kill_does_not_hang_where_nobody_answers(
    web: Group, gateway: execnet.Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = io_of(gateway).worker
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr("webshell.execnet.worker.KILL_SECONDS", 0.1)
        address = worker.dialer.address
        monkeypatch.setattr(worker.dialer, "address", type(address)(False, "127.0.0.1", silent.getsockname()[1]))
        io_of(gateway).kill()
        gateway.join(PATIENCE)
        assert not gateway.hasreceiver()
        monkeypatch.undo()
    io_of(gateway).kill()
    assert io_of(gateway).wait() == -9


def test_nothing_is_left_of_many(web: Group, spec: str, server: Server) -> None:
    """No thread, no descriptor, no connection."""
    for _ in range(3):
        web.makegateway(spec)
    web.terminate(5)
    assert eventually(lambda: not ours()), ours()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        assert alive(web.makegateway(spec))
    web.terminate(5)
    assert eventually(lambda: not ours()), ours()
    assert eventually(lambda: len(os.listdir("/proc/self/fd")) <= before)


def ours() -> list[str]:
    """The names of threads that gateways have begun."""
    return [thread.name for thread in threading.enumerate() if re.match("webshell-", thread.name)]
