"""Gateways over HTTP and WebSockets, at a real daemon: what is sent arrives, whole, once and in order."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import sys
import threading
from importlib import metadata
from pathlib import Path
from textwrap import dedent
from typing import Any

import execnet
import pytest
from cli.commands import Wire
from gateways import Heard, alive, ask, echo, eventually, site
from wire import PATIENCE, Server

from webshell.execnet import Group, posts, sender


@pytest.mark.parametrize("scheme", ["https", "wss"])
def test_case_1_over_tls(scheme: str, tmp_path: Path, web: Group, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = tmp_path / "certificate.pem"
    with Server(tmp_path, "--self-signed", str(certificate)) as server:
        monkeypatch.setenv("WEBSHELL_TOKEN", server.token)
        gateway = web.makegateway(f"{scheme}={site(server)}//ca_file={certificate}")
        channel = echo(gateway)
        for item in (1, b"x" * 3_000_000, "two"):
            channel.send(item)
            assert channel.receive(PATIENCE) == item
        blobs = [bytes([number]) * 100_000 for number in range(200)]

        def send() -> None:
            for blob in blobs:
                channel.send(blob)

        sending = threading.Thread(target=send)
        sending.start()  # at once with what comes back, by the same TLS
        assert all(channel.receive(PATIENCE) == blob for blob in blobs)
        sending.join()
        web.terminate(5)


def test_case_1_plain(gateway: execnet.Gateway, spec: str) -> None:
    assert alive(gateway)
    assert gateway.remoteaddress.startswith("http://127.0.0.1:")
    assert str(gateway.spec) == spec


def test_case_1_execnet_is_as_it_was_released() -> None:
    """Nothing of it is replaced by importing ours, nor in its files."""
    program = """
        import execnet, sys
        from execnet import multi
        before = {m: dict(vars(m)) for m in list(sys.modules.values()) if m and m.__name__.startswith("execnet")}
        classes = {c: dict(vars(c)) for m in before for c in before[m].values() if isinstance(c, type)}
        import webshell.execnet
        assert all(vars(m).items() >= names.items() for m, names in before.items())
        assert all(dict(vars(c)) == names for c, names in classes.items())
        assert "twisted" not in sys.modules and "autobahn" not in sys.modules
    """
    subprocess.run([sys.executable, "-c", dedent(program)], check=True, timeout=PATIENCE)
    files = [file for file in metadata.files("execnet") or [] if file.hash is not None and file.suffix == ".py"]
    assert len(files) > 10
    for file in files:
        assert file.hash is not None
        digest = hashlib.new(file.hash.mode, file.read_binary()).digest()
        assert base64.urlsafe_b64encode(digest).decode().rstrip("=") == file.hash.value, file


def test_a_process_without_a_reactor(server: Server, transport: str) -> None:
    """It works, ends by itself, and Twisted was never there."""
    program = f"""
        import sys
        from webshell.execnet import Group
        group = Group()
        gateway = group.makegateway("{transport}={site(server)}")
        channel = gateway.remote_exec("channel.send(6 * 7)")
        print(channel.receive())
        assert "twisted" not in sys.modules and "autobahn" not in sys.modules
    """
    done = subprocess.run(
        [sys.executable, "-c", dedent(program)],
        env={"WEBSHELL_TOKEN": server.token, "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("42\n", "", 0)


def test_where_and_how_it_runs(web: Group, spec: str, tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    gateway = web.makegateway(f"{spec}//chdir={folder}//env:COLOUR=blue//nice=3//python={sys.executable} -X utf8")
    told = ask(
        gateway,
        """
        import os, sys
        channel.send((os.getcwd(), os.environ["COLOUR"], os.nice(0), sys.executable, sys.flags.utf8_mode))
        """,
    )
    assert told == (str(folder), "blue", 3, sys.executable, 1)


def test_what_cannot_be_set_leaves_no_gateway(web: Group, spec: str) -> None:
    with pytest.raises(execnet.RemoteError, match="NotADirectoryError"):
        web.makegateway(f"{spec}//chdir=/dev/null/x")
    assert len(web) == 0


def test_an_id_is_unique(web: Group, spec: str) -> None:
    web.makegateway(f"{spec}//id=one")
    with pytest.raises(ValueError, match="already have gateway with id 'one'"):
        web.makegateway(f"{spec}//id=one")


def test_case_9_many_threads(gateway: execnet.Gateway) -> None:
    received: list[list[Any]] = []

    def talk() -> None:
        channel = echo(gateway)
        for number in range(300):
            channel.send((number, b"." * (number * 7 % 1500)))
        received.append([channel.receive(PATIENCE)[0] for _ in range(300)])
        channel.send(None)

    threads = [threading.Thread(target=talk) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert received == [list(range(300))] * 8


def test_case_10_cuts(web: Group, cuttable: str, wire: Wire) -> None:
    channel = echo(web.makegateway(cuttable))
    received = []
    for number in range(3000):
        channel.send(number)
        if number % 500 == 250:
            wire.cut()
        if number >= 100:
            received.append(channel.receive(PATIENCE))
    received += [channel.receive(PATIENCE) for _ in range(100)]
    assert received == list(range(3000))


def test_case_10_cuts_in_a_flood(web: Group, cuttable: str, wire: Wire) -> None:
    channel = echo(web.makegateway(cuttable))
    blob = bytes(range(256)) * 4000
    for size in (1_000_003, 2_500_001, 400_000):
        wire.cuts_after = size
        for _ in range(5):
            channel.send(blob)
        for _ in range(5):
            assert channel.receive(PATIENCE) == blob


def test_case_10_dead_for_a_while(web: Group, cuttable: str, wire: Wire) -> None:
    channel = echo(web.makegateway(cuttable))
    channel.send(1)
    assert channel.receive(PATIENCE) == 1
    wire.cut(dead=True)
    channel.send(2)
    threading.Timer(0.5, wire.mend).start()
    assert channel.receive(PATIENCE) == 2


def test_case_10_a_silent_connection_is_closed_by_the_server(web: Group, cuttable: str, wire: Wire) -> None:
    channel = echo(web.makegateway(cuttable))
    channel.send(1)
    assert channel.receive(PATIENCE) == 1
    wire.cut()  # as the server does after a minute
    channel.send(2)
    assert channel.receive(PATIENCE) == 2


def test_case_10_a_silent_connection_is_closed_here_before(
    server: Server, web: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    rested: list[posts.Posted] = []
    rest = posts.Posted.rest
    monkeypatch.setattr(sender, "REST_SECONDS", 0.02)

    def noted(line: posts.Posted) -> bool:
        rested.append(line)
        return rest(line)

    monkeypatch.setattr(posts.Posted, "rest", noted)
    monkeypatch.setenv("WEBSHELL_TOKEN", server.token)
    channel = echo(web.makegateway(f"http={site(server)}"))
    for number in range(3):
        channel.send(number)
        assert channel.receive(PATIENCE) == number
        assert eventually(lambda: len(rested) > number)  # noqa: B023


def test_case_11_one_large_item(gateway: execnet.Gateway) -> None:
    blob = bytes(1 << 20) * 100
    channel = echo(gateway)
    channel.send(blob)
    assert channel.receive(PATIENCE) == blob


def test_case_13_floods_both_ways(gateway: execnet.Gateway) -> None:
    """Callbacks at both ends, in the threads that read: neither may wait for the other."""
    channel = gateway.remote_exec("""
        done = channel.receive()
        channel.setcallback(channel.send, endmarker=None)
        done.receive()
    """)
    done = gateway.newchannel()
    channel.send(done)
    blob = bytes(1 << 16)
    count = 0
    all_there = threading.Event()

    def received(item: bytes) -> None:
        nonlocal count
        assert item == blob
        count += 1
        if count == 800:
            all_there.set()

    channel.setcallback(received)
    for _ in range(800):
        channel.send(blob)
    assert all_there.wait(PATIENCE)
    done.send(None)


def test_case_13_a_callback_that_answers_more_than_there_is_room_for(gateway: execnet.Gateway) -> None:
    """It is called in the thread that reads, and must not wait for room."""
    channel = gateway.remote_exec("""
        channel.send(None)
        channel.send(sum(len(channel.receive()) for _ in range(40)))
    """)
    told: list[object] = []
    over = threading.Event()

    def received(item: object) -> None:
        if item is None:
            for _ in range(40):
                channel.send(bytes(1 << 20))
        else:
            told.append(item)
            over.set()

    channel.setcallback(received)
    assert over.wait(PATIENCE)
    assert told == [40 << 20]


def test_case_20_output_and_errors(gateway: execnet.Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    heard = Heard()
    monkeypatch.setattr(sys, "stderr", heard)
    channel = gateway.remote_exec("""
        import os, sys
        print("to nobody")
        print("für dich", file=sys.stderr)
        os.write(2, b"\\xc3")
        os.write(2, b"\\xa4\\n")
        os.write(1, b"no harm")
        channel.send(1)
    """)
    assert channel.receive(PATIENCE) == 1
    assert eventually(lambda: "ä\n" in heard.text), heard.text
    assert "für dich\n" in heard.text
    assert alive(gateway)
