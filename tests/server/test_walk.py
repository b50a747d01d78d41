"""Nobody gets in without being let in: every route, method and upgrade of the real tree, asked by strangers."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from twisted.internet.task import Clock
from twisted.web.resource import Resource
from wire import Refused, Server, WireClient

from webshell.limits import Limits
from webshell.runners import RUNNERS
from webshell.sessions import Sessions
from webshell.targets.precedence import Precedence
from webshell.web.access import PUBLIC
from webshell.web.credentials import Credentials, Throttle
from webshell.web.page import static_folder
from webshell.web.tokens import Keyring, new_token
from webshell.web.tree import Tree
from webshell.web.websocket import Sockets

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "BREW")


def routes() -> Iterator[str]:
    """Every path of the tree as it is built, relative to its root."""
    clock = Clock()
    sessions = Sessions(None, RUNNERS, Limits(), clock, time.time)  # type: ignore[arg-type]
    credentials = Credentials(Keyring(new_token()), Throttle(clock))
    sockets = Sockets(sessions, clock, Precedence())
    tree = Tree(sessions, sockets, static_folder(), credentials, lambda: True)

    def below(resource: Resource, path: str) -> Iterator[str]:
        for name, child in resource.children.items():
            here = path + name.decode()
            yield here
            if isinstance(child, Resource):
                yield from below(child, here + "/")

    yield from below(tree, "")


ROUTES = sorted(
    {*routes(), "s/ID", "s/ID/files", "s/ID/files/x", "i/x", "popen", "exec/1", "metrics", "run", "upload"}
    | {"no/such/thing"}
)


def ask(
    server: Server, method: str, path: str, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str], bytes]:
    """The answer to a stranger."""
    parts = urlsplit(server.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    connection.request(method, "/" + path, headers=headers or {})
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response.status, {name.lower(): value for name, value in response.getheaders()}, body


def public(method: str, path: str) -> bool:
    return method.encode() in PUBLIC.get(tuple(step.encode() for step in path.split("/")), ())


def test_the_walk_finds_the_routes() -> None:
    assert {"", "ws", "whoami", "share", "login", "logout", "healthz", "readyz", "favicon.svg"} <= set(ROUTES)
    assert any(route.endswith("/js/app.js") for route in ROUTES)
    assert any(route.endswith("/xterm.mjs") for route in ROUTES)


@pytest.mark.parametrize("method", METHODS)
def test_no_route_answers_a_stranger_by_any_method(server: Server, method: str) -> None:
    for path in ROUTES:
        status, headers, body = ask(server, method, path)
        if public(method, path):
            assert status in (200, 403), (method, path, status)  # a POST without an Origin is refused
        else:
            assert status in (400, 401, 403, 404, 405), (method, path, status)
            assert "set-cookie" not in headers
            assert len(body) < 1000
        assert headers["x-content-type-options"] == "nosniff", (method, path)
        assert "server" not in headers


def test_no_route_upgrades_a_stranger(server: Server) -> None:
    for path in ROUTES:
        for subprotocols in ((), ("webshell.v1",), (server.token,)):
            with pytest.raises(Refused) as refused:
                WireClient(server.url, path=path, subprotocols=subprotocols)
            assert refused.value.status in (400, 401, 403, 404, 405), path


def test_a_browser_that_asks_for_the_page_is_led_to_the_login(server: Server) -> None:
    status, headers, _ = ask(server, "GET", "", {"Accept": "text/html"})
    assert (status, headers["location"]) == (303, "./login")


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("https://evil.example", 403),
        ("null", 403),
        ("file://", 403),
        ("{scheme}://localhost:1", 403),
        ("https://{host}", 403),
        ("{scheme}://{host}.evil.example", 403),
        ("{scheme}://evil{host}", 403),
        ("{scheme}://{host}/", 403),
        ("{scheme}://user@{host}", 403),
        ("", 400),
    ],
)
def test_a_handshake_from_another_origin_is_refused_even_with_the_token(
    server: Server, origin: str, status: int
) -> None:
    parts = urlsplit(server.url)
    text = origin.format(scheme=parts.scheme, host=parts.netloc)
    with pytest.raises(Refused) as refused:
        WireClient(server.url, server.token, headers=[("Origin", text)])
    assert refused.value.status == status


def test_a_handshake_from_our_own_origin_is_accepted(server: Server) -> None:
    with WireClient(server.url, server.token, headers=[("Origin", server.url.rstrip("/"))]) as client:
        assert client.expect("hello")["rights"] == ["manage", "run", "type", "view"]


@pytest.mark.parametrize("token", ["", "wrong", "x" * 43])
def test_a_handshake_without_the_right_token_is_refused(server: Server, token: str) -> None:
    with pytest.raises(Refused) as refused:
        WireClient(server.url, token)
    assert refused.value.status in (401, 429)


def test_a_handshake_by_cookie_needs_an_origin(server: Server) -> None:
    _, headers, _ = ask(server, "GET", f"?token={server.token}", {"Accept": "text/html"})
    cookie = headers["set-cookie"].partition(";")[0]
    assert "HttpOnly" in headers["set-cookie"]
    assert "SameSite=Strict" in headers["set-cookie"]
    with pytest.raises(Refused) as refused:
        WireClient(server.url, headers=[("Cookie", cookie)])
    assert refused.value.status == 403
    origin = server.url.rstrip("/")
    with WireClient(server.url, headers=[("Cookie", cookie), ("Origin", origin)]) as client:
        assert client.expect("hello")["identity"] == "operator"


def test_a_name_that_is_not_ours_is_not_answered(server: Server) -> None:
    for path in ROUTES:
        status, headers, body = ask(server, "GET", path, {"Host": "rebound.example"})
        assert status == 421, path
        assert b"--host rebound.example" in body
        assert "set-cookie" not in headers


def test_refused_handshakes_start_nothing(server: Server) -> None:
    with server.client() as observer:
        observer.send({"type": "list", "id": 1})
        before = observer.expect("sessions")["sessions"]
        with pytest.raises(Refused):
            WireClient(server.url, subprotocols=(), path="ws?run=python3")
        observer.send({"type": "list", "id": 2})
        assert observer.expect("sessions")["sessions"] == before


def test_a_handshake_that_is_none_is_answered_and_harms_nobody(server: Server) -> None:
    parts = urlsplit(server.url)
    for text in (
        "GET /ws HTTP/1.0\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        "GET /ws HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 8\r\n\r\n",
        "GET /ws HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ):
        with socket.create_connection((parts.hostname, parts.port), 30) as raw:
            raw.sendall(text.format(host=parts.netloc).encode("latin-1"))
            raw.shutdown(socket.SHUT_WR)
            answer = raw.recv(65536)
        assert not answer.startswith(b"HTTP/1.1 101")
    assert ask(server, "GET", "healthz")[0] == 200
