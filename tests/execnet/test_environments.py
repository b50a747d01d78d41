"""Virtual environments behind a gateway, real ones; what is installed comes from a directory of the test."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import execnet
import pytest
from execnet_projects import make_project, make_wheel
from gateways import quick

from webshell.execnet import Group, environments_remote
from webshell.execnet.environments import SetupFile, StepFailed, create_venv_gateway
from webshell.execnet.environments_remote import NOTE

PATIENCE = 40.0
"""Seconds for what takes milliseconds."""

pytestmark = pytest.mark.timeout(400)  # three environments in one test, each a minute on a machine that does much else


@pytest.fixture(scope="module")
def offline(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """What pip needs to know to install without a network."""
    wheels = tmp_path_factory.mktemp("wheels")
    make_wheel(wheels, "six", "1.16.0")
    make_wheel(wheels, "seven", "7.0")
    return ("--no-index", "--find-links", str(wheels))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("place")


@pytest.fixture(scope="module")
def master(place: Path) -> Iterator[execnet.Gateway]:
    group = Group()
    yield group.makegateway(f"popen//id=master//chdir={place}//python={sys.executable}")
    group.terminate(timeout=5)


@pytest.fixture(scope="module")
def inside(master: execnet.Gateway, offline: tuple[str, ...]) -> execnet.Gateway:
    """An environment whose name has a blank."""
    return create_venv_gateway(master, "with a blank", "six==1.16.0", pip_options=offline)


def told(gateway: execnet.Gateway, expression: str) -> Any:
    channel = gateway.remote_exec(f"import os, sys\nchannel.send({expression})")
    answer = channel.receive(PATIENCE)
    channel.waitclose(PATIENCE)
    return answer


def test_case_28_an_environment_and_a_gateway_into_it(inside: execnet.Gateway, place: Path) -> None:
    path = str(place / "with a blank")
    assert told(inside, "(sys.prefix, os.getcwd(), sys.prefix != sys.base_prefix)") == (path, path, True)
    assert told(inside, "__import__('six').__version__") == "1.16.0"


def test_case_28_it_is_used_again(
    inside: execnet.Gateway, master: execnet.Gateway, place: Path, offline: tuple[str, ...]
) -> None:
    note = place / "with a blank" / NOTE
    made = [(path, path.stat().st_mtime_ns) for path in (note, note.with_name("pyvenv.cfg"))]

    def again() -> float:
        begin = time.monotonic()
        gateway = create_venv_gateway(master, "with a blank", "six==1.16.0", pip_options=("--no-such-option",))
        took = time.monotonic() - begin
        assert told(gateway, "__import__('six').__version__") == "1.16.0"
        assert gateway.id != inside.id
        return took

    assert not quick(1, again)
    # neither venv nor pip has run: it would have refused that option
    assert [(path, path.stat().st_mtime_ns) for path, _ in made] == made
    more = create_venv_gateway(master, str(place / "with a blank"), "seven", pip_options=offline)
    assert told(more, "(__import__('six').__version__, __import__('seven').__version__)") == ("1.16.0", "7.0")
    assert made[1][0].stat().st_mtime_ns == made[1][1]


def test_case_28_through_execnets_own_group(inside: execnet.Gateway, place: Path, offline: tuple[str, ...]) -> None:
    group = execnet.Group()
    master = group.makegateway(f"popen//python={sys.executable}")
    again = create_venv_gateway(master, str(place / "with a blank"), "six==1.16.0", pip_options=offline)
    assert told(again, "sys.prefix") == str(place / "with a blank")
    group.terminate(timeout=5)


def test_case_29_what_cannot_be_installed(master: execnet.Gateway, place: Path, offline: tuple[str, ...]) -> None:
    with pytest.raises(StepFailed) as caught:
        create_venv_gateway(master, "failing", "six==99", pip_options=offline)
    assert str(caught.value).startswith("master: installing failed with status 1: ")
    assert (caught.value.place, caught.value.step, caught.value.status) == ("master", "installing", 1)
    assert "No matching distribution found for six==99" in caught.value.output
    # a file that only the first attempt has left: a half-made environment is no environment
    (place / "failing" / "left over").touch()
    (place / "failing" / "linked").symlink_to(place)
    gateway = create_venv_gateway(master, "failing", "six==1.16.0", pip_options=offline)
    assert told(gateway, "__import__('six').__version__") == "1.16.0"
    assert not (place / "failing" / "left over").exists()
    assert place.is_dir()

    # a complete one is what it was if something more cannot be installed
    with pytest.raises(StepFailed, match="No matching distribution found for seven==99"):
        create_venv_gateway(master, "failing", "seven==99", pip_options=offline)
    made = (place / "failing" / "pyvenv.cfg").stat().st_mtime_ns
    gateway = create_venv_gateway(master, "failing", "six==1.16.0", "seven", pip_options=offline)
    assert told(gateway, "__import__('seven').__version__") == "7.0"
    assert (place / "failing" / "pyvenv.cfg").stat().st_mtime_ns == made


@pytest.fixture
def elsewhere() -> Iterator[execnet.Gateway]:
    """A gateway that a test may spoil."""
    group = Group()
    yield group.makegateway(f"popen//id=elsewhere//python={sys.executable}")
    group.terminate(timeout=5)


def tool(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_case_29_no_ensurepip(elsewhere: execnet.Gateway, tmp_path: Path, offline: tuple[str, ...]) -> None:
    said = tool(tmp_path / "python", "seq 1 30; echo ensurepip is not available >&2; exit 1")
    elsewhere.remote_exec(f"import sys; sys.kept, sys.executable = sys.executable, {said!r}").waitclose(PATIENCE)
    with pytest.raises(StepFailed) as caught:
        create_venv_gateway(elsewhere, str(tmp_path / "v"), pip_options=offline)
    assert (caught.value.step, caught.value.status) == ("making the environment", 1)
    assert caught.value.output.splitlines() == [*map(str, range(12, 31)), "ensurepip is not available"]
    elsewhere.remote_exec("import sys; sys.executable = '/no/such/python'").waitclose(PATIENCE)
    with pytest.raises(StepFailed, match=r"making the environment failed: .*'/no/such/python'"):
        create_venv_gateway(elsewhere, str(tmp_path / "v"), pip_options=offline)
    elsewhere.remote_exec("import sys; sys.executable = sys.kept").waitclose(PATIENCE)
    gateway = create_venv_gateway(elsewhere, str(tmp_path / "v"), pip_options=offline)
    assert told(gateway, "sys.prefix") == str(tmp_path / "v")


def test_case_29_a_directory_that_cannot_be(elsewhere: execnet.Gateway, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StepFailed, match=r"^elsewhere: making the directory failed: .*Not a directory.*/file/v'"):
        create_venv_gateway(elsewhere, str(tmp_path / "file" / "v"))
    # where not even root may make one
    with pytest.raises(StepFailed, match=r"^elsewhere: making the directory failed: .*(denied|permitted|Read-only)"):
        create_venv_gateway(elsewhere, "/sys/v")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "work").touch()
    with pytest.raises(StepFailed, match=r"making the directory failed: .*/mine is there already"):
        create_venv_gateway(elsewhere, str(tmp_path / "mine"))
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["work"]


def test_case_29_what_was_cut_off_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With all that it had: here, with a tool that says how it was called."""
    python = tool(tmp_path / "inside", f'echo "$@" >> {tmp_path}/log')
    making = tool(tmp_path / "python", f'echo "$2" >> {tmp_path}/log; mkdir -p $3/bin; ln -s {python} $3/bin/python')
    monkeypatch.setattr(sys, "executable", making)
    path = tmp_path / "v"
    pip = "-m pip --disable-pip-version-check --no-input install --quiet --"
    environments_remote.make(None, ["--quiet"], str(path), ["one", "two"])
    environments_remote.make(None, ["--quiet"], str(path), ["two", "three"])
    assert (tmp_path / "log").read_text().splitlines() == ["venv", f"{pip} one two", f"{pip} three"]
    note = json.loads((path / NOTE).read_text())
    assert note["installed"] == ["one", "two", "three"]
    (path / NOTE).write_text(json.dumps({**note, "complete": False}))
    (path / "half").touch()
    assert environments_remote.make(None, [], str(path), ["four"]) == (str(path), str(path / "bin" / "python"))
    again = f"{pip.replace('--quiet ', '')} one two three four"
    assert (tmp_path / "log").read_text().splitlines()[3:] == ["venv", again]
    assert not (path / "half").exists()


