"""``webshell attach`` in a real terminal: bytes, size, leaving, coming back."""

from __future__ import annotations

import os
import re
import signal
import sys

import pytest
from cli.commands import Terminal, Wire, eventually, sessions, webshell
from wire import PATIENCE, Server

WATCH = (
    "import os, signal; wanted = [signal.SIGWINCH]; signal.pthread_sigmask(signal.SIG_BLOCK, wanted); "
    "show = lambda: print(os.get_terminal_size().lines, os.get_terminal_size().columns, flush=True); "
    "show(); signal.sigwait(wanted); show()"
)
"""Shows the size, and once more when it has changed."""


def prompt(terminal: Terminal) -> None:
    """Bring its shell to a known prompt."""
    terminal.type("bind 'set enable-bracketed-paste off'; PS1='ready''> '\r")
    terminal.until("ready> ")


def test_a_shell_and_its_exit_status(server: Server) -> None:
    with Terminal(server, "attach") as terminal:
        prompt(terminal)
        terminal.type("printf '<%s>\\n' $((6 * 7))\r")
        terminal.until("<42>")
        terminal.type("exit 3\r")
        assert terminal.end() == 3
        assert terminal.restored()
    assert sessions(server) == []


def test_the_size_follows(server: Server) -> None:
    with Terminal(server, "attach") as terminal:
        prompt(terminal)
        # a program that waits for nothing else: a shell with a line editor runs its traps when the next line comes
        terminal.type(f"{sys.executable} -c '{WATCH}'\r")
        terminal.until("\n30 100\r\n")
        terminal.resize(41, 123)
        terminal.process.send_signal(signal.SIGWINCH)
        terminal.until("41 123\r\n.*ready> ")
        terminal.type("exit\r")
        assert terminal.end() == 0


def test_ctrl_c_is_a_key(server: Server) -> None:
    with Terminal(server, "attach") as terminal:
        prompt(terminal)
        terminal.type("sh -c 'echo go; exec sleep 100'\r")  # a shell that has the terminal passes nothing on
        terminal.until("\ngo\r\n")
        terminal.type("\x03")
        terminal.until("ready> ")
        terminal.type("exit 4\r")
        assert terminal.end() == 4


def test_leaving_and_coming_back(server: Server) -> None:
    with Terminal(server, "attach", "--name", "desk") as terminal:
        prompt(terminal)
        terminal.type("kept=yes\r")
        terminal.until("ready> ")
        terminal.type("\x1d")
        assert terminal.end() == 0
        assert terminal.restored()
        found = re.search(rb"it goes on: webshell attach (\S+) (\S+)\]", terminal.seen)
        assert found
        assert found[1].decode() == server.url
        session = found[2].decode()
    with Terminal(server, "attach", session) as terminal:
        terminal.type('echo "<$kept>"\r')
        terminal.until("<yes>")
        terminal.type("\x1d")
        assert terminal.end() == 0
    with Terminal(server, "attach", url=f"{server.url}s/{session}") as terminal:
        terminal.type("exit 6\r")
        assert terminal.end() == 6
    assert webshell(server, "kill", "desk").returncode == 0
    assert sessions(server) == []


def test_what_is_not_kept_any_more_is_told(server: Server) -> None:
    with Terminal(server, "attach", "--name", "long") as terminal:
        prompt(terminal)
        terminal.type("printf '\\033[?1h'; seq 200000\r")  # 1.5 MB
        terminal.until("\n200000\r\n")
        terminal.type("\x1d")
        assert terminal.end() == 0
    with Terminal(server, "attach", "long") as terminal:
        note = r"\[webshell: (\d+) bytes of output are not kept any more\]\r\n"
        # first what clears the screen, last the modes that hold
        told = terminal.until(rf"\x1bc\r\n{note}(?:\x1b\[[^\x1b]*)*?\x1b\[\?1h")
        assert int(told[1]) > 0
        terminal.until("\n200000\r\n")
        terminal.type("exit 3\r")
        assert terminal.end() == 3
    assert webshell(server, "kill", "long").returncode == 0


def test_another_key_to_leave(server: Server) -> None:
    with Terminal(server, "attach", "--detach-key", "^a", "--name", "other") as terminal:
        prompt(terminal)
        terminal.type("printf '%d\\n' \"'\x16\x1d\"\r")
        terminal.until("\n29\r\n")
        terminal.type("\x01")
        assert terminal.end() == 0
    assert webshell(server, "kill", "other").returncode == 0


def test_a_cut_is_told_and_nothing_is_lost(server: Server, wire: Wire) -> None:
    with Terminal(server, "attach", url=wire.url) as terminal:
        prompt(terminal)
        terminal.type("n=0; while [ $n -lt 60 ]; do n=$((n+1)); echo line $n; sleep 0.02; done\r")
        terminal.until("line 7\r\n")
        wire.cut()
        terminal.until("connection was lost; trying to come back …")
        terminal.until("connected again")
        terminal.until("line 60\r\n")
        terminal.type("echo $n\r")
        terminal.until("\n60\r\n")
        terminal.type("exit\r")
        assert terminal.end() == 0


