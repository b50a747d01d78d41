"""The tools over HTTP and WebSockets, at a real daemon: they work with any gateway."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import execnet
import pytest
from needs import need

from webshell.execnet import Group, setcallback
from webshell.execnet.environments import create_venv_gateway
from webshell.execnet.rsync import RSync, RSyncFailed

PATIENCE = 40.0
"""Seconds for what takes milliseconds."""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    source = tmp_path / "source"
    (source / "sub").mkdir(parents=True)
    (source / "a").write_text("a")
    (source / "large").write_bytes(os.urandom(1 << 20) * 8)
    (source / "sub" / "link").symlink_to("../a")
    return source


def test_case_32_rsync(gateway: execnet.Gateway, source: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    for _ in range(2):
        rsync = RSync(source, verbose=False)
        rsync.add_target(gateway, target)
        rsync.send()
    assert (target / "large").read_bytes() == (source / "large").read_bytes()
    assert os.readlink(target / "sub" / "link") == "../a"


def test_case_33_a_target_that_dies(gateway: execnet.Gateway, web: Group, source: Path, tmp_path: Path) -> None:
    beside = web.makegateway("popen//id=beside")
    process = gateway.remote_exec("import os; channel.send(os.getpid())").receive(PATIENCE)

    def told(event: str, size: int, channel: execnet.Channel) -> None:
        if event == "list" and channel.gateway is gateway:
            os.kill(process, signal.SIGKILL)

    rsync = RSync(source, told, verbose=False)
    rsync.add_target(gateway, tmp_path / "target")
    rsync.add_target(beside, tmp_path / "beside")
    with pytest.raises(RSyncFailed, match=rf"^{gateway.id} at .*/target: ") as caught:
        rsync.send()
    assert [failure.gateway for failure in caught.value.failures] == [gateway]
    assert (tmp_path / "beside" / "large").read_bytes() == (source / "large").read_bytes()


def test_case_34_jython(web: Group, spec: str, source: Path, tmp_path: Path) -> None:
    gateway = web.makegateway(f"{spec}//python2={need('jython')}")
    assert gateway.remote_exec("import os; channel.send(os.name)").receive(PATIENCE) == "java"
    rsync = RSync(source, verbose=False)
    rsync.add_target(gateway, tmp_path / "target")
    rsync.send()
    assert (tmp_path / "target" / "large").read_bytes() == (source / "large").read_bytes()


def test_case_28_an_environment(gateway: execnet.Gateway, tmp_path: Path) -> None:
    inside = create_venv_gateway(gateway, str(tmp_path / "v"))
    prefix, base = inside.remote_exec("import sys; channel.send((sys.prefix, sys.base_prefix))").receive(PATIENCE)
    assert prefix == str(tmp_path / "v")
    assert prefix != base


def test_case_31_how_a_channel_ends(gateway: execnet.Gateway) -> None:
    log: list[Any] = []
    channel = gateway.remote_exec("channel.send(1); raise ValueError('boom')")
    setcallback(channel, log.append, "the end", errback=log.append)
    with pytest.raises(execnet.RemoteError):
        channel.waitclose(PATIENCE)
    one, error = log
    assert one == 1
    assert "ValueError: boom" in str(error)
    log.clear()
    channel = gateway.remote_exec("import os; channel.send(os.getpid()); channel.receive()")
    process = channel.receive(PATIENCE)
    setcallback(channel, log.append, "the end", errback=log.append)
    os.kill(process, signal.SIGKILL)
    with pytest.raises(EOFError):
        channel.waitclose(PATIENCE)
    assert [type(error) for error in log] == [EOFError]
