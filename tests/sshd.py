"""An sshd of our own on loopback, with fresh keys, for our user alone; and a factory service."""

from __future__ import annotations

import getpass
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from needs import need

PATIENCE = 30.0
"""Seconds for what takes less than one."""


def eventually(condition: Callable[[], object]) -> bool:
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def processes(*words: str) -> list[int]:
    """Who runs with all of *words* in the command line; one that only waits to be reaped has none."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().decode("utf-8", "replace").split("\0")
        except OSError:
            continue
        if all(word in line for word in words):
            found.append(int(path.parent.name))
    return found


class Sshd:
    """Runs while its context lasts.

    :ivar config: for ``ssh_config=``; the host there is ``box``.
    """

    def __init__(self, home: Path) -> None:
        # not everybody's PATH has it
        sshd, keygen = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin") or need("sshd"), need("ssh-keygen")
        need("ssh")
        self.config = home / "config"
        self._log = home / "sshd.log"
        for name in ("host", "user"):
            subprocess.run([keygen, "-q", "-t", "ed25519", "-N", "", "-f", str(home / name)], check=True)
        if os.geteuid() == 0:
            # sshd of root refuses to start without it; its service makes it. It stays: others may run by now
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        port, self._process = self._started(home, sshd)
        client = {
            "HostName": "127.0.0.1",
            "Port": port,
            "User": getpass.getuser(),
            "IdentityFile": home / "user",
            "IdentitiesOnly": "yes",
            "BatchMode": "yes",
            "LogLevel": "ERROR",
            "StrictHostKeyChecking": "no",
            "UserKnownHostsFile": home / "known",
        }
        self.config.write_text("Host box\n" + "".join(f"  {name} {value}\n" for name, value in client.items()))

    def _started(self, home: Path, sshd: str) -> tuple[int, subprocess.Popen[bytes]]:
        """It takes no port that the system chooses, so one that was free is tried, and another one if it is not now."""
        while True:
            with socket.create_server(("127.0.0.1", 0)) as free:
                port = free.getsockname()[1]
            server = {
                "ListenAddress": f"127.0.0.1:{port}",
                "HostKey": home / "host",
                "AuthorizedKeysFile": home / "user.pub",
                "PidFile": "none",
                "StrictModes": "no",
                "UsePAM": "no",
                "PermitRootLogin": "prohibit-password",
                "PasswordAuthentication": "no",
            }
            (home / "sshd_config").write_text("".join(f"{name} {value}\n" for name, value in server.items()))
            with self._log.open("wb") as log:
                process = subprocess.Popen([sshd, "-D", "-e", "-f", str(home / "sshd_config")], stderr=log)
            assert eventually(lambda: process.poll() is not None or b"listening on" in self._log.read_bytes())  # noqa: B023
            if process.poll() is None:
                return port, process
            if b"Address already in use" not in self._log.read_bytes():
                raise AssertionError(self._log.read_text())

    @property
    def spec(self) -> str:
        """Of a gateway to it."""
        return f"ssh=box//ssh_config={self.config}//python={sys.executable}"

    def connections(self) -> int:
        """How many it has let in so far."""
        return self._log.read_text("utf-8", "replace").count("Accepted publickey")

    def clients(self) -> list[int]:
        """The processes of ssh that are connected with it."""
        return processes("ssh", str(self.config))

    def __enter__(self) -> Sshd:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(PATIENCE)


class Service:
    """A factory service under test, a process of its own."""

    def __init__(self, home: Path | None = None, *options: str) -> None:
        """:param home: the token's folder; None: where the service has it by itself."""
        command = [sys.executable, "-m", "webshell.execnet.service", *options]
        if home is not None:
            self.token_file = home / "factory.token"
            command += ["--token-file", str(self.token_file)]
        self.process = subprocess.Popen(
            [*command, "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.search(r"at 127\.0\.0\.1:(\d+), token in", line)
        assert found, line + self.stop()
        self.port = int(found[1])

    def stop(self) -> str:
        """End it. Returns what it said to its standard error."""
        self.process.terminate()
        return self.process.communicate(timeout=PATIENCE)[1]

    def __enter__(self) -> Service:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
