"""Connections that are made from where another gateway runs."""

from __future__ import annotations

import hashlib
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import execnet
import pytest

from webshell.execnet.channel_io import WINDOW
from webshell.execnet.reach import reach
from webshell.execnet.trouble import Gone

PATIENCE = 20.0
"""Seconds for what takes milliseconds."""


@pytest.fixture
def master() -> Iterator[execnet.Gateway]:
    group = execnet.Group()
    yield group.makegateway("popen//id=master")
    group.terminate(timeout=5)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE)
        yield listener


def reached(master: execnet.Gateway, listener: socket.socket) -> tuple[socket.socket, socket.socket]:
    ours = reach(master, listener.getsockname()[:2])
    theirs, _ = listener.accept()
    for end in (ours, theirs):
        end.settimeout(PATIENCE)
    return ours, theirs


def everything(end: socket.socket) -> bytes:
    return b"".join(iter(lambda: end.recv(1 << 16), b""))


def test_bytes_and_ends_go_both_ways(master: execnet.Gateway, listener: socket.socket) -> None:
    ours, theirs = reached(master, listener)
    with ours, theirs:
        ours.sendall(b"question")
        ours.shutdown(socket.SHUT_WR)
        assert everything(theirs) == b"question"
        theirs.sendall(b"answer")
        theirs.close()
        assert everything(ours) == b"answer"


def test_more_than_the_window_both_ways(master: execnet.Gateway, listener: socket.socket) -> None:
    ours, theirs = reached(master, listener)
    data = os.urandom(WINDOW) * 4
    digests = {}

    def take(name: str, end: socket.socket) -> None:
        digests[name] = hashlib.sha256(everything(end)).digest()

    with ours, theirs:
        takers = [threading.Thread(target=take, args=pair) for pair in (("ours", ours), ("theirs", theirs))]
        senders = [threading.Thread(target=end.sendall, args=(data,)) for end in (ours, theirs)]
        for thread in takers + senders:
            thread.start()
        for thread in senders:
            thread.join(PATIENCE)
        ours.shutdown(socket.SHUT_WR)
        theirs.shutdown(socket.SHUT_WR)
        for thread in takers:
            thread.join(PATIENCE)
    assert digests == dict.fromkeys(("ours", "theirs"), hashlib.sha256(data).digest())


def test_whoever_hangs_up_is_noticed_at_the_other_end(master: execnet.Gateway, listener: socket.socket) -> None:
    ours, theirs = reached(master, listener)
    with theirs:
        ours.close()
        assert everything(theirs) == b""
        # more than all that lies between can hold
        with pytest.raises(OSError, match=r"reset|Broken pipe"):
            theirs.sendall(b"x" * 64 * WINDOW)


def test_the_masters_end_is_the_end(master: execnet.Gateway, listener: socket.socket) -> None:
    ours, theirs = reached(master, listener)
    with ours, theirs:
        master.exit()
        assert everything(ours) == b""
        assert everything(theirs) == b""
    with pytest.raises(Gone, match="master, to go through, has ended"):
        reach(master, listener.getsockname()[:2])


def test_a_socket_of_the_machine(master: execnet.Gateway, tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        with reach(master, path) as ours:
            theirs, _ = listener.accept()
            with theirs:
                theirs.sendall(b"here")
            assert everything(ours) == b"here"
    with pytest.raises(ConnectionRefusedError):
        reach(master, path)
    with pytest.raises(FileNotFoundError):
        reach(master, path + "-no")


def test_errors_are_those_of_a_direct_connection(master: execnet.Gateway) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # it listens to nobody
        place = closed.getsockname()
        with pytest.raises(ConnectionRefusedError, match=f"127.0.0.1:{place[1]} via master"):
            reach(master, place)
    with pytest.raises(socket.gaierror, match=r"nowhere\.invalid"):
        reach(master, ("nowhere.invalid", 80))
