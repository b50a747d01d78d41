"""The ways to a server: TLS with certificates and pins, unix sockets, nginx; and who is not let in."""

from __future__ import annotations

import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from autobahn.twisted.websocket import WebSocketClientFactory
from cli.commands import Terminal, started, webshell
from server.test_nginx import Front, front
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from wire import PATIENCE, Server

from webshell.cli.client import Client
from webshell.cli.quiet import Deaf
from webshell.cli.transport import Socket

__all__ = ["front"]  # a fixture


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a certificate of its own making."""
    home = tmp_path_factory.mktemp("secure")
    with Server(home, "--self-signed", "site.pem") as running:
        yield running


@pytest.fixture(scope="module")
def pin(secure: Server) -> str:
    """As it prints it."""
    found = re.search(r"(?:[0-9A-F]{2}:){31}[0-9A-F]{2}", secure.announced + secure.log)
    assert found
    return found[0]


ECHO = ("--", "echo", "hello")


def test_a_certificate_that_nobody_vouches_for(secure: Server) -> None:
    done = webshell(secure, "run", *ECHO)
    assert (done.returncode, done.stdout) == (255, b"")
    assert b"the server's certificate is not trusted" in done.stderr
    assert b"Traceback" not in done.stderr


def test_trusted_by_a_file(secure: Server) -> None:
    done = webshell(secure, "run", "--ca-file", str(secure.home / "site.pem"), *ECHO)
    assert (done.returncode, done.stdout) == (0, b"hello\n"), done.stderr


def test_trusted_by_its_fingerprint(secure: Server, pin: str) -> None:
    done = webshell(secure, "run", "--pin", pin, *ECHO)
    assert (done.returncode, done.stdout) == (0, b"hello\n"), done.stderr
    both = webshell(secure, "run", "--pin", pin, "--ca-file", str(secure.home / "site.pem"), *ECHO)
    assert both.returncode == 0, both.stderr


def test_files_over_tls(secure: Server, pin: str, tmp_path: Path) -> None:
    data = bytes(range(256)) * 12_000
    (tmp_path / "data").write_bytes(data)
    there = f"{secure.url}:{tmp_path}/there"
    for places in ((str(tmp_path / "data"), there), (there, str(tmp_path / "back"))):
        done = webshell(secure, "cp", "--pin", pin, places[1], url=places[0])
        assert (done.returncode, done.stderr) == (0, b"")
    assert (tmp_path / "back").read_bytes() == data


def test_no_frame_waits_for_an_acknowledgement() -> None:
    """Else a round trip takes 40 ms. The reactor and the wire are not real: the kernel does not tell of the option."""
    said: list[bool] = []

    class Memory(StringTransport):
        def setTcpNoDelay(self, enabled: bool) -> None:
            said.append(enabled)

    for transport in (Memory(), StringTransport()):  # a unix socket has no such option
        made = Socket()
        made.factory = WebSocketClientFactory("wss://localhost/ws", reactor=Clock())
        made.factory.setProtocolOptions(openHandshakeTimeout=0)  # its timer would be one of the real reactor
        made.prepare(Client(Deaf()), Deferred(), lambda: None)
        made.makeConnection(transport)
        assert transport.value().startswith(b"GET /ws ")
    assert said == [True]


def test_another_fingerprint(secure: Server, pin: str) -> None:
    wrong = pin[:-2] + ("00" if pin[-2:] != "00" else "01")
    for more in ((), ("--ca-file", str(secure.home / "site.pem"))):
        done = webshell(secure, "run", "--pin", wrong, *more, *ECHO)
        assert (done.returncode, done.stdout) == (255, b"")
        assert b"not trusted" in done.stderr


def test_another_name(secure: Server, pin: str, tmp_path: Path) -> None:
    """127.0.0.2 is not among the certificate's names; service-identity sees that, whoever vouches for it."""
    (tmp_path / "site.pem").touch(0o600)
    (tmp_path / "site.pem").write_bytes((secure.home / "site.pem").read_bytes())
    with Server(tmp_path, listen="ssl:0:interface=127.0.0.2:privateKey=site.pem:certKey=site.pem") as other:
        for more in (("--pin", pin), ("--ca-file", str(tmp_path / "site.pem"))):
            done = webshell(other, "run", *more, *ECHO)
            assert (done.returncode, done.stdout) == (255, b"")
            assert b"certificate is for other names" in done.stderr, done.stderr


def test_a_file_without_certificates(secure: Server, tmp_path: Path) -> None:
    (tmp_path / "no.pem").write_text("nothing")
    for name, message in [("no.pem", b"no certificates"), ("missing.pem", b"cannot be read")]:
        done = webshell(secure, "run", "--ca-file", str(tmp_path / name), *ECHO)
        assert (done.returncode, message in done.stderr) == (2, True)


def test_http_where_https_is_expected(secure: Server, server: Server) -> None:
    done = webshell(server, "ls", url=server.url.replace("http:", "https:"))
    assert done.returncode == 255
    # at once, and not when a deadline is over
    assert b"the server does not speak TLS as it should; is it http:// there?" in done.stderr, done.stderr


def test_nobody_listens(server: Server) -> None:
    done = webshell(server, "ls", url="http://127.0.0.1:1/")
    wanted = "127.0.0.1:1 cannot be reached: Connection refused; is the server running there?"
    assert (done.returncode, done.stderr.decode()) == (255, f"webshell: {wanted}\n")


def test_https_where_http_is_expected(secure: Server) -> None:
    done = webshell(secure, "ls", url=secure.url.replace("https:", "http:"))
    assert done.returncode == 255
    assert b"or is it https:// there?" in done.stderr, done.stderr


