"""Who gets in: the cookie for pages of other sites, and connections that somebody lets in by a code."""

from __future__ import annotations

import re
import select
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest
from further.links import PAGE, configured
from server import daemons
from server.daemons import Answer
from wire import PATIENCE, Refused, Server, WireClient


def ask(server: Server, path: str, method: str = "GET", form: dict[str, str] | None = None, **headers: str) -> Answer:
    parts = urlsplit(server.url)
    tls = None
    if parts.scheme == "https":
        tls = ssl.create_default_context()
        tls.check_hostname = False
        tls.verify_mode = ssl.CERT_NONE
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    body = None
    if form is not None:
        body = urlencode(form).encode()
        sent |= {"Content-Type": "application/x-www-form-urlencoded", "Origin": server.url.rstrip("/")}
    where = (parts.hostname or "", parts.port or 0)
    return daemons.ask(where, path, method=method, host=parts.netloc, headers=sent, body=body, tls=tls)


# ---- the cookie


def test_over_tls_a_page_of_another_site_comes_in_by_the_login_cookie(tmp_path: Path) -> None:
    options = ["--config", configured(tmp_path, "cross_site = true"), "--origin", PAGE, "--self-signed", "c.pem"]
    with Server(tmp_path, *options) as server:
        cookie = ask(server, "/login", "POST", {"token": server.token}).headers["set-cookie"]
        assert {"Secure", "HttpOnly", "SameSite=None"} <= {part.strip() for part in cookie.split(";")}
        sent = ("Cookie", cookie.partition(";")[0])
        with WireClient(server.url, path="run?pty=true", subprotocols=(), headers=[sent, ("Origin", PAGE)]) as client:
            client.send({"type": "ping"})
            frame = client.receive()
            assert isinstance(frame, dict)
            assert frame["type"] == "pong"
        for origin in ("https://evil.example", "null", ""):
            headers = [sent, *([("Origin", origin)] if origin else [])]
            with pytest.raises(Refused) as refused:
                WireClient(server.url, path="run", subprotocols=(), headers=headers)
            assert refused.value.status == 403


@pytest.mark.parametrize("options", [["cross_site = true"], ["cross_site = false", "--self-signed", "c.pem"]])
def test_without_tls_or_unasked_the_cookie_stays_with_its_site(tmp_path: Path, options: list[str]) -> None:
    text, *more = options
    with Server(tmp_path, "--config", configured(tmp_path, text), *more) as server:
        cookie = ask(server, "/login", "POST", {"token": server.token}).headers["set-cookie"]
        assert "SameSite=Strict" in cookie


# ---- approval


@pytest.fixture
def approving(tmp_path: Path) -> Iterator[Server]:
    with Server(tmp_path, "--config", configured(tmp_path, "approval = true"), "--origin", PAGE) as server:
        yield server


class Knock:
    """A handshake without a credential, which waits for its answer."""

    def __init__(self, server: Server, path: str = "run", origin: str = "") -> None:
        parts = urlsplit(server.url)
        self.socket = socket.create_connection((parts.hostname, parts.port), PATIENCE)
        self.socket.sendall(
            f"GET /{path} HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"{f'Origin: {origin}' if origin else 'X: y'}\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n".encode()
        )

    def waits(self) -> bool:
        """Whether nothing has been answered yet."""
        return not select.select([self.socket], [], [], 0)[0]

    def status(self) -> int:
        """What it is answered with at last."""
        return int(self.socket.recv(4096).split()[1])

    def works(self) -> bool:
        """Whether a message of further-link's, masked with zeros, is understood."""
        self.socket.sendall(b'\x81\x8f\0\0\0\0{"type":"ping"}')
        return b'"pong"' in self.socket.recv(4096)

    def __enter__(self) -> Knock:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()


def codes(server: Server, number: int) -> list[str]:
    """The codes in the log, as soon as there are so many."""
    deadline = time.monotonic() + PATIENCE
    while len(found := re.findall(r"enters (\d{6}) at", server.log)) < number:
        assert time.monotonic() < deadline, server.log
        time.sleep(0.01)
    return found


def enter(server: Server, code: str) -> Answer:
    return ask(server, "/approve", "POST", {"code": code})


@pytest.mark.parametrize("path", ["run", "run-py"])
def test_a_connection_is_let_in_by_the_code_on_the_console(approving: Server, path: str) -> None:
    with Knock(approving, path, PAGE) as knock:
        (code,) = codes(approving, 1)
        line = rf"127\.0\.0\.1, a page of {PAGE}, asks .* at {approving.url}approve within 2 min"
        assert re.search(line, approving.log)
        assert knock.waits()
        assert "is let in" in enter(approving, f" {code[:3]} {code[3:]} ").body.decode()
        assert knock.status() == 101
        assert knock.works()
    # the code is used up, and the next connection needs one of its own
    assert enter(approving, code).status == 403
    with Knock(approving, path, PAGE):
        assert codes(approving, 2)[1] != code


def test_who_may_not_log_in_may_not_do_anything_else(approving: Server) -> None:
    for path in ("ws", "upload", "runners"):
        with pytest.raises(Refused) as refused:
            WireClient(approving.url, path=path)
        assert refused.value.status in (401, 404)
    with pytest.raises(Refused) as refused:
        WireClient(approving.url, path="run", subprotocols=(), headers=[("Origin", "https://evil.example")])
    assert refused.value.status == 403
    assert "enters" not in approving.log


def test_five_wrong_codes_refuse_everybody_who_waits(approving: Server) -> None:
    with Knock(approving) as one, Knock(approving) as two:
        right = codes(approving, 2)
        wrong = next(code for code in ("000000", "000001", "000002") if code not in right)
        for _ in range(5):
            assert one.waits()
            assert enter(approving, wrong).status == 403
        assert [one.status(), two.status()] == [403, 403]
        assert enter(approving, right[0]).status in (403, 429)


def test_only_so_many_wait_and_guesses_are_counted(approving: Server) -> None:
    with ExitStack() as opened:
        knocks = [opened.enter_context(Knock(approving)) for _ in range(8)]
        codes(approving, 8)
        assert opened.enter_context(Knock(approving)).status() == 429
        assert 429 in [enter(approving, "none").status for _ in range(3)]
        assert all(knock.waits() for knock in knocks)


def test_who_leaves_waits_no_more(approving: Server) -> None:
    with Knock(approving):
        (code,) = codes(approving, 1)
    deadline = time.monotonic() + PATIENCE
    while enter(approving, code).status == 200:  # it may be let in until the server has seen it leave
        assert time.monotonic() < deadline
    assert "Traceback" not in approving.log


def test_who_was_let_in_may_be_remembered(tmp_path: Path) -> None:
    settings = configured(tmp_path, "approval = true\napproval_seconds = 3600")
    with Server(tmp_path, "--config", settings, "--origin", PAGE) as server:
        with Knock(server, "run", PAGE) as knock:
            enter(server, codes(server, 1)[0])
            assert knock.status() == 101
        with Knock(server, "run-py", PAGE) as again:
            assert again.status() == 101
        assert ask(server, "/runners", Origin=PAGE).status == 200
        assert ask(server, "/whoami", Origin=PAGE).status == 401
        with Knock(server):  # of no page: somebody else
            codes(server, 2)


def test_without_approval_there_is_no_such_page(further: Server) -> None:
    assert ask(further, "/approve").status == 401