def test_what_is_typed_meanwhile_arrives_once(server: Server, wire: Wire) -> None:
    with Terminal(server, "attach", url=wire.url) as terminal:
        prompt(terminal)
        wire.cut(dead=True)
        terminal.until("connection was lost")
        terminal.type("echo a''b\r")
        wire.mend()
        terminal.until("connected again")
        terminal.until("ab\r\n")
        assert b"ab" not in terminal.seen
        terminal.type("exit\r")
        assert terminal.end() == 0


def test_leaving_without_a_connection(server: Server, wire: Wire) -> None:
    with Terminal(server, "attach", "--name", "gone", url=wire.url) as terminal:
        prompt(terminal)
        wire.cut(dead=True)
        terminal.until("connection was lost")
        terminal.type("\x1d")
        assert terminal.end() == 0
        assert terminal.restored()
    assert webshell(server, "kill", "gone").returncode == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGUSR1])
def test_a_signal_ends_the_command_and_no_session_of_others(server: Server, number: int) -> None:
    there, own = f"there {number}", f"own {number}"
    with Terminal(server, "attach", "--name", there) as terminal:
        prompt(terminal)
        terminal.type("\x1d")
        assert terminal.end() == 0
    with Terminal(server, "attach", there) as terminal:
        prompt(terminal)
        terminal.process.send_signal(number)
        assert terminal.end() == 128 + number
        assert terminal.restored()
    (record,) = (one["processes"][0] for one in sessions(server) if one["name"] == there)
    assert record["state"] == "running"
    assert webshell(server, "kill", there).returncode == 0
    with Terminal(server, "attach", "--name", own) as terminal:
        prompt(terminal)
        terminal.process.send_signal(number)
        assert terminal.end() == 128 + number
    eventually(lambda: all(one["name"] != own for one in sessions(server)))  # it waits some seconds at most


def test_the_window_is_closed(server: Server) -> None:
    """Nobody has typed the end of the input."""
    with Terminal(server, "attach", "--name", "window") as terminal:
        prompt(terminal)
        terminal.type("\x1d")
        assert terminal.end() == 0
    with Terminal(server, "attach", "window") as terminal:
        prompt(terminal)
        os.close(terminal.master)
        terminal.master = os.open(os.devnull, os.O_RDWR)
        assert terminal.process.wait(PATIENCE) == 128 + signal.SIGHUP
    with Terminal(server, "attach", "window") as terminal:
        terminal.type("exit 5\r")
        assert terminal.end() == 5
    assert webshell(server, "kill", "window").returncode == 0


def test_stopped_from_elsewhere(server: Server) -> None:
    """Ctrl-Z is a key; ``kill -TSTP`` is not, and whoever has the terminal then does not want a raw one."""
    with Terminal(server, "attach") as terminal:
        prompt(terminal)
        terminal.process.send_signal(signal.SIGTSTP)
        os.waitid(os.P_PID, terminal.process.pid, os.WSTOPPED)
        assert terminal.restored()
        terminal.resize(31, 101)
        terminal.process.send_signal(signal.SIGCONT)
        terminal.type("stty size\r")
        terminal.until("\n31 101\r\n")
        assert not terminal.restored()
        terminal.type("exit 3\r")
        assert terminal.end() == 3


def test_answers_of_the_terminal_are_not_typed(server: Server) -> None:
    """A question of a program that ended is in what is shown again; its late answer must not stand in the shell."""
    with Terminal(server, "attach", "--name", "asked") as terminal:
        prompt(terminal)
        terminal.type("printf '\\033[c'; echo done\r")
        terminal.until("done\r\n")
        terminal.type("\x1d")
        terminal.end()
    with Terminal(server, "attach", "asked") as terminal:
        terminal.until("\x1b\\[c")
        terminal.type("\x1b[?62;22c")  # what a terminal says before anything is acknowledged or typed
        terminal.type("echo 'm'ark\r")
        terminal.until("\nmark\r\n")
        terminal.type("exit\r")
        assert terminal.end() == 0
        assert b"not found" not in terminal.seen
    webshell(server, "kill", "asked")


def test_the_session_is_closed_elsewhere(server: Server) -> None:
    with Terminal(server, "attach", "--name", "doomed") as terminal:
        prompt(terminal)
        assert webshell(server, "kill", "doomed").returncode == 0
        assert terminal.end() == 1
        assert terminal.restored()
        assert b"webshell: the session was closed" in terminal.seen


def test_who_may_only_watch(server: Server) -> None:
    with Terminal(server, "attach", "--name", "shown") as terminal:
        prompt(terminal)
        with Terminal(server, "attach", "shown", token=server.view_token) as watching:
            watching.until(r"this token may only watch.*ready> ")
            watching.type("q")  # by mistake
            terminal.type("echo a''b\r")
            watching.until("ab\r\n")
            watching.type("\x1d")
            assert watching.end() == 0
        terminal.type("exit 3\r")
        assert terminal.end() == 3


def test_no_terminal(server: Server) -> None:
    done = webshell(server, "attach")
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"attach needs a terminal" in done.stderr
