"""The examples of ``docs/execnet-via.rst``, as they stand, and the numbers that it gives."""

from __future__ import annotations

import subprocess
import sys

from server.examples import ROOT, python_of

from webshell.child import relay
from webshell.execnet import channel_io

PAGE = "docs/execnet-via.rst"


def output_of(block: str) -> list[str]:
    result = subprocess.run([sys.executable, "-c", block], capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout.splitlines()


def test_case_24_the_hierarchy() -> None:
    hierarchy, _ = python_of(PAGE)
    parent, second = output_of(hierarchy)
    assert parent.removeprefix("third's parent: ") == second.removeprefix("second: ")


def test_the_gateway_over_a_channel() -> None:
    _, over_a_channel = python_of(PAGE)
    assert output_of(over_a_channel) == ["42"]


def test_the_numbers() -> None:
    text = " ".join((ROOT / PAGE).read_text("utf-8").split())
    assert channel_io.WINDOW == relay.WINDOW == 1 << 20
    assert "a credit of 1 MiB each way" in text
    assert f"each process behind it has {relay.GRACE:g} seconds to end" in text
