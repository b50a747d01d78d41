"""Gateways over the web that cannot be: what is wrong is said, and nothing is left."""

from __future__ import annotations

import logging
import os
import re
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import execnet
import pytest
from cli.commands import sessions, token_file
from gateways import alive, ask, eventually, site
from wire import Server

from webshell.execnet import Group
from webshell.execnet.trouble import NotStarted, Refused, Untrusted, WrongToken

# ---- case 14: the token


def test_case_14_no_token(web: Group, server: Server, transport: str) -> None:
    with pytest.raises(WrongToken, match=r"the server wants a token.*WEBSHELL_TOKEN.*token_file="):
        web.makegateway(f"{transport}={site(server)}")
    assert not web


def test_case_14_a_wrong_token(web: Group, server: Server, transport: str, tmp_path: Path) -> None:
    file = token_file(tmp_path, "wrong")
    with pytest.raises(WrongToken, match="wrong token"):
        web.makegateway(f"{transport}={site(server)}//token_file={file}")
    assert not web


def test_case_14_a_token_that_may_only_watch(web: Group, server: Server, tmp_path: Path, transport: str) -> None:
    file = token_file(tmp_path, server.view_token)
    with pytest.raises(OSError, match=r"may not|does not allow"):
        web.makegateway(f"{transport}={site(server)}//token_file={file}")


def test_case_14_the_token_is_nowhere_to_be_seen(
    web: Group,
    server: Server,
    transport: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    file = token_file(tmp_path, server.token)
    gateway = web.makegateway(f"{transport}={site(server)}//token_file={file}")
    worker = gateway._io.worker  # type: ignore[attr-defined]
    shown = [repr(gateway), str(gateway), repr(gateway.spec), str(gateway.spec), repr(vars(gateway.spec)), repr(web)]
    shown += [repr(vars(worker)), repr(worker.dialer), gateway.remoteaddress]
    shown += [Path("/proc/self/cmdline").read_text(), server.log, caplog.text, *capfd.readouterr()]
    shown += ask(gateway, "channel.send([open(f'/proc/self/{name}').read() for name in ('cmdline', 'environ')])")
    assert [text for text in shown if server.token in text] == []
    os.kill(server.pid, 0)


def test_case_14_others_can_read_the_file(web: Group, server: Server, tmp_path: Path) -> None:
    file = token_file(tmp_path, server.token, mode=0o644)
    with pytest.raises(ValueError, match="others can read the token"):
        web.makegateway(f"http={site(server)}//token_file={file}")


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ("http=localhost:1//token=secret", "leave out token="),
        ("http=a.example//token_file={file}", r"the token would be readable on the way: use https, or //plain"),
        ("ws=10.0.0.1:8080//token_file={file}", "the token would be readable on the way"),
    ],
)
def test_case_14_where_it_could_be_read(web: Group, tmp_path: Path, spec: str, text: str) -> None:
    with pytest.raises(ValueError, match=text) as caught:
        web.makegateway(spec.format(file=token_file(tmp_path, "secret-thing")))
    assert "secret-thing" not in str(caught.value)


# ---- case 18: interpreters and servers that are not there


def test_case_18_no_such_interpreter(web: Group, spec: str, server: Server) -> None:
    before = len(sessions(server))
    with pytest.raises(NotStarted, match="/no/such"):
        web.makegateway(f"{spec}//python=/no/such")
    assert not web
    assert len(sessions(server)) == before


@pytest.mark.parametrize(
    ("python", "text"),
    [
        ("/bin/false", r"python=/bin/false cannot be used: it ended with status 1 before it answered$"),
        ("sh -c 'echo too bad >&2; exit 3'", "it ended with status 3 before it answered, and said:\ntoo bad"),
        ("sh -c 'kill -9 $$'", "it ended by signal 9 before it answered"),
        ("cat", r"it answered b'[\"-]'|cannot be used"),
        ("echo nothing but words", "it answered b'n'"),
    ],
)
def test_case_18_what_is_no_interpreter(web: Group, spec: str, python: str, text: str) -> None:
    with pytest.raises(NotStarted, match=text):
        web.makegateway(f"{spec}//python={python}")
    assert not web
    assert eventually(
        lambda: not [name for name in (thread.name for thread in threading.enumerate()) if name.startswith("webshell-")]
    )


