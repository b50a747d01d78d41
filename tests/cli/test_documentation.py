"""The examples of docs/cli.rst, as they stand."""

from __future__ import annotations

import contextlib
import re
import shlex
import socket
import subprocess
from pathlib import Path
from textwrap import dedent

import pytest
from cli.commands import COMMAND, environment
from cli.test_forward import Tunnel
from wire import PATIENCE, Server

from webshell.cli.conversation import FORWARDED
from webshell.cli.forward import LINES
from webshell.cli.main import COMMANDS
from webshell.cli.relay import WINDOW_BYTES

PAGE = (Path(__file__).parents[2] / "docs" / "cli.rst").read_text("utf-8")


def test_the_examples(server: Server, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    found = re.findall(r"code-block:: sh\n\n((?:    .*\n|\n)+)", PAGE)
    assert len(found) == 2
    backup = str(tmp_path_factory.mktemp("there") / "backup")
    for folder in (server.home, tmp_path):
        for name in ("a.example", "b.example"):
            (folder / name).write_text(name)
    script = f'webshell() {{ {shlex.join(COMMAND)} "$@"; }}\n' + dedent("".join(found).replace("/tmp/backup", backup))
    done = subprocess.run(
        ["sh", "-c", script],
        cwd=tmp_path,
        env=environment(server.token, URL=server.url),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=3 * PATIENCE,  # of eight commands
        check=False,
    )
    assert done.stdout.split("\n") == ["2", "two", "one", "/tmp", "blue", "status 3", ""], done.stderr
    assert done.stderr == ""
    names = ["a.example", "b.example", "copy.example"]
    assert sorted(path.name for path in Path(backup).iterdir()) == names
    assert (tmp_path / "copy.example").read_text() == "a.example"


def test_the_example_of_forward(server: Server) -> None:
    found = re.search(r"code-block:: console\n\n    \$ webshell forward \$URL (.*)\n((?:    .*\n)+)", PAGE)
    assert found
    routes, told = found[1].split(), dedent(found[2])
    with contextlib.ExitStack() as stack:
        for number, route in enumerate(routes):
            port, there = route.split(":", 1)
            listening = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            routes[number] = f"0:127.0.0.1:{listening.getsockname()[1]}"
            told = told.replace(f":{port} leads to {there}\n", rf":\d+ leads to {routes[number][2:]}\n")
        with Tunnel(server, *routes) as tunnel:
            assert re.fullmatch(told, "".join(tunnel.told))
            assert tunnel.end() == (130, "")


def test_all_of_it_is_there() -> None:
    for name in COMMANDS:
        assert f"    webshell {name} URL" in PAGE
    assert f"Up to {LINES} connections" in PAGE
    assert f"{WINDOW_BYTES >> 10} KiB" in PAGE
    assert f"{', '.join(FORWARDED[:-1])} and {FORWARDED[-1]}" in PAGE.replace("\n", " ")
