"""How a local child comes into the world: its terminal, session, descriptors, environment, directory and name."""

from __future__ import annotations

import errno
import os
import signal
import sys
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from real.local_case import LocalCase, Told, child, eventually, gone

from webshell.command import Size
from webshell.targets import spawning, start
from webshell.targets.chain import by_python, fastest
from webshell.targets.local import LocalTarget
from webshell.targets.start import by_chain

SECRET = "WEBSHELL_TOKEN_OF_THE_DAEMON"


class Start(LocalCase):
    def environment(self) -> Mapping[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "LC_TIME": "C",
            "TZ": "UTC",
            "HOME": "/",
            SECRET: "1",
            "WEBSHELL_TOKEN": "2",
            "SECRET": "3",
            "PYTHONPATH": "4",
            "LD_PRELOAD": "",
        }

    async def test_the_child_leads_a_session_and_controls_its_terminal(self) -> None:
        told = self.sh("tty; ps -o pid=,pgid=,sid=,tpgid=,tty= -p $$")
        self.assertEqual(await told.end(), (0, None, ()))
        tty, ids = told.output.decode().splitlines()
        pid, group, session, foreground, terminal = ids.split()
        assert {pid, group, session, foreground} == {str(child(told).pid)}
        assert tty == "/dev/" + terminal

    async def test_the_child_leads_a_session_without_a_terminal(self) -> None:
        told = self.sh("ps -o pid=,pgid=,sid=,tty= -p $$", size=None)
        self.assertEqual(await told.end(), (0, None, ()))
        assert told.output.decode().split() == [str(child(told).pid)] * 3 + ["?"]

    async def test_only_three_descriptors(self) -> None:
        inherited = os.open("/dev/null", os.O_RDONLY)
        os.set_inheritable(inherited, True)
        self.target = self.make()  # from then on there are no more of that kind (PEP 446)
        try:
            for size in (Size(), None):
                told = self.spawn("ls", "/proc/self/fd", size=size)
                await told.end()
                assert told.output.split() == [b"0", b"1", b"2", b"3"]  # 3: what ls lists
        finally:
            os.close(inherited)

    async def test_environment(self) -> None:
        told = self.spawn("env", env={"GREETING": "grüß dich"}, cwd="/tmp")
        await told.end()
        found = dict(line.split("=", 1) for line in told.output.decode().splitlines())
        marker = found.pop("WEBSHELL_PROCESS")
        assert len(bytes.fromhex(marker)) == 8
        for name in ("USER", "LOGNAME", "SHELL"):
            assert found.pop(name)
        assert found == {
            "PATH": os.environ["PATH"],
            "LC_TIME": "C",
            "TZ": "UTC",
            "HOME": "/",
            "LANG": "C.UTF-8",
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
            "GREETING": "grüß dich",
            "PWD": "/tmp",
        }

    async def test_environment_with_pipes(self) -> None:
        told = self.spawn("env", size=None)
        await told.end()
        assert b"TERM=dumb\n" in told.output
        assert b"COLORTERM" not in told.output

    async def test_the_size_is_there_first_and_no_change_follows(self) -> None:
        told = self.sh("trap 'echo winch' WINCH; stty size; read line; echo $line", size=Size(33, 99))
        await told.seen(b"33 99\r\n")
        child(told).write(b"done\n")
        await told.end()
        assert told.output == b"33 99\r\ndone\r\ndone\r\n"

    async def test_resize(self) -> None:
        told = self.sh("trap 'stty size' WINCH; echo ready; while :; do sleep 0.02; done")
        await told.seen(b"ready")
        child(told).resize(Size(10, 1000))
        await told.seen(b"10 1000")

    async def test_redraw(self) -> None:
        told = self.sh("trap 'echo winch' WINCH; echo ready; while :; do sleep 0.02; done")
        await told.seen(b"ready")
        child(told).redraw()
        await told.seen(b"winch")

    async def test_redraw_and_resize_without_a_terminal(self) -> None:
        told = self.sh("read x; echo $x", size=None)
        child(told).redraw()
        child(told).resize(Size(1, 1))
        child(told).write(b"fine\n")
        await told.end()
        assert told.output == b"fine\n"

    async def test_utf8_is_erased_by_character(self) -> None:
        told = self.sh('read x; echo "$x" | od -An -tx1')
        child(told).write("aß\x7fb\n".encode())
        await told.end()
        assert b"61 62 0a" in told.output

    async def test_directory(self) -> None:
        with tempfile.TemporaryDirectory(prefix="a b=c") as path:
            for wanted in (path, os.getcwd(), "/", "~", ""):
                told = self.sh("pwd; exec printenv PWD", cwd=wanted)
                await told.end()
                expected = wanted if wanted.startswith("/") else "/"
                assert told.output.decode().split("\r\n") == [expected, expected, ""]

    async def test_a_program_relative_to_the_directory(self) -> None:
        with tempfile.TemporaryDirectory() as path:
            for name in ("plain", "a=b", "-n"):
                program = Path(path, name)
                program.write_text("#!/bin/sh\necho hello from ${0##*/} $1\n")
                program.chmod(0o700)
                told = self.spawn(f"./{name}", "-C", cwd=path, size=None)
                self.assertEqual(await told.end(), (0, None, ()))
                assert told.output == f"hello from {name} -C\n".encode()

    async def test_a_script_without_a_first_line(self) -> None:
        with tempfile.TemporaryDirectory() as path:
            program = Path(path, "script")
            program.write_text("echo it ran: $1\n")
            program.chmod(0o700)
            told = self.spawn(str(program), "so", size=None)
            self.assertEqual(await told.end(), (0, None, ()))
            assert told.output == b"it ran: so\n"

    async def test_what_a_program_is_called(self) -> None:
        for arg0, expected in (("", "sh"), ("sh", "sh"), ("another name", "another name")):
            told = self.spawn("sh", "-c", "cat /proc/$$/cmdline", arg0=arg0, size=None)
            await told.end()
            assert told.output.decode().split("\0")[0] == expected

    async def test_a_login_shell(self) -> None:
        told = self.spawn("/bin/bash", "-c", "shopt -q login_shell && echo login", arg0="-bash", size=None)
        await told.end()
        assert told.output.splitlines()[-1] == b"login"

    async def test_signals_have_their_defaults(self) -> None:
        told = self.sh("grep -E 'Sig(Ign|Blk)' /proc/self/status")
        await told.end()
        blocked, ignored = (int(line.split()[1], 16) for line in told.output.splitlines())
        self.assertEqual(blocked, 0)
        self.assertEqual(ignored & ~0x180000000, 0)  # 32 and 33 are the C library's own

    async def test_exit_codes_and_signals(self) -> None:
        for line, expected in (
            ("exit 0", (0, None, ())),
            ("exit 255", (255, None, ())),
            ("kill -KILL $$", (None, "KILL", ())),
            ("kill -35 $$", (None, f"RTMIN+{35 - signal.SIGRTMIN}", ())),
        ):
            for size in (Size(), None):
                self.assertEqual(await self.sh(line, size=size).end(), expected)

    async def test_streams(self) -> None:
        told = self.sh("echo out; echo err >&2", size=None)
        await told.end()
        assert (bytes(told.streams[1]), bytes(told.streams[2])) == (b"out\n", b"err\n")

    async def test_job_control(self) -> None:
        told = self.spawn("bash", "--norc", "--noprofile", env={"PS1": "READY>"})
        write = child(told).write
        await told.seen(b"READY>")
        write(b"cat; echo $?\n")
        await eventually(lambda: self.foreground(told) != child(told).pid)
        write(b"typed\n")
        await told.seen(b"typed\r\ntyped")
        write(b"\x1a")
        await told.seen(b"Stopped")
        write(b"fg\n")
        await eventually(lambda: self.foreground(told) != child(told).pid)
        write(b"again\n")
        await told.seen(b"again\r\nagain")
        write(b"\x03")
        await told.until(lambda: told.output.count(b"READY>") >= 3)
        write(b"exit 7\n")
        self.assertEqual(await told.end(), (7, None, ()))
        assert b"no job control" not in told.output

    def foreground(self, told: Told) -> int:
        fields = Path(f"/proc/{child(told).pid}/stat").read_text().rpartition(") ")[2].split()
        return int(fields[5])

    async def test_signal_reaches_the_foreground_job_only(self) -> None:
        told = self.spawn("bash", "--norc", "--noprofile", env={"PS1": "READY>"})
        await told.seen(b"READY>")
        child(told).write(b"sleep 1000; echo status=$?\n")
        await eventually(lambda: self.foreground(told) != child(told).pid)
        child(told).signal("TERM")
        await told.seen(b"status=143")
        child(told).write(b"exit\n")
        assert (await told.end())[0] == 0

    async def test_signal_reaches_the_whole_group(self) -> None:
        told = self.sh("sleep 1000 & echo $!; wait", size=None)
        await told.seen(b"\n")
        child(told).signal("TERM")
        self.assertEqual((await told.end())[:2], (None, "TERM"))
        await eventually(partial(gone, int(told.output)))  # on a busy machine a little later than the shell

    async def test_signal_right_after_the_start_and_after_the_end(self) -> None:
        for size in (Size(), None):
            told = self.spawn("sleep", "1000", size=size)
            child(told).signal("KILL")
            self.assertEqual(await told.end(), (None, "KILL", ()))
            child(told).signal("KILL")
            child(told).redraw()
            child(told).resize(Size())
            child(told).write(b"x")
            child(told).close_input()
            child(told).pause()
            child(told).resume()
            assert child(told).pending == 0
            self.assertRaises(ValueError, child(told).signal, "NONSENSE")

    async def test_a_terminal_that_nobody_has_open_for_a_while(self) -> None:
        told = self.sh("exec <&- >&- 2>&-; sleep 0.2; echo back > /dev/tty")
        self.assertEqual(await told.end(), (0, None, ()))
        assert told.output == b"back\r\n"