@pytest.mark.parametrize("requirement", ["", " ", "-r file", "--upgrade"])
def test_requirements_are_no_options(elsewhere: execnet.Gateway, requirement: str) -> None:
    with pytest.raises(ValueError, match="is no requirement"):
        create_venv_gateway(elsewhere, "v", requirement)


def test_two_at_once_make_one(elsewhere: execnet.Gateway, tmp_path: Path) -> None:
    """With a tool that fails if it runs twice at a time."""
    counting = tool(
        tmp_path / "python",
        f"mkdir {tmp_path}/busy || exit 1; sleep 0.2; mkdir -p $3/bin; ln -s {sys.executable} $3/bin/python; "
        f"echo made >> {tmp_path}/log; rmdir {tmp_path}/busy",
    )
    elsewhere.remote_exec(f"import sys; sys.executable = {counting!r}").waitclose(PATIENCE)
    gateways: list[execnet.Gateway] = []

    def make() -> None:
        gateways.append(create_venv_gateway(elsewhere, str(tmp_path / "v")))

    threads = [threading.Thread(target=make) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert len(gateways) == 3
    assert (tmp_path / "log").read_text() == "made\n"


@pytest.mark.parametrize("note", ["", "{", json.dumps({"complete": True, "kind": ["other", 2, 7], "installed": []})])
def test_notes_that_do_not_count(elsewhere: execnet.Gateway, tmp_path: Path, note: str) -> None:
    making = tool(tmp_path / "python", f"mkdir -p $3/bin; ln -s {sys.executable} $3/bin/python")
    elsewhere.remote_exec(f"import sys; sys.executable = {making!r}").waitclose(PATIENCE)
    (tmp_path / "v").mkdir()
    (tmp_path / "v" / NOTE).write_text(note)
    (tmp_path / "v" / "old").touch()
    gateway = create_venv_gateway(elsewhere, str(tmp_path / "v"))
    assert told(gateway, "os.getcwd()") == str(tmp_path / "v")
    assert not (tmp_path / "v" / "old").exists()


# a project


@pytest.fixture
def project(tmp_path: Path) -> Path:
    project = tmp_path / "project"
    project.mkdir()
    make_project(project)
    return project


def importable(gateway: execnet.Gateway) -> bool:
    return bool(told(gateway, "__import__('importlib.util').util.find_spec('probe') is not None"))


def test_case_30_a_project_is_installed_there_only(
    inside: execnet.Gateway, master: execnet.Gateway, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    inside.remote_exec(f"""
        import importlib, tempfile
        tempfile.tempdir = {str(temporary)!r}
        importlib.known, importlib.invalidate_caches = [], lambda: importlib.known.append("nothing")
    """).waitclose(PATIENCE)
    assert not importable(inside)
    SetupFile("setup.py").sdist_remote_install(inside, pip_options=("--no-index",))
    assert importable(inside)
    assert told(inside, "__import__('probe').where").startswith(told(inside, "sys.prefix"))
    assert not importable(master)
    assert list(temporary.iterdir()) == []
    assert told(inside, "__import__('importlib').known") == ["nothing"]  # what was known of folders before


def test_case_30_what_cannot_be_built_there(inside: execnet.Gateway, project: Path) -> None:
    (project / "backend.py").write_text("raise RuntimeError('no backend')")
    with pytest.raises(StepFailed, match=f"(?s)^{inside.id}: installing failed with status .*no backend"):
        SetupFile(project / "setup.py").sdist_remote_install(inside, pip_options=("--no-index",))
    while inside.remote_status().numexecuting:
        pass  # nothing is left there, or the test's time is over


def test_case_30_what_cannot_be_built_here(inside: execnet.Gateway, project: Path, tmp_path: Path) -> None:
    (project / "setup.py").write_text("raise RuntimeError('no setup')")
    with pytest.raises(
        StepFailed, match=r"(?s)^here: making the source distribution failed with status 1: .*no setup$"
    ):
        SetupFile(project / "setup.py").sdist_remote_install(inside)
    with pytest.raises(StepFailed, match=r"^here: making the source distribution failed: .*No such file"):
        SetupFile(tmp_path / "none" / "setup.py").sdist_remote_install(inside)
