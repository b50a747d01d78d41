"""Cases 61 to 63 of the acceptance list, and the runners: what clients ask over HTTP."""

from __future__ import annotations

import json
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from further.links import PAGE, Link, configured
from server import daemons
from server.daemons import FOREGROUND, Answer
from wire import PATIENCE, Refused, Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("home")
    with Server(home, "--config", configured(home), "--origin", PAGE, argv=FOREGROUND) as running:
        yield running


def ask(server: Server, path: str, method: str = "GET", *, token: bool = True, **headers: str) -> Answer:
    parts = urlsplit(server.url)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if token:
        sent["Authorization"] = f"Bearer {server.token}"
    return daemons.ask((parts.hostname or "", parts.port or 0), path, method=method, host=parts.netloc, headers=sent)


def test_without_the_option_nothing_is_there(tmp_path: Path) -> None:
    with Server(tmp_path) as plain:
        for path in ("/run", "/run-py", "/status", "/version", "/version/apt/python3", "/runners", "/upload"):
            assert ask(plain, path).status == 404
            assert ask(plain, path, token=False).status == 401
        with pytest.raises(Refused) as refused:
            Link(plain)
        assert refused.value.status == 404
        with plain.client() as client:
            client.send({"type": "open", "id": 1})
            client.expect("attached")
            client.send({"type": "start", "id": 2, "runner": "run:python3"})
            frame = client.receive()
            while not isinstance(frame, dict) or frame["type"] != "error":
                frame = client.receive()
        assert "there is no runner" in frame["message"]


def test_case_61_status_and_version_are_told_to_everybody(server: Server) -> None:
    for token in (True, False):
        status = ask(server, "/status", token=token)
        version = ask(server, "/version", token=token)
        assert (status.status, status.body) == (200, b"OK")
        assert tuple(map(int, json.loads(version.body)["version"].split("."))) >= (5, 3, 3)
        for answer in (status, version):
            assert answer.headers["access-control-allow-private-network"] == "true"


def test_case_61_refusals_let_pages_of_the_internet_in_too(server: Server) -> None:
    answer = ask(server, "/status", "POST", Origin=PAGE)
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
    assert answer.headers["access-control-allow-private-network"] == "true"


HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec_WebSocket_Version": "13",
    "Sec_WebSocket_Key": "MDEyMzQ1Njc4OWFiY2RlZg==",
}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/version/apt/dpkg", 200),
        ("GET", "/runners", 200),
        ("GET", "/run", 400),
        ("GET", "/run-py", 400),
        ("GET", "/upload", 405),
        ("POST", "/upload", 400),
        ("PUT", "/run", 405),
        ("OPTIONS", "/upload", 403),
    ],
)
def test_case_61_every_answer_lets_pages_of_the_internet_in(
    server: Server, method: str, path: str, status: int
) -> None:
    answer = ask(server, path, method, Origin=PAGE)
    assert (answer.status, answer.headers["access-control-allow-private-network"]) == (status, "true")


@pytest.mark.parametrize("path", ["/run", "/run-py"])
def test_case_61_an_upgrade_does_so_too(server: Server, path: str) -> None:
    answer = ask(server, path, token=True, Origin=PAGE, **HANDSHAKE)
    assert (answer.status, answer.headers["access-control-allow-private-network"]) == (101, "true")


def test_everything_else_is_told_to_nobody_without_a_credential(server: Server) -> None:
    for path in ("/run", "/run-py", "/runners", "/version/apt/python3"):
        assert ask(server, path, token=False).status == 401
    for path in ("run", "run-py"):
        with pytest.raises(Refused) as refused:
            daemons_link(server, path)
        assert refused.value.status == 401


def daemons_link(server: Server, path: str) -> None:
    from wire import WireClient

    WireClient(server.url, path=path, subprotocols=())


@pytest.mark.skipif(shutil.which("apt-cache") is None, reason="this is no Debian")
def test_case_62_versions_of_packages(server: Server) -> None:
    assert json.loads(ask(server, "/version/apt/dpkg").body)["version"][0].isdigit()
    assert json.loads(ask(server, "/version/apt/no-such-package-at-all").body) == {"version": None}


NO_PACKAGES = ("a b", "a'b", "--version", "-h", "-oDebug=1", "$(id)", "a;id", "dpkg/x", "", "A" * 200)


