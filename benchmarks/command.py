"""``webshell run`` and ``cp`` against ``ssh localhost`` and ``scp``: start, round trip, bulk both ways, and the ratios.

    python benchmarks/command.py [--rounds 5] [--megabytes 100]

Both servers are started for it, on loopback, each with keys or a token of its own; they are measured by turns. Without
an ``sshd`` only webshell is. ``ssh`` encrypts; webshell does not on loopback unless ``--tls`` says so.
"""

from __future__ import annotations

import argparse
import getpass
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

SECONDS = 30.0
"""A server that has not begun to listen by then is broken."""

KEYS = 200
"""Round trips of one line each in a measurement."""

Command = list[str]


@dataclass(frozen=True, slots=True)
class Client:
    """How one of them is asked.

    :ivar run: before a program and its arguments.
    :ivar copy: before two files; *there* comes before the one that is not here.
    """

    run: Command
    copy: Command
    there: str


@contextmanager
def webshell(home: Path, tls: bool) -> Iterator[Client]:
    """A daemon, and its clients."""
    options = ["--listen", "tcp:0:interface=127.0.0.1", *(["--self-signed", "site.pem"] if tls else [])]
    command = [sys.executable, "-m", "webshell", *options]
    with (home / "webshell.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=home, stdout=subprocess.PIPE, stderr=log)
    assert process.stdout is not None
    try:
        for line in iter(process.stdout.readline, b""):
            if found := re.search(r"(https?://\S+/)\?token=(\S+)", line.decode()):
                break
        else:
            raise SystemExit("webshell did not start: " + (home / "webshell.log").read_text())
        os.environ["WEBSHELL_TOKEN"] = found[2]
        trust = ["--ca-file", str(home / "site.pem")] if tls else []
        cli = [sys.executable, "-m", "webshell.cli"]
        yield Client([*cli, "run", *trust, found[1], "--"], [*cli, "cp", *trust], f"{found[1]}:")
    finally:
        process.terminate()
        process.wait(SECONDS)
        process.stdout.close()


@contextmanager
def ssh(home: Path) -> Iterator[Client]:
    """An sshd of our own with fresh keys, and its clients."""
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(home / name)], check=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = {
        "ListenAddress": f"127.0.0.1:{port}",
        "HostKey": home / "host",
        "AuthorizedKeysFile": home / "user.pub",
        "PidFile": "none",
        "StrictModes": "no",
        "UsePAM": "no",
        "PermitRootLogin": "prohibit-password",
        "Subsystem": "sftp internal-sftp",
    }
    if os.geteuid() == 0:
        # sshd of root refuses to start without it; its service makes it. It stays: others may run by now
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    (home / "sshd_config").write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
    with (home / "sshd.log").open("wb") as log:
        sshd = shutil.which("sshd")
        assert sshd
        process = subprocess.Popen([sshd, "-D", "-e", "-f", str(home / "sshd_config")], stderr=log)
    options = ["-F", "none", "-i", str(home / "user"), "-o", f"Port={port}", "-o", "LogLevel=ERROR"]
    options += ["-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={home / 'known'}", "-o", "BatchMode=yes"]
    user = f"{getpass.getuser()}@127.0.0.1"
    client = Client(["ssh", *options, user, "--"], ["scp", "-q", *options], f"{user}:")
    try:
        end = time.monotonic() + SECONDS
        while subprocess.run([*client.run, "true"], check=False, stderr=subprocess.DEVNULL).returncode:
            if time.monotonic() > end:
                raise SystemExit("sshd does not let us in: " + (home / "sshd.log").read_text())
            time.sleep(0.2)
        yield client
    finally:
        process.terminate()
        process.wait(SECONDS)


def start(command: Command) -> float:
    """Milliseconds of a program that does nothing."""
    begin = time.perf_counter()
    subprocess.run([*command, "true"], check=True, stdin=subprocess.DEVNULL)
    return (time.perf_counter() - begin) * 1000


def round_trip(command: Command) -> float:
    """Milliseconds of a line to ``cat`` and back, the median of many."""
    times = []
    with subprocess.Popen([*command, "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for _ in range(KEYS):
            begin = time.perf_counter()
            process.stdin.write(b"x\n")
            process.stdin.flush()
            assert process.stdout.readline() == b"x\n"
            times.append((time.perf_counter() - begin) * 1000)
        process.stdin.close()
    return statistics.median(times)


def there(command: Command, megabytes: int) -> float:
    """MB/s of standard input."""
    with tempfile.TemporaryFile() as file:
        file.write(os.urandom(1_000_000) * megabytes)
        file.seek(0)
        begin = time.perf_counter()
        done = subprocess.run([*command, "wc", "-c"], stdin=file, capture_output=True, check=True)
        took = time.perf_counter() - begin
    assert int(done.stdout) == megabytes * 1_000_000
    return megabytes / took


def back(command: Command, megabytes: int) -> float:
    """MB/s of standard output."""
    size = megabytes * 1_000_000
    program = ["head", "-c", str(size), "/dev/zero"]
    begin = time.perf_counter()
    got = 0
    with subprocess.Popen([*command, *program], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        while data := os.read(process.stdout.fileno(), 1 << 20):
            got += len(data)
    took = time.perf_counter() - begin
    assert got == size
    return megabytes / took


def copy(client: Client, megabytes: int, *, back: bool) -> float:
    """MB/s of a file."""
    with tempfile.TemporaryDirectory(prefix="webshell-copy-") as folder:
        source, target = Path(folder, "source"), Path(folder, "target")
        source.write_bytes(os.urandom(1_000_000) * megabytes)
        places = [f"{client.there}{source}", str(target)] if back else [str(source), f"{client.there}{target}"]
        begin = time.perf_counter()
        subprocess.run([*client.copy, *places], check=True, stdin=subprocess.DEVNULL)
        took = time.perf_counter() - begin
        assert target.stat().st_size == megabytes * 1_000_000
    return megabytes / took


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--tls", action="store_true", help="webshell encrypts, too")
    options = parser.parse_args()
    measures = {
        "start ms": lambda client: start(client.run),
        "round trip ms": lambda client: round_trip(client.run),
        "input MB/s": lambda client: there(client.run, options.megabytes),
        "output MB/s": lambda client: back(client.run, options.megabytes),
        "cp there MB/s": lambda client: copy(client, options.megabytes, back=False),
        "cp back MB/s": lambda client: copy(client, options.megabytes, back=True),
    }
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="webshell-command-"))
        home = Path(folder)
        clients = {"webshell": stack.enter_context(webshell(home, options.tls))}
        if shutil.which("sshd") and shutil.which("ssh"):
            clients["ssh"] = stack.enter_context(ssh(home))
        else:
            print("ssh: no sshd here, skipped")
        for what, measure in measures.items():
            figures: dict[str, list[float]] = {name: [] for name in clients}
            for _ in range(options.rounds):
                for name, client in clients.items():
                    figures[name].append(measure(client))
            medians = {name: statistics.median(values) for name, values in figures.items()}
            line = "  ".join(f"{name} {value:9.2f}" for name, value in medians.items())
            ratio = f"  webshell/ssh {medians['webshell'] / medians['ssh']:.2f}" if "ssh" in medians else ""
            print(f"{what:<14} {line}{ratio}", flush=True)


if __name__ == "__main__":
    main()
