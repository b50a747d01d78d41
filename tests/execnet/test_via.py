"""Gateways through other gateways, with real interpreters: hierarchies, errors, and one that is stopped."""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import execnet
import pytest
from execnet.gateway_base import get_execmodel
from execnet.gateway_socket import start_via

from webshell.execnet.channel_io import FEW, WINDOW, ChannelIO
from webshell.execnet.group import Group
from webshell.execnet.relays import open_relay
from webshell.execnet.trouble import NotStarted
from webshell.execnet.via import ChannelGateway

PATIENCE = 20.0
"""Seconds for what takes milliseconds."""


@pytest.fixture
def group() -> Iterator[execnet.Group]:
    group = Group()
    yield group
    group.terminate(timeout=5)


@pytest.fixture
def master(group: execnet.Group) -> execnet.Gateway:
    return group.makegateway("popen//id=master")


def ask(gateway: execnet.Gateway, source: str) -> Any:
    return gateway.remote_exec(source).receive(PATIENCE)


def pid_of(gateway: execnet.Gateway) -> int:
    return int(ask(gateway, "import os; channel.send(os.getpid())"))


def parent_of(gateway: execnet.Gateway) -> int:
    return int(ask(gateway, "import os; channel.send(os.getppid())"))


def eventually(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def exists(pid: int) -> bool:
    """Whether a process runs; one that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def stop(gateway: execnet.Gateway) -> int:
    """Stop its process, until it is stopped."""
    pid = pid_of(gateway)
    os.kill(pid, signal.SIGSTOP)
    assert eventually(lambda: Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T")
    return pid


def written(pid: int) -> int:
    """How many bytes a process has written, or tries to."""
    found = re.search(r"wchar: (\d+)", Path(f"/proc/{pid}/io").read_text())
    assert found
    return int(found[1])


# ---- hierarchies


def test_case_24_a_chain_of_three(group: execnet.Group, master: execnet.Gateway) -> None:
    second = group.makegateway("popen//via=master//id=second")
    third = group.makegateway("popen//via=second//id=third")
    assert parent_of(second) == pid_of(master)
    assert parent_of(third) == pid_of(second)
    channel = third.remote_exec("while True: channel.send(channel.receive() * 2)")
    for item in (1, "x", b"\0" * 3_000_000):
        channel.send(item)
        assert channel.receive(PATIENCE) == item * 2


def test_case_24_a_killed_gateway_leaves_its_master_usable(group: execnet.Group, master: execnet.Gateway) -> None:
    below = group.makegateway("popen//via=master//id=below")
    channel = below.remote_exec("channel.receive()")
    os.kill(pid_of(below), signal.SIGKILL)
    with pytest.raises(EOFError, match="SIGKILL"):
        channel.waitclose(PATIENCE)
    assert below._io.wait() == -signal.SIGKILL
    with pytest.raises(OSError, match="already closed"):
        below.remote_exec("pass")
    assert ask(master, "channel.send(7)") == 7
    assert ask(group.makegateway("popen//via=master"), "channel.send(8)") == 8


def test_case_24_the_end_of_the_one_before_ends_all_behind_it(group: execnet.Group, master: execnet.Gateway) -> None:
    second = group.makegateway("popen//via=master")
    third = group.makegateway(f"popen//via={second.id}")
    pids = [pid_of(second), pid_of(third)]
    channels = [gateway.remote_exec("channel.receive()") for gateway in (second, third)]
    os.kill(pid_of(master), signal.SIGKILL)
    for channel, before in zip(channels, (master, second), strict=True):
        with pytest.raises(EOFError, match=f"ended with {before.id}"):
            channel.waitclose(PATIENCE)
    assert eventually(lambda: not any(map(exists, pids)))
    with pytest.raises(NotStarted, match="master, to go through, has ended"):
        group.makegateway("popen//via=master")


def test_terminating_the_group_ends_every_process_and_thread(group: execnet.Group, master: execnet.Gateway) -> None:
    gateways = [group.makegateway("popen//via=master") for _ in range(2)]
    gateways.append(group.makegateway(f"popen//via={gateways[0].id}"))
    pids = [pid_of(gateway) for gateway in (master, *gateways)]
    stop(gateways[1])
    group.terminate(timeout=2)
    assert not any(map(exists, pids))
    assert eventually(lambda: not [t for t in threading.enumerate() if t.name.startswith("webshell:")])


def test_terminating_a_group_whose_master_is_stopped(group: execnet.Group, master: execnet.Gateway) -> None:
    pids = [pid_of(gateway) for gateway in (master, group.makegateway("popen//via=master"))]
    stop(master)
    group.terminate(timeout=0.5)
    assert eventually(lambda: not any(map(exists, pids)))


def test_case_24_a_socket_server_that_another_gateway_reaches(group: execnet.Group, master: execnet.Gateway) -> None:
    """execnet itself refuses ``socket=`` together with ``via=``."""
    host, port = start_via(group.makegateway("popen//id=server"), ("127.0.0.1", 0))
    gateway = group.makegateway(f"socket={host}:{port}//via=master")
    assert ask(gateway, "channel.send(3)") == 3
    gateway.exit()
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # it listens to nobody
        port = closed.getsockname()[1]
        with pytest.raises(NotStarted, match=rf"socket=127\.0\.0\.1:{port}, via master\): Connection refused"):
            group.makegateway(f"socket=127.0.0.1:{port}//via=master")


def test_what_a_spec_says_holds_behind_another_gateway(
    group: execnet.Group, master: execnet.Gateway, tmp_path: Path
) -> None:
    folder = tmp_path / "a" / "b"
    python = f"'{sys.executable}'" if " " in sys.executable else sys.executable
    spec = f"popen//via=master//python={python}//chdir={folder}//env:COLOUR=blue//nice=3//id=mine"
    gateway = group.makegateway(spec)
    assert gateway.id == "mine"
    assert group["mine"] is gateway
    assert ask(gateway, "import os; channel.send((os.getcwd(), os.environ['COLOUR']))") == (str(folder), "blue")
    threads = os.listdir(f"/proc/{pid_of(gateway)}/task")
    assert {os.getpriority(os.PRIO_PROCESS, int(thread)) for thread in threads} == {os.nice(0) + 3}
    with pytest.raises(ValueError, match="already have gateway with id 'mine'"):
        group.makegateway(spec)


def test_a_gateway_over_a_channel_of_ones_own(master: execnet.Gateway) -> None:
    gateway = ChannelGateway(open_relay(master, "popen"))
    assert gateway in list(execnet.default_group)
    assert parent_of(gateway) == pid_of(master)
    gateway.exit()
    assert gateway._io.wait() == 0
    assert gateway not in list(execnet.default_group)


def test_main_threads_only() -> None:
    """As pytest-xdist asks for it: a relay occupies no main thread."""
    group = Group(execmodel="main_thread_only")
    try:
        group.makegateway("popen//id=master")
        second = group.makegateway("popen//via=master//id=second")
        third = group.makegateway("popen//via=second")
        for gateway in (third, second, group["master"]):
            source = "import threading; channel.send(threading.current_thread() is threading.main_thread())"
            assert ask(gateway, source) is True
        assert ask(group.makegateway("popen//via=master"), "channel.send(1)") == 1
    finally:
        group.terminate(timeout=5)


# ---- errors


@pytest.mark.parametrize(
    ("python", "pattern"),
    [
        ("/bin/false", r"popen.*via master.*python=/bin/false exited with status 1 before it answered"),
        ("sh -c 'echo no luck >&2; exit 7'", r"exited with status 7 before it answered:\nno luck"),
        ("sh -c 'kill -9 $$'", r"was ended by SIGKILL before it answered"),
        ("/no/such", r"/no/such: No such file"),
        ("echo hello", r"is no interpreter that execnet can use: it answered b'h'"),
    ],
)
def test_case_25_an_interpreter_that_is_none(
    group: execnet.Group, master: execnet.Gateway, python: str, pattern: str
) -> None:
    with pytest.raises(NotStarted, match=pattern):
        group.makegateway(f"popen//via=master//python={python}")
    assert [gateway.id for gateway in group] == ["master"]
    assert ask(master, "channel.send(1)") == 1
    assert eventually(lambda: not [t for t in threading.enumerate() if t.name.startswith("webshell:")])


def test_an_unknown_master_and_an_unknown_kind_are_named(group: execnet.Group, master: execnet.Gateway) -> None:
    with pytest.raises(KeyError, match="via=nobody: there is no such gateway"):
        group.makegateway("popen//via=nobody")
    with pytest.raises(ValueError, match="it needs one of popen, ssh, vagrant_ssh, socket"):
        group.makegateway("python=python3//via=master")
    with pytest.raises(ValueError, match="HOST:PORT is meant"):
        group.makegateway("socket=somewhere//via=master")


def test_a_host_that_ssh_does_not_reach(group: execnet.Group, master: execnet.Gateway, tmp_path: Path) -> None:
    ssh = tmp_path / "ssh"
    ssh.write_text("#!/bin/sh\necho 'Could not resolve hostname' >&2\nexit 255\n")
    ssh.chmod(0o755)
    setting = master.remote_exec("import os; os.environ['PATH'] = channel.receive() + ':' + os.environ['PATH']")
    setting.send(str(tmp_path))
    setting.waitclose(PATIENCE)
    with pytest.raises(execnet.HostNotFound, match=r"nowhere.example:\nCould not resolve hostname"):
        group.makegateway("ssh=nowhere.example//via=master")


# ---- one that is stopped


def test_case_26_a_stopped_gateway_stops_nobody_else(group: execnet.Group, master: execnet.Gateway) -> None:
    stopped, sibling = (group.makegateway("popen//via=master") for _ in range(2))
    deeper = group.makegateway(f"popen//via={sibling.id}")
    received = stopped.remote_exec(
        """
        total = 0
        while True:
            data = channel.receive()
            if data is None:
                break
            total += len(data)
        channel.send(total)
        """
    )
    pid = stop(stopped)

    def send() -> None:
        for _ in range(200):
            received.send(b"x" * 100_000)

    sending = threading.Thread(target=send, daemon=True)
    sending.start()
    io = stopped._io
    assert isinstance(io, ChannelIO)
    # it has sent what it may: nothing more goes out, and whoever sends waits
    assert eventually(lambda: len(io._waiting) > 0 and io._mailbox.qsize() == 0)
    for _ in range(3):
        for gateway in (sibling, deeper, master):
            assert ask(gateway, "channel.send(5)") == 5
    assert sending.is_alive()
    assert ask(group.makegateway("popen//via=master"), "channel.send(6)") == 6
    os.kill(pid, signal.SIGCONT)
    sending.join(PATIENCE)
    received.send(None)
    assert received.receive(PATIENCE) == 200 * 100_000


def test_small_items_to_one_that_is_stopped_are_not_heaped_up(group: execnet.Group, master: execnet.Gateway) -> None:
    gateway = group.makegateway("popen//via=master")
    channel = gateway.remote_exec("while channel.receive() is not None: pass\nchannel.send('all')")
    pid = stop(gateway)
    sent = 0

    def send() -> None:
        nonlocal sent
        for _ in range(30_000):
            channel.send(b"x" * 100)
            sent += 1
        channel.send(None)

    sending = threading.Thread(target=send, daemon=True)
    sending.start()
    io = gateway._io
    assert isinstance(io, ChannelIO)
    # the window is used up, and no more wait than may
    assert eventually(lambda: sent > WINDOW // 200)
    sending.join(0.5)
    assert sending.is_alive()
    assert 0 < len(io._waiting) + io._mailbox.qsize() <= FEW + 1
    os.kill(pid, signal.SIGCONT)
    assert channel.receive(PATIENCE) == "all"
    sending.join(PATIENCE)
    assert sent == 30_000


@pytest.mark.parametrize("which", ["master", "stopped"])
def test_whoever_waits_is_told_of_the_end(group: execnet.Group, master: execnet.Gateway, which: str) -> None:
    gateway = group.makegateway("popen//via=master//id=stopped")
    channel = gateway.remote_exec("channel.receive()")
    pids = {"master": pid_of(master), "stopped": stop(gateway)}
    told = []

    def send() -> None:
        try:
            while True:
                channel.send(b"x" * 100_000)
        except OSError as error:
            told.append(str(error.__cause__ or error))

    sending = threading.Thread(target=send)
    sending.start()
    io = gateway._io
    assert isinstance(io, ChannelIO)
    assert eventually(lambda: len(io._waiting) > 0)
    os.kill(pids[which], signal.SIGKILL)
    sending.join(PATIENCE)
    assert not sending.is_alive()
    assert len(told) == 1
    os.kill(pids["stopped"], signal.SIGCONT) if which == "master" else None


def test_case_26_output_that_nobody_takes_is_bounded(group: execnet.Group, master: execnet.Gateway) -> None:
    """A receiver thread that is held up (by a callback) costs its own gateway, and no more than the window."""
    flood, sibling = (group.makegateway("popen//via=master") for _ in range(2))
    held, go_on = threading.Event(), threading.Event()
    counted = 0

    def count(data: bytes) -> None:
        nonlocal counted
        counted += len(data)
        held.set()
        go_on.wait(PATIENCE)

    pid = pid_of(flood)
    before = written(pid)
    channel = flood.remote_exec("for _ in range(100): channel.send(b'x' * 100_000)")
    channel.setcallback(count)
    assert held.wait(PATIENCE)
    assert eventually(lambda: written(pid) - before > WINDOW)
    for _ in range(3):
        assert ask(sibling, "channel.send(5)") == 5
    assert counted == 100_000
    # what it has sent, and what fills the pipe
    assert written(pid) - before < 2 * WINDOW
    go_on.set()
    channel.waitclose(PATIENCE)
    assert counted == 100 * 100_000


def test_output_that_nobody_takes_does_not_hold_up_a_kill(group: execnet.Group, master: execnet.Gateway) -> None:
    held, go_on = threading.Event(), threading.Event()

    def hold(data: bytes) -> None:
        held.set()
        go_on.wait(PATIENCE)

    gateway = group.makegateway("popen//via=master")
    gateway.remote_exec("while True: channel.send(b'x' * 100_000)").setcallback(hold)
    assert held.wait(PATIENCE)
    gateway._io.kill()
    assert gateway._io.wait() == -signal.SIGKILL
    go_on.set()


def test_both_directions_flooded_at_once(group: execnet.Group, master: execnet.Gateway) -> None:
    """Each item is sent back by a callback, so that neither end ever stops sending to read first."""
    gateway = group.makegateway(f"popen//via={group.makegateway('popen//via=master').id}")
    channel = gateway.remote_exec(
        """
        import threading
        done = threading.Event()
        channel.setcallback(lambda item: done.set() if item is None else channel.send(item))
        done.wait()
        """
    )
    arrived: list[int] = []
    channel.setcallback(lambda item: arrived.append(len(item)))
    for _ in range(300):
        channel.send(b"x" * 65536)
    channel.send(None)
    channel.waitclose(PATIENCE)
    assert arrived == [65536] * 300


def test_the_lock_that_tells_who_is_called_is_there(master: execnet.Gateway) -> None:
    """A private name of execnet, and one of Python: without them a callback might wait for ever."""
    assert not master._receivelock._is_owned()
    with master._receivelock:
        assert master._receivelock._is_owned()


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("queued", [False, True])
def test_a_callback_of_the_gateway_in_between_writes_without_waiting(
    group: execnet.Group, master: execnet.Gateway, depth: int, queued: bool
) -> None:
    """It is called by the thread that brings the credit for which it would wait."""
    gateway = master
    for _ in range(depth):
        gateway = group.makegateway(f"popen//via={gateway.id}")
    counting = gateway.remote_exec("channel.send(sum(len(channel.receive()) for _ in range(100)))")

    def send(_: object) -> None:
        for _ in range(100):
            counting.send(b"x" * 100_000)

    calling = master.remote_exec("channel.send(1)")
    if queued:
        calling.waitclose(PATIENCE)  # then it is this thread that calls, while it holds up the receiver
    calling.setcallback(send)
    assert counting.receive(PATIENCE) == 10_000_000


def test_many_threads_write_whole_messages(group: execnet.Group, master: execnet.Gateway) -> None:
    gateway = group.makegateway("popen//via=master")
    results: dict[int, list[Any]] = {}

    def talk(number: int) -> None:
        channel = gateway.remote_exec("for _ in range(100): channel.send(channel.receive())")
        for item in range(100):
            channel.send((number, item, b"y" * (item * 37)))
        results[number] = [channel.receive(PATIENCE)[:2] for _ in range(100)]

    threads = [threading.Thread(target=talk, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert results == {number: [(number, item) for item in range(100)] for number in range(4)}


def test_whose_message_cannot_be_sent_is_told() -> None:
    """The line fails just when the message has been taken from those that wait."""

    class Failing:
        gateway = None
        answers: ClassVar = [("started", 1)]

        def receive(self) -> Any:
            return self.answers[0]

        def send(self, item: object) -> None:
            raise OSError("the line is cut")

        def setcallback(self, callback: Callable[[Any], Any], endmarker: object) -> None:
            pass

    for _ in range(20):
        io = ChannelIO(Failing(), get_execmodel("thread"), "cut")
        with pytest.raises(OSError, match="the line is cut"):
            io.write(b"x" * 100_000)


def test_after_its_end_nothing_is_written(group: execnet.Group, master: execnet.Gateway) -> None:
    gateway = group.makegateway("popen//via=master")
    io = gateway._io
    io.close_write()
    with pytest.raises(OSError, match="its input has been closed"):
        io.write(b"x" * 20)
    assert io.wait() == 0
    with pytest.raises(OSError, match="exited with status 0"):
        io.write(b"x" * 20)
    with pytest.raises(EOFError, match="exited with status 0"):
        io.read(1)
