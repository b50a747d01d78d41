"""Daemons that do not start, or that listen where ``wire.Server`` does not look: how to run and ask them."""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from wire import PATIENCE

_twistd = Path(sys.executable).with_name("twistd")
TWISTD: Sequence[str] = (
    (str(_twistd),) if _twistd.exists() else (sys.executable, "-c", "from twisted.scripts.twistd import run; run()")
)
MODULE: Sequence[str] = (sys.executable, "-m", "webshell")
FOREGROUND: Sequence[str] = (*TWISTD, "-n", "--pidfile=", "--logfile=twistd.log", "webshell")
"""twistd without a log file logs to its standard output, which nobody reads in a test."""
LOUD: Sequence[str] = (*TWISTD, "-n", "--pidfile=", "webshell")
LOOPBACK = "tcp:0:interface=127.0.0.1"


class Answer(NamedTuple):
    """What a server said; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def environment(home: Path, **more: str) -> dict[str, str]:
    """What a daemon of *home* is started with."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("WEBSHELL_")}
    return {**inherited, "HOME": str(home), **more}


def run(home: Path, *command: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command that ends by itself; what it says is in ``stdout``, errors too."""
    return subprocess.run(
        command,
        cwd=home,
        env=environment(home, **more),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def ask(
    where: tuple[str, int] | Path | socket.socket,
    path: str = "/healthz",
    *,
    method: str = "GET",
    host: str = "localhost",
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    tls: ssl.SSLContext | None = None,
    first: bytes = b"",
) -> Answer:
    """Ask a server at an address, a unix socket, or the other end of a socket.

    :param first: is sent before the request.
    """
    if isinstance(where, socket.socket):
        connected = where
    elif isinstance(where, Path):
        connected = socket.socket(socket.AF_UNIX)
        connected.connect(str(where))
    else:
        connected = socket.create_connection(where)
    connected.settimeout(PATIENCE)
    connected.sendall(first)
    if tls is not None:
        connected = tls.wrap_socket(connected, server_hostname=host.partition(":")[0])
    connection = http.client.HTTPConnection("unused")
    connection.sock = connected
    try:
        connection.request(method, path, body, {"Host": host, **(headers or {})})
        response = connection.getresponse()
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())
    finally:
        connection.close()


def until(holds: Callable[[], object], what: str = "") -> None:
    """Wait until *holds*."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def alive(pid: int) -> bool:
    """Whether there is such a process, not counting the dead that nobody has asked about."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
