"""``webshell run`` against a real daemon: streams, signals and exit status as if the program ran here."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from cli.commands import COMMAND, Terminal, Wire, environment, eventually, sessions, started, webshell
from wire import PATIENCE, Server

MEGABYTES = 10


def test_both_streams_and_the_exit_status(server: Server) -> None:
    done = webshell(server, "run", "--", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.stdout, done.stderr, done.returncode) == (b"out\n", b"err\n", 7)


@pytest.mark.parametrize(("script", "status"), [("exit 0", 0), ("exit 255", 255), ("kill -9 $$", 137)])
def test_exit_status(server: Server, script: str, status: int) -> None:
    assert webshell(server, "run", "--", "sh", "-c", script).returncode == status


def test_arguments_are_not_read_by_a_shell(server: Server) -> None:
    done = webshell(server, "run", "--", "printf", "%s|", "a b", "$HOME", "--help", "--", "")
    assert done.stdout == b"a b|$HOME|--help|--||"


def test_a_program_that_is_not_there(server: Server) -> None:
    done = webshell(server, "run", "--", "no-such-program")
    assert (done.returncode, done.stdout) == (127, b"")
    assert done.stderr == b"webshell: no-such-program: command not found\n"


def test_folder_and_variables(server: Server, tmp_path: Path) -> None:
    done = webshell(server, "run", "--cwd", str(tmp_path), "--env", "A=b=c", "--", "sh", "-c", 'pwd; echo "$A"')
    assert done.stdout.decode().split() == [str(tmp_path), "b=c"]


def test_every_byte_there_and_back(server: Server) -> None:
    data = os.urandom(MEGABYTES << 20)
    done = webshell(server, "run", "--", "cat", input=data)
    assert done.returncode == 0, done.stderr
    assert hashlib.sha256(done.stdout).digest() == hashlib.sha256(data).digest()


def test_a_file_as_input_and_as_output(server: Server, tmp_path: Path) -> None:
    data = os.urandom(1 << 20)
    (tmp_path / "in").write_bytes(data)
    with (tmp_path / "in").open("rb") as source, (tmp_path / "out").open("wb") as target:
        process = started(server, "run", "--", "cat", stdin=source, stdout=target)
        assert process.wait(PATIENCE) == 0
        assert process.stderr is not None
        process.stderr.close()
    assert (tmp_path / "out").read_bytes() == data


def test_no_input_at_all(server: Server) -> None:
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" <&-', "sh", *COMMAND, "run", server.url, "--", "wc", "-c"],
        capture_output=True,
        env=environment(server.token),
        timeout=PATIENCE,
        check=False,
    )
    assert (done.stdout.strip(), done.returncode) == (b"0", 0), done.stderr


def test_nobody_reads_the_output_any_more(server: Server) -> None:
    process = started(server, "run", "--name", "unread", "--", "yes", stdin=subprocess.DEVNULL)
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.read(4) == b"y\ny\n"
    process.stdout.close()
    assert process.wait(PATIENCE) == 128 + signal.SIGPIPE
    assert process.stderr.read() == b""
    process.stderr.close()
    eventually(lambda: all(session["name"] != "unread" for session in sessions(server)))


def test_nobody_reads_the_errors_any_more(server: Server) -> None:
    with started(server, "run", "--", "sh", "-c", "yes >&2", stdin=subprocess.DEVNULL) as process:
        assert process.stderr is not None
        assert process.stderr.read(4) == b"y\ny\n"
        process.stderr.close()
        assert process.wait(PATIENCE) == 128 + signal.SIGPIPE


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("run", "URL", "--", "sh", "-c", "echo out; echo err >&2; exit 3"), 3),
        (("run", "URL", "--", "no-such-program"), 127),
        (("ls", "http://127.0.0.1:1/"), 255),
        (("run",), 2),
    ],
)
def test_no_standard_error(server: Server, arguments: tuple[str, ...], status: int) -> None:
    """What would be written there must not get among the output."""
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" 2>&-', "sh", *COMMAND, *(server.url if one == "URL" else one for one in arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env=environment(server.token),
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stdout) == (status, b"out\n" if status == 3 else b"")


@pytest.mark.parametrize("line", ["echo all of it", "yes"])
def test_the_disk_for_the_output_is_full(server: Server, line: str) -> None:
    with open("/dev/full", "wb") as full, started(server, "run", "--", "sh", "-c", line, stdout=full) as process:
        assert process.wait(PATIENCE) == 1
        assert process.stderr is not None
        assert process.stderr.read() == b"webshell: the output cannot be written: No space left on device\n"


def test_who_does_not_read_stops_the_program(server: Server) -> None:
    with started(server, "run", "--name", "still", "--", "sh", "-c", "yes | head -c 50000000") as process:
        assert process.stdout is not None

        def produced() -> int:
            still = [session for session in sessions(server) if session["name"] == "still"]
            return sum(record["end"] for session in still for record in session["processes"])

        eventually(lambda: produced() > 0)
        last = -1
        while last != (last := produced()):
            time.sleep(0.3)
        assert last < 8 << 20  # window, scrollback, pipes
        assert len(process.stdout.read()) == 50_000_000
        assert process.wait(PATIENCE) == 0


def test_a_program_that_does_not_read_stops_the_input(server: Server) -> None:
    with started(server, "run", "--", "sh", "-c", "echo ready; exec sleep 1000") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        os.set_blocking(process.stdin.fileno(), False)
        sent = quiet = 0
        while quiet < 10 and sent < 8 << 20:
            try:
                sent += os.write(process.stdin.fileno(), bytes(1 << 16))
                quiet = 0
            except BlockingIOError:
                quiet += 1
                time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 128 + signal.SIGTERM
    assert sent < 8 << 20  # the server's window, ours, and some pipes


@pytest.mark.parametrize("name", ["INT", "TERM", "HUP", "QUIT", "USR1", "USR2"])
def test_signals_are_passed_on(server: Server, name: str) -> None:
    script = f"trap 'echo got {name}; exit 9' {name}; echo ready; while :; do sleep 0.05; done"
    with started(server, "run", "--", "sh", "-c", script) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(getattr(signal, f"SIG{name}"))
        assert process.stdout.readline() == f"got {name}\n".encode()
        assert process.wait(PATIENCE) == 9


def test_a_signal_that_ends_it(server: Server) -> None:
    with started(server, "run", "--", "sh", "-c", "echo ready; exec sleep 100") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 128 + signal.SIGINT


def state(pid: int) -> str:
    """T: it is stopped."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_a_program_stops_and_goes_on_with_the_command(server: Server) -> None:
    """As Ctrl-Z and ``fg`` have it; the kernel gives TSTP to no program that has no shell."""
    with started(server, "run", "--", "sh", "-c", 'echo $$; read line; echo "<$line>"') as process:
        assert process.stdin is not None
        assert process.stdout is not None
        there = int(process.stdout.readline())
        process.send_signal(signal.SIGTSTP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED)
        eventually(lambda: state(there) == "T")
        process.stdin.write(b"x\n")
        process.stdin.close()
        process.send_signal(signal.SIGCONT)
        assert process.stdout.readline() == b"<x>\n"
        assert process.wait(PATIENCE) == 0


