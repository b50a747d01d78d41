"""Throughput and echo of a terminal, through the product as installed, against a loop that only reads the pty.

    python benchmarks/terminal.py [--megabytes 100] [--keys 1000] [--rounds 5]

Both sides alternate within one run; medians and ratios are printed. Absolute figures say little on a shared machine.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import pty
import re
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time

END = b"-end-of-flood-"
FLOOD = "stty -echo; head -c {size} /dev/zero | tr '\\0' x | fold -w 100; printf %s -end-of-; echo flood-"


class Daemon:
    """A webshell of our own, on a free port of the loopback interface."""

    def __init__(self) -> None:
        self.home = tempfile.TemporaryDirectory()
        command = [sys.executable, "-m", "webshell", "--listen", "tcp:0:interface=127.0.0.1"]
        environment = {**os.environ, "HOME": self.home.name}
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=self.home.name, env=environment
        )
        assert self.process.stdout is not None
        found = None
        while found is None:
            line = self.process.stdout.readline()
            if not line:
                raise SystemExit("the daemon did not start")
            found = re.search(rb"http://127\.0\.0\.1:(\d+)/\?token=(\S+)", line)
        self.port, self.token = int(found[1]), found[2].decode()

    def cpu(self) -> float:
        """Seconds of processor time so far."""
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        """End it."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
        self.home.cleanup()


class Client:
    """The least that speaks ``webshell.v1``: output is counted, not copied."""

    def __init__(self, daemon: Daemon) -> None:
        self.socket = socket.create_connection(("127.0.0.1", daemon.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{daemon.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: webshell.v1\r\n"
            f"Authorization: Bearer {daemon.token}\r\n\r\n".encode()
        )
        self.buffer = bytearray()
        while b"\r\n\r\n" not in self.buffer:
            self.buffer += self.socket.recv(65536)
        del self.buffer[: self.buffer.index(b"\r\n\r\n") + 4]
        self.offset = self.acknowledged = 0

    def send(self, payload: bytes, opcode: int = 1) -> None:
        """Send a frame, masked by zeros."""
        size = len(payload)
        head = (
            struct.pack("!BB", 0x80 | opcode, 0x80 | size)
            if size < 126
            else struct.pack("!BBH", 0x80 | opcode, 254, size)
        )
        self.socket.sendall(head + b"\0\0\0\0" + payload)

    def ask(self, **message: object) -> None:
        """Send a request."""
        self.send(json.dumps(message).encode())

    def output(self) -> bytes:
        """The next output; acknowledged in steps."""
        while True:
            opcode, payload = self._frame()
            if opcode == 2:
                self.offset += len(payload) - 5
                if self.offset - self.acknowledged > 48 << 10:
                    self.acknowledged = self.offset
                    self.ask(type="ack", process=1, offset=self.offset)
                return payload[5:]

    def _frame(self) -> tuple[int, bytes]:
        while True:
            if len(self.buffer) >= 2:
                size, head = self.buffer[1], 2
                if size == 126 and len(self.buffer) >= 4:
                    size, head = struct.unpack_from("!H", self.buffer, 2)[0], 4
                elif size == 127 and len(self.buffer) >= 10:
                    size, head = struct.unpack_from("!Q", self.buffer, 2)[0], 10
                if (size < 126 or head > 2) and len(self.buffer) >= head + size:
                    opcode, payload = self.buffer[0] & 15, bytes(self.buffer[head : head + size])
                    del self.buffer[: head + size]
                    return opcode, payload
            self.buffer += self.socket.recv(1 << 20)


def through_webshell(daemon: Daemon, argv: list[str]) -> Client:
    """A terminal of the daemon in which *argv* runs."""
    client = Client(daemon)
    client.ask(type="open", linger=0)
    client.ask(type="start", runner="exec", argv=argv, pty=True)
    return client


def bare(argv: list[str]) -> tuple[int, int]:
    """The same in a pty of ours: process id and descriptor."""
    pid, descriptor = pty.fork()
    if pid == 0:
        os.execvp(argv[0], argv)
    return pid, descriptor


def throughput(daemon: Daemon, megabytes: int) -> tuple[float, float, float]:
    """MB/s through webshell, its CPU seconds for a GB, and MB/s of the bare loop."""
    argv = ["sh", "-c", FLOOD.format(size=megabytes * 1_000_000)]
    cpu, begin = daemon.cpu(), time.perf_counter()
    client = through_webshell(daemon, argv)
    tail = b""
    while END not in tail:
        tail = tail[-20:] + client.output()[-200:]
    ours = client.offset / (time.perf_counter() - begin) / 1e6
    spent = (daemon.cpu() - cpu) / (client.offset / 1e9)
    client.socket.close()
    begin = time.perf_counter()
    pid, descriptor = bare(argv)
    total, tail, buffer = 0, b"", bytearray(1 << 16)
    while END not in tail:
        count = os.readv(descriptor, [buffer])
        total += count
        tail = tail[-20:] + bytes(buffer[max(0, count - 200) : count])
    limit = total / (time.perf_counter() - begin) / 1e6
    os.close(descriptor)
    os.waitpid(pid, 0)
    return ours, spent, limit


def echo(daemon: Daemon, keys: int) -> tuple[list[float], list[float]]:
    """Microseconds from a key to its echo, through webshell and in a bare pty."""
    argv = ["sh", "-c", "echo ready; exec cat >/dev/null"]
    client = through_webshell(daemon, argv)
    seen = b""
    while b"ready" not in seen:
        seen += client.output()
    ours = []
    for _ in range(keys):
        begin = time.perf_counter()
        client.send(b"\1\0\0\0\1x", 2)
        client.output()
        ours.append((time.perf_counter() - begin) * 1e6)
    client.socket.close()
    pid, descriptor = bare(argv)
    seen = b""
    while b"ready" not in seen:
        seen += os.read(descriptor, 4096)
    limit = []
    for _ in range(keys):
        begin = time.perf_counter()
        os.write(descriptor, b"x")
        os.read(descriptor, 4096)
        limit.append((time.perf_counter() - begin) * 1e6)
    os.close(descriptor)
    os.waitpid(pid, 0)
    return ours, limit


def percentile(values: list[float], share: float) -> float:
    """The value below which *share* of them lie."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--keys", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    daemon = Daemon()
    try:
        floods = [throughput(daemon, options.megabytes) for _ in range(options.rounds)]
        echoes = [echo(daemon, options.keys) for _ in range(options.rounds)]
    finally:
        daemon.stop()
    ours, spent, limit = (statistics.median(column) for column in zip(*floods, strict=True))
    print(f"output   {ours:7.0f} MB/s   bare loop {limit:7.0f} MB/s   ratio {ours / limit:.2f}")
    print(f"server CPU {spent:.1f} s/GB")
    for share in (0.5, 0.99):
        mine = statistics.median(percentile(one, share) for one, _ in echoes)
        bare_one = statistics.median(percentile(one, share) for _, one in echoes)
        print(
            f"echo p{share * 100:.0f} {mine:7.0f} µs     bare pty  {bare_one:7.0f} µs     ratio {mine / bare_one:.1f}"
        )


if __name__ == "__main__":
    main()
