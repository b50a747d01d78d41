"""The examples of docs/cli.rst, as they stand."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path
from textwrap import dedent

from cli.commands import COMMAND, environment
from wire import PATIENCE, Server

from webshell.cli.conversation import FORWARDED
from webshell.cli.main import COMMANDS

PAGE = (Path(__file__).parents[2] / "docs" / "cli.rst").read_text("utf-8")


def test_the_examples(server: Server, tmp_path: Path) -> None:
    found = re.search(r"code-block:: sh\n\n((?:    .*\n|\n)+)", PAGE)
    assert found
    for name in ("a.example", "b.example"):
        (server.home / name).touch()
    script = f'webshell() {{ {shlex.join(COMMAND)} "$@"; }}\n' + dedent(found[1])
    done = subprocess.run(
        ["sh", "-c", script],
        cwd=tmp_path,
        env=environment(server.token, URL=server.url),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.stdout.split("\n") == ["2", "two", "one", "/tmp", "blue", "status 3", ""], done.stderr
    assert done.stderr == ""


def test_all_of_it_is_there() -> None:
    for name in COMMANDS:
        assert f"    webshell {name} URL" in PAGE
    assert f"{', '.join(FORWARDED[:-1])} and {FORWARDED[-1]}" in PAGE.replace("\n", " ")
