"""Gateways through an HTTP proxy."""

from __future__ import annotations

import base64
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli.commands import token_file
from gateways import alive, echo, site
from wire import PATIENCE, Server

from webshell.cli.address import parse_address
from webshell.cli.trouble import Asked
from webshell.execnet import Group
from webshell.execnet.trouble import Refused
from webshell.execnet.web_proxy import MEANINGS, VARIABLES, Proxy, find_proxy


class Front:
    """An HTTP proxy that does nothing but CONNECT.

    :ivar refusal: what it answers instead; empty: nothing instead.
    :ivar asked: the heads of the requests.
    """

    def __init__(self) -> None:
        self.refusal = b""
        self.asked: list[str] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._ends: list[socket.socket] = []
        self.place = f"127.0.0.1:{self._listening.getsockname()[1]}"
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            self._ends.append(near)
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += near.recv(1)
            self.asked.append(head.decode())
            if self.refusal:
                near.sendall(self.refusal)
                near.shutdown(socket.SHUT_RDWR)
                continue
            found = re.match(r"CONNECT (\S+):(\d+) HTTP/1.1\r\n", head.decode())
            assert found
            far = socket.create_connection((found[1], int(found[2])))
            self._ends.append(far)
            near.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            for source, target in ((near, far), (far, near)):
                threading.Thread(target=self._carry, args=(source, target), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(1 << 16):
                target.sendall(data)
            target.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._thread.join(PATIENCE)
        self._listening.close()
        for end in self._ends:
            end.close()


@pytest.fixture
def front() -> Iterator[Front]:
    front = Front()
    yield front
    front.close()


def test_through_it(web: Group, spec: str, front: Front, server: Server) -> None:
    gateway = web.makegateway(f"{spec}//proxy={front.place}")
    assert alive(gateway)
    channel = echo(gateway)
    channel.send(bytes(1_000_000))
    assert channel.receive(PATIENCE) == bytes(1_000_000)
    web.terminate(5)
    assert len(front.asked) >= 3
    assert {head.partition(" HTTP")[0] for head in front.asked} == {f"CONNECT {site(server)}"}
    assert server.token not in "".join(front.asked)


def test_through_it_with_a_name_and_tls(
    web: Group, front: Front, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webshell.execnet.web_proxy.stays_here", lambda address: False)
    monkeypatch.setenv("https_proxy", f"http://ada:s%40crt@{front.place}/")
    monkeypatch.setenv("no_proxy", "")
    certificate = tmp_path / "certificate.pem"
    with Server(tmp_path, "--self-signed", str(certificate)) as server:
        file = token_file(tmp_path, server.token)
        gateway = web.makegateway(f"wss={site(server)}//ca_file={certificate}//token_file={file}")
        assert alive(gateway)
        web.terminate(5)
    proof = base64.b64encode(b"ada:s@crt").decode()
    assert all(f"Proxy-Authorization: Basic {proof}\r\n" in head for head in front.asked)


@pytest.mark.parametrize("status", [*MEANINGS, 418])
def test_it_does_not_let_us_through(web: Group, spec: str, front: Front, status: int) -> None:
    front.refusal = b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n" % status
    with pytest.raises(Refused, match=f"the proxy {front.place} {MEANINGS.get(status, 'answers 418')}"):
        web.makegateway(f"{spec}//proxy={front.place}")


def test_it_is_none(web: Group, spec: str, front: Front) -> None:
    front.refusal = b"220 mail.example ESMTP\r\n"
    with pytest.raises(Refused, match=f"the proxy {front.place} does not answer as one should"):
        web.makegateway(f"{spec}//proxy={front.place}")
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        with pytest.raises(Refused, match=r"the proxy 127\.0\.0\.1:\d+ cannot be reached: Connection refused"):
            web.makegateway(f"{spec}//proxy=127.0.0.1:{bound.getsockname()[1]}")


FAR = "https://far.example/"


@pytest.mark.parametrize("variable", VARIABLES)
def test_the_environment_names_it(variable: str) -> None:
    assert find_proxy(parse_address(FAR), "", {variable: "http://p.example:3128/"}) == Proxy("p.example", 3128)
    found = find_proxy(parse_address(FAR), "", {variable: "ada:secret@p.example"})
    assert found == Proxy("p.example", 8080, base64.b64encode(b"ada:secret").decode())
    assert found.credentials not in repr(found) + str(found)


@pytest.mark.parametrize(
    ("address", "environment"),
    [
        (FAR, {}),
        (FAR, {"http_proxy": "p.example"}),
        (FAR, {"https_proxy": ""}),
        (FAR, {"https_proxy": "p.example", "no_proxy": "x.example, far.example"}),
        (FAR, {"https_proxy": "p.example", "NO_PROXY": ".example"}),
        (FAR, {"https_proxy": "p.example", "no_proxy": "*"}),
        ("http://far.example/", {"https_proxy": "p.example"}),
        ("https://localhost/", {"https_proxy": "p.example"}),
        ("https://127.0.0.1:8443/", {"https_proxy": "p.example"}),
        ("unix:/run/webshell.sock", {"https_proxy": "p.example"}),
    ],
)
def test_where_none_is_needed(address: str, environment: dict[str, str]) -> None:
    assert find_proxy(parse_address(address), "", environment) is None


@pytest.mark.parametrize(
    "text", ["socks5://p.example", "https://p.example", "http://", "p.example:x", "p.example:99999"]
)
def test_what_is_no_proxy(text: str) -> None:
    with pytest.raises(Asked, match="https_proxy: no HTTP proxy"):
        find_proxy(parse_address(FAR), "", {"https_proxy": text})


def test_what_is_no_proxy_in_a_spec(web: Group) -> None:
    with pytest.raises(ValueError, match="leave out name and password") as caught:
        web.makegateway("https=far.example//proxy=ada:secret@p.example")
    assert "secret" not in str(caught.value)
    with pytest.raises(ValueError, match="proxy=: no HTTP proxy, which is HOST:PORT"):
        web.makegateway("https=far.example//proxy=socks:p.example:1")
