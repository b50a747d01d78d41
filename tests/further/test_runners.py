"""Runners beyond further-link's own: each that works here runs a script, each other one says what is missing."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from further.links import Link, configured
from server.daemons import ask
from wire import Server

from webshell.recipes import RECIPES

SCRIPTS = {
    "bash": "read n; echo $((n * 7))",
    "c": '#include <stdio.h>\nint main(void) { int n; scanf("%d", &n); printf("%d\\n", n * 7); return 0; }',
    "exec": "#!/bin/sh\nread n; expr $n \\* 7",
    "go": 'package main\nimport "fmt"\nfunc main() { var n int; fmt.Scan(&n); fmt.Println(n * 7) }',
    "java": "import java.util.Scanner;\nclass Any { public static void main(String[] words) {"
    " System.out.println(new Scanner(System.in).nextInt() * 7); } }",
    "node": "process.stdin.on('data', data => { console.log(String(data * 7)); process.exit() })",
    "perl": 'print <STDIN> * 7, "\\n";',
    "python3": "print(int(input()) * 7)",
    "r": 'cat(as.integer(readLines("stdin", 1)) * 7L, "\\n", sep = "")',
    "ruby": "puts gets.to_i * 7",
    "rust": "fn main() { let mut line = String::new(); std::io::stdin().read_line(&mut line).unwrap();"
    ' println!("{}", line.trim().parse::<i32>().unwrap() * 7) }',
    "sqlite3": "select 6 * 7;",
}


@pytest.fixture(scope="module")
def working(further: Server) -> set[str]:
    """The runners that work here, as the server says."""
    parts = urlsplit(further.url)
    bearer = {"Authorization": f"Bearer {further.token}"}
    answer = ask((parts.hostname or "", parts.port or 0), "/runners", host=parts.netloc, headers=bearer)
    return {*json.loads(answer.body)["runners"]}


def test_every_runner_is_tried_here() -> None:
    assert {*SCRIPTS, "shell"} == {*RECIPES}


@pytest.mark.parametrize("runner", SCRIPTS)
@pytest.mark.parametrize("query", ["", "pty=1"])
def test_a_runner_runs_a_script_or_says_what_is_missing(
    further: Server, working: set[str], runner: str, query: str
) -> None:
    with Link(further, query) as link:
        link.say("start", runner=runner, code=SCRIPTS[runner])
        kind, data = link.told()
        if runner in working:
            assert kind == "started"
            link.say("stdin", input="6\n")
            output, complaint, code = link.until_stopped()
            assert (complaint, code) == ("", 0)
            assert "42" in output.split()  # a terminal shows the input, too, before or after it
        elif kind == "error":
            program = (RECIPES[runner].build or RECIPES[runner].argv)[0]
            assert data["detail"] == f"{program}: command not found"
        else:  # it is there, and does not work
            assert link.until_stopped()[2] != 0
    assert list((further.home / "temp").iterdir()) == []


def test_what_a_compiler_complains_about_is_told_and_ends_it(link: Link, working: set[str]) -> None:
    if "c" not in working:
        pytest.skip("there is no gcc here")
    link.start(runner="c", code="int main( {")
    output, complaint, code = link.until_stopped()
    assert (output, code) == ("", 1)
    assert "error:" in complaint


def test_a_runner_of_the_configuration_follows_its_row(tmp_path: Path) -> None:
    text = f"""
        [recipes.twice]
        argv = ["{sys.executable}", "{{program}}", "{{folder}}", "{{file}}"]
        suffix = ".two"
        build = ["/bin/sh", "-c", 'cat "$1" "$1" > "$2"', "sh", "{{file}}", "{{program}}"]
        env = {{ COLOUR = "red" }}
        cwd = "/"
        probe = ["true"]
    """
    code = "import os, sys; print(os.getcwd(), os.environ['COLOUR'], sys.argv[1], sys.argv[2][-4:])\n"
    with Server(tmp_path, "--config", configured(tmp_path, text)) as server, Link(server) as link:
        link.start(runner="twice", code=code)
        assert link.until_stopped() == (f"/ red {tmp_path / 'temp'} .two\n" * 2, "", 0)
        assert list((tmp_path / "temp").iterdir()) == []


# ---- virtual environments

WHERE = "import os, sys; print(sys.prefix, os.environ.get('VIRTUAL_ENV'), os.environ['PATH'].split(':')[0])"


@pytest.fixture
def virtual(tmp_path: Path) -> Iterator[Server]:
    """A daemon with a virtual environment for each project, which it makes."""
    with Server(tmp_path, "--config", configured(tmp_path, 'venv = ".venv"\nmake_venv = true')) as server:
        yield server


def test_a_project_gets_a_virtual_environment_of_its_own(virtual: Server) -> None:
    project = virtual.home / "work" / "my project"
    with Link(virtual) as link:
        for _ in range(2):  # made, and then used
            link.start(code=WHERE, path="my project")
            output, complaint, code = link.until_stopped()
            assert (complaint, code) == ("", 0)
            venv = str(project / ".venv")
            assert output == f"{venv} {venv} {venv}/bin\n"
            assert (project / ".venv" / "bin" / "pip").exists()
        link.start(code=WHERE)
        assert ".venv" not in link.until_stopped()[0]
    assert list((virtual.home / "temp").iterdir()) == []


def test_a_virtual_environment_that_is_missing_is_not_made_unasked(tmp_path: Path) -> None:
    settings = configured(tmp_path, 'venv = ".venv"')
    with Server(tmp_path, "--config", settings) as server, Link(server) as link:
        link.start(code=WHERE, path="project")
        assert ".venv" not in link.until_stopped()[0]
        assert not (tmp_path / "work" / "project" / ".venv").exists()
