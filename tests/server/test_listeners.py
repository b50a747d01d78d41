"""Every kind of listener, by real daemons and real clients."""

from __future__ import annotations

import hashlib
import re
import socket
import ssl
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from server.daemons import LOOPBACK, MODULE, TWISTD, alive, ask, environment, run, until
from wire import PATIENCE, Server, WireClient

from webshell.web.tokens import new_token

TOKEN = ("--token-file", "webshell.token")
"""With it, the last announced line does not depend on the listener."""


def with_token(home: Path) -> str:
    token = new_token()
    (home / "webshell.token").write_text(token + "\n")
    (home / "webshell.token").chmod(0o600)
    return token


def port_of(server: Server) -> int:
    """The port in the log, for what is not announced as a URL."""
    pattern = re.compile(r"LimitedSite (?:\(\w+\) )?starting on (\d+)")
    until(lambda: pattern.search(server.log))
    found = pattern.search(server.log)
    assert found
    return int(found[1])


def test_several_at_once(tmp_path: Path) -> None:
    with Server(tmp_path, "--listen", LOOPBACK, "--listen", "unix:w.sock:mode=600") as server:
        links = re.findall(r"    (http://127\.0\.0\.1:(\d+)/)\?token=" + re.escape(server.token), server.announced)
        assert len({port for _, port in links}) == 2
        assert "    unix:w.sock:mode=600" in server.announced.splitlines()
        for url, _ in links:
            with WireClient(url, server.token) as client:
                client.expect("hello")
        assert ask(tmp_path / "w.sock").body == b"ok\n"


def test_a_unix_socket(tmp_path: Path) -> None:
    token = with_token(tmp_path)
    bearer = {"Authorization": f"Bearer {token}"}
    path = tmp_path / "w.sock"
    with Server(tmp_path, *TOKEN, listen="unix:w.sock:mode=600") as server:
        assert path.stat().st_mode & 0o777 == 0o600
        assert "    unix:w.sock:mode=600" in server.announced
        assert ask(path, "/whoami", headers=bearer).status == 200
        assert ask(path, "/whoami").status == 401
        assert ask(path, "/whoami", headers=bearer, host="evil.example").status == 421
        answer = ask(path, "/", headers={"Authorization": f"Bearer {token}", "Accept": "text/html"})
        assert answer.status == 200
        assert b"<!doctype html>" in answer.body.lower()[:100]
    assert not path.exists()  # nothing is left


def test_a_unix_socket_whose_daemon_was_killed_does_not_stop_the_next(tmp_path: Path) -> None:
    with_token(tmp_path)
    for _ in range(2):
        server = Server(tmp_path, *TOKEN, listen="unix:w.sock:mode=600")
        assert ask(tmp_path / "w.sock").status == 200
        server.stop(9)
    assert (tmp_path / "w.sock").exists()


def test_a_unix_socket_that_somebody_removes_keeps_no_child(tmp_path: Path) -> None:
    with Server(tmp_path, "--listen", "unix:w.sock:mode=600") as server, server.open() as client:
        client.send({"type": "start", "id": 2, "runner": "sh", "line": "echo $$; exec sleep 1000"})
        child = int(client.until(lambda output: b"\n" in output))
        (tmp_path / "w.sock").unlink()
        assert server.stop() == 0
        assert client.gone() == 1001
        assert not alive(child)


def test_before_a_unix_socket_one_is_told_what_to_append(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*MODULE, "--listen", "unix:w.sock:mode=600"],
        cwd=tmp_path,
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    with process.stdout:
        said = [process.stdout.readline() for _ in range(6)]
        token = said[3].strip().removeprefix("?token=")
        answer = ask(tmp_path / "w.sock", "/?token=" + token, headers={"Accept": "text/html"})
        assert (answer.status, "set-cookie" in answer.headers) == (303, True)
        process.terminate()
    assert process.wait(PATIENCE) == 0
    assert "append this to the page's public address" in said[2]


# --- TLS