def test_a_program_goes_on_after_a_cut_meanwhile(server: Server, wire: Wire) -> None:
    with started(server, "run", "--", "sh", "-c", 'echo $$; read line; echo "<$line>"', url=wire.url) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        there = int(process.stdout.readline())
        process.send_signal(signal.SIGTSTP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED)
        wire.cut()
        process.send_signal(signal.SIGCONT)
        eventually(lambda: state(there) != "T")
        process.stdin.write(b"x\n")
        process.stdin.close()
        assert process.stdout.readline() == b"<x>\n"
        assert process.wait(PATIENCE) == 0


def test_ctrl_c_in_a_terminal(server: Server) -> None:
    with Terminal(server, "run", "--", "sh", "-c", "echo ready; exec sleep 100") as terminal:
        terminal.until("ready")
        terminal.type("\x03")
        assert terminal.end() == 130


def test_in_the_background(server: Server, tmp_path: Path) -> None:
    """What is typed to others is not read: that would stop the command, which wants no input."""
    flag = tmp_path / "flag"
    argv = ("sh", "-m", "-c", '"$@" & wait $!; echo "status $?"', "sh", *COMMAND)
    script = 'echo ready; while ! [ -e "$0" ]; do sleep 0.05; done; exit 4'
    with Terminal(server, "run", "--", "sh", "-c", script, str(flag), argv=argv) as terminal:
        terminal.until("ready")
        terminal.type("mine\r")
        terminal.until("mine\r\n")
        flag.touch()
        terminal.until(r"status 4\r\n")
        assert terminal.end() == 0


def test_a_terminal_when_asked(server: Server) -> None:
    script = 'stty size; test -t 0 && echo "tty $TERM"; read line; echo "<$line>"; exit 5'
    with Terminal(server, "run", "-t", "--", "sh", "-c", script) as terminal:
        terminal.until("30 100\r\ntty xterm-256color\r\n")
        terminal.type("hello\r")
        terminal.until("<hello>")
        assert terminal.end() == 5
        assert terminal.restored()
    done = webshell(server, "run", "--", "sh", "-c", "test -t 0 || echo none")
    assert done.stdout == b"none\n"


def test_a_cut_changes_nothing(server: Server, wire: Wire) -> None:
    data = os.urandom(4 << 20)
    wire.cuts_after = 1 << 20
    done = webshell(server, "run", "--", "cat", url=wire.url, input=data)
    assert (done.returncode, done.stderr) == (0, b"")
    assert wire.cuts_after == 0
    assert hashlib.sha256(done.stdout).digest() == hashlib.sha256(data).digest()


def test_a_connection_that_does_not_come_back(server: Server, wire: Wire) -> None:
    command = ("--patience", "1", "--name", "cut", "--", "sh", "-c", "echo ready; sleep 100")
    with started(server, "run", *command, url=wire.url) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"ready\n"
        wire.cut(dead=True)
        assert process.wait(PATIENCE) == 255
        assert b"did not come back within 1 seconds" in process.stderr.read()
    # and the server ends what nobody wants any more
    eventually(lambda: all(session["name"] != "cut" for session in sessions(server)))


def test_nothing_is_left(server: Server) -> None:
    webshell(server, "run", "--name", "left", "--", "sh", "-c", "sleep 1000 & exit 0")
    assert all(session["name"] != "left" for session in sessions(server))


def test_the_server_is_not_there() -> None:
    class Nowhere:
        url, token = "http://127.0.0.1:1/", "x"

    done = webshell(Nowhere(), "run", "--", "true")  # type: ignore[arg-type]
    assert done.returncode == 255
    assert b"127.0.0.1:1 cannot be reached" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("echo", "hello"), "run: which program? webshell run URL -- PROGRAM [ARGUMENT …]"),
        (("echo", "--", "hello"), "run: what is echo? webshell run --help says what there is"),
        *(
            (("--patience", text, "--", "true"), f"argument --patience: {text}: a number of seconds from 0 to 2592000")
            for text in ("x", "-1", "nan", "inf", "2592001")
        ),
    ],
)
def test_wrong_command_lines(server: Server, arguments: tuple[str, ...], message: str) -> None:
    done = webshell(server, "run", *arguments)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode().endswith(f"error: {message}\n"), done.stderr
    assert b"Traceback" not in done.stderr
