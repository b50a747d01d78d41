"""The benchmark beside ``ssh`` and ``scp`` runs, in small, and tells all figures; how large they are is not tested."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from needs import need
from server.examples import ROOT
from wire import PATIENCE

FIGURES = ("start ms", "round trip ms", "input MB/s", "output MB/s", "cp there MB/s", "cp back MB/s")


@pytest.mark.parametrize("more", [(), ("--tls",)])
def test_beside_ssh(more: tuple[str, ...]) -> None:
    need("sshd")
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "command.py"), "--rounds", "1", "--megabytes", "1", *more],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=3 * PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert [line[:14].strip() for line in lines] == list(FIGURES)
    for line in lines:
        found = re.search(r"webshell +([\d.]+)  ssh +([\d.]+)  webshell/ssh ([\d.]+)$", line)
        assert found, line
        assert all(float(text) > 0 for text in found.groups()), line
