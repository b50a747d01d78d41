"""The examples of the README, as they stand, and what else the documentation says in numbers and names."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

from server.daemons import FOREGROUND, LOOPBACK, ask, environment, run
from server.examples import ROOT, python_of
from twisted.web.http import HTTPChannel
from wire import PATIENCE, Server, WireClient

from webshell import intake
from webshell.config import Config
from webshell.connection import FRAME_BYTES
from webshell.targets.environment import PASSED
from webshell.web import limits, websocket
from webshell.web.access import PUBLIC
from webshell.web.credentials import TRIES_PER_ADDRESS, USER_COOKIE_SECONDS, WINDOW_SECONDS
from webshell.web.exec.input import INPUT_BYTES
from webshell.web.files.places import PART_BYTES
from webshell.web.tokens import COOKIE_SECONDS

SECURITY = (ROOT / "docs" / "security.rst").read_text("utf-8")
README = (ROOT / "README.rst").read_text("utf-8")
RUN = """
from twisted.internet import endpoints, reactor
listening = endpoints.serverFromString(reactor, "tcp:0:interface=127.0.0.1").listen(make_site(reactor))
listening.addCallback(lambda port: print(port.getHost().port, flush=True))
reactor.run()
"""


def test_the_client(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        names = f"URL = {server.url.replace('http', 'ws') + 'ws'!r}\nTOKEN = {server.token!r}\n"
        (tmp_path / "client.py").write_text(names + python_of("README.rst")[0])
        done = run(tmp_path, sys.executable, "client.py")
    assert (done.stdout.split(), done.returncode) == (["42"], 0)


def test_the_resource(tmp_path: Path) -> None:
    (tmp_path / "site.py").write_text(python_of("README.rst")[1] + RUN)
    process = subprocess.Popen(
        [sys.executable, "site.py"], cwd=tmp_path, env=environment(tmp_path), stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    with process.stdout:
        where = ("127.0.0.1", int(process.stdout.readline()))
        host = f"127.0.0.1:{where[1]}"
        assert b"My site" in ask(where, "/", host=host).body
        assert ask(where, "/shell/", host=host).status == 401
        cookie = {"Cookie": "mine=anna"}
        assert ask(where, "/shell/", host=host, headers={**cookie, "Accept": "text/html"}).status == 200
        headers = [("Cookie", "mine=anna"), ("Origin", f"http://{host}")]
        with WireClient(f"http://{host}/", path="shell/ws", headers=headers) as client:
            assert client.expect("hello")["identity"] == "anna"
        process.terminate()
    assert process.wait(PATIENCE) == 0


def test_the_daemon_with_a_certificate(tmp_path: Path) -> None:
    command = re.search(r"twistd -n webshell (--self-signed .*)", README)
    assert command
    with Server(tmp_path, *command[1].split(), argv=FOREGROUND) as server:
        assert server.url.startswith("https://")
        token = (tmp_path / "webshell.token").read_text().strip()
        assert (tmp_path / "webshell.pem").exists()
        with WireClient(server.url, token) as client:
            client.expect("hello")


def test_what_it_says_of_the_start(tmp_path: Path) -> None:
    assert "127.0.0.1:8080" in README
    assert "pip install . && twistd -n webshell" in README  # test_wheel.py does that
    with Server(tmp_path, listen=LOOPBACK) as server:
        assert f"{server.url}?token={server.token}" in server.announced
        parts = urlsplit(server.url)
        headers = {"Accept": "text/html"}
        where = (parts.hostname or "", parts.port or 0)
        assert ask(where, f"/?token={server.token}", host=parts.netloc, headers=headers).status == 303


def test_the_limits_in_the_security_page_are_those_of_the_code() -> None:
    documented = {row[0]: row[1] for row in re.findall(r"^(\S.*?)  +(\d.*?)  +\S", SECURITY, re.MULTILINE)}
    assert documented == {
        "connections, of one address": f"{Config().connections}, {Config().connections_of_address}",
        "request line and headers": f"{HTTPChannel.totalHeadersSize} bytes",
        "a request, headers and body": f"{limits.REQUEST_SECONDS:.0f} s",
        "between requests": f"{limits.IDLE_SECONDS:.0f} s",
        "body of a POST": f"{limits.POST_BYTES} bytes",
        "body of a file, or of a part of one": f"{PART_BYTES} bytes",
        "body of input for a process": f"{INPUT_BYTES} bytes",
        "larger bodies at once, of an address": f"{limits.LARGE_BODIES}",
        "the same of input for processes": f"{limits.HELD_BODIES}",
        "a frame or message to the server": f"{FRAME_BYTES} bytes",
        "fragments of a message": f"{websocket.FRAGMENTS}",
        "input under way, of a client": f"{intake.CLIENT_BYTES} bytes",
        "input under way, of a process": f"{intake.PROCESS_BYTES} bytes",
        "answers that a client does not read": f"{websocket.UNREAD_BYTES} bytes",
        "no answer to pings": f"{websocket.PING_SECONDS + websocket.PONG_SECONDS:.0f} s",
        "wrong tries a minute, of an address": f"{TRIES_PER_ADDRESS}",
    }
    assert (WINDOW_SECONDS, COOKIE_SECONDS, USER_COOKIE_SECONDS) == (60, 30 * 86400, 86400)


def test_the_security_page_names_what_is_public_and_what_children_get() -> None:
    sentence = re.search(r"Without a grant one gets (.*?), and nothing else", SECURITY, re.DOTALL)
    assert sentence
    public = {"/".join(step.decode() for step in path) for path in PUBLIC}
    assert set(re.findall(r"``(\S+)``", sentence[1])) == public
    assert f"``{' '.join(sorted([*PASSED, 'LC_*']))}``" in SECURITY


def test_the_pages_that_it_names_exist() -> None:
    for name in re.findall(r"``(docs/\w+\.rst)``", README):
        assert (ROOT / name).is_file(), name
