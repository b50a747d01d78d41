"""The examples of ``docs/execnet-tools.rst``, as they stand, and the numbers that it gives."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from execnet_projects import make_project, make_wheel
from needs import need
from server.examples import ROOT, python_of

from webshell.execnet import environments_remote, rsync_remote, rsync_transfer

PAGE = "docs/execnet-tools.rst"


def output_of(block: str, directory: Path) -> list[str]:
    """What it says; pip finds what it wants in *directory*, which is the working directory and the home, too."""
    environment = {**os.environ, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(directory), "HOME": str(directory)}
    command = [sys.executable, "-c", block]
    result = subprocess.run(command, capture_output=True, text=True, timeout=90, cwd=directory, env=environment)
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout.splitlines()


@pytest.fixture(scope="module")
def blocks() -> list[str]:
    blocks = python_of(PAGE)
    assert len(blocks) == 5
    return blocks


def test_case_31_callbacks(blocks: list[str], tmp_path: Path) -> None:
    assert output_of(blocks[0], tmp_path) == [*"012", "the end", "so far", "RemoteError ValueError: no further"]


def test_case_32_rsync(blocks: list[str], tmp_path: Path) -> None:
    assert output_of(blocks[1], tmp_path) == ["list 7", "ack 7", "list 0", "list 7", "ack 7", "['file', 'link']"]


def test_case_34_jython(blocks: list[str], tmp_path: Path) -> None:
    need("jython")
    assert output_of(blocks[2], tmp_path) == ["['a', 'b']"]


def test_case_28_an_environment(blocks: list[str], tmp_path: Path) -> None:
    make_wheel(tmp_path, "six", "1.16.0")
    assert output_of(blocks[3], tmp_path) == ["(True, '1.16.0')"]


def test_case_30_a_project(blocks: list[str], tmp_path: Path) -> None:
    make_project(tmp_path)
    assert output_of(blocks[4], tmp_path) == []
    (installed,) = (tmp_path / "environments" / "project").glob("**/probe.py")
    assert "site-packages" in str(installed)


def test_the_numbers() -> None:
    text = " ".join((ROOT / PAGE).read_text("utf-8").split())
    assert rsync_transfer.CHUNK == 256 << 10
    assert rsync_transfer.WINDOW == 4 << 20
    assert "in parts of 256 KiB, with no more than 4 MiB on the way" in text
    assert f"differ by less than {rsync_remote.COARSE // 1000} microseconds are the same" in text
    assert f"the last {environments_remote.TAIL_LINES} lines of what the tool said" in text
