"""Behind a real haproxy, at a path of a site, by the configuration that ``docs/operations.rst`` prints."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli.commands import webshell
from needs import need
from server.examples import documented
from server.test_listeners import port_of
from server.test_nginx import (
    OPERATIONS,
    Front,
    test_a_socket_of_another_page_is_refused,
    test_a_socket_of_our_own_page,
    test_gateways_of_execnet,
    test_logs_hold_no_token,
    test_processes_by_requests_and_over_a_websocket,
    test_the_address_that_the_proxy_tells_counts_and_not_what_the_client_adds,
    test_the_page_and_all_that_it_names,
    test_who_is_not_logged_in_is_led_to_the_login_below_the_path,
)
from wire import PATIENCE, Server, WireClient

from webshell.certificate import ensure_certificate
from webshell.web.files.places import PART_BYTES
from webshell.web.tokens import new_token
from webshell.web.websocket import PING_SECONDS

__all__ = [  # the same is asked of both
    "test_a_socket_of_another_page_is_refused",
    "test_a_socket_of_our_own_page",
    "test_gateways_of_execnet",
    "test_logs_hold_no_token",
    "test_processes_by_requests_and_over_a_websocket",
    "test_the_address_that_the_proxy_tells_counts_and_not_what_the_client_adds",
    "test_the_page_and_all_that_it_names",
    "test_who_is_not_logged_in_is_led_to_the_login_below_the_path",
]

DEFAULTS = """
global
    log stdout format raw local0
defaults
    mode http
    log global
    timeout connect 5000
    timeout client  50000
    timeout server  50000
"""
"""What Debian installs, as far as it matters, without changing the user and the root directory."""


@pytest.fixture(scope="module", params=["forwardfor", "send-proxy", "send-proxy-v2"])
def front(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    haproxy, home, token = need("haproxy"), tmp_path_factory.mktemp("haproxy"), new_token()
    ensure_certificate(home / "site.pem", [])
    (home / "token").touch(0o600)
    (home / "token").write_text(token)
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    command = documented(OPERATIONS, "twistd webshell --proxy")
    options = shlex.split(command.replace("https://shell.example.org", f"https://localhost:{port}"))[2:]
    listen = "tcp:0:interface=127.0.0.1"
    if request.param != "forwardfor":
        listen = "haproxy:" + listen
    with Server(home, *options, "--token-file", "token", listen=listen) as server:
        site = documented(OPERATIONS, "# haproxy")
        changes = [
            ("bind :443", f"bind fd@{listening.fileno()}"),
            ("/etc/haproxy/shell.example.org.pem", f"{home}/site.pem"),
            ("server webshell 127.0.0.1:8080", f"server webshell 127.0.0.1:{port_of(server)}"),
        ]
        if request.param != "forwardfor":
            changes += [("option forwardfor", ""), (f":{port_of(server)}", f":{port_of(server)} {request.param}")]
        for printed, here in changes:
            assert printed in site
            site = site.replace(printed, here)
        (home / "haproxy.cfg").write_text(DEFAULTS + site)
        checked = subprocess.run(
            [haproxy, "-c", "-f", f"{home}/haproxy.cfg"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=[listening.fileno()],
            text=True,
            check=False,
        )
        assert (checked.returncode, "WARNING" in checked.stdout) == (0, False), checked.stdout
        with (home / "access.log").open("wb") as log:
            process = subprocess.Popen(
                [haproxy, "-db", "-f", f"{home}/haproxy.cfg"], stdout=log, stderr=log, pass_fds=[listening.fileno()]
            )
        listening.close()
        try:
            yield Front(server, f"https://localhost:{port}/tools/shell/", port, token, home)
        finally:
            process.terminate()
            process.wait(PATIENCE)


def test_files_and_programs(front: Front, tmp_path: Path) -> None:
    data = os.urandom(20_000_000)
    (tmp_path / "data").write_bytes(data)
    trust = ("--ca-file", str(front.home / "site.pem"))
    there = f"{front.url.rstrip('/')}:{tmp_path}/there"
    done = webshell(front.server, "cp", *trust, there, url=str(tmp_path / "data"), token=front.token)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (tmp_path / "there").read_bytes() == data
    done = webshell(
        front.server, "run", *trust, "--", "sha256sum", url=front.url.rstrip("/"), token=front.token, input=data
    )
    assert (done.returncode, done.stdout.split()[:1]) == (0, [hashlib.sha256(data).hexdigest().encode()]), done.stderr


def test_an_upload_in_parts_as_large_as_scripts_may_send(front: Front) -> None:
    data = os.urandom(20_000_000)
    bearer = {"Authorization": f"Bearer {front.token}"}
    with WireClient(front.url, front.token) as client:
        client.send({"type": "open", "id": 1, "client": "test"})
        where = f"s/{client.expect('attached')['session']}/files/whole"
        query, statuses = f"size={len(data)}", []
        for off in range(0, len(data), PART_BYTES):
            body = data[off : off + PART_BYTES]
            answer = front.ask(f"{where}?{query}", method="PUT", headers=bearer, body=body)
            statuses.append(answer.status)
            told = json.loads(answer.body)
            query = f"part={told.get('part')}&offset={told.get('offset')}"
        assert statuses == [202, 202, 201]
        assert (front.home / "whole").read_bytes() == data
        assert front.ask(where, headers=bearer).body == data


def test_nothing_idle_is_cut() -> None:
    site = documented(OPERATIONS, "# haproxy")
    timeouts = [float(seconds) for seconds in re.findall(r"timeout \w+ +(\d+)s\n", site)]
    assert len(timeouts) == site.count("timeout") == 2
    assert min(timeouts) > PING_SECONDS
