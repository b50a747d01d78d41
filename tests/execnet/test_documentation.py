"""The examples of ``docs/execnet.rst``, as they stand, and the numbers that it gives."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from cli.commands import token_file
from gateways import site
from needs import need_module
from server.examples import ROOT, python_of
from wire import PATIENCE, Server

from webshell.config import Config
from webshell.execnet import Group, helper, sender, spec

PAGE = "docs/execnet.rst"
TEXT = (ROOT / PAGE).read_text("utf-8")


EXAMPLE = """
gw = group.makegateway("http=codespeak.net")

def fun(channel):
    return channel.send(channel.receive()+1)

ch = gw.remote_exec(fun)
ch.send(1)
x = ch.receive()
assert x == 2
"""
"""The session of execnet's list of wishes."""


@pytest.mark.parametrize("scheme", ["http", "https", "ws", "wss"])
def test_case_1_the_example_as_it_stands(
    tmp_path: Path, web: Group, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    """As it is in that list and on our page, with that name of a host; and with the other keys."""
    create = socket.create_connection
    asked: list[tuple[str, int]] = []
    _, example, _ = python_of(PAGE)
    assert example.strip() == EXAMPLE.strip()
    certificate = tmp_path / "certificate.pem"
    secure = ("--self-signed", str(certificate)) if scheme in ("https", "wss") else ()
    with Server(tmp_path, "--no-auth", "--host", "codespeak.net", *secure) as server:
        host, port = site(server).split(":")

        def there(place: tuple[str, int], *rest: Any) -> Any:
            asked.append(place)
            return create((host, int(port)), *rest)

        monkeypatch.setattr(socket, "create_connection", there)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))  # who vouches, on that machine
        program = tmp_path / "example.py"  # a function is sent by its source, which execnet finds in its file
        program.write_text(EXAMPLE.replace("http=", f"{scheme}="))
        names: dict[str, Any] = {"group": web}
        exec(compile(program.read_text(), str(program), "exec"), names)
        assert names["x"] == 2
        web.terminate(5)
    assert set(asked) == {("codespeak.net", 443 if secure else 80)}


def test_where_an_interpreter_is(server: Server, tmp_path: Path) -> None:
    _, _, example = python_of(PAGE)
    token_file(tmp_path, server.token)
    done = subprocess.run(
        [sys.executable, "-c", example.replace("localhost:8080", site(server))],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("blue 1\n", "", 0)


def test_case_23_the_command(server: Server, tmp_path: Path) -> None:
    need_module("xdist")
    found = re.search(r"code-block:: sh\n\n((?:    .*\n|\n)+)", TEXT)
    assert found
    token_file(tmp_path, server.token)
    (tmp_path / "test_it.py").write_text("def test_it(): pass\n")
    program = tmp_path / "webshell-python"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m webshell.execnet.helper "$@"\n')
    program.chmod(0o755)
    script = dedent(found[1]).replace("localhost:8080", site(server)).replace("webshell-python", str(program))
    done = subprocess.run(
        ["sh", "-c", f'PYTHON={sys.executable}; pytest() {{ $PYTHON -m pytest -p no:cacheprovider "$@"; }}\n{script}'],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
        check=False,
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_all_of_it_is_there() -> None:
    """Each key that is read is in the table, and the other way round."""
    source = (ROOT / "webshell" / "execnet" / "spec.py").read_text("utf-8")
    read = set(re.findall(r'_(?:text|number)\(spec, "(\w+)"', source)) | set(re.findall(r"spec\.([a-z]\w*)\b", source))
    table = TEXT.partition("The spec\n")[2].partition("The token is")[0]
    column = "\n".join(line[:20] for line in table.splitlines())
    shown = set(re.findall(r"``([a-z_]+)(?:=|``)", column))
    of_execnet = {"chdir", "nice", "via"}
    transports = set(spec.TRANSPORTS)
    assert read - {"token", "dont_write_bytecode"} | of_execnet | transports == shown - {"http"} | transports
    assert len(fields(spec.Wanted)) >= 10


def test_the_numbers() -> None:
    text = " ".join(TEXT.split())
    assert f"connection for {spec.PATIENCE_SECONDS:g} seconds (``patience=``)" in text
    assert f"up to {spec.LONGEST_POLL:g}, instead" in text
    assert f"until {sender.ROOM_BYTES >> 20} MiB are under way" in text
    assert f"takes {Config().connections_of_address} from one address" in text
    assert f"``grace=`` ({helper.GRACE_SECONDS:g} seconds)" in text
    assert f"{helper.UNREACHED} for no connection" in text
    assert f"{helper.SIGNALLED} and a number stand for a signal" in text
