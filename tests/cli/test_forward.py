"""``webshell forward`` against a real daemon: byte by byte, one connection never at the expense of another."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cli.commands import COMMAND, Wire, environment, eventually, sessions, webshell
from cli.test_ways import front, pin, secure
from server.test_nginx import Front
from wire import PATIENCE, Server

from webshell.cli.forward import LINES
from webshell.cli.relay import HEADER, NO_LINGER, OPEN, READY, WINDOW_BYTES

__all__ = ["front", "pin", "secure"]  # fixtures

MEGABYTE = 1 << 20


class Tunnel:
    """The command while it runs.

    :ivar ports: here, in the order of the routes.
    """

    def __init__(self, server: Server, *routes: str, options: tuple[str, ...] = (), url: str = "", token: str = ""):
        self.process = subprocess.Popen(
            [*COMMAND, "forward", *options, url or server.url, *routes],
            env=environment(token or server.token),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self.process.stdout is not None
        self.told = [self.process.stdout.readline().decode() for _ in routes]
        self.ports = [int(found[1]) for line in self.told if (found := re.search(r":(\d+) leads to ", line))]

    def connect(self, number: int = 0) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.ports[number]), PATIENCE)

    def end(self, number: int = signal.SIGINT) -> tuple[int, str]:
        """Its status after this signal, 0: by itself, and what it has said."""
        assert self.process.stderr is not None
        if number:
            self.process.send_signal(number)
        status = self.process.wait(PATIENCE)
        return status, self.process.stderr.read().decode()

    def __enter__(self) -> Tunnel:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(PATIENCE)
        for pipe in (self.process.stdout, self.process.stderr):
            assert pipe is not None
            pipe.close()


class Target:
    """Listens, and serves each connection in a thread of its own.

    :ivar route: to it, from any port that is free.
    """

    def __init__(self, serve: Callable[[socket.socket], None], host: str = "127.0.0.1") -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listening = socket.create_server((host, 0), family=family, backlog=1024)
        self.port = self._listening.getsockname()[1]
        self.route = f"0:{f'[{host}]' if ':' in host else host}:{self.port}"
        self._serve = serve
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            connection.settimeout(PATIENCE)
            thread = threading.Thread(target=self._one, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _one(self, connection: socket.socket) -> None:
        with connection:
            self._serve(connection)

    def __enter__(self) -> Target:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for thread in self._threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()


def echo(connection: socket.socket) -> None:
    with contextlib.suppress(ConnectionResetError):  # the tunnel has ended
        while data := connection.recv(1 << 16):
            connection.sendall(data)


def everything(connection: socket.socket) -> bytes:
    """All that comes, to its end."""
    pieces = []
    while data := connection.recv(1 << 16):
        pieces.append(data)
    return b"".join(pieces)


def exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = connection.recv(size - len(data))
        assert more, (len(data), size)
        data += more
    return data


@pytest.fixture(autouse=True)
def nothing_left(server: Server) -> Iterator[None]:
    """No session, and so nothing that runs."""
    yield
    eventually(lambda: sessions(server) == [])


def loopbacks() -> list[str]:
    """Containers may have no IPv6."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return ["127.0.0.1"]
    return ["127.0.0.1", "::1"]


# ---- bytes


@pytest.mark.parametrize("host", loopbacks())
def test_every_byte_there_and_back(server: Server, host: str) -> None:
    data = os.urandom(8 * MEGABYTE)
    with Target(echo, host) as target, Tunnel(server, target.route) as tunnel, tunnel.connect() as connection:
        assert tunnel.told == [f"127.0.0.1:{tunnel.ports[0]} leads to {target.route[2:]}\n"]

        def send() -> None:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        assert everything(connection) == data
        sender.join()
        assert tunnel.end() == (130, "")


def test_half_closed_here(server: Server) -> None:
    """The answer comes after the question has ended, as ``nc`` and HTTP/1.0 have it."""

    def answer(connection: socket.socket) -> None:
        connection.sendall(b"%d" % len(everything(connection)))

    with Target(answer) as target, Tunnel(server, target.route) as tunnel, tunnel.connect() as connection:
        connection.sendall(bytes(MEGABYTE))
        connection.shutdown(socket.SHUT_WR)
        assert everything(connection) == b"%d" % MEGABYTE