@pytest.mark.parametrize(
    ("what", "arguments", "number"),
    [
        *(("ls", (), number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)),
        ("run", ("--", "true"), signal.SIGINT),
        ("forward", ("0:localhost:80",), signal.SIGINT),
        ("cp", (".",), signal.SIGINT),
    ],
)
def test_a_signal_while_nobody_answers(server: Server, what: str, arguments: tuple[str, ...], number: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(PATIENCE)
        url = f"http://127.0.0.1:{listening.getsockname()[1]}" + (":file" if what == "cp" else "")
        with started(server, what, *arguments, url=url) as process:
            connection, _ = listening.accept()
            with connection:
                assert connection.recv(4) == b"GET "
                process.send_signal(number)
                assert process.wait(PATIENCE) == 128 + number
                assert process.stderr is not None
                assert process.stderr.read() == b""


@pytest.mark.parametrize(("what", "arguments"), [("run", ("-t", "--", "true")), ("attach", ())])
def test_ctrl_c_in_a_terminal_while_nobody_answers(server: Server, what: str, arguments: tuple[str, ...]) -> None:
    """It is no key before there is somebody to type to."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(PATIENCE)
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with Terminal(server, what, *arguments, url=url) as terminal:
            connection, _ = listening.accept()
            with connection:
                assert connection.recv(4) == b"GET "
                terminal.type("\x03")
                assert terminal.end() == 130
                assert terminal.restored()


@pytest.mark.parametrize("what", ["forward", "run"])
def test_a_server_that_is_frozen(tmp_path: Path, what: str) -> None:
    """Nobody confirms the end of the session, which the server will find out itself."""
    arguments = {"forward": ("0:localhost:80",), "run": ("--", "sh", "-c", "echo it leads to nothing; exec sleep 1000")}
    with Server(tmp_path) as frozen, started(frozen, what, *arguments[what]) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert b" leads to " in process.stdout.readline()
        os.kill(frozen.pid, signal.SIGSTOP)
        try:
            process.send_signal(signal.SIGINT)
            while what == "run" and process.poll() is None:  # the first one is for the program
                time.sleep(0.1)
                process.send_signal(signal.SIGINT)
            # one more may have met a Python that was ending
            assert process.wait(PATIENCE) in (130, -signal.SIGINT)
            assert process.stderr.read() == b""
        finally:
            os.kill(frozen.pid, signal.SIGCONT)


def test_nohup(server: Server) -> None:
    def ignoring() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    with started(server, "run", "--", "cat", preexec_fn=ignoring) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"one\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"one\n"
        process.send_signal(signal.SIGHUP)
        process.stdin.write(b"two\n")
        process.stdin.close()
        assert process.stdout.readline() == b"two\n"
        assert process.wait(PATIENCE) == 0


def test_wrong_tokens(server: Server) -> None:
    for token, message in (("wrong", b"wants another token: "), ("", b"wants a token: ")):
        done = webshell(server, "ls", token=token)
        assert done.returncode == 255
        assert message in done.stderr
        assert b"wrong" not in done.stderr


def test_who_may_only_watch(server: Server) -> None:
    done = webshell(server, "run", *ECHO, token=server.view_token)
    assert done.returncode == 1
    assert done.stderr.startswith(b"webshell: ")


def test_a_wrong_path(server: Server) -> None:
    done = webshell(server, "ls", url=server.url + "nowhere/")
    assert done.returncode == 255
    assert b"is the path right?" in done.stderr, done.stderr


def test_a_unix_socket(tmp_path: Path) -> None:
    with Server(tmp_path, "--listen", "unix:w.sock:mode=600") as running:
        done = webshell(running, "run", *ECHO, url=f"unix:{tmp_path}/w.sock")
        assert (done.returncode, done.stdout) == (0, b"hello\n"), done.stderr
        missing = webshell(running, "ls", url=f"unix:{tmp_path}/x.sock")
        assert (missing.returncode, b"cannot be reached" in missing.stderr) == (255, True)


def test_files_behind_nginx(front: Front, tmp_path: Path) -> None:
    data = bytes(range(256)) * 12_000
    (tmp_path / "data").write_bytes(data)
    trust = ("--ca-file", str(front.home / "site.pem"))
    there = f"{front.url.rstrip('/')}:{tmp_path}/there"
    for places in ((str(tmp_path / "data"), there), (there, str(tmp_path / "back"))):
        done = webshell(front.server, "cp", *trust, places[1], url=places[0], token=front.token)
        assert (done.returncode, done.stderr) == (0, b"")
    assert (tmp_path / "back").read_bytes() == data


def test_behind_nginx(front: Front) -> None:
    data = b"x" * 3_000_000
    done = webshell(
        front.server,
        "run",
        "--ca-file",
        str(front.home / "site.pem"),
        "--",
        "cat",
        url=front.url.rstrip("/"),
        token=front.token,
        input=data,
    )
    assert (done.returncode, done.stdout == data) == (0, True), done.stderr


def test_a_terminal_behind_nginx(front: Front) -> None:
    arguments = ("--ca-file", str(front.home / "site.pem"), "--name", "far")
    url = front.url.rstrip("/")
    with Terminal(front.server, "attach", *arguments, url=url, token=front.token) as terminal:
        terminal.type("stty size; echo $((6 * 7)) is it\r")
        terminal.until("30 100\r\n42 is it")
        terminal.type("\x1d")
        assert terminal.end() == 0
        assert f"webshell attach {front.url} ".encode() in terminal.seen
    with Terminal(front.server, "attach", *arguments[:2], "far", url=url, token=front.token) as terminal:
        terminal.until("42 is it")  # once more
        terminal.type("exit 3\r")
        assert terminal.end() == 3
