"""Gateways by ssh, each with a connection of its own, and through the local factory service; start and round trip.

    python -m benchmarks.factory [--rounds 8]

An ``sshd`` with fresh keys and a service are started for it, on loopback.
"""

from __future__ import annotations

import argparse
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from execnet import Gateway

from benchmarks.command import SECONDS, ssh
from webshell.execnet import Group

TRIPS = 500
"""Round trips in a measurement."""


@contextmanager
def service(token_file: Path) -> Iterator[int]:
    """A factory service; its port."""
    command = [sys.executable, "-m", "webshell.execnet.service", "--port", "0", "--token-file", str(token_file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        found = re.search(r":(\d+), token", process.stdout.readline())
        if found is None:
            raise SystemExit("the factory service did not start")
        try:
            yield int(found[1])
        finally:
            process.terminate()
            process.wait(SECONDS)


def start(group: Group, spec: str) -> tuple[Gateway, float]:
    """A gateway, and in how many milliseconds it was there."""
    begin = time.perf_counter()
    gateway = group.makegateway(spec)
    return gateway, (time.perf_counter() - begin) * 1000


def round_trip(gateway: Gateway) -> float:
    """Microseconds of an item and its answer, the median of many."""
    channel = gateway.remote_exec("while True: channel.send(channel.receive())")
    times = []
    for _ in range(TRIPS):
        begin = time.perf_counter()
        channel.send(1)
        channel.receive()
        times.append((time.perf_counter() - begin) * 1e6)
    return statistics.median(times)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=8)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="webshell-factory-") as folder:
        home = Path(folder)
        with ssh(home) as client, service(home / "token") as port:
            # what comes between the program's name and the -- before the command line
            spec = f"ssh={' '.join(client.run[1:-1])}//python={sys.executable}"
            for way in ("a connection each", "the service's"):
                group = Group()
                if way == "the service's":
                    group.setlocalfactory(port, str(home / "token"))
                gateway, first = start(group, spec)
                further = statistics.median(start(group, spec)[1] for _ in range(options.rounds))
                print(f"{way:<18} first {first:6.0f} ms  further {further:6.0f} ms  ({further / first:4.0%})", end="")
                print(f"  round trip {round_trip(gateway):5.0f} us", flush=True)
                group.terminate(timeout=5)


if __name__ == "__main__":
    main()
