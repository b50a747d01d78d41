"""A raw HTTP client against a real site in memory: it sends whatever bytes a test wants, and parses what comes back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import ISSLTransport, ITCPTransport
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET, Request
from zope.interface import directlyProvides, providedBy

from webshell.web.access import Gate, Policy, granted, login_policy
from webshell.web.credentials import Credentials, Passwords, Throttle
from webshell.web.hosts import Rules
from webshell.web.limits import LimitedSite
from webshell.web.login import LoginPage, Logout, Share, WhoAmI
from webshell.web.tokens import Keyring

TOKEN = "correct-horse-battery-staple"
HTML = ("Accept: text/html,application/xhtml+xml",)
UPGRADE = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)
BEARER = (f"Authorization: Bearer {TOKEN}",)
OURS = "Origin: http://localhost:8080"


@dataclass
class Answer:
    """One response."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name.lower()]

    def get(self, name: str) -> str:
        return ", ".join(self.all(name))


def parsed(data: bytes) -> tuple[Answer, bytes]:
    """The first response in *data*, and what follows it."""
    head, _, rest = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    answer = Answer(int(first.split()[1]), headers, b"")
    if answer.get("transfer-encoding") == "chunked":
        while True:
            size, _, rest = rest.partition(b"\r\n")
            answer.body += rest[: int(size, 16)]
            rest = rest[int(size, 16) + 2 :]
            if int(size, 16) == 0:
                return answer, rest
    length = int(answer.get("content-length") or 0)
    answer.body = rest[:length]
    return answer, rest[length:]


class Transport(StringTransport):
    """A TCP connection in memory, or a TLS one."""

    no_delay = False
    aborted = False

    def setTcpNoDelay(self, enabled: bool) -> None:
        self.no_delay = enabled

    def abortConnection(self) -> None:
        self.aborted = True


class Wire:
    """One connection."""

    def __init__(
        self,
        site: LimitedSite,
        *,
        peer: str = "127.0.0.1",
        host: str = "127.0.0.1",
        port: int = 8080,
        secure: bool = False,
        unix: bool = False,
    ) -> None:
        address = IPv6Address if ":" in peer else IPv4Address
        here, there = (
            (UNIXAddress("/run/x"), UNIXAddress(None))
            if unix
            else ((IPv6Address if ":" in host else IPv4Address)("TCP", host, port), address("TCP", peer, 50000))
        )
        self.transport = Transport(here, there)
        if not unix:
            kind = ISSLTransport if secure else ITCPTransport
            directlyProvides(self.transport, providedBy(self.transport), kind)
        self.protocol = site.buildProtocol(there)
        self.protocol.makeConnection(self.transport)
        self.fed = 0

    def send(self, data: bytes) -> None:
        self.fed += len(data)
        self.protocol.dataReceived(data)

    def received(self) -> bytes:
        data: bytes = self.transport.value()
        self.transport.clear()
        return data

    def answer(self) -> Answer:
        answer, rest = parsed(self.received())
        self.transport.write(rest)
        return answer

    @property
    def closed(self) -> bool:
        return bool(self.transport.disconnecting)

    def lose(self) -> None:
        self.protocol.connectionLost(Failure(ConnectionError()))

    def ask(
        self,
        path: str,
        *headers: str,
        method: str = "GET",
        host: str | None = "localhost:8080",
        body: bytes = b"",
        version: str = "1.1",
    ) -> Answer:
        lines = [f"{method} {path} HTTP/{version}"]
        lines += [f"Host: {host}"] if host is not None else []
        lines += [*headers]
        lines += [f"Content-Length: {len(body)}"] if body else []
        self.send("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        return self.answer()


class Leaf(Resource):
    """Notes that it was reached, by whom."""

    isLeaf = True

    def __init__(self, log: list[tuple[str, str]], body: bytes = b"secret") -> None:
        super().__init__()
        self._log = log
        self._body = body

    def render(self, request: Request) -> bytes:
        self._log.append((request.path.decode("latin-1"), granted(request).identity))
        request.responseHeaders.setRawHeaders("content-type", ["text/plain"])
        return self._body


class Public(Resource):
    """Something that needs no grant."""

    def render_GET(self, request: Request) -> bytes:
        return b"public"


class Boom(Resource):
    """Breaks: ``?how=now``, ``later`` or ``half``."""

    isLeaf = True

    def render_GET(self, request: Request) -> int:
        if request.args[b"how"] == [b"half"]:
            request.write(b"half an answ")
        raise ZeroDivisionError("the password is hunter2")


class Waiting(Resource):
    """Answers never."""

    isLeaf = True

    def render(self, request: Request) -> int:
        return NOT_DONE_YET


@dataclass
class World:
    """A site with everything, a clock, and the list of what was reached."""

    reached: list[tuple[str, str]] = field(default_factory=list)
    clock: Clock = field(default_factory=Clock)
    rules: Rules = field(default_factory=Rules)
    checkers: Sequence[Any] = ()
    mount: str = ""
    policy: Callable[[Rules], Policy] | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    token: str = TOKEN

    def __post_init__(self) -> None:
        self.keyring = Keyring(self.token, self.clock.seconds)
        passwords = Passwords(self.checkers) if self.checkers else None
        self.credentials = Credentials(self.keyring, Throttle(self.clock), passwords)
        policy = self.policy(self.rules) if self.policy else login_policy(self.rules, self.credentials)
        self.gate = Gate(self.tree(), policy)
        root: IResource = self.gate
        if self.mount:
            root = Resource()
            root.putChild(self.mount.encode(), self.gate)
        self.site = LimitedSite(root, self.clock, **self.settings)

    def tree(self) -> Resource:
        tree, styles = Resource(), Resource()
        for name in (b"", b"ws", b"api", b"s", b"upload"):
            tree.putChild(name, Leaf(self.reached))
        tree.putChild(
            b"login",
            LoginPage(self.credentials, "<form action=login{{query}}>{{message}}</form><style nonce={{nonce}}>"),
        )
        tree.putChild(b"logout", Logout(self.keyring))
        tree.putChild(b"whoami", WhoAmI("instance-1"))
        tree.putChild(b"share", Share(self.keyring))
        tree.putChild(b"boom", Boom())
        tree.putChild(b"waiting", Waiting())
        tree.putChild(b"css", styles)
        for place, name in ((tree, b"healthz"), (tree, b"readyz"), (tree, b"favicon.svg"), (styles, b"login.css")):
            place.putChild(name, Public())
        styles.putChild(b"page.css", Leaf(self.reached))
        return tree

    def wire(self, **how: Any) -> Wire:
        return Wire(self.site, **how)

    def ask(self, path: str, *headers: str, **how: Any) -> Answer:
        """One request on a connection of its own."""
        wire = {key: how.pop(key) for key in ("peer", "port", "secure", "unix") if key in how}
        connection = self.wire(**wire)
        answer = connection.ask(path, *headers, **how)
        connection.lose()
        return answer

    def cookie(self, **how: Any) -> str:
        """A Cookie header of somebody who has logged in by a link."""
        answer = self.ask(f"/{self.mount + '/' if self.mount else ''}?token={self.token}", *HTML, **how)
        assert answer.status == 303
        return "Cookie: " + answer.get("set-cookie").partition(";")[0]


def pending() -> Deferred[Any]:
    return Deferred()
