"""Behind a real nginx, at a path of a site, by the configuration that ``docs/operations.rst`` prints."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import socket
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin

import pytest
from exec.asking import Api, Line
from needs import need
from server.daemons import Answer, ask, until
from server.examples import documented
from wire import PATIENCE, Refused, Server, WireClient

from webshell.certificate import ensure_certificate
from webshell.execnet import Group
from webshell.web.tokens import new_token
from webshell.web.websocket import PING_SECONDS

OPERATIONS = "docs/operations.rst"
NGINX_BYTES = 1 << 20
"""What it takes as a body, unless it is told otherwise."""

FRAME = """
daemon off;
worker_processes 1;
{user}
pid {home}/nginx.pid;
error_log {home}/error.log info;
events {{}}
http {{
    access_log off;
    client_body_temp_path {home}/body;
    proxy_temp_path {home}/proxy;
    fastcgi_temp_path {home}/fastcgi;
    uwsgi_temp_path {home}/uwsgi;
    scgi_temp_path {home}/scgi;
{site}
}}
"""


@dataclass
class Front:
    """A proxy before a daemon.

    :ivar url: of the page, as its users see it.
    """

    server: Server
    url: str
    port: int
    token: str
    home: Path

    @property
    def origin(self) -> str:
        return f"https://localhost:{self.port}"

    @property
    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.home / "site.pem"))

    def ask(self, path: str = "", address: str = "127.0.0.1", **keywords: object) -> Answer:
        connected = socket.create_connection(("127.0.0.1", self.port), PATIENCE, (address, 0))
        where = path if path.startswith("/") else "/tools/shell/" + path
        return ask(connected, where, host=f"localhost:{self.port}", tls=self.context, **keywords)  # type: ignore[arg-type]

    def login(self) -> str:
        """The cookie of somebody who followed the link."""
        answer = self.ask(f"?token={self.token}", headers={"Accept": "text/html"})
        assert answer.status == 303
        assert urljoin(self.url, answer.headers["location"]) == self.url
        return answer.headers["set-cookie"]


@pytest.fixture(scope="module", params=["unix", "tcp"])
def front(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    nginx, home, token = need("nginx"), tmp_path_factory.mktemp("nginx"), new_token()
    ensure_certificate(home / "site.pem", [])
    (home / "token").write_text(token)
    (home / "token").chmod(0o600)
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    command = documented(OPERATIONS, "twistd webshell --listen").replace(
        "https://shell.example.org", f"https://localhost:{port}"
    )
    options = shlex.split(command)[2:]
    assert options[:2] == ["--listen", "unix:/run/webshell/webshell.sock:mode=660"]
    upstream, listen = "http://127.0.0.1:{}/", "tcp:0:interface=127.0.0.1"
    if request.param == "unix":
        upstream, listen = f"http://unix:{home}/webshell.sock:/", "unix:webshell.sock:mode=660"
    else:
        options[options.index("--proxy") + 1] = "127.0.0.1"
    with Server(home, *options[2:], "--token-file", "token", listen=listen) as server:
        upstream = upstream.format(server.url.rpartition(":")[2].strip("/"))
        site = documented(OPERATIONS, "# nginx, inside of http { }")
        for printed, here in [
            ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
            ("shell.example.org;", "localhost;"),
            ("/etc/ssl/shell.example.org.pem", f"{home}/site.pem"),
            ("/etc/ssl/private/shell.example.org.pem", f"{home}/site.pem"),
            ("http://unix:/run/webshell/webshell.sock:/", upstream),
            ("/var/log/nginx/webshell.log", f"{home}/access.log"),
        ]:
            assert printed in site
            site = site.replace(printed, here)
        user = "user root;" if os.geteuid() == 0 else ""  # its worker must reach the socket in a folder of ours
        (home / "nginx.conf").write_text(FRAME.format(home=home, site=site, user=user))
        # nginx takes over a socket that listens already, as it does from itself when it is upgraded
        process = subprocess.Popen(
            [nginx, "-c", f"{home}/nginx.conf", "-p", str(home), "-e", f"{home}/error.log"],
            env={**os.environ, "NGINX": f"{listening.fileno()};"},
            pass_fds=[listening.fileno()],
        )
        listening.close()
        try:
            until(lambda: (home / "nginx.pid").exists() or process.poll() is not None)
            assert process.poll() is None, (home / "error.log").read_text()
            yield Front(server, f"https://localhost:{port}/tools/shell/", port, token, home)
        finally:
            process.terminate()
            process.wait(PATIENCE)


def test_the_page_and_all_that_it_names(front: Front) -> None:
    cookie = front.login()
    assert cookie.startswith("__Host-webshell_")
    assert "; Path=/;" in cookie
    for attribute in ("Secure", "HttpOnly", "SameSite=Strict"):
        assert attribute in cookie.split("; ")
    headers = {"Cookie": cookie.partition(";")[0], "Accept": "text/html"}
    page = front.ask(headers=headers)
    assert page.status == 200
    assert urljoin(front.url, front.ask("/tools/shell").headers["location"]) == front.url
    named = re.findall(r'(?:src|href)="([^"]+)"', page.body.decode())
    assert any(name.endswith(".js") for name in named)
    assert any(name.endswith(".css") for name in named)
    for name in named:
        assert not name.startswith(("/", "http"))  # or it would not be found here
        answer = front.ask(name, headers=headers)
        assert answer.status == 200, name
        assert answer.body
    assert front.ask(next(name for name in named if name.endswith(".js"))).status == 401
    assert front.ask("healthz").body == b"ok\n"


def test_who_is_not_logged_in_is_led_to_the_login_below_the_path(front: Front) -> None:
    answer = front.ask(headers={"Accept": "text/html"})
    assert answer.status == 303
    assert urljoin(front.url, answer.headers["location"]) == front.url + "login"
    form = {"Content-Type": "application/x-www-form-urlencoded", "Origin": front.origin}
    answer = front.ask("login", method="POST", headers=form, body=f"token={front.token}".encode())
    assert (answer.status, "Secure" in answer.headers["set-cookie"]) == (303, True)
    assert urljoin(front.url + "login", answer.headers["location"]) == front.url


def test_a_socket_of_our_own_page(front: Front) -> None:
    cookie = ("Cookie", front.login().partition(";")[0])
    with WireClient(front.url, headers=[cookie, ("Origin", front.origin)]) as client:
        limit = client.expect("hello")["limits"]["input"]
        client.send({"type": "open", "id": 1, "client": "test"})
        client.expect("attached")
        client.send({"type": "start", "id": 2, "runner": "sh", "line": "sha256sum; echo done"})
        client.expect("started")
        pasted = os.urandom(4 << 20)
        sent = taken = 0
        while sent < len(pasted):
            while sent < len(pasted) and sent - taken + (32 << 10) <= limit:
                client.type(pasted[sent : sent + (32 << 10)], kind=2)
                sent += 32 << 10
            if sent < len(pasted):
                taken = client.expect("taken")["count"]
        client.send({"type": "eof", "id": 3, "process": 1})
        output = client.until(lambda output: b"done" in output)
        assert output.split()[0].decode() == hashlib.sha256(pasted).hexdigest()
        # and the other way
        client.send({"type": "start", "id": 4, "runner": "sh", "line": "head -c 600000 /dev/zero"})
        assert len(client.until(lambda output: len(output) >= 600_000, process=2)) == 600_000


def test_a_socket_of_another_page_is_refused(front: Front) -> None:
    cookie = ("Cookie", front.login().partition(";")[0])
    for origin in ("https://evil.example", "https://localhost", front.origin.replace("https", "http"), "null"):
        with pytest.raises(Refused) as refused:
            WireClient(front.url, headers=[cookie, ("Origin", origin)])
        assert refused.value.status == 403, origin
    with pytest.raises(Refused) as refused:
        WireClient(front.url, headers=[("Origin", front.origin)])
    assert refused.value.status == 401


def test_the_address_that_the_proxy_tells_counts_and_not_what_the_client_adds(front: Front) -> None:
    wrong = {"Authorization": "Bearer wrong"}
    statuses = [front.ask("whoami", address="127.0.0.2", headers=wrong).status for _ in range(11)]
    assert statuses == [401] * 10 + [429]
    pretended = {**wrong, "X-Forwarded-For": "203.0.113.9"}
    assert front.ask("whoami", address="127.0.0.2", headers=pretended).status == 429
    assert front.ask("whoami", address="127.0.0.3", headers=wrong).status == 401


def test_without_proxy_nobody_is_believed(tmp_path: Path) -> None:
    with Server(tmp_path, "--listen", "unix:w.sock:mode=600") as server:
        assert server.token
        wrong = {"Authorization": "Bearer wrong"}
        statuses = [
            ask(tmp_path / "w.sock", "/whoami", headers={**wrong, "X-Forwarded-For": f"203.0.113.{number}"}).status
            for number in range(11)
        ]
        assert statuses == [401] * 10 + [429]
        answer = ask(
            tmp_path / "w.sock",
            f"/?token={server.token}",
            headers={"Accept": "text/html", "X-Forwarded-Proto": "https"},
        )
        assert answer.status == 429 or "Secure" not in answer.headers["set-cookie"]


def test_logs_hold_no_token(front: Front) -> None:
    front.login()
    until(lambda: '"GET /tools/shell/" 303' in (front.home / "access.log").read_text())
    for log in front.home.glob("*.log"):
        assert front.token not in log.read_text(), log


def test_nothing_idle_is_cut() -> None:
    site = documented(OPERATIONS, "# nginx, inside of http { }")
    assert "timeout" not in site
    assert PING_SECONDS < 60  # nginx's own proxy_read_timeout and proxy_send_timeout
    assert "client_max_body_size" not in site  # bodies are small, and sockets have none


def test_processes_by_requests_and_over_a_websocket(front: Front) -> None:
    api = Api(front.url, front.token, str(front.home / "site.pem"))
    name = api.python("import os\nwhile data := os.read(0, 65536): os.write(1, data)")
    with api.streaming(f"exec/{name}?off=0") as stream:
        for text in (b"one", b"two"):  # nothing is held back on its way
            assert api.feed(name, text).status == 204
            assert stream.read(3) == text
    with Line(api, name, 6) as line:
        line.send(b"three")
        line.send({"eof": True})
        assert line.go_on() == (4000, "exit 0")
        assert line.read == b"three"
    assert api.read(name, 11).ended
    counting = api.python("import os\ntotal = 0\nwhile data := os.read(0, 1 << 20): total += len(data)\nprint(total)")
    for off in range(0, 4 << 20, NGINX_BYTES):
        answer = api.feed(counting, bytes(NGINX_BYTES), off)
        assert (answer.status, answer.headers.get("x-in-off")) == (204, str(off + NGINX_BYTES))
    assert api.feed(counting, b"", eof=True).status == 204
    assert api.read_until(counting) == b"%d\n" % (4 << 20)
    there = f"{front.url}exec/{name}"
    answer = api.ask("GET", f"exec/{name}", Accept="text/html")
    assert urljoin(there, answer.headers["location"]) == f"{front.url}s/{name.partition('.')[0]}#1"
    answer = api.ask("POST", "popen", b'{"argv": ["true"]}')
    assert urljoin(front.url + "popen", answer.headers["location"]) == f"{front.url}exec/{answer.body.decode().strip()}"


def test_a_larger_body_is_refused_by_nginx(front: Front) -> None:
    api = Api(front.url, front.token, str(front.home / "site.pem"))
    assert api.feed(api.popen("cat"), bytes(NGINX_BYTES + 1)).status == 413


@pytest.mark.parametrize("scheme", ["https", "wss"])
def test_gateways_of_execnet(front: Front, scheme: str) -> None:
    """More requests than nginx takes on one connection (1000), and larger items than it takes in one."""
    group = Group()
    place = f"{scheme}=localhost:{front.port}//path=/tools/shell"
    gateway = group.makegateway(f"{place}//ca_file={front.home}/site.pem//token_file={front.home}/token")
    channel = gateway.remote_exec("while (item := channel.receive()) is not None: channel.send(item)")
    for number in range(1500):
        channel.send(number)
        assert channel.receive(PATIENCE) == number
    blob = bytes(range(256)) * 50_000
    for _ in range(3):
        channel.send(blob)
    assert all(channel.receive(PATIENCE) == blob for _ in range(3))
    channel.send(None)
    channel.waitclose(PATIENCE)
    group.terminate(PATIENCE)
    with pytest.raises(OSError, match=r"no webshell at this address|the proxy does not reach|or what is before it"):
        Group().makegateway(place.replace("/tools/shell", "/tools/other") + f"//ca_file={front.home}/site.pem")
