"""The local factory service with a real sshd: one connection for all programs, and what happens when something ends."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import execnet
import pytest
from gateways import Heard, quick
from sshd import PATIENCE, Service, Sshd, eventually, processes

from webshell.execnet import service as service_module
from webshell.execnet.factory import NoFactory
from webshell.execnet.group import Group
from webshell.execnet.local_line import LARGEST, LOOPBACK, NONCE_BYTES, PROOF_BYTES, LocalLine, proven
from webshell.execnet.service import Factory
from webshell.execnet.trouble import NotStarted, Refused

CLIENT = """
import os, sys, time
from webshell.execnet import Group
group = Group()
group.setlocalfactory(int(sys.argv[1]), sys.argv[2])
begin = time.monotonic()
gateway = group.makegateway(sys.argv[3])
took = time.monotonic() - begin
print(*gateway.remote_exec(
    "import os; channel.send((os.environ['SSH_CONNECTION'], os.getpid()))"
).receive(), flush=True)
{more}
"""
"""Another program that uses the service; it says what connection it has got."""


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with Sshd(tmp_path_factory.mktemp("sshd")) as sshd:
        yield sshd


@pytest.fixture
def service(tmp_path: Path, sshd: Sshd) -> Iterator[Service]:
    with Service(tmp_path) as service:
        yield service
    assert eventually(lambda: not sshd.clients())


@pytest.fixture
def group() -> Iterator[Group]:
    group = Group()
    yield group
    group.terminate(timeout=5)


def ask(gateway: execnet.Gateway, source: str) -> Any:
    return gateway.remote_exec(source).receive(PATIENCE)


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def client(service: Service, sshd: Sshd, more: str = "") -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CLIENT.format(more=more), str(service.port), str(service.token_file), sshd.spec]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_case_27_programs_share_one_connection(service: Service, sshd: Sshd, group: Group) -> None:
    before = sshd.connections()
    told = []
    for _ in range(2):
        with client(service, sshd, "group.terminate(timeout=5)") as program:
            told.append(program.communicate(timeout=PATIENCE)[0].rsplit(maxsplit=1))
        assert program.returncode == 0
    group.setlocalfactory(service.port, str(service.token_file))
    gateway = group.makegateway(sshd.spec)
    connection = ask(gateway, "import os; channel.send(os.environ['SSH_CONNECTION'])")
    assert [connection, connection] == [one[0] for one in told]
    # each has an interpreter of its own
    assert told[0][1] != told[1][1]
    assert sshd.connections() - before == 1
    assert len(sshd.clients()) == 1


def test_case_27_only_the_first_waits_for_ssh(tmp_path: Path, sshd: Sshd) -> None:
    def ratio() -> float:
        took = []
        with Service(tmp_path) as service:
            for _ in range(2):
                with client(service, sshd, "print(took); group.terminate(timeout=5)") as program:
                    took.append(float(program.communicate(timeout=PATIENCE)[0].splitlines()[1]))
        return took[1] / took[0]

    assert not quick(0.25, ratio)


def test_case_27_who_comes_at_the_same_time_shares_it_too(service: Service, sshd: Sshd) -> None:
    before = sshd.connections()
    programs = [client(service, sshd, "group.terminate(timeout=5)") for _ in range(3)]
    told = {program.communicate(timeout=PATIENCE)[0].rsplit(maxsplit=1)[0] for program in programs}
    assert len(told) == 1
    assert sshd.connections() - before == 1


def test_case_27_an_idle_connection_is_closed_and_made_again(tmp_path: Path, sshd: Sshd, group: Group) -> None:
    before = sshd.connections()
    with Service(tmp_path, "--idle", "0.1") as service:
        group.setlocalfactory(service.port, str(service.token_file))
        gateway = group.makegateway(sshd.spec)
        (ssh,) = sshd.clients()
        gateway.exit()
        assert eventually(lambda: not alive(ssh))
        gateway = group.makegateway(sshd.spec)
        assert ask(gateway, "channel.send(1)") == 1
        assert len(sshd.clients()) == 1
        assert sshd.connections() - before == 2
    assert eventually(lambda: not sshd.clients())


def test_case_27_when_ssh_dies_all_are_told_and_the_next_call_reconnects(
    service: Service, sshd: Sshd, group: Group
) -> None:
    group.setlocalfactory(service.port, str(service.token_file))
    channels = [group.makegateway(sshd.spec).remote_exec("channel.receive()") for _ in range(2)]
    (ssh,) = sshd.clients()
    os.kill(ssh, signal.SIGKILL)
    for channel in channels:
        with pytest.raises(EOFError, match="is lost: the connection to box has ended"):
            channel.waitclose(PATIENCE)
        with pytest.raises(OSError, match=r"cannot send|already closed"):
            channel.send(1)
    gateway = group.makegateway(sshd.spec)
    assert ask(gateway, "channel.send(2)") == 2
    assert sshd.clients() not in ([], [ssh])


def test_case_27_without_a_service_the_error_says_how_to_start_one(tmp_path: Path, sshd: Sshd, group: Group) -> None:
    with socket.socket() as closed:
        closed.bind((LOOPBACK, 0))  # it listens to nobody
        port = closed.getsockname()[1]
        group.setlocalfactory(port, str(tmp_path / "token"))
        with pytest.raises(NoFactory, match=rf"not running; python -m webshell\.execnet\.service --port {port} starts"):
            group.makegateway(sshd.spec)
    assert len(group) == 0


def test_case_26_one_that_is_stopped_does_not_stop_the_others(service: Service, sshd: Sshd, group: Group) -> None:
    group.setlocalfactory(service.port, str(service.token_file))
    stopped, sibling = (group.makegateway(sshd.spec) for _ in range(2))
    channel = stopped.remote_exec("channel.send(sum(len(channel.receive()) for _ in range(100)))")
    pid = ask(stopped, "import os; channel.send(os.getpid())")
    os.kill(pid, signal.SIGSTOP)

    def send() -> None:
        for _ in range(100):
            channel.send(b"x" * 100_000)

    sending = threading.Thread(target=send, daemon=True)
    sending.start()
    for _ in range(10):
        assert ask(sibling, "channel.send(5)") == 5
    assert ask(group.makegateway(sshd.spec), "channel.send(6)") == 6
    assert sending.is_alive()
    os.kill(pid, signal.SIGCONT)
    assert channel.receive(PATIENCE) == 10_000_000
    sending.join(PATIENCE)


def test_through_a_gateway_of_the_service_and_by_ssh_through_another(
    service: Service, sshd: Sshd, group: Group
) -> None:
    before = sshd.connections()
    group.setlocalfactory(service.port, str(service.token_file))
    group.makegateway(f"{sshd.spec}//id=box")
    behind = group.makegateway("popen//via=box")
    assert ask(behind, "channel.send(1)") == 1
    assert sshd.connections() - before == 1
    # with via= it is ssh there that connects, not the service
    assert ask(group.makegateway(f"{sshd.spec}//via=box"), "channel.send(2)") == 2
    assert sshd.connections() - before == 2
    group.terminate(timeout=5)


def test_large_items_arrive_both_ways(service: Service, sshd: Sshd, group: Group) -> None:
    group.setlocalfactory(service.port, str(service.token_file))
    channel = group.makegateway(sshd.spec).remote_exec("while True: channel.send(channel.receive())")
    item = os.urandom(5_000_000)
    channel.send(item)
    assert channel.receive(PATIENCE) == item


def test_standard_error_of_an_interpreter_is_the_programs(
    service: Service, sshd: Sshd, group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = Heard()
    monkeypatch.setattr(sys, "stderr", heard)
    group.setlocalfactory(service.port, str(service.token_file))
    channel = group.makegateway(sshd.spec).remote_exec("import sys; print('from afar \u20ac', file=sys.stderr)")
    channel.waitclose(PATIENCE)
    assert eventually(lambda: "from afar \u20ac\n" in heard.text)


def test_an_unreachable_host_and_no_python_are_errors_here(service: Service, sshd: Sshd, group: Group) -> None:
    group.setlocalfactory(service.port, str(service.token_file))
    with pytest.raises(execnet.HostNotFound, match=r"nowhere\.invalid"):
        group.makegateway(f"ssh=nowhere.invalid//ssh_config={sshd.config}")
    with pytest.raises(NotStarted, match="exited with status 127 before it answered"):
        group.makegateway(f"ssh=box//ssh_config={sshd.config}//python=/no/such")
    assert eventually(lambda: not sshd.clients())
    assert ask(group.makegateway(sshd.spec), "channel.send(1)") == 1
    with pytest.raises(NotStarted, match="exited with status 127 before it answered"):
        group.makegateway(f"ssh=box//ssh_config={sshd.config}//python=/no/such")
    assert len(sshd.clients()) == 1


def test_a_killed_program_leaves_nothing(service: Service, sshd: Sshd) -> None:
    with client(service, sshd, "sys.stdin.read()") as program:
        assert program.stdout is not None
        worker = int(program.stdout.readline().rsplit(maxsplit=1)[1])
        assert alive(worker)
        program.kill()
    assert eventually(lambda: not alive(worker))
    assert len(sshd.clients()) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_the_services_end_is_everybodys(service: Service, sshd: Sshd, group: Group, number: signal.Signals) -> None:
    group.setlocalfactory(service.port, str(service.token_file))
    gateway = group.makegateway(sshd.spec)
    worker = ask(gateway, "import os; channel.send(os.getpid())")
    channel = gateway.remote_exec("channel.receive()")
    service.process.send_signal(number)
    with pytest.raises(EOFError, match=r"factory service|is lost"):
        channel.waitclose(PATIENCE)
    assert service.process.wait(PATIENCE) == (-number if number == signal.SIGKILL else 0)
    assert eventually(lambda: not alive(worker) and not sshd.clients())


def test_a_host_that_never_answers_holds_up_nobody_else(
    service: Service, sshd: Sshd, group: Group, tmp_path: Path
) -> None:
    hole = tmp_path / "hole"
    hole.write_text("Host *\n  ProxyCommand sleep 613\n")
    group.setlocalfactory(service.port, str(service.token_file))
    told = []

    def connect() -> None:
        with pytest.raises(NotStarted, match=r"ssh=hole\): the factory service .* has closed the line"):
            group.makegateway(f"ssh=hole//ssh_config={hole}")
        told.append(1)

    connecting = threading.Thread(target=connect)
    connecting.start()
    assert eventually(lambda: processes("ssh", str(hole)))
    assert ask(group.makegateway(sshd.spec), "channel.send(1)") == 1
    service.process.terminate()
    assert service.process.wait(PATIENCE) == 0
    connecting.join(PATIENCE)
    assert told == [1]
    assert eventually(lambda: not processes("ssh", str(hole)))
    assert eventually(lambda: not processes("sleep", "613"))


# ---- who may use it


@pytest.fixture
def near(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Factory, int]]:
    """A service in this process, for three at a time and one host."""
    monkeypatch.setattr(service_module, "MOST_CLIENTS", 3)
    monkeypatch.setattr(service_module, "MOST_HOSTS", 1)
    with socket.create_server((LOOPBACK, 0)) as listener:
        factory = Factory(listener, "right" * 4)
        serving = threading.Thread(target=factory.serve)
        serving.start()
        yield factory, listener.getsockname()[1]
        factory.close()
        serving.join(PATIENCE)
        assert not serving.is_alive()


def test_the_token_is_the_users_alone(service: Service) -> None:
    status = service.token_file.stat()
    assert status.st_mode & 0o777 == 0o600
    assert status.st_uid == os.geteuid()


def test_another_token_is_refused(service: Service, sshd: Sshd, group: Group, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("wrong" * 4)
    group.setlocalfactory(service.port, str(other))
    with pytest.raises(Refused, match="can be read by others: chmod 600"):
        group.makegateway(sshd.spec)
    other.chmod(0o600)
    with pytest.raises(Refused, match="another token"):
        group.makegateway(sshd.spec)
    group.setlocalfactory(service.port, str(tmp_path / "none"))
    with pytest.raises(Refused, match="there is no token of it"):
        group.makegateway(sshd.spec)
    assert not sshd.clients()


def test_who_proves_nothing_hears_nothing(near: tuple[Factory, int]) -> None:
    with socket.create_connection((LOOPBACK, near[1]), PATIENCE) as wire:
        nonce = wire.recv(100)
        wire.sendall(nonce + b"x" * PROOF_BYTES)
        assert wire.recv(100) == b""


def test_an_impostor_at_the_port_learns_nothing_and_cannot_pass_it_on(near: tuple[Factory, int]) -> None:
    """It stands between a program and the service at another port, and hands on what both say."""
    with socket.create_server((LOOPBACK, 0)) as impostor:
        port = impostor.getsockname()[1]

        def stand_between() -> None:
            with impostor.accept()[0] as program, socket.create_connection((LOOPBACK, near[1])) as service:
                for source, sink in ((service, program), (program, service), (program, service), (service, program)):
                    sink.sendall(source.recv(NONCE_BYTES, socket.MSG_WAITALL))

        between = threading.Thread(target=stand_between)
        between.start()
        with socket.create_connection((LOOPBACK, port)) as wire, pytest.raises(Refused, match="another token"):
            proven(wire, "right" * 4, port, service=False)
        between.join(PATIENCE)


def test_more_than_it_can_serve_are_sent_away(near: tuple[Factory, int]) -> None:
    place = (LOOPBACK, near[1])
    wires = [socket.create_connection(place, PATIENCE) for _ in range(3)]
    for wire in wires:
        assert wire.recv(1)
    with socket.create_connection(place, PATIENCE) as late:
        assert late.recv(1) == b""
    with socket.create_connection(place) as late, pytest.raises(OSError, match=r"as many as it can|reset|Broken pipe"):
        proven(late, "right" * 4, near[1], service=False)
    wires.pop().close()

    def served() -> bool:
        with socket.create_connection(place, PATIENCE) as again:
            return again.recv(1) != b""

    assert eventually(served)
    for wire in wires:
        wire.close()


def test_more_hosts_than_it_can_serve_are_refused(
    near: tuple[Factory, int], sshd: Sshd, group: Group, tmp_path: Path
) -> None:
    token_file = tmp_path / "token"
    token_file.touch(0o600)
    token_file.write_text("right" * 4)
    group.setlocalfactory(near[1], str(token_file))
    elsewhere = f"ssh=nowhere.invalid//ssh_config={sshd.config}"
    with pytest.raises(execnet.HostNotFound):
        group.makegateway(elsewhere)
    # where there is no connection, none is counted
    gateway = group.makegateway(sshd.spec)
    with pytest.raises(NotStarted, match="has connections to 1 hosts, and makes no more"):
        group.makegateway(elsewhere)
    assert ask(gateway, "channel.send(1)") == 1
    group.terminate(timeout=5)


class Short:
    """A listener that has no descriptor for the first who comes."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._failed = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._listener, name)

    def accept(self) -> tuple[socket.socket, Any]:
        if not self._failed:
            self._failed = True
            raise OSError(errno.EMFILE, "Too many open files")
        return self._listener.accept()


