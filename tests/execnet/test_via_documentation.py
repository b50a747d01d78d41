"""The examples of ``docs/execnet-via.rst``, as they stand, and the numbers that it gives."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from server.examples import ROOT, python_of
from sshd import Service, Sshd, eventually

from webshell.child import relay
from webshell.execnet import channel_io, service, ssh_host

PAGE = "docs/execnet-via.rst"


def output_of(block: str) -> list[str]:
    result = subprocess.run([sys.executable, "-c", block], capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout.splitlines()


def test_case_24_the_hierarchy() -> None:
    hierarchy, _, _ = python_of(PAGE)
    parent, second = output_of(hierarchy)
    assert parent.removeprefix("third's parent: ") == second.removeprefix("second: ")


def test_the_gateway_over_a_channel() -> None:
    _, over_a_channel, _ = python_of(PAGE)
    assert output_of(over_a_channel) == ["42"]


def test_case_27_one_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the token where it is by itself, as the page has it; but with another port and another host."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    _, _, one = python_of(PAGE)
    with Sshd(tmp_path) as sshd:
        with Service() as running:
            first, second = output_of(one.replace("8888", str(running.port)).replace("ssh=codespeak.net", sshd.spec))
        assert eventually(lambda: not sshd.clients())
        assert first == second
        assert sshd.connections() == 1
    assert (tmp_path / "state" / "webshell" / "factory.token").stat().st_mode & 0o777 == 0o600


def test_the_numbers() -> None:
    text = " ".join((ROOT / PAGE).read_text("utf-8").split())
    assert f"At most {service.MOST_CLIENTS} gateways go through one service, to {service.MOST_HOSTS} hosts" in text
    assert f"for {service.IDLE:g} seconds (``--idle``)" in text
    assert ssh_host.ALIVE == ("-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=3")
    assert "has not answered for 45 seconds" in text
    assert channel_io.WINDOW == relay.WINDOW == 1 << 20
    assert "a credit of 1 MiB each way" in text
    assert f"each process behind it has {relay.GRACE:g} seconds to end" in text
