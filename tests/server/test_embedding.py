"""The example of ``docs/embedding.rst``, run as it is printed except for its port, and used by real clients."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from server.daemons import Answer, alive, ask, environment
from server.examples import python_of
from wire import PATIENCE, Refused, WireClient

from webshell.web.exec.input import INPUT_BYTES


class Site:
    """The example's process."""

    def __init__(self, home: Path) -> None:
        self.home = home
        source = python_of("docs/embedding.rst")[0]
        assert source.count("tcp:8000:") == 1
        (home / "site.py").write_text(source.replace("tcp:8000:", "tcp:0:"))
        with (home / "errors").open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "site.py"], cwd=home, env=environment(home), stdout=subprocess.PIPE, stderr=errors
            )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().decode().strip()
        assert self.url, (home / "errors").read_text()
        parts = urlsplit(self.url)
        self.where, self.host = ("127.0.0.1", parts.port or 0), parts.netloc

    def ask(self, path: str, **headers: str) -> Answer:
        return ask(self.where, path, host=self.host, headers=headers)

    def login(self, name: str, password: str) -> Answer:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        body = f"name={name}&password={password}".encode()
        return ask(self.where, "/login", method="POST", host=self.host, headers=headers, body=body)

    def cookie(self, name: str, password: str) -> str:
        answer = self.login(name, password)
        assert answer.status == 200
        return answer.headers["set-cookie"].partition(";")[0]

    def client(self, cookie: str, origin: str = "") -> WireClient:
        headers = [("Cookie", cookie), ("Origin", origin or self.url.rstrip("/"))]
        return WireClient(self.url, path="tools/shell/ws", headers=headers)

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.terminate()
        code = self.process.wait(PATIENCE)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    running = Site(tmp_path_factory.mktemp("site"))
    yield running
    assert running.stop() == 0
    assert (running.home / "errors").read_text() == ""


def test_its_own_resources_are_its_own(site: Site) -> None:
    answer = site.ask("/")
    assert (answer.status, b"My site" in answer.body) == (200, True)
    assert "content-security-policy" not in answer.headers
    assert site.login("anna", "wrong").status == 403
    assert site.login("nobody", "").status == 403


def test_strangers_are_refused(site: Site) -> None:
    for path in ("", "ws", "whoami", "page.webmanifest", "v", "v/x/js/app.js"):
        assert site.ask(f"/tools/shell/{path}", Accept="text/html").status == 401, path
        assert site.ask(f"/tools/shell/{path}", Cookie="mine=guessed").status == 401, path
    assert site.ask("/tools/shell/login").status == 404  # there is none: the login is the site's
    for cookie in ("mine=guessed", "other=1"):
        with pytest.raises(Refused) as refused:
            site.client(cookie)
        assert refused.value.status == 401


def test_the_page_is_served_under_its_path(site: Site) -> None:
    cookie = site.cookie("anna", "correct horse")
    page = site.ask("/tools/shell/", Cookie=cookie, Accept="text/html")
    assert page.status == 200
    for name in re.findall(r'(?:src|href)="([^"]+)"', page.body.decode()):
        assert site.ask(f"/tools/shell/{name}", Cookie=cookie).status == 200, name
    bare = site.ask("/tools/shell", Cookie=cookie, Accept="text/html")
    assert (bare.status, bare.headers["location"]) == (303, "./shell/")


def test_who_is_logged_in_has_a_shell_and_a_guest_watches(site: Site) -> None:
    with site.client(site.cookie("anna", "correct horse")) as anna:
        assert anna.expect("hello")["identity"] == "anna"
        anna.send({"type": "open", "id": 1, "client": "test"})
        session = anna.expect("attached")
        assert session["linger"] == 3600
        with site.client(site.cookie("guest", "battery staple")) as guest:
            assert guest.expect("hello")["rights"] == ["view"]
            guest.send({"type": "attach", "id": 1, "session": session["session"]})
            guest.expect("attached")
            anna.send({"type": "start", "id": 2, "runner": "sh", "line": "echo hello"})
            assert guest.until(lambda output: b"hello" in output) == b"hello\n"
            guest.send({"type": "start", "id": 2, "runner": "sh", "line": "echo mine"})
            with pytest.raises(AssertionError, match="not-allowed"):
                guest.expect("started")


def test_processes_over_http_of_who_is_logged_in(site: Site) -> None:
    own = {"Cookie": site.cookie("anna", "correct horse"), "Origin": site.url.rstrip("/")}

    def asks(method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        there = f"/tools/shell/{path}"
        return ask(site.where, there, method=method, host=site.host, headers={**own, **headers}, body=body)

    started = asks("POST", "popen", b'{"argv": ["cat"]}')
    assert (started.status, started.headers["location"]) == (201, f"exec/{started.body.decode().strip()}")
    path = started.headers["location"]
    assert asks("POST", path + "?off=0", b"hello").status == 204
    assert asks("GET", path + "?off=0&poll=10").body == b"hello"
    for stranger in ({"Origin": "https://evil.example"}, {"Cookie": "mine=guessed"}):
        assert asks("POST", path, b"x", **stranger).status in (401, 403)
    del own["Origin"]
    assert asks("POST", path, b"x").status == 403  # a cookie alone proves nothing
    own.update(Cookie=site.cookie("guest", "battery staple"), Origin=site.url.rstrip("/"))
    assert asks("GET", path + "/status").status == 200
    assert asks("GET", path + "?off=0&poll=1").status == 403
    assert asks("DELETE", path).status == 403
    own["Cookie"] = site.cookie("anna", "correct horse")
    assert asks("GET", path + "/status").body.count(b'"in": 5') == 1
    assert asks("POST", path, bytes(INPUT_BYTES + 1)).status == 413  # its site reads it, we do not
    assert asks("DELETE", path).status == 204


def test_other_origins_and_none_are_refused(site: Site) -> None:
    cookie = site.cookie("anna", "correct horse")
    for origin in ("https://evil.example", "http://localhost:1", "null"):
        with pytest.raises(Refused) as refused:
            site.client(cookie, origin)
        assert refused.value.status == 403
    with pytest.raises(Refused) as refused:
        WireClient(site.url, path="tools/shell/ws", headers=[("Cookie", cookie)])
    assert refused.value.status == 403
    with site.client(cookie, "https://shell.example.org") as client:
        client.expect("hello")
    assert ask(site.where, "/tools/shell/", host="rebound.example", headers={"Cookie": cookie}).status == 421


def test_the_same_shell_hangs_at_another_site(site: Site) -> None:
    cookie = site.cookie("anna", "correct horse")
    here = site.ask("/tools/shell/whoami", Cookie=cookie)
    there = ask(site.home / "shell.sock", "/whoami", headers={"Cookie": cookie})
    assert here.status == there.status == 200
    assert here.body == there.body  # the instance, too


def test_it_stops_with_the_reactor(tmp_path: Path) -> None:
    site = Site(tmp_path)
    with site.client(site.cookie("anna", "correct horse")) as anna:
        anna.expect("hello")
        anna.send({"type": "open", "id": 1, "client": "test"})
        anna.expect("attached")
        anna.send({"type": "start", "id": 2, "runner": "sh", "line": "echo $$; exec setsid -w sleep 1000"})
        child = int(anna.until(lambda output: b"\n" in output))
        site.process.terminate()
        assert anna.gone() == 1001
    assert site.process.wait(PATIENCE) == 0
    assert not alive(child)
    site.stop()
    assert (tmp_path / "errors").read_text() == ""
