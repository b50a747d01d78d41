"""Nobody gets in without being let in: every route, method and upgrade of the real tree, asked by strangers."""

from __future__ import annotations

import http.client
import socket
from base64 import b64encode
from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest
from further.links import configured
from twisted.internet.testing import MemoryReactorClock
from twisted.web.resource import Resource
from wire import PATIENCE, Refused, Server, WireClient

from webshell.config import Config
from webshell.further import FurtherLink
from webshell.service import Shell, policy
from webshell.web.access import PUBLIC
from webshell.web.exec.routes import ACTS
from webshell.web.further import routes as further_routes
from webshell.web.further.approval import WAITING

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "BREW")

Public = Mapping[tuple[bytes, ...], Collection[bytes]]


class Kind(NamedTuple):
    """A way to run the daemon, which changes what there is: the same, as the service is told it."""

    config: Config
    options: tuple[str, ...] = ()
    further: bool = False
    public: Public = PUBLIC


KINDS = {
    "plain": Kind(Config()),
    "passwords": Kind(Config(auth=("memory:a:b",)), ("--auth", "memory:a:b")),
    "further": Kind(Config(further_link=True), (), True, {**PUBLIC, **further_routes.PUBLIC}),
    "approving": Kind(
        Config(further_link=True, further=FurtherLink(approval=True)),
        (),
        True,
        {**PUBLIC, **further_routes.PUBLIC, (b"approve",): {b"GET", b"HEAD", b"POST"}},
    ),
}


def routes(config: Config) -> list[str]:
    """Every path of the tree as the service builds it, relative to its root, and paths below each of them."""
    reactor = MemoryReactorClock()
    shell = Shell(reactor, config, policy(reactor, config))

    def below(resource: Resource, path: str) -> Iterator[str]:
        children = dict(resource.children)
        if type(resource).getChild is not Resource.getChild:  # it knows its children when it is asked
            children[b"ID"] = resource.getChild(b"ID", None)
        for name, child in children.items():
            here = path + name.decode()
            yield here
            if not here.startswith("v/"):  # a version's files, many of one kind
                yield from (f"{here}/", f"{here}/x", f"{here}/x/y")
            yield from below(child, here + "/")

    acts = {b"/".join((b"exec/ID", *steps)).decode() for steps in ACTS}
    return sorted({*below(shell._tree, ""), *acts, "i/x", "metrics", "no/such/thing"})


class Walk:
    """A daemon of a kind with a process in it, the paths of its tree, and a stranger's connection to it."""

    def __init__(self, kind: str, server: Server) -> None:
        self.kind = KINDS[kind]
        self.server = server
        self.credential = f"Bearer {server.token}" if server.token else f"Basic {b64encode(b'a:b').decode()}"
        self.session, self.process = self._something()
        self.real = {"s/ID": f"s/{self.session}", "exec/ID": f"exec/{self.process}"}
        """What the paths stand for that have an ID."""
        self.paths = [*ROUTES[kind]]
        for form, real in self.real.items():
            self.paths += [real + path.removeprefix(form) for path in ROUTES[kind] if path.startswith(form)]
        parts = urlsplit(server.url)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE)

    def _something(self) -> tuple[str, str]:
        with WireClient(self.server.url, headers=[("Authorization", self.credential)]) as client:
            client.expect("hello")
            client.send({"type": "open", "id": 1})
            session = client.expect("attached")["session"]
            client.send({"type": "start", "id": 2, "runner": "sh", "line": "sleep 1000"})
            number = client.expect("started")["process"]["process"]
        return session, f"{session}.{number}"

    def ask(self, method: str, path: str, headers: dict[str, str] | None = None) -> tuple[int, dict[str, str], bytes]:
        """The answer to a stranger, over one connection while the server keeps it open."""
        self._connection.request(method, "/" + path, headers=headers or {})
        response = self._connection.getresponse()
        body = response.read()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, body

    def public(self, method: str, path: str) -> bool:
        return method.encode() in self.kind.public.get(tuple(step.encode() for step in path.split("/")), ())

    def close(self) -> None:
        self._connection.close()


