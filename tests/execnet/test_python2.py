"""Gateways to a Python 2.7, and rsync to other interpreters: Jython and PyPy from Debian."""

from __future__ import annotations

import os
import signal
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import execnet
import pytest
from needs import need

from webshell.execnet import Group, rsync_remote
from webshell.execnet.python2 import to_python2
from webshell.execnet.rsync import RSync, RSyncFailed
from webshell.execnet.trouble import NotStarted

PATIENCE = 40.0
"""Seconds for what takes milliseconds, by an interpreter that takes two seconds to start."""


@pytest.fixture(scope="module")
def jython() -> Iterator[execnet.Gateway]:
    group = Group()
    yield group.makegateway(f"popen//id=jython//python2={need('jython')}")
    group.terminate(timeout=5)


@pytest.fixture(scope="module")
def pypy() -> Iterator[execnet.Gateway]:
    group = execnet.Group()
    yield group.makegateway(f"popen//id=pypy//python={need('pypy3')}")
    group.terminate(timeout=5)


@pytest.fixture
def group() -> Iterator[execnet.Group]:
    group = Group()
    yield group
    group.terminate(timeout=5)


@pytest.fixture(params=["jython", "pypy"])
def far(request: pytest.FixtureRequest) -> execnet.Gateway:
    gateway: execnet.Gateway = request.getfixturevalue(request.param)
    return gateway


def sent(source: Path, gateway: execnet.Gateway, target: Path, **options: Any) -> list[str]:
    names = []

    class Listening(RSync):
        def _report_send_file(self, gateway: execnet.Gateway, modified_rel_path: str) -> None:
            names.append(modified_rel_path)

    rsync = Listening(source, **options)
    rsync.add_target(gateway, target, delete=True)
    rsync.send()
    return names