def test_case_62_what_is_no_package_is_asked_of_nobody(tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    apt = tmp_path / "bin" / "apt-cache"
    apt.parent.mkdir()
    apt.write_text(f"#!/bin/sh\necho \"$@\" >> {asked}\necho $3:\necho '  Installed: 3.11.2-1+b1'\n")
    apt.chmod(0o755)
    path = f"{apt.parent}:/usr/bin:/bin"
    with Server(tmp_path, "--config", configured(tmp_path), argv=FOREGROUND, PATH=path) as server:
        for name in NO_PACKAGES:
            answer = ask(server, "/version/apt/" + quote(name, safe="/"))
            assert (answer.status, json.loads(answer.body)) == (200, {"version": None}), name
        assert not asked.exists()
        assert json.loads(ask(server, "/version/apt/python3").body) == {"version": "3.11.2-1+b1"}
    assert asked.read_text() == "policy -- python3\n"


def test_case_63_a_page_of_an_allowed_origin_may_read(server: Server) -> None:
    answer = ask(server, "/status", Origin=PAGE)
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert "Origin" in answer.headers["vary"]
    assert ask(server, "/status", Origin="https://evil.example").status == 403
    assert "access-control-allow-origin" not in ask(server, "/status", Origin="https://evil.example").headers
    with Link(server, headers=[("Origin", PAGE)]) as link:
        link.quiet()


@pytest.mark.parametrize(("method", "path"), [("POST", "/upload"), ("GET", "/version")])
def test_case_63_a_preflight_is_answered(server: Server, method: str, path: str) -> None:
    asked = {"Access_Control_Request_Method": method, "Access_Control_Request_Headers": "content-type,x-y"}
    answer = ask(server, path, "OPTIONS", token=False, Origin=PAGE, **asked)
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert answer.headers["access-control-allow-methods"] == method
    assert answer.headers["access-control-allow-headers"] == "CONTENT-TYPE,X-Y"
    for headers in (asked, {"Origin": "https://evil.example", **asked}):
        answer = ask(server, path, "OPTIONS", token=False, **headers)
        assert answer.status == 403
        assert not [name for name in answer.headers if name.startswith("access-control-allow-")]
    asked["Access_Control_Request_Method"] = "DELETE"
    answer = ask(server, path, "OPTIONS", token=False, Origin=PAGE, **asked)
    assert (answer.status, "access-control-allow-methods" in answer.headers) == (403, False)


def test_a_runner_is_tried_once_for_all_who_ask_and_ends_with_them(tmp_path: Path) -> None:
    probe = f"echo $$ >> {tmp_path}/tried; sleep 0.3; echo slow 1.0"
    more = f'[recipes.slow]\nargv = ["slow"]\nprobe = ["sh", "-c", "{probe}"]\n'
    more += f'[recipes.stuck]\nargv = ["stuck"]\nprobe = ["sh", "-c", "echo $$ > {tmp_path}/stuck; exec sleep 60"]\n'
    with Server(tmp_path, "--config", configured(tmp_path, more)) as server:
        parts = urlsplit(server.url)
        head = f"GET /runners HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {server.token}\r\n\r\n"
        with ExitStack() as opened:
            for _ in range(3):
                raw = opened.enter_context(socket.create_connection((parts.hostname, parts.port), PATIENCE))
                raw.sendall(head.encode())
            while not (tmp_path / "stuck").exists() or not (tmp_path / "stuck").read_text():
                time.sleep(0.01)
            assert len((tmp_path / "tried").read_text().split()) == 1
        while (tmp_path / "stuck").read_text() and Path(f"/proc/{(tmp_path / 'stuck').read_text().strip()}").exists():
            time.sleep(0.01)
        assert "Traceback" not in server.log


def test_the_runners_that_work_here_are_told(tmp_path: Path) -> None:
    more = '[recipes.nothing]\nargv = ["no-such-program"]\nprobe = ["no-such-program"]\n'
    more += '[recipes.broken]\nargv = ["false"]\nprobe = ["false"]\n'
    with Server(tmp_path, "--config", configured(tmp_path, more)) as server:
        runners = json.loads(ask(server, "/runners").body)["runners"]
        assert json.loads(ask(server, "/runners").body)["runners"] == runners
    assert {"python3", "exec", "shell"} <= runners.keys()
    assert runners["python3"].startswith("Python 3.")
    assert not {"nothing", "broken"} & runners.keys()
    assert ("node" in runners) == (shutil.which("node") is not None)