class StartByTools(Start):
    """Where ``posix_spawn`` cannot do it all."""

    def make(self, **options: Any) -> LocalTarget:
        return super().make(start=by_chain(fastest()), **options)


class StartByPython(Start):
    def make(self, **options: Any) -> LocalTarget:
        return super().make(start=by_chain(by_python), **options)


@pytest.mark.parametrize("name", ["library", "platform", "sandbox"])
def test_the_direct_way_is_taken_only_where_all_of_it_works(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert start.by_posix_spawn() is not None
    if name == "library":  # the C library of 2018
        monkeypatch.setattr(spawning, "ADDCHDIR", "posix_spawn_file_actions_addchdir_of_tomorrow")
    elif name == "platform":
        monkeypatch.setattr(sys, "platform", "darwin")
    else:
        monkeypatch.setattr(start, "_spawn", refused)
    assert start.by_posix_spawn() is None


@pytest.mark.parametrize("name", ["openpty", "listdir"], ids=["no /dev/pts", "no /proc"])
def test_a_container_that_lacks_something_is_no_reason_not_to_start(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, name, missing)
    assert start.by_posix_spawn() is None
    if name == "openpty":
        assert fastest() is by_python


def missing(*_: object) -> list[str]:
    raise FileNotFoundError(errno.ENOENT, "No such file or directory")


def refused(*_: object) -> int:
    raise PermissionError(errno.EPERM, "as a sandbox says it")


def test_a_daemon_whose_own_directory_was_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert start.by_posix_spawn() is not None


def spawned(tmp_path: Path, *argv: str, **more: Any) -> tuple[int, str]:
    output = tmp_path / "output"
    with output.open("wb") as file:
        pid = spawning.Spawner().spawn(argv[0], argv, {"A": "ä"}, str(tmp_path), {1: file.fileno()}, **more)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), output.read_text()