def test_half_closed_there(server: Server) -> None:
    got = []

    def greet(connection: socket.socket) -> None:
        connection.sendall(b"enough")
        connection.shutdown(socket.SHUT_WR)
        got.append(everything(connection))

    with Target(greet) as target, Tunnel(server, target.route) as tunnel, tunnel.connect() as connection:
        assert everything(connection) == b"enough"
        connection.sendall(b"x" * MEGABYTE)
        connection.shutdown(socket.SHUT_WR)
        eventually(lambda: got == [b"x" * MEGABYTE])


def test_many_at_once(server: Server) -> None:
    with Target(echo) as target, Tunnel(server, target.route) as tunnel, contextlib.ExitStack() as stack:
        connections = [stack.enter_context(tunnel.connect()) for _ in range(100)]
        for turn in range(3):
            for number, connection in enumerate(connections):
                connection.sendall(b"%d/%d " % (number, turn) * 500)
            for number, connection in enumerate(connections):
                wanted = b"%d/%d " % (number, turn) * 500
                assert exactly(connection, len(wanted)) == wanted


def test_several_routes(server: Server) -> None:
    def greet(connection: socket.socket) -> None:
        connection.sendall(b"other")

    with Target(echo) as one, Target(greet) as other, Tunnel(server, one.route, other.route) as tunnel:
        with tunnel.connect(1) as connection:
            assert everything(connection) == b"other"
        with tunnel.connect(0) as connection:
            connection.sendall(b"one")
            assert exactly(connection, 3) == b"one"


# ---- the brake


