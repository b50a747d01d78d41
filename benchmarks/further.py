"""Throughput of further-link's ``/run`` against the native dialect: the same program's output, in alternation.

    python benchmarks/further.py [--megabytes 100] [--rounds 3]

Lines of 100 characters through a pipe and through a terminal. The client counts the bytes of frames, decodes nothing,
so the figures are the server's. Absolute ones say little on a shared machine; the ratios do.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import re
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time

FLOOD = "stty -echo 2>/dev/null; head -c {size} /dev/zero | tr '\\0' x | fold -w 100"
SHELL = "#!/bin/sh\n"


class Daemon:
    """A webshell of our own, on a free port of the loopback interface."""

    def __init__(self) -> None:
        self.home = tempfile.TemporaryDirectory()
        listen = ["--listen", "tcp:0:interface=127.0.0.1"]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "webshell", "--further-link", *listen],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=self.home.name,
            env={**os.environ, "HOME": self.home.name},
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
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.home.cleanup()


class Client:
    """The least that speaks WebSocket: frames as bytes."""

    def __init__(self, daemon: Daemon, path: str, subprotocol: str = "") -> None:
        self.socket = socket.create_connection(("127.0.0.1", daemon.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET /{path} HTTP/1.1\r\nHost: 127.0.0.1:{daemon.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nAuthorization: Bearer {daemon.token}\r\n"
            f"{f'Sec-WebSocket-Protocol: {subprotocol}' if subprotocol else 'X: y'}\r\n\r\n".encode()
        )
        self.buffer = bytearray()
        while b"\r\n\r\n" not in self.buffer:
            self.buffer += self.socket.recv(65536)
        del self.buffer[: self.buffer.index(b"\r\n\r\n") + 4]

    def ask(self, **message: object) -> None:
        """Send a message, masked by zeros."""
        payload = json.dumps(message).encode()
        size = len(payload)
        head = struct.pack("!BB", 0x81, 0x80 | size) if size < 126 else struct.pack("!BBH", 0x81, 254, size)
        self.socket.sendall(head + b"\0\0\0\0" + payload)

    def frame(self) -> tuple[int, bytes]:
        """Opcode and payload of the next frame."""
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


def native(daemon: Daemon, line: str, pty: bool) -> int:
    """Bytes of output that came through the native dialect, which are acknowledged."""
    client = Client(daemon, "ws", "webshell.v1")
    client.ask(type="open", linger=0)
    client.ask(type="start", runner="exec", argv=["sh", "-c", line], pty=pty, keep="all")
    offset = acknowledged = 0
    while True:
        opcode, payload = client.frame()
        if opcode == 2:
            offset += len(payload) - 5
            if offset - acknowledged > 48 << 10:
                acknowledged = offset
                client.ask(type="ack", process=1, offset=offset)
        elif payload.startswith(b'{"type": "exited"'):
            client.socket.close()
            return offset


def further(daemon: Daemon, line: str, pty: bool) -> int:
    """Bytes of output that came through ``/run``: what is around them is known, and lines have two more in escapes."""
    client = Client(daemon, f"run?pty={int(pty)}")
    client.ask(type="start", process="1", data={"runner": "exec", "code": SHELL + line})
    around = len('{"type": "stdout", "data": {"output": ""}, "client": "", "process": "1"}')
    total = 0
    while True:
        _, payload = client.frame()
        if payload.startswith(b'{"type": "stopped"'):
            client.socket.close()
            return total
        if payload.startswith(b'{"type": "std'):
            escapes = payload.count(b"\\")
            total += len(payload) - around - escapes


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    line = FLOOD.format(size=options.megabytes * 1_000_000)
    lines = options.megabytes * 10_000 - 1  # fold ends no line after the last
    daemon = Daemon()
    try:
        for pty in (False, True):
            expected = options.megabytes * 1_000_000 + lines * (2 if pty else 1)
            speeds: dict[str, list[float]] = {"native": [], "/run": []}
            costs: dict[str, list[float]] = {"native": [], "/run": []}
            for _ in range(options.rounds):
                for name, through in (("native", native), ("/run", further)):
                    cpu, begin = daemon.cpu(), time.perf_counter()
                    total = through(daemon, line, pty)
                    speeds[name].append(total / (time.perf_counter() - begin) / 1e6)
                    costs[name].append((daemon.cpu() - cpu) / (total / 1e9))
                    if total != expected:
                        raise SystemExit(f"{name}: {total} bytes instead of {expected}")
            print("terminal" if pty else "pipe")
            for name in speeds:
                low, high = min(speeds[name]), max(speeds[name])
                speed, cost = statistics.median(speeds[name]), statistics.median(costs[name])
                print(f"  {name:<7} {speed:6.1f} MB/s ({low:.1f} to {high:.1f}), {cost:5.2f} s of CPU for a GB")
            ratio = statistics.median(speeds["/run"]) / statistics.median(speeds["native"])
            print(f"  /run has {ratio:.0%} of the native dialect's throughput")
    finally:
        daemon.stop()


if __name__ == "__main__":
    main()