def test_a_spawned_program_has_what_it_was_given_and_nothing_else(tmp_path: Path) -> None:
    code, said = spawned(tmp_path, "/bin/sh", "-c", 'pwd; printenv A; echo "$1"; exit 3', "sh", "ö")
    assert (code, said.splitlines()) == (3, [str(tmp_path), "ä", "ö"])
    number = os.open("/dev/null", os.O_RDONLY)
    try:
        os.set_inheritable(number, True)
        assert spawned(tmp_path, "/usr/bin/test", "-e", f"/dev/fd/{number}")[0] == 0
        assert spawned(tmp_path, "/usr/bin/test", "-e", f"/dev/fd/{number}", closed=[number])[0] == 1
    finally:
        os.close(number)


def test_the_signals_of_a_spawned_program_are_those_of_the_default(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGUSR1, signal.SIG_IGN), signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
    try:
        code, said = spawned(tmp_path, "/bin/sh", "-c", "grep -E '^Sig(Ign|Blk):' /proc/self/status")
    finally:
        signal.signal(signal.SIGUSR1, before[0])
        signal.pthread_sigmask(signal.SIG_SETMASK, before[1])
    assert (code, said.split()) == (0, ["SigBlk:", "0" * 16, "SigIgn:", "0" * 16])


@pytest.mark.parametrize(
    ("program", "directory", "number"),
    [("/no/such/program", "/", errno.ENOENT), ("/bin/true", "/no/such", errno.ENOENT), ("/etc", "/", errno.EACCES)],
)
def test_what_cannot_be_spawned(program: str, directory: str, number: int) -> None:
    with pytest.raises(OSError, match=os.strerror(number)) as caught:
        spawning.Spawner().spawn(program, ("x",), {}, directory, {})
    assert caught.value.errno == number
