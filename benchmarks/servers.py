"""The servers that are compared: how each is started, what speaks to it, and whether it is there."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from benchmarks import machine, terminals
from benchmarks.terminals import Terminal

HERE = Path(__file__).parent
SECONDS = 30.0
"""A server that has not begun to listen by then is broken."""

PROGRAM = '#!/bin/sh\nstty -echo 2>/dev/null\nprintf READY\nwhile IFS= read -r line; do eval "$line"; done\n'
"""What runs in every terminal: READY is its prompt, and it evaluates the lines that are typed."""

LIMITS = "connections = 60000\n[limits]\nsessions = 6000\nrunning = 6000\nall_processes = 12000\n"
"""Webshell's configuration: its own defaults end at 256 sessions, what is measured goes beyond."""


@dataclass(frozen=True)
class Peer:
    """One kind of server.

    :ivar command: from the port and the program that shall run in its terminals.
    :ivar missing: why it cannot be measured here; empty: it can.
    :ivar relays: one process of its own for each session.
    :ivar folder: to start it in; None: one of its own.
    """

    name: str
    terminal: type[Terminal]
    command: Callable[[int, Path], list[str]]
    missing: Callable[[], str] = lambda: ""
    relays: bool = False
    tls: bool = False
    folder: Path | None = None
    environment: dict[str, str] = field(default_factory=dict)


class Workshop:
    """A folder for one run: programs, texts, the compiled limit, logs.

    :param peers: the folder that ``install`` has filled.
    :param webshell: the command that starts the daemon.
    """

    def __init__(self, peers: Path, webshell: Sequence[str]) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="webshell-benchmarks-")
        self.path = Path(self._folder.name)
        self.peers = peers
        self.webshell = [*webshell]
        self.program = self.path / "program"
        self.program.write_text(PROGRAM)
        self.program.chmod(0o755)
        (self.path / "webshell.toml").write_text(LIMITS)

    def ideal(self, *defined: str) -> Path:
        """The compiled limit; *defined*: macros that change it."""
        program = self.path / "-".join(("ideal", *defined))
        if not program.exists():
            command = [shutil.which("cc") or "cc", "-O2", *(f"-D{macro}" for macro in defined)]
            subprocess.run([*command, "-o", str(program), str(HERE / "ideal.c"), "-lutil"], check=True)
        return program

    def text(self, megabytes: int) -> tuple[Path, int]:
        """A file of lines, and how many bytes they are behind a terminal that turns LF into CR LF."""
        file = self.path / f"text-{megabytes}"
        line = b"the quick brown fox jumps over the lazy dog 0123456789 the five boxing wizards jump quickly\n"
        lines = 1_000_000 // len(line)
        if not file.exists():
            file.write_bytes(line * lines * megabytes)
        return file, (len(line) + 1) * lines * megabytes

    def close(self) -> None:
        """Remove it."""
        self._folder.cleanup()

    def kinds(self) -> dict[str, Peer]:
        """All that could be measured, by name."""
        self_signed = ["--self-signed", str(self.path / "webshell.pem")]
        python = self.peers / "venv" / "bin" / "python"
        node = self.peers / "node" / "node_modules"

        def ours(*more: str) -> Callable[[int, Path], list[str]]:
            config = ["--config", str(self.path / "webshell.toml")]
            return lambda port, _: [*self.webshell, "--listen", f"tcp:{port}:interface=127.0.0.1", *config, *more]

        def ttyd(*more: str) -> Callable[[int, Path], list[str]]:
            found = self.ttyd()
            return lambda port, program: [
                *[*found, "--writable", "--interface", "lo", "--debug", "1", "--port", str(port)],
                *[*more, str(program)],
            ]

        # its libwebsockets looks for its own plugins in the current directory
        ttyd_folder = Path(self.ttyd()[0]).parent if self.ttyd()[1:] else None

        def no_ttyd() -> str:
            return "" if self.ttyd() else "not installed"

        def absent(path: Path) -> Callable[[], str]:
            return lambda: "" if path.exists() else "not installed"

        def ideal(name: str, *defined: str) -> Peer:
            return Peer(
                name,
                terminals.Terminal,
                lambda port, program: [str(self.ideal(*defined)), str(port), str(program)],
                not_in_path("cc"),
                relays=True,
            )

        def not_in_path(name: str) -> Callable[[], str]:
            return lambda: "" if shutil.which(name) else "not installed"

        certificate = [
            "--ssl",
            "--ssl-cert",
            str(self.path / "webshell.pem"),
            "--ssl-key",
            str(self.path / "webshell.pem"),
        ]
        peers = [
            Peer("webshell", terminals.Webshell, ours()),
            Peer("webshell-tls", terminals.Webshell, ours(*self_signed), tls=True),
            Peer("webshell-pipe", terminals.WebshellPipe, ours()),
            ideal("ideal"),
            ideal("ideal-1k", "PIECE=1024"),
            ideal("ideal-1k-50us", "PIECE=1024", "PAUSE=50"),
            ideal("ideal-1k-100us", "PIECE=1024", "PAUSE=100"),
            Peer(
                "autobahn",
                terminals.Terminal,
                lambda port, program: [sys.executable, str(HERE / "autobahn_server.py"), str(port), str(program)],
            ),
            Peer("ttyd", terminals.Ttyd, ttyd(), no_ttyd, folder=ttyd_folder),
            Peer("ttyd-tls", terminals.Ttyd, ttyd(*certificate), no_ttyd, tls=True, folder=ttyd_folder),
            Peer(
                "websocketd",
                terminals.Websocketd,
                lambda port, program: [
                    *[self.tool("websocketd"), "--address=127.0.0.1", f"--port={port}"],
                    *["--binary=true", "--loglevel=error", str(program)],
                ],
                lambda: "" if self.tool("websocketd") else "not installed",
            ),
            Peer(
                "terminado",
                terminals.Terminado,
                lambda port, program: [str(python), str(HERE / "terminado_server.py"), str(port), str(program)],
                absent(python),
            ),
            Peer(
                "wetty",
                terminals.Wetty,
                lambda port, program: [
                    *["node", str(node / "wetty" / "build" / "main.js"), "--host", "127.0.0.1"],
                    *["--port", str(port), "--log-level", "error", "--command", str(program)],
                ],
                absent(node / "wetty"),
                environment={"NODE_ENV": "production"},
            ),
            Peer(
                "gotty",
                terminals.Gotty,
                lambda port, program: [
                    *[self.tool("gotty"), "-a", "127.0.0.1", "-p", str(port), "-w", "--quiet"],
                    *["--ws-origin", ".*", str(program)],
                ],
                lambda: "" if self.tool("gotty") else "not installed",
            ),
        ]
        return {peer.name: peer for peer in peers}

    def tool(self, name: str) -> str:
        """Where a program is; empty: nowhere."""
        installed = self.peers / "root" / "usr" / "bin" / name
        return str(installed) if installed.exists() else shutil.which(name) or ""

    def ttyd(self) -> list[str]:
        """How to start ttyd: of this system, or one that brings its own libraries."""
        if found := shutil.which("ttyd"):
            return [found]
        for loader in sorted((self.peers / "ttyd").rglob("lib/*/ld-linux*.so.*")):
            program = self.peers / "ttyd" / "usr" / "bin" / "ttyd"
            return [str(loader), "--library-path", str(loader.parent), str(program), "--cwd", "/"]
        return []


