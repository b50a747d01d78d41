"""execnet's gateways over HTTP and a WebSocket beside ``popen``: start, round trip, bulk both ways, in one run.

    python benchmarks/gateway.py [--rounds 3] [--megabytes 100] [--delay 50]

The daemon is started for it, on loopback. With --delay, half of so many milliseconds is added in each direction, by a
wire in a process of its own; ``popen`` has no wire and is as fast as ever.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import execnet

from webshell.execnet import Group

SECONDS = 30.0
"""A server that does not end by then is broken."""

BLOB = os.urandom(1 << 20)
"""What bulk is made of, one item after the other."""


@contextmanager
def server(home: Path, wire: int) -> Iterator[int]:
    """A daemon, and its port; its token is in the environment.

    :param wire: the port of what leads to it, which it has to know itself by; 0: nothing.
    """
    command = [sys.executable, "-m", "webshell", "--listen", "tcp:0:interface=127.0.0.1"]
    command += ["--host", f"127.0.0.1:{wire}"] if wire else []
    with (home / "webshell.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=home, stdout=subprocess.PIPE, stderr=log)
    assert process.stdout is not None
    try:
        for line in iter(process.stdout.readline, b""):
            if found := re.search(r"http://[^/]+:(\d+)/\?token=(\S+)", line.decode()):
                break
        else:
            raise SystemExit("webshell did not start: " + (home / "webshell.log").read_text())
        os.environ["WEBSHELL_TOKEN"] = found[2]
        yield int(found[1])
    finally:
        process.terminate()
        process.wait(SECONDS)
        process.stdout.close()


@contextmanager
def delaying(milliseconds: float) -> Iterator[subprocess.Popen[bytes]]:
    """A wire that takes its time; it says its port, and is told where it leads to."""
    command = [sys.executable, str(Path(__file__).with_name("delay.py")), str(milliseconds)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield process
        process.terminate()


def start(group: Group, spec: str) -> float:
    """Milliseconds until there is a gateway."""
    begin = time.perf_counter()
    gateway = group.makegateway(spec)
    took = time.perf_counter() - begin
    gateway.remote_exec("channel.send(1)").receive()  # or its end would take seconds: a race in execnet's worker
    return took * 1000


def round_trip(gateway: execnet.Gateway, trips: int) -> float:
    """Microseconds of an item there and back, the median of many."""
    channel = gateway.remote_exec("while (item := channel.receive()) is not None: channel.send(item)")
    times = []
    for number in range(trips):
        begin = time.perf_counter()
        channel.send(number)
        assert channel.receive() == number
        times.append(time.perf_counter() - begin)
    channel.send(None)
    return statistics.median(times) * 1e6


def there(gateway: execnet.Gateway, megabytes: int) -> float:
    """MiB/s of items that are sent."""
    channel = gateway.remote_exec("channel.send(sum(len(channel.receive()) for _ in range(channel.receive())))")
    channel.send(megabytes)
    begin = time.perf_counter()
    for _ in range(megabytes):
        channel.send(BLOB)
    assert channel.receive() == megabytes << 20
    return megabytes / (time.perf_counter() - begin)


def back(gateway: execnet.Gateway, megabytes: int) -> float:
    """MiB/s of items that are received."""
    channel = gateway.remote_exec("""
        blob, count = channel.receive(), channel.receive()
        channel.send(None)
        for _ in range(count):
            channel.send(blob)
    """)
    channel.send(BLOB)
    channel.send(megabytes)
    channel.receive()
    begin = time.perf_counter()
    assert sum(len(channel.receive()) for _ in range(megabytes)) == megabytes << 20
    return megabytes / (time.perf_counter() - begin)


def measured(spec: str, trips: int, megabytes: int) -> dict[str, float]:
    """All figures of one gateway."""
    group = Group()
    try:
        found = {"start ms": start(group, spec)}
        gateway = group[0]
        return found | {
            "round trip us": round_trip(gateway, trips),
            "there MiB/s": there(gateway, megabytes),
            "back MiB/s": back(gateway, megabytes),
        }
    finally:
        group.terminate(SECONDS)


def main() -> None:
    """Measure by turns, and print the medians."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--delay", type=float, default=0, help="milliseconds there and back")
    parser.add_argument("--trips", type=int, default=0, help="there and back; else 1000, or 60 with a delay")
    options = parser.parse_args()
    trips = options.trips or (60 if options.delay else 1000)
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="webshell-")))
        port = 0
        if options.delay:
            wire = stack.enter_context(delaying(options.delay))
            assert wire.stdin is not None
            assert wire.stdout is not None
            port = int(wire.stdout.readline())
            wire.stdin.write(b"%d\n" % stack.enter_context(server(home, port)))
            wire.stdin.flush()
        else:
            port = stack.enter_context(server(home, 0))
        place = f"127.0.0.1:{port}"
        specs = {"popen": "popen", "http": f"http={place}", "http poll": f"http={place}//poll=20", "ws": f"ws={place}"}
        results: dict[str, list[dict[str, float]]] = {name: [] for name in specs}
        for _ in range(options.rounds):
            for name, spec in specs.items():
                results[name].append(measured(spec, trips, options.megabytes))
    print(f"{'':<14}" + "".join(f"{name:>12}" for name in specs))
    for what in results["popen"][0]:
        medians = (statistics.median(found[what] for found in results[name]) for name in specs)
        print(f"{what:<14}" + "".join(f"{value:12.1f}" for value in medians), flush=True)


if __name__ == "__main__":
    main()