ROUTES = {kind: routes(made.config) for kind, made in KINDS.items()}


@pytest.fixture(scope="module", params=KINDS)
def walk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    kind = KINDS[request.param]
    home = tmp_path_factory.mktemp("home")
    approval = f"approval = {str(kind.config.further.approval).lower()}"
    options = ("--config", configured(home, approval)) if kind.further else kind.options
    with Server(home, *options) as server:
        walk = Walk(request.param, server)
        yield walk
        walk.close()


def ask(
    server: Server, method: str, path: str, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str], bytes]:
    """The answer to a stranger."""
    parts = urlsplit(server.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE)
    connection.request(method, "/" + path, headers=headers or {})
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response.status, {name.lower(): value for name, value in response.getheaders()}, body


def test_the_walk_finds_the_routes() -> None:
    plain = set(ROUTES["plain"])
    assert {"", "ws", "whoami", "share", "login", "logout", "healthz", "readyz", "favicon.svg"} <= plain
    assert {"popen", "exec", "exec/ID", "exec/ID/status", "exec/ID/wait", "exec/ID/signal", "exec/ID/resize"} <= plain
    assert {"s", "s/ID", "s/ID/files", "s/ID/files/x/y"} <= plain
    assert any(route.endswith("/js/app.js") for route in plain)
    assert any(route.endswith("/xterm.mjs") for route in plain)
    further = {"run", "run-py", "status", "version", "version/apt/x", "runners", "upload"}
    assert further <= set(ROUTES["further"]) - plain
    assert "approve" in set(ROUTES["approving"]) - set(ROUTES["further"])


def test_what_is_walked_is_there(walk: Walk) -> None:
    credential = {"Authorization": walk.credential}
    for path in ("", "whoami", walk.real["s/ID"], walk.real["exec/ID"] + "/status"):
        assert walk.ask("HEAD", path, credential)[0] in (200, 303, 405), path
    for path in ("run", "run-py", "status", "version", "runners"):
        assert (walk.ask("HEAD", path, credential)[0] == 404) != walk.kind.further, path


@pytest.mark.parametrize("method", METHODS)
def test_no_route_answers_a_stranger_by_any_method(walk: Walk, method: str) -> None:
    for path in walk.paths:
        status, headers, body = walk.ask(method, path)
        if walk.public(method, path):
            assert status in (200, 403), (method, path, status)  # a POST without an Origin is refused
        else:
            assert status in (400, 401, 403, 404, 405), (method, path, status)
            assert "set-cookie" not in headers
            assert len(body) < 1000
        assert headers["x-content-type-options"] == "nosniff", (method, path)
        assert "server" not in headers


def test_no_route_upgrades_a_stranger(walk: Walk) -> None:
    for path in walk.paths:
        if walk.kind.config.further.approval and (path.encode(),) in WAITING:
            continue  # waits for somebody to let it in: tests/further/test_security.py
        for subprotocols in ((), ("webshell.v1",), ("webshell.exec",), (walk.server.token or "x",)):
            with pytest.raises(Refused) as refused:
                WireClient(walk.server.url, path=path, subprotocols=subprotocols)
            assert refused.value.status in (400, 401, 403, 404, 405), path


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_a_stranger_does_not_learn_what_there_is(walk: Walk, method: str) -> None:
    for form, real in walk.real.items():
        for path in [path for path in ROUTES["plain"] if path.startswith(form)]:
            one, other = walk.ask(method, path), walk.ask(method, real + path.removeprefix(form))
            assert (one[0], one[2]) == (other[0], other[2]), path


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


def test_a_name_that_is_not_ours_is_not_answered(walk: Walk) -> None:
    for path in walk.paths:
        status, headers, body = walk.ask("GET", path, {"Host": "rebound.example"})
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
