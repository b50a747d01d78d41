"""What docs/further-link.rst says: its client, its file of settings, its table of runners."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

from server.examples import ROOT, python_of
from wire import PATIENCE, Server

from webshell.config import load
from webshell.further import VERSION, FurtherLink
from webshell.recipes import RECIPES
from webshell.workplace import Workplace

PAGE = "docs/further-link.rst"
TEXT = (ROOT / PAGE).read_text("utf-8")


def test_the_client_runs_a_script_as_it_is_printed(further: Server, tmp_path: Path) -> None:
    (example,) = python_of(PAGE)
    (tmp_path / "client.py").write_text(example)
    (tmp_path / "script.py").write_text("import sys\nprint('hi')\nprint('oops', file=sys.stderr)\nsys.exit(3)")
    command = [sys.executable, "client.py", further.url.replace("http", "ws") + "run", further.token, "script.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("hi\n", "oops\n", 3)


def test_the_file_of_settings_is_one_and_shows_the_defaults(tmp_path: Path) -> None:
    found = re.search(r"^\.\. code-block:: toml\n\n((?:    .*\n|\n)+)", TEXT, re.MULTILINE)
    assert found
    file = tmp_path / "webshell.toml"
    file.write_text(dedent(found[1]))
    config = load({}, {}, str(file))
    assert config.further_link
    assert config.further == FurtherLink(workplace=Workplace(venv=".venv"))
    assert {*config.recipes} == {*RECIPES, "lua", "cplusplus"}
    assert config.users == {"operator": frozenset({"pi", "root"})}


def test_the_table_of_runners_is_the_one_that_is_used() -> None:
    rows = [re.split(r"\s{2,}|(?<=``) (?=``)", line.strip()) for line in TEXT.splitlines()]
    documented = {row[0]: row[1:] for row in rows if row[0] in RECIPES and len(row) > 1}
    assert documented.keys() == RECIPES.keys()
    for name, (argv, *more) in documented.items():
        recipe = RECIPES[name]
        assert argv.strip("`") in (" ".join(recipe.argv), shlex.join(recipe.argv))
        assert [text.strip("`") for text in more] == [*filter(None, [recipe.suffix, " ".join(recipe.build)])]


def test_the_version_is_the_one_that_is_told() -> None:
    assert f'"version": "{VERSION}"' in TEXT