def listing(root: Path) -> dict[str, object]:
    """Below *root*: the text of links, the content of files with mode and time in microseconds, as Java has it."""
    found: dict[str, object] = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        name = str(path.relative_to(root))
        if stat.S_ISLNK(status.st_mode):
            found[name] = os.readlink(path)
        elif stat.S_ISREG(status.st_mode):
            found[name] = (path.read_bytes(), status.st_mode, status.st_mtime_ns // 1000)
        else:
            found[name] = stat.S_IFMT(status.st_mode)
    return found


@pytest.fixture
def source(tmp_path: Path) -> Path:
    source = tmp_path / "source"
    (source / "sub").mkdir(parents=True)
    (source / "a").write_text("a")
    (source / "a").chmod(0o640)
    (source / "sub" / "bytes").write_bytes(bytes(range(256)) * 5000)
    (source / "sub" / "empty").touch()
    (source / "sub" / "link").symlink_to("../a")
    (source / "dangling").symlink_to("nowhere/at all")
    for number, path in enumerate((source / "a", source / "sub" / "bytes", source / "sub" / "empty")):
        os.utime(path, ns=(10**18, 10**18 + number * 1_234_000))
    return source


def test_case_34_completes_twice(far: execnet.Gateway, source: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    (target / "sub" / "more").mkdir(parents=True)
    (target / "more").write_text("more")
    assert sent(source, far, target) == ["a", "sub/bytes", "sub/empty"]
    assert listing(target) == listing(source)
    assert sent(source, far, target) == []
    assert listing(target) == listing(source)
    (source / "sub" / "bytes").write_bytes(bytes(1000))
    (source / "dangling").unlink()
    (source / "dangling").symlink_to("elsewhere")
    os.utime(source / "sub" / "bytes", (2e9, 2e9))
    assert sent(source, far, target) == ["sub/bytes"]
    assert listing(target) == listing(source)


def test_case_34_whatever_the_gateway_makes_of_text(jython: execnet.Gateway, source: Path, tmp_path: Path) -> None:
    jython.reconfigure(py2str_as_py3str=False, py3str_as_py2str=True)
    try:
        assert sent(source, jython, tmp_path / "target") == ["a", "sub/bytes", "sub/empty"]
        assert sent(source, jython, tmp_path / "target") == []
    finally:
        jython.reconfigure()


def test_case_34_an_unknown_command_raises(far: execnet.Gateway, tmp_path: Path) -> None:
    channel = far.remote_exec(rsync_remote)
    channel.send((os.fsencode(tmp_path / "target"), False))
    channel.receive(PATIENCE)
    channel.send(("frobnicate", 1))
    with pytest.raises(execnet.RemoteError, match=r"ValueError: unknown rsync command: u?'frobnicate'"):
        channel.receive(PATIENCE)


def test_case_32_a_link_that_cannot_be_made(far: execnet.Gateway, source: Path, tmp_path: Path) -> None:
    far.remote_exec("import os; os.kept = os.symlink; del os.symlink").waitclose(PATIENCE)
    try:
        with pytest.raises(RSyncFailed, match=r"cannot make link sub/link -> \.\./a: AttributeError"):
            sent(source, far, tmp_path / "target")
        assert (tmp_path / "target" / "sub" / "bytes").read_bytes() == (source / "sub" / "bytes").read_bytes()
    finally:
        far.remote_exec("import os; os.symlink = os.kept").waitclose(PATIENCE)


def test_case_33_a_target_that_cannot_be(far: execnet.Gateway, source: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RSyncFailed, match=rf"^{far.id} at .*/file/below: (OSError|NotADirectoryError): "):
        sent(source, far, tmp_path / "file" / "below")
    assert sent(source, far, tmp_path / "target") == ["a", "sub/bytes", "sub/empty"]


# gateways to a Python 2.7

ITEMS = [
    *(None, True, False, 0, 1, -1, 2**31 - 1, 2**31, 2**70, -(2**31) + 1, 1.5, -0.0, 1 + 2j),
    *("text", "", "ä€\U0001f600", [], [1, [2]], {}, {"a": {1: 2}}, (), (1, (2,)), {1, 2}, frozenset({"a"})),
]


def test_items_there_and_back(jython: execnet.Gateway) -> None:
    channel = jython.remote_exec("for item in channel: channel.send(item)")
    for item in ITEMS:
        channel.send(item)
        assert channel.receive(PATIENCE) == item
    channel.send(b"\x00\xff")
    assert channel.receive(PATIENCE) == "\x00\xff"  # a str of Python 2
    channel.reconfigure(py2str_as_py3str=False)
    channel.send(b"\x00\xff")
    assert channel.receive(PATIENCE) == b"\x00\xff"
    channel.reconfigure(py2str_as_py3str=False, py3str_as_py2str=True)
    channel.send("ä")
    assert channel.receive(PATIENCE) == "ä".encode()
    channel.close()


def test_what_does_not_travel(jython: execnet.Gateway) -> None:
    with pytest.raises(execnet.RemoteError, match="TypeError: cannot be sent: <type 'object'>"):
        jython.remote_exec("channel.send(object())").waitclose(PATIENCE)


def test_it_is_a_python_2(jython: execnet.Gateway) -> None:
    channel = jython.remote_exec("""
        import os, sys
        print "is not seen"
        channel.send((sys.version_info[0], sys.platform, os.name))
    """)
    major, platform, system = channel.receive(PATIENCE)
    assert (major, platform[:4], system) == (2, "java", "java")


def test_functions_with_arguments(jython: execnet.Gateway) -> None:
    source = "def add(channel, one, other):\n    channel.send(one + other)"
    channel = jython.newchannel()
    content = execnet.gateway_base.dumps_internal((source, "file.py", "add", {"one": 1, "other": 2}))
    jython._send(execnet.gateway_base.Message.CHANNEL_EXEC, channel.id, content)
    assert channel.receive(PATIENCE) == 3


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("raise ValueError('boom')", "ValueError: boom"),
        ("raise ValueError(u'\\xe4')", "ValueError"),
        ("raise ValueError('\\xe4')", "ValueError"),
        ("print('no Python 2' file=3)", "SyntaxError"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("import java; java.lang.Integer.parseInt('x')", "NumberFormatException"),
    ],
)
def test_errors_arrive(jython: execnet.Gateway, source: str, text: str) -> None:
    with pytest.raises(execnet.RemoteError, match=text):
        jython.remote_exec(source).waitclose(PATIENCE)


def test_ends(jython: execnet.Gateway) -> None:
    channel = jython.remote_exec("channel.send(1)")
    assert list(channel) == [1]
    channel.waitclose(PATIENCE)
    channel = jython.remote_exec("other = channel.receive()\nother.waitclose()\nchannel.send('closed')")
    inner = jython.newchannel()
    channel.send(inner)
    inner.close()
    assert channel.receive(PATIENCE) == "closed"
    channel = jython.remote_exec("""
        other = channel.receive()
        try:
            other.receive()
        except channel.RemoteError as error:
            channel.send(error.formatted)
        try:
            other.send(1)
        except IOError as error:
            channel.send(str(error))
    """)
    inner = jython.newchannel()
    channel.send(inner)
    inner.close("boom")
    assert channel.receive(PATIENCE) == "boom"
    assert "cannot send to <Channel id=" in channel.receive(PATIENCE)


def until_idle(gateway: execnet.Gateway) -> None:
    """What other channels executed has ended, or the test's time is over."""
    while gateway.remote_status().numexecuting:
        pass


def test_what_runs_is_counted(jython: execnet.Gateway) -> None:
    until_idle(jython)
    channel = jython.remote_exec("channel.receive()")
    status = jython.remote_status()
    assert (status.numexecuting, status.execmodel) == (1, "thread")
    channel.send(1)
    channel.waitclose(PATIENCE)
    assert jython.remote_status().numexecuting == 0
    channel = jython.remote_exec("channel.receive()")
    channel.close()  # and what waits on it ends
    until_idle(jython)


def test_callbacks_there(jython: execnet.Gateway) -> None:
    channel = jython.remote_exec("""
        inner = channel.gateway.newchannel()
        channel.send(inner)
        channel.receive()
        inner.setcallback(channel.send, "end")
        try:
            inner.receive()
        except IOError as error:
            channel.send(str(error))
        try:
            inner.setcallback(channel.send)
        except IOError as error:
            channel.send(str(error))
        inner.waitclose()
    """)
    inner = channel.receive(PATIENCE)
    inner.send(1)
    channel.send("go on")
    assert channel.receive(PATIENCE) == 1
    assert "receiver callback" in channel.receive(PATIENCE)
    assert "callback already registered" in channel.receive(PATIENCE)
    inner.send(2)
    assert channel.receive(PATIENCE) == 2
    inner.close()
    assert channel.receive(PATIENCE) == "end"
    channel.waitclose(PATIENCE)


def test_a_callback_there_that_raises(jython: execnet.Gateway) -> None:
    channel = jython.remote_exec("""
        inner = channel.gateway.newchannel()
        inner.setcallback(lambda item: 1 / item, 0)
        channel.send(inner)
        channel.receive()
    """)
    inner = channel.receive(PATIENCE)
    inner.send(0)
    with pytest.raises(execnet.RemoteError, match="ZeroDivisionError"):
        inner.waitclose(PATIENCE)
    channel.send("go on")
    channel.waitclose(PATIENCE)


def test_a_limit_there(jython: execnet.Gateway) -> None:
    channel = jython.remote_exec("""
        try:
            channel.receive(timeout=0.01)
        except channel.TimeoutError as error:
            channel.send(str(error))
    """)
    assert channel.receive(PATIENCE) == "nothing after 0.01 seconds"


def test_many_at_once(jython: execnet.Gateway) -> None:
    channels = [jython.remote_exec("for item in channel: channel.send(item)") for _ in range(8)]
    received: list[list[int]] = [[] for _ in channels]

    def converse(channel: execnet.Channel, items: list[int]) -> None:
        for number in range(100):
            channel.send(number)
        items.extend(channel.receive(PATIENCE) for _ in range(100))

    threads = [threading.Thread(target=converse, args=both) for both in zip(channels, received, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert received == [list(range(100))] * 8
    for channel in channels:
        channel.close()


def test_place_and_environment(group: execnet.Group, tmp_path: Path) -> None:
    path = tmp_path / "new" / "directory"
    gateway = group.makegateway(f"popen//python2={need('jython')}//chdir={path}//env:WORD=säid")
    channel = gateway.remote_exec(
        "import os; channel.send((os.getcwd(), os.environ['WORD'].decode('utf-8'), os.getpid()))"
    )
    directory, word, process = channel.receive(PATIENCE)
    assert (directory, word) == (str(path), "säid")
    assert [each.id for each in group] == [gateway.id]
    waiting = gateway.remote_exec("channel.receive()")
    os.kill(process, signal.SIGKILL)
    with pytest.raises(EOFError):
        waiting.waitclose(PATIENCE)


def test_what_waits_at_the_end_is_told(group: execnet.Group, tmp_path: Path) -> None:
    gateway = group.makegateway(f"popen//python2={need('jython')}")
    waiting = gateway.remote_exec(f"""
        channel.send(1)
        try:
            channel.receive()
        except EOFError:
            open({str(tmp_path / "told")!r}, "w").close()
    """)
    assert waiting.receive(PATIENCE) == 1
    gateway.exit()
    assert gateway._io.wait() == 0
    assert (tmp_path / "told").exists()


def test_what_still_runs_at_the_end_has_a_while(group: execnet.Group, tmp_path: Path) -> None:
    gateway = group.makegateway(f"popen//python2={need('jython')}")
    busy = gateway.remote_exec("""
        import __main__, time
        __main__.LEAVE_SECONDS = 0.2
        channel.send(__main__.LEAVE_SECONDS)
        while True:
            time.sleep(1)
    """)
    assert busy.receive(PATIENCE) == 0.2
    gateway.exit()
    assert gateway._io.wait() == 0


@pytest.mark.parametrize(
    ("python", "said"),
    [
        ("/bin/false", "it ended with status 1 before it answered"),
        ("/bin/echo", "it answered b'-'"),
        ("/no/such/interpreter", "cannot be started: No such file or directory"),
    ],
)
def test_what_is_no_interpreter(
    group: execnet.Group, python: str, said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(NotStarted, match=rf"python2={python}.*{said}"):
        group.makegateway(f"popen//python2={python}")
    assert list(group) == []


@pytest.mark.parametrize("spec", ["python2=jython", "popen//python2", "socket=localhost:1//python2=jython"])
def test_specs_that_cannot_be_meant(group: execnet.Group, spec: str) -> None:
    with pytest.raises(ValueError, match=r"is meant|needs an interpreter"):
        group.makegateway(spec)


def test_a_host_that_is_not_there(group: execnet.Group, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ssh").write_text("#!/bin/sh\nread line\nexit 255\n")
    (tmp_path / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(execnet.HostNotFound, match=r"nowhere\.invalid"):
        group.makegateway("ssh=nowhere.invalid//python2=jython")


def test_case_24_through_another_gateway(group: execnet.Group, source: Path, tmp_path: Path) -> None:
    group.makegateway("popen//id=between")
    gateway = group.makegateway(f"popen//via=between//python2={need('jython')}//chdir={tmp_path}")
    channel = gateway.remote_exec("import os; channel.send((os.name, os.getcwd()))")
    assert channel.receive(PATIENCE) == ("java", str(tmp_path))
    assert sent(source, gateway, tmp_path / "target") == ["a", "sub/bytes", "sub/empty"]
    assert listing(tmp_path / "target") == listing(source)


def test_in_execnets_own_group(source: Path, tmp_path: Path) -> None:
    group = execnet.Group()
    gateway = to_python2(group, f"popen//python2={need('jython')}")
    assert gateway.remote_exec("import os; channel.send(os.name)").receive(PATIENCE) == "java"
    with pytest.raises(ValueError, match="already have gateway"):
        to_python2(group, f"popen//python2=jython//id={gateway.id}")
    group.terminate(timeout=5)
