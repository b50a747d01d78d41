"""Packaging: a clean copy of the tree, installed with pip into a fresh environment, used from elsewhere and removed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from needs import need
from server.daemons import ask, run
from server.examples import ROOT
from wire import Server

from webshell.web.page import OWN, static_folder

VENDOR: list[str] = json.loads((ROOT / "static" / "vendor.json").read_text())


def clean_copy(place: Path) -> Path:
    """What git knows of the tree, as a fresh clone would have it after the next commit."""
    listed = subprocess.run(
        [need("git"), "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, place / name)
    return place


def fetched(place: Path) -> None:
    """Put the page's modules where npm would, from where this test's own webshell has them."""
    for name in VENDOR:
        target = place / "static" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(static_folder() / name, target)
        licence = Path(*Path(name).parts[:3], "LICENSE")
        shutil.copy(static_folder() / licence, place / "static" / licence)


def pip(fresh: Path, place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the environment's pip without npm on the PATH, and without this checkout on Python's."""
    bare = fresh.parent / "bare"
    bare.mkdir(exist_ok=True)
    settings = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_", "REQUESTS_"))}
    proxies = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
    return subprocess.run(
        [str(fresh / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", *words],
        cwd=place,
        env={"HOME": os.environ["HOME"], "PATH": str(bare), **settings, **proxies},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clean_copy(tmp_path_factory.mktemp("clone"))


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory, place: Path) -> Path:
    """A new environment in which webshell has been refused once and then installed."""
    made = tmp_path_factory.mktemp("fresh") / "environment"
    venv.create(made, with_pip=True)
    refused = pip(made, place, "install", ".")
    if "No matching distribution found" in refused.stdout and os.environ.get("WEBSHELL_TEST_ALL") != "1":
        pytest.skip("no package registry is reachable")
    assert refused.returncode != 0
    assert "npm, which fetches them, was not found" in refused.stdout, refused.stdout
    assert "install a built wheel of webshell, which needs neither npm nor network" in refused.stdout
    fetched(place)
    done = pip(made, place, "install", ".")
    assert done.returncode == 0, done.stdout
    return made


def site_packages(fresh: Path) -> Path:
    return fresh / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"


def test_what_is_installed(fresh: Path, place: Path) -> None:
    packages = site_packages(fresh)
    record = next(packages.glob("webshell-*.dist-info/RECORD")).read_text()
    names = {line.partition(",")[0] for line in record.splitlines()}
    assert {f"webshell/static/{name}" for name in VENDOR} <= names
    assert {f"webshell/static/{Path(*Path(name).parts[:3], 'LICENSE')}" for name in VENDOR} <= names
    static = place / "static"
    own = {str(path.relative_to(static)) for kind in (*OWN, "*.html") for path in static.glob(kind)}
    assert {"index.html", "js/app.js", "css/page.css"} <= own
    assert {f"webshell/static/{name}" for name in own} <= names
    modules = {str(path.relative_to(place)) for path in (place / "webshell").rglob("*.py")}
    assert modules | {"webshell/py.typed", "twisted/plugins/webshell_plugin.py"} <= names
    assert any(name.endswith(("/licenses/LICENSE", ".dist-info/LICENSE")) for name in names)
    # and nothing else: no tests, no tools of the page's, no notes
    mine = ("webshell/", "webshell-", "twisted/plugins/webshell_plugin", "twisted/plugins/__pycache__/webshell_plugin")
    scripts = ["../../../bin/webshell", "../../../bin/webshell-python"]
    assert sorted(name for name in names if not name.startswith(mine)) == scripts
    kinds = {Path(name).suffix for name in names if name.startswith("webshell/static/")}
    assert kinds <= {"", ".css", ".html", ".js", ".mjs", ".json", ".svg", ".webmanifest"}
    jsons = [name for name in names if name.startswith("webshell/") and name.endswith(".json")]
    assert jsons == ["webshell/static/vendor.json"]


def test_it_works_from_any_directory(fresh: Path, tmp_path: Path) -> None:
    twistd = str(fresh / "bin" / "twistd")
    assert "    webshell " in run(tmp_path, twistd, "--help", PYTHONPATH="").stdout
    command = (twistd, "-n", "--pidfile=", "--logfile=log", "webshell")
    with Server(tmp_path, argv=command, PYTHONPATH="") as server:
        parts = urlsplit(server.url)
        where, headers = (parts.hostname or "", parts.port or 0), {"Authorization": f"Bearer {server.token}"}
        page = ask(where, host=parts.netloc, path="/", headers=headers).body.decode()
        assert "<!doctype html>" in page.lower()
        place = page.partition('"v/')[2].partition("/")[0]
        for name in VENDOR:
            assert ask(where, f"/v/{place}/{name}", host=parts.netloc, headers=headers).status == 200, name
        with server.open() as client:
            client.send({"type": "start", "id": 2, "runner": "python3"})
            client.expect("started")
            client.type("6 * 7\n")
            assert client.until(lambda output: b"\n" in output) == b"42\n"


def test_uninstalling_leaves_twisted_intact(fresh: Path, tmp_path: Path) -> None:
    packages = site_packages(fresh)

    def of_twisted() -> set[Path]:
        plugins = {path for path in (packages / "twisted").rglob("*.py") if "webshell" not in path.name}
        assert packages / "twisted" / "plugins" / "__init__.py" in plugins
        return plugins

    before = of_twisted()
    done = pip(fresh, tmp_path, "uninstall", "--yes", "webshell")
    assert done.returncode == 0, done.stdout
    assert of_twisted() == before
    assert not (packages / "webshell").exists()
    assert not list(packages.rglob("webshell_plugin*"))
    listed = run(tmp_path, str(fresh / "bin" / "twistd"), "--help", PYTHONPATH="")
    assert listed.returncode == 0
    assert "    web " in listed.stdout
    assert "    webshell " not in listed.stdout
    assert "Traceback" not in listed.stdout