def test_case_18_what_says_nothing(web: Group, spec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webshell.execnet.start.ANSWER_SECONDS", 0.3)
    with pytest.raises(NotStarted, match="it ended by signal 9 before it answered"):
        web.makegateway(f"{spec}//python=sh -c 'sleep 1000'")


def test_case_18_no_such_host(web: Group, transport: str) -> None:
    with pytest.raises(execnet.HostNotFound, match=r"no machine is called nowhere\.invalid"):
        web.makegateway(f"{transport}=nowhere.invalid:80")


def test_case_18_nobody_listens(web: Group, transport: str) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        with pytest.raises(
            ConnectionRefusedError, match=rf"127\.0\.0\.1:{port} refuses connections; is the server running"
        ):
            web.makegateway(f"{transport}=127.0.0.1:{port}")


@pytest.mark.parametrize(("key", "room"), [("http", 6), ("http", 7), ("http", 8), ("ws", 6)])
def test_case_18_more_than_the_server_takes(
    tmp_path: Path, web: Group, monkeypatch: pytest.MonkeyPatch, key: str, room: int
) -> None:
    """Whichever of its connections finds no room; those that are there go on."""
    with Server(tmp_path, "--connections", str(room)) as server:
        monkeypatch.setenv("WEBSHELL_TOKEN", server.token)
        with pytest.raises(OSError, match="takes no more connections"):  # noqa: PT012
            for _ in range(room):
                web.makegateway(f"{key}={site(server)}//patience=0.5")
        assert len(web) >= 2
        assert all(alive(gateway) for gateway in web)
        web.terminate(5)


def test_case_18_a_wrong_path(web: Group, spec: str) -> None:
    with pytest.raises(Refused, match="there is no webshell at this address; is the path right"):
        web.makegateway(f"{spec}//path=/elsewhere")


@contextmanager
def answering(answer: bytes) -> Iterator[str]:
    """A server that says *answer* to everybody, and closes."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(1 << 16)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (b"", "no answer of a webshell"),
        (b"220 mail.example ESMTP\r\n", "no answer of a webshell"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
            "the server answered 200; is this the address of a webshell?",
        ),
        (b"HTTP/1.1 302 Found\r\nLocation: https://b.example/\r\n\r\n", "the server is elsewhere: https://b.example/"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "there is no webshell at this address"),
        (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", "the proxy does not reach the server"),
        (b"HTTP/1.1 421 Misdirected\r\nContent-Length: 0\r\n\r\n", "start it with --host NAME"),
        (b"HTTP/1.1 201 Created\r\nContent-Length: 5\r\n\r\n<html", "no answer of a webshell"),
    ],
)
def test_case_18_what_is_no_webshell(web: Group, transport: str, answer: bytes, text: str) -> None:
    with answering(answer) as place, pytest.raises(Refused, match=re.escape(text)):
        web.makegateway(f"{transport}={place}")
    assert not web


# ---- TLS


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Path]]:
    """A daemon that speaks TLS, and its certificate."""
    home = tmp_path_factory.mktemp("home")
    certificate = home / "certificate.pem"
    with Server(home, "--self-signed", str(certificate)) as running:
        yield running, certificate


def pin_of(certificate: Path) -> str:
    said = subprocess.run(
        ["openssl", "x509", "-in", certificate, "-noout", "-fingerprint", "-sha256"],
        capture_output=True,
        text=True,
        check=True,
    )
    return said.stdout.partition("=")[2].strip()


def test_tls_a_pin_is_enough(web: Group, secure: tuple[Server, Path], tmp_path: Path, transport: str) -> None:
    server, certificate = secure
    file = token_file(tmp_path, server.token)
    assert alive(web.makegateway(f"{transport}s={site(server)}//token_file={file}//pin={pin_of(certificate)}"))


def test_tls_nobody_vouches(web: Group, secure: tuple[Server, Path], transport: str) -> None:
    with pytest.raises(Untrusted, match=r"the server's certificate is not trusted.*ca_file=.*pin="):
        web.makegateway(f"{transport}s={site(secure[0])}")


def test_tls_another_pin(web: Group, secure: tuple[Server, Path], transport: str) -> None:
    server, certificate = secure
    other = ":".join(["AA"] * 32)
    for trust in (f"pin={other}", f"pin={other}//ca_file={certificate}"):
        with pytest.raises(Untrusted, match="it is not the one that pin= names"):
            web.makegateway(f"{transport}s={site(server)}//{trust}")


def test_tls_another_name(web: Group, secure: tuple[Server, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    server, certificate = secure
    create = socket.create_connection
    monkeypatch.setattr(socket, "create_connection", lambda place, *rest: create(("127.0.0.1", place[1]), *rest))
    port = site(server).rpartition(":")[2]
    with pytest.raises(Untrusted, match="for other names than the one in the address"):
        web.makegateway(f"https=other.example:{port}//ca_file={certificate}")


def test_tls_where_there_is_none(web: Group, server: Server, transport: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webshell.execnet.dial.CONNECT_SECONDS", 0.3)
    with pytest.raises(Untrusted, match="is it http= there"):
        web.makegateway(f"{transport}s={site(server)}")


def test_tls_a_file_without_certificates(web: Group, secure: tuple[Server, Path], tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    for name, text in (("empty", "no certificates are in it"), ("none", "the certificates cannot be read")):
        with pytest.raises(ValueError, match=text):
            web.makegateway(f"https={site(secure[0])}//ca_file={tmp_path / name}")


# ---- case 19: specs


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ("http=http://host", r"http=HOST\[:PORT\] is meant, without a scheme before it: // separates the parts"),
        ("https=https://host:443/path", r"https=HOST\[:PORT\] is meant"),
        ("http", r"http=HOST\[:PORT\] is meant"),
        ("ws=", r"ws=HOST\[:PORT\] is meant"),
        ("http=a:b", "the port must be a number"),
        ("http=a//https=b", "http= or https=, not both"),
        ("http=localhost/s/abc", "the address of the server, not of a session"),
        ("http=localhost//python='", "python='"),
        ("http=localhost//python= ", "python= names no program"),
        ("http=localhost//python", "python= needs a value"),
        ("http=localhost//grace=soon", "grace= is a number of seconds"),
        ("http=localhost//poll=61", "poll= is a number of seconds up to 60"),
        ("http=localhost//patience=-1", "patience= is a number of seconds"),
        ("http=localhost//pin=AA", "not the SHA-256 fingerprint"),
        ("http=user:password@localhost", "leave out the token"),
    ],
)
def test_case_19_what_is_no_spec(web: Group, spec: str, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        web.makegateway(spec)
    assert not web


def test_case_19_execnet_says_what_it_says(web: Group) -> None:
    with pytest.raises(ValueError, match="no gateway type found"):
        web.makegateway("htpp=localhost")


def test_a_model_without_threads(monkeypatch: pytest.MonkeyPatch, web: Group) -> None:
    class Model:
        backend = "gevent"

    monkeypatch.setattr(web, "_execmodel", Model())
    with pytest.raises(ValueError, match="not with the execution model 'gevent'"):
        web.makegateway("http=localhost:1//execmodel=thread")
    monkeypatch.undo()
