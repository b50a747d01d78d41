"""The command as a process of its own, in pipes or in a terminal, and a wire that can be cut."""

from __future__ import annotations

import builtins
import contextlib
import fcntl
import os
import pty
import re
import select
import socket
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from wire import PATIENCE, Server

COMMAND = (sys.executable, "-m", "webshell.cli")


def environment(token: str, **more: str) -> dict[str, str]:
    """What the command is started with."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("WEBSHELL_")}
    return {**inherited, **({"WEBSHELL_TOKEN": token} if token else {}), **more}


def webshell(
    server: Server, what: str, *arguments: str, url: str = "", token: str | None = None, **keywords: Any
) -> subprocess.CompletedProcess[bytes]:
    """Run ``webshell WHAT URL ARGUMENTS`` to its end; no input unless *keywords* say so."""
    if not keywords.keys() & {"input", "stdin"}:
        keywords["stdin"] = subprocess.DEVNULL
    return subprocess.run(
        [*COMMAND, what, url or server.url, *arguments],
        capture_output=True,
        timeout=PATIENCE,
        env=environment(server.token if token is None else token),
        check=False,
        **keywords,
    )


def started(server: Server, what: str, *arguments: str, url: str = "", **keywords: Any) -> subprocess.Popen[bytes]:
    """The same, while it runs, in pipes."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(
        [*COMMAND, what, url or server.url, *arguments], env=environment(server.token), **{**pipes, **keywords}
    )


def eventually(condition: Callable[[], bool]) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


class Terminal:
    """The command in a terminal of 30 rows and 100 columns.

    :ivar seen: what it has shown so far.
    """

    def __init__(
        self,
        server: Server,
        what: str,
        *arguments: str,
        url: str = "",
        token: str = "",
        argv: tuple[str, ...] = COMMAND,
    ) -> None:
        self.master, slave = pty.openpty()
        self.slave = slave
        self.resize(30, 100)
        self.before = termios.tcgetattr(slave)
        self.seen = b""
        self.process = subprocess.Popen(
            [*argv, what, url or server.url, *arguments],
            env=environment(token or server.token, TERM="xterm-256color"),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def until(self, pattern: str) -> re.Match[bytes]:
        """Wait until it shows what *pattern* matches, after what was waited for before."""
        wanted = re.compile(pattern.encode(), re.DOTALL)
        deadline = time.monotonic() + PATIENCE
        while not (found := wanted.search(self.seen)):
            ready, _, _ = select.select([self.master], [], [], max(0, deadline - time.monotonic()))
            assert ready, (pattern, self.seen[-2000:])
            self.seen += os.read(self.master, 1 << 16)
        self.seen = self.seen[found.end() :]
        return found

    def end(self) -> int:
        """Its exit status, when it has ended by itself."""
        deadline = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            assert time.monotonic() < deadline, self.seen[-2000:]
            if select.select([self.master], [], [], 0.05)[0]:
                self.seen += os.read(self.master, 1 << 16)
        while select.select([self.master], [], [], 0)[0]:
            self.seen += os.read(self.master, 1 << 16)
        return self.process.returncode

    def restored(self) -> bool:
        """Whether the terminal is as it was."""
        return termios.tcgetattr(self.slave) == self.before

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: builtins.type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.master)
        os.close(self.slave)


class Wire:
    """A TCP relay to a server that can be cut, and be dead for a while.

    :ivar url: of the server, through it.
    """

    def __init__(self) -> None:
        self._target = ("", 0)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._ends: list[socket.socket] = []
        self._lock = threading.Lock()
        self._up = True
        self.cuts_after = 0
        """Bytes from the server after which it cuts by itself; 0: never."""
        self.host = f"127.0.0.1:{self._listening.getsockname()[1]}"
        self.url = f"http://{self.host}/"

    def lead_to(self, server: Server) -> None:
        """From now on; the server knows itself by :attr:`host`."""
        begun = self._target != ("", 0)
        self._target = ("127.0.0.1", int(server.url.rpartition(":")[2].strip("/")))
        if not begun:
            threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            with self._lock:
                if not self._up:
                    near.close()
                    continue
                self._ends.append(near)
                try:
                    far = socket.create_connection(self._target)
                except ConnectionRefusedError:
                    near.close()
                    continue
                self._ends.append(far)
                self._pairs.append((near, far))
            threading.Thread(target=self._carry, args=(near, far, False), daemon=True).start()
            threading.Thread(target=self._carry, args=(far, near, True), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, counted: bool) -> None:
        try:
            while data := source.recv(1 << 16):
                target.sendall(data)
                if counted and self.cuts_after:
                    self.cuts_after -= min(len(data), self.cuts_after)
                    if not self.cuts_after:
                        self.cut()
        except OSError:
            pass
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def cut(self, *, dead: bool = False) -> None:
        """Cut what goes through it. *dead*: nothing comes through any more."""
        with self._lock:
            self._up = not dead
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for end in pair:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        """Let through again, as much as there is."""
        self._up = True
        self.cuts_after = 0

    def __enter__(self) -> Wire:
        return self

    def __exit__(
        self, kind: builtins.type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # shutdown wakes the thread that accepts; close alone does not
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.cut(dead=True)
        for end in self._ends:
            end.close()


def sessions(server: Server) -> list[dict[str, Any]]:
    """The sessions that the server has."""
    with server.client() as client:
        client.send({"type": "list", "id": 1})
        return list(client.expect("sessions")["sessions"])


def token_file(folder: Path, token: str, mode: int = 0o600) -> str:
    """A file with the token."""
    path = folder / "token"
    path.write_text(token + "\n")
    path.chmod(mode)
    return str(path)