def test_who_does_not_read_stops_only_himself(server: Server) -> None:
    """On either side; what is under way is bounded."""
    sent = [0]
    done = threading.Event()

    def flood(connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
        with contextlib.suppress(OSError):
            while True:
                sent[0] += connection.send(bytes(1 << 16))

    def deaf(connection: socket.socket) -> None:
        done.wait(PATIENCE)

    def still() -> bool:
        """What has been sent stays what it is, while another connection is served."""
        before = sent[0]
        for _ in range(20):
            talking.sendall(b"x" * 1000)
            exactly(talking, 1000)
        return sent[0] == before > 0

    with Target(flood) as loud, Target(deaf) as unheard, Target(echo) as target, contextlib.ExitStack() as stack:
        tunnel = stack.enter_context(Tunnel(server, loud.route, unheard.route, target.route))
        stack.callback(done.set)
        talking = stack.enter_context(tunnel.connect(2))
        stuck = stack.enter_context(tunnel.connect(0))
        eventually(still)
        kernels = 12 * MEGABYTE  # what the system's own buffers grow to, on both connections
        assert sent[0] < WINDOW_BYTES + kernels
        pushing = stack.enter_context(tunnel.connect(1))
        pushing.setblocking(False)
        pushed = 0

        def push() -> bool:
            nonlocal pushed
            before = pushed
            with contextlib.suppress(BlockingIOError):
                while True:
                    pushed += pushing.send(bytes(1 << 16))
            talking.sendall(b"x" * 1000)
            exactly(talking, 1000)
            return pushed == before

        eventually(lambda: all(push() for _ in range(20)))
        assert pushed < WINDOW_BYTES + kernels
        # and it goes on when it is read
        assert len(exactly(stuck, 4 * MEGABYTE)) == 4 * MEGABYTE


def test_a_limit_of_connections(server: Server) -> None:
    with (
        socket.create_server(("127.0.0.1", 0), backlog=LINES + 100) as listening,  # the system answers
        Tunnel(server, f"0:127.0.0.1:{listening.getsockname()[1]}") as tunnel,
        contextlib.ExitStack() as stack,
    ):
        opened = [stack.enter_context(tunnel.connect()) for _ in range(LINES)]
        with tunnel.connect() as more, pytest.raises(ConnectionResetError):
            more.recv(1)
        opened[0].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        opened[0].close()

        def another() -> bool:
            with contextlib.suppress(ConnectionResetError), tunnel.connect() as connection:
                connection.settimeout(0.2)
                with contextlib.suppress(TimeoutError):
                    connection.recv(1)
                return True
            return False

        eventually(another)
        status, told = tunnel.end()
        assert status == 130
        assert f"webshell: {LINES} connections are open; one more was closed\n" in told


# ---- resets and refusals


def test_nobody_listens_there(server: Server) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        with Tunnel(server, f"0:127.0.0.1:{port}", "0:no..name:80") as tunnel:
            for number in (0, 1):
                with tunnel.connect(number) as connection, pytest.raises(ConnectionResetError):
                    connection.recv(1)
            status, told = tunnel.end()
    assert status == 130
    refused, named = told.replace(server.url, "URL").splitlines()
    assert refused == f"webshell: URL: 127.0.0.1:{port}: Connection refused"
    assert named.startswith("webshell: URL: no..name:80: ")


def test_a_reset_arrives_on_the_other_side(server: Server) -> None:
    seen = []

    def reset(connection: socket.socket) -> None:
        if exactly(connection, 1) == b"r":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
            return
        connection.sendall(b"y")
        try:
            connection.recv(1)
        except ConnectionResetError:
            seen.append("reset")

    with Target(reset) as target, Tunnel(server, target.route) as tunnel:
        with tunnel.connect() as connection:
            connection.sendall(b"r")
            with pytest.raises(ConnectionResetError):
                connection.recv(1)
        with tunnel.connect() as connection:
            connection.sendall(b"x")
            assert exactly(connection, 1) == b"y"
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        eventually(lambda: seen == ["reset"])
        status, told = tunnel.end()
        assert status == 130
        assert told == f"webshell: {server.url}: 127.0.0.1:{target.port}: Connection reset by peer\n"


# ---- where it listens


def test_loopback_unless_told(server: Server) -> None:
    with Target(echo) as target, Tunnel(server, target.route, f"127.0.0.2:{target.route}") as tunnel:
        assert tunnel.told[1].startswith(f"127.0.0.2:{tunnel.ports[1]} leads to ")
        for host, number in [*((host, 0) for host in loopbacks()), ("127.0.0.2", 1)]:
            with socket.create_connection((host, tunnel.ports[number]), PATIENCE) as connection:
                connection.sendall(b"x")
                assert exactly(connection, 1) == b"x"
        for host, number in [("127.0.0.2", 0), ("127.0.0.1", 1)]:
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((host, tunnel.ports[number]), PATIENCE)


def test_a_port_that_is_taken(server: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        done = webshell(server, "forward", f"{port}:localhost:80")
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.decode() == f"webshell: 127.0.0.1:{port}: Address already in use\n"


def test_an_address_that_is_not_ours(server: Server) -> None:
    done = webshell(server, "forward", "192.0.2.1:0:localhost:80")
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.decode() == "webshell: 192.0.2.1:0: Cannot assign requested address\n"


@pytest.mark.parametrize(
    "route",
    [
        *("80", "x:80", "8080:host", "1:2:3:4:5", "8080:host:0", "70000:host:80", "1:host:70000"),
        *("::1:8080:host:80", "anywhere:8080:host:80", "8080::80", "8080:a b:80"),
    ],
)
def test_wrong_routes(server: Server, route: str) -> None:
    done = webshell(server, "forward", route)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(f"webshell: forward: {route}: ".encode()), done.stderr


# ---- cuts and ends


def test_a_cut_changes_nothing(server: Server, wire: Wire) -> None:
    data = os.urandom(4 * MEGABYTE)
    with Target(echo) as target, Tunnel(server, target.route, url=wire.url) as tunnel, tunnel.connect() as connection:
        wire.cuts_after = MEGABYTE
        sender = threading.Thread(target=connection.sendall, args=(data,))
        sender.start()
        assert exactly(connection, len(data)) == data
        sender.join()
        assert wire.cuts_after == 0
        assert tunnel.end() == (130, "")


def test_a_server_that_dies(server: Server, tmp_path: Path) -> None:
    with (
        Server(tmp_path) as mortal,
        Target(echo) as target,
        Tunnel(mortal, target.route, options=("--patience", "1")) as tunnel,
        tunnel.connect() as connection,
    ):
        connection.sendall(b"x")
        assert exactly(connection, 1) == b"x"
        mortal.stop(signal.SIGKILL)
        with pytest.raises(ConnectionResetError):
            connection.recv(1)

        def closed() -> bool:
            with contextlib.suppress(ConnectionResetError):
                try:
                    tunnel.connect().close()
                except ConnectionRefusedError:
                    return True
            return False

        eventually(closed)
        lost = "the connection was lost, and did not come back within 1 seconds"
        assert tunnel.end(0) == (255, f"webshell: {lost}\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_end_it(server: Server, number: int) -> None:
    seen = threading.Event()

    def wait(connection: socket.socket) -> None:
        connection.sendall(b"x")
        with contextlib.suppress(ConnectionResetError):
            assert connection.recv(1) == b""
        seen.set()

    with Target(wait) as target, Tunnel(server, target.route) as tunnel, tunnel.connect() as connection:
        assert exactly(connection, 1) == b"x"
        assert tunnel.end(number) == (128 + number, "")
        assert seen.wait(PATIENCE)


# ---- what runs there


def test_no_python_there(server: Server) -> None:
    done = webshell(server, "forward", "--python", "no-such-python", "0:localhost:80")
    assert done.returncode == 127
    assert done.stderr.decode().endswith("; --python names a Python that is there\n")


def test_no_relay_there(server: Server) -> None:
    done = webshell(server, "forward", "--python", "false", "0:localhost:80")
    assert (done.returncode, done.stdout) == (1, b"")
    ended = "the relay ended there with status 1; is false a Python from 3.8 on?"
    assert done.stderr.decode() == f"webshell: {ended}\n"
    done = webshell(server, "forward", "--python", "echo", "0:localhost:80")
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.decode() == "webshell: echo there does not speak as the relay does\n"


def test_a_relay_that_knows_no_window(server: Server) -> None:
    relay = server.home / "relay"
    program = (
        "import os, struct\n"
        "def say(kind, number, data=b''):\n"
        f"    os.write(1, struct.pack({HEADER.format!r}, kind, number, len(data)) + data)\n"
        f"say({READY}, 0)\n"
        f"kind, number, size = struct.unpack({HEADER.format!r}, os.read(0, {HEADER.size}))\n"
        f"assert kind == {OPEN}\n"
        "while True:\n"
        "    say(2, number, bytes(60000))\n"
    )
    relay.write_text(f"#!{sys.executable}\n{program}")
    relay.chmod(0o755)
    with Tunnel(server, "0:localhost:80", options=("--python", str(relay))) as tunnel, tunnel.connect():
        assert tunnel.end(0) == (1, "webshell: the relay there sends more than was agreed\n")


def test_who_may_only_watch(server: Server) -> None:
    done = webshell(server, "forward", "0:localhost:80", token=server.view_token)
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"you may not do this" in done.stderr


# ---- ways to the server


def test_over_tls(secure: Server, pin: str) -> None:
    with Target(echo) as target, Tunnel(secure, target.route, options=("--pin", pin)) as tunnel:
        with tunnel.connect() as connection:
            connection.sendall(b"x" * MEGABYTE)
            assert exactly(connection, MEGABYTE) == b"x" * MEGABYTE
        assert tunnel.end() == (130, "")


def test_behind_nginx(front: Front) -> None:
    options = ("--ca-file", str(front.home / "site.pem"))
    with (
        Target(echo) as target,
        Tunnel(front.server, target.route, options=options, url=front.url.rstrip("/"), token=front.token) as tunnel,
    ):
        with tunnel.connect() as connection:
            connection.sendall(b"x" * MEGABYTE)
            assert exactly(connection, MEGABYTE) == b"x" * MEGABYTE
        assert tunnel.end() == (130, "")