def test_a_self_signed_certificate_is_made_kept_and_trusted_by_who_has_it(tmp_path: Path) -> None:
    fingerprints = set()
    for _ in range(2):
        with Server(tmp_path, "--self-signed", "w.pem", "--listen", LOOPBACK, "--host", "shell.example.org") as server:
            assert server.url.startswith("https://127.0.0.1:")
            found = re.findall(r"SHA-256 fingerprint: ([0-9A-F:]{95})", server.announced)
            assert len(found) == 1
            fingerprints.add(found[0])
            context = ssl.create_default_context(cafile=str(tmp_path / "w.pem"))
            where = ("127.0.0.1", urlsplit(server.url).port or 0)
            for name in ("127.0.0.1", "localhost", "shell.example.org"):
                assert ask(where, host=f"{name}:{where[1]}", tls=context).body == b"ok\n"
            with pytest.raises(ssl.SSLCertVerificationError):
                ask(where, host="other.example", tls=context)
            with pytest.raises(ssl.SSLCertVerificationError):
                ask(where, host="localhost", tls=ssl.create_default_context())
            assert set_cookie(where, server.token, context).endswith("; Secure")
            with server.open() as client:
                client.send({"type": "start", "id": 2, "runner": "sh", "line": "echo over TLS"})
                assert client.until(lambda output: b"TLS" in output) == b"over TLS\n"
    content = (tmp_path / "w.pem").read_text()
    certificate = ssl.PEM_cert_to_DER_cert(content[content.index("-----BEGIN CERTIFICATE") :])
    assert fingerprints == {hashlib.sha256(certificate).digest().hex(":").upper()}
    assert (tmp_path / "w.pem").stat().st_mode & 0o777 == 0o600


def set_cookie(where: tuple[str, int], token: str, context: ssl.SSLContext) -> str:
    accept = {"Accept": "text/html"}
    answer = ask(where, f"/?token={token}", host=f"localhost:{where[1]}", headers=accept, tls=context)
    assert answer.status == 303
    return answer.headers["set-cookie"]


def test_an_ssl_listener_of_ones_own(tmp_path: Path) -> None:
    from webshell.certificate import ensure_certificate

    ensure_certificate(tmp_path / "own.pem", [])
    listen = "ssl:0:interface=127.0.0.1:privateKey=own.pem:certKey=own.pem"
    with Server(tmp_path, "--listen", LOOPBACK, listen=listen) as server:
        assert "https://127.0.0.1" in server.announced
        assert "http://127.0.0.1" in server.announced
        with server.client():
            pass


# --- behind haproxy


def test_haproxy(tmp_path: Path) -> None:
    token = with_token(tmp_path)
    bearer = {"Authorization": f"Bearer {token}"}
    options = (*TOKEN, "--host", "shell.example.org")
    with Server(tmp_path, *options, listen="haproxy:" + LOOPBACK) as server:
        where = ("127.0.0.1", port_of(server))
        assert "    haproxy:tcp:0:interface=127.0.0.1" in server.announced
        line = b"PROXY TCP4 192.0.2.9 192.0.2.1 5555 80\r\n"
        answer = ask(where, "/whoami", host="shell.example.org", headers=bearer, first=line)
        assert answer.status == 200
        until(lambda: '"192.0.2.9" - - ' in server.log)
        # wrong tries are counted by the address that the proxy tells, not by the proxy's
        statuses = [
            ask(
                where, "/whoami", host="shell.example.org", headers={"Authorization": "Bearer wrong"}, first=line
            ).status
            for _ in range(11)
        ]
        assert statuses == [401] * 10 + [429]
        other = b"PROXY TCP6 2001:db8::9 2001:db8::1 5555 80\r\n"
        assert ask(where, "/whoami", host="shell.example.org", headers=bearer, first=other).status == 200
        # without the line nobody is heard
        with socket.create_connection(where) as raw:
            raw.settimeout(PATIENCE)
            raw.sendall(b"GET /healthz HTTP/1.1\r\nHost: shell.example.org\r\n\r\n")
            assert raw.recv(100) == b""


def test_ipv6(tmp_path: Path) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError as error:
        pytest.skip(f"no IPv6 on the loopback interface: {error}")
    for options, scheme in (((), "http"), (("--self-signed", "w.pem"), "https")):
        with Server(tmp_path, *options, listen=r"tcp6:0:interface=\:\:1") as server:
            assert server.url.startswith(f"{scheme}://[::1]:")
            with server.open() as client:
                client.send({"type": "start", "id": 2, "runner": "sh", "line": "echo six"})
                assert client.until(lambda output: b"six" in output) == b"six\n"


def test_twist_listens_too(tmp_path: Path) -> None:
    twist = Path(TWISTD[0]).with_name("twist")
    if not twist.exists():
        pytest.skip("twist is not installed beside twistd")
    with Server(tmp_path, argv=(str(twist), "--log-file", "twist.log", "webshell")) as server, server.open():
        pass
    assert server.process.returncode == 0


def test_a_unix_socket_in_a_folder_that_is_not_there(tmp_path: Path) -> None:
    done = run(tmp_path, *MODULE, "--listen", "unix:nowhere/w.sock")
    assert done.returncode == 1
    assert "webshell: --listen unix:nowhere/w.sock: " in done.stdout
    assert "Traceback" not in done.stdout
