"""Case 22: the benchmark of gateways runs, in small, and tells all of its figures; how large they are is not tested."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from server.examples import ROOT
from wire import PATIENCE

KINDS = ("popen", "http", "http poll", "ws")
FIGURES = ("start ms", "round trip us", "there MiB/s", "back MiB/s")


@pytest.mark.parametrize("more", [(), ("--delay", "10")])
def test_case_22(more: tuple[str, ...]) -> None:
    done = subprocess.run(
        [
            sys.executable,
            str(ROOT / "benchmarks" / "gateway.py"),
            "--rounds",
            "1",
            "--megabytes",
            "2",
            "--trips",
            "20",
            *more,
        ],
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    head, *lines = done.stdout.splitlines()
    assert re.split(r"\s{2,}", head.strip()) == list(KINDS)
    table = {
        name: [float(word) for word in line[len(name) :].split()] for name, line in zip(FIGURES, lines, strict=True)
    }
    assert [line[: len(name)] for name, line in zip(FIGURES, lines, strict=True)] == list(FIGURES)
    assert all(len(row) == len(KINDS) and min(row) > 0 for row in table.values())
    if more:  # there is no way to be faster than the wire
        assert min(table["round trip us"][1:]) > 10_000