class Server:
    """A server of its own for one measurement; on a free port, without anything of this environment's webshell."""

    def __init__(self, workshop: Workshop, name: str) -> None:
        self.peer = workshop.kinds()[name]
        self.name = name
        self.token = ""
        self.port = free_port()
        self.program = workshop.program
        self._home = tempfile.TemporaryDirectory(dir=workshop.path)
        command = self.peer.command(self.port, self.program)
        left_out = ("WEBSHELL_", "PYTHONPATH")
        environment = {key: value for key, value in os.environ.items() if not key.startswith(left_out)}
        ours = name.startswith("webshell")
        with open(workshop.path / f"{name}.log", "ab") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if ours else log,
                stderr=log,
                cwd=self.peer.folder or self._home.name,
                env={**environment, "HOME": self._home.name, **self.peer.environment},
                start_new_session=True,
            )
        try:
            if ours:
                self._read_token()
            self._wait()
        except BaseException:
            self.close()
            raise

    def terminal(self, receive_buffer: int = 0) -> Terminal:
        """A new one, whose program has not yet said READY."""
        return self.peer.terminal(
            self.port, [str(self.program)], self.token, tls=self.peer.tls, receive_buffer=receive_buffer
        )

    def pids(self) -> list[int]:
        """The server's own processes, without those that it runs for others."""
        relays = machine.children(self.process.pid) if self.peer.relays else []
        return [self.process.pid, *relays]

    def cpu(self) -> float:
        """Seconds of processor time so far."""
        return machine.cpu(self.pids())

    def memory(self) -> int:
        """Bytes."""
        return machine.memory(self.pids())

    def close(self) -> None:
        """End it, and whatever it leaves."""
        left = machine.descendants(self.process.pid)
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        if self.process.stdout is not None:
            self.process.stdout.close()
        self._home.cleanup()

    def __enter__(self) -> Server:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""
        self.close()

    def _read_token(self) -> None:
        assert self.process.stdout is not None
        stdout = self.process.stdout
        for line in stdout:
            if found := re.search(rb"\?token=(\S+)", line):
                self.token = found[1].decode()
                # twistd logs there, too: nothing may wait for us
                threading.Thread(target=_drained, args=(stdout.fileno(),), daemon=True).start()
                return
        raise SystemExit(f"{self.name} did not start")

    def _wait(self) -> None:
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise SystemExit(f"{self.name} did not start: {shlex.join(self.process.args)}")  # type: ignore[arg-type]
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        raise SystemExit(f"{self.name} did not listen")


def _drained(descriptor: int) -> None:
    try:
        while os.read(descriptor, 1 << 16):
            pass
    except OSError:
        pass


def free_port() -> int:
    """One that nothing listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


DEFAULT_WEBSHELL = f"{shlex.quote(sys.executable)} -m webshell"