def test_without_descriptors_it_waits() -> None:
    with socket.create_server((LOOPBACK, 0)) as listener:
        factory = Factory(cast("socket.socket", Short(listener)), "right" * 4)
        serving = threading.Thread(target=factory.serve)
        serving.start()
        with socket.create_connection(listener.getsockname(), PATIENCE) as wire:
            assert wire.recv(1)
        factory.close()
        serving.join(PATIENCE)
        assert not serving.is_alive()


def test_an_item_that_is_too_long_ends_the_line() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        line = LocalLine(ours, "the other end")
        theirs.sendall((LARGEST + 1).to_bytes(4, "big"))
        with pytest.raises(EOFError, match=f"the other end sent an item of {LARGEST + 1} bytes"):
            line.receive()
        theirs.sendall(b"\0\0\0\3abc")
        with pytest.raises(EOFError, match="the other end: "):
            line.receive()
        theirs.sendall(b"\0\0\0\3ab")
        theirs.shutdown(socket.SHUT_WR)
        with pytest.raises(EOFError, match="has closed the line"):
            line.receive()
        line.close()
        with pytest.raises(OSError, match="descriptor"):
            line.send(1)


def test_a_port_in_use_is_said(service: Service, capfd: pytest.CaptureFixture[str]) -> None:
    arguments = ["--port", str(service.port), "--token-file", str(service.token_file)]
    assert service_module.main(arguments) == 1
    assert "Address already in use" in capfd.readouterr().err
