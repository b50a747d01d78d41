"""The examples of docs/cli.rst, as they stand."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path
from textwrap import dedent

import pytest
from cli.commands import COMMAND, environment
from wire import PATIENCE, Server

from webshell.cli.conversation import FORWARDED
from webshell.cli.main import COMMANDS

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
        timeout=PATIENCE,
        check=False,
    )
    assert done.stdout.split("\n") == ["2", "two", "one", "/tmp", "blue", "status 3", ""], done.stderr
    assert done.stderr == ""
    names = ["a.example", "b.example", "copy.example"]
    assert sorted(path.name for path in Path(backup).iterdir()) == names
    assert (tmp_path / "copy.example").read_text() == "a.example"


def test_all_of_it_is_there() -> None:
    for name in COMMANDS:
        assert f"    webshell {name} URL" in PAGE
    assert f"{', '.join(FORWARDED[:-1])} and {FORWARDED[-1]}" in PAGE.replace("\n", " ")
