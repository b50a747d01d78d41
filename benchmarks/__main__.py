"""Webshell against the limit of the machine and against other web terminals.

python -m benchmarks throughput [--servers webshell,ideal,ttyd] [--rounds 5] [--sessions 4]
"""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks import floods, growth, install, keys, null, pastes, report, starts, startup
from benchmarks import page as pages
from benchmarks.rounds import Measure, alternated, short, table
from benchmarks.servers import DEFAULT_WEBSHELL, Workshop

PEERS = Path.home() / ".cache" / "webshell-benchmarks"
"""Where ``install`` puts the other servers."""

MEGABYTES = 100
"""Of a flood, unless told: a second or two."""

Subcommand = Callable[[argparse.Namespace], Measure]


def throughput(options: argparse.Namespace) -> Measure:
    """Bulk output, pty to client."""
    return lambda workshop, name: floods.throughput(
        workshop, name, options.megabytes, options.sessions, options.viewers if name.startswith("webshell") else 1
    )


def echo(options: argparse.Namespace) -> Measure:
    """A key and its echo."""
    return lambda workshop, name: keys.echo(workshop, name, options.keys, options.floods)


def start(options: argparse.Namespace) -> Measure:
    """From the connection to the first prompt."""
    return lambda workshop, name: starts.start(workshop, name, options.count, options.at_once)


def blocked(options: argparse.Namespace) -> Measure:
    """How long a start keeps others waiting, with many descriptors open (webshell only)."""
    return lambda workshop, name: starts.blocked(workshop, name, options.descriptors, options.count)


def idle(options: argparse.Namespace) -> Measure:
    """What sessions cost in which nothing happens."""
    return lambda workshop, name: starts.idle(workshop, name, options.count)


def slow(options: argparse.Namespace) -> Measure:
    """A client that never reads a flood."""
    return lambda workshop, name: floods.never_reads(workshop, name, options.seconds)


def ctrl_c(options: argparse.Namespace) -> Measure:
    """Ctrl-C in a flood."""
    return lambda workshop, name: keys.ctrl_c(workshop, name, options.rate)


def fairness(options: argparse.Namespace) -> Measure:
    """Floods at once: what the least of them gets."""
    return lambda workshop, name: floods.fairness(workshop, name, max(2, options.sessions), options.seconds)


def paste(options: argparse.Namespace) -> Measure:
    """Bulk input."""
    return lambda workshop, name: pastes.paste(workshop, name, options.megabytes)


SUBCOMMANDS: dict[str, Subcommand] = {
    "throughput": throughput,
    "echo": echo,
    "start": start,
    "blocked": blocked,
    "idle": idle,
    "slow": slow,
    "ctrl-c": ctrl_c,
    "fairness": fairness,
    "input": paste,
}
"""What measures one server after the other."""


def everything(workshop: Workshop, options: argparse.Namespace) -> None:
    """All of it, into docs/performance.rst."""
    report.run(workshop, options.rounds, options.short)


def client(workshop: Workshop, options: argparse.Namespace) -> None:
    """The client alone, with a server that only writes frames."""
    for frame_bytes in (512, 4096, 16384, 65536):
        found = null.null(5 * options.megabytes, frame_bytes)
        print(f"frames of {frame_bytes:5} bytes: " + ", ".join(f"{short(v)} {k}" for k, v in found.items()))


def grow(workshop: Workshop, options: argparse.Namespace) -> None:
    """Cost by the number of sessions, into docs/performance.rst and docs/growth.svg."""
    wanted = [int(size) for size in options.sizes.split(",")]
    report.write_growth([growth.growth(workshop, "webshell", size, options.keys) for size in growth.sizes(wanted)])


def start_up(workshop: Workshop, options: argparse.Namespace) -> None:
    """From the command to the first answer, and from following its link to a page that can be typed in."""
    print(f"import webshell brings {startup.modules()} other modules")
    print(startup.table(startup.with_page(workshop.webshell, options.rounds)))


def page(workshop: Workshop, options: argparse.Namespace) -> None:
    """The page in Chromium: floods until they are drawn, echo, Ctrl-C."""
    times = pages.compared(workshop, options.rounds, options.megabytes, options.keys, options.profile)
    for line in pages.lines(times):
        print("".join(f"{cell:32}" for cell in line))


def install_peers(workshop: Workshop, options: argparse.Namespace) -> None:
    """The other servers, into the folder that --peers names."""
    install.install(options.peers)


WHOLE: dict[str, Callable[[Workshop, argparse.Namespace], None]] = {
    "all": everything,
    "null": client,
    "growth": grow,
    "startup": start_up,
    "page": page,
    "install": install_peers,
}
"""What is more than that."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("what", choices=[*SUBCOMMANDS, *WHOLE])
    parser.add_argument(
        "-s", "--servers", default="webshell,ideal,ttyd", help="the first one is compared to the others"
    )
    parser.add_argument("-n", "--rounds", type=int, default=5)
    parser.add_argument("--peers", type=Path, default=PEERS, help="where the other servers are installed")
    parser.add_argument("--webshell", default=DEFAULT_WEBSHELL, help="what starts the daemon; options are appended")
    parser.add_argument(
        "--megabytes", type=int, help=f"of each flood; page: {report.PAGE_MEGABYTES}, others: {MEGABYTES}"
    )
    parser.add_argument("--sessions", type=int, default=1, help="that flood at once")
    parser.add_argument("--viewers", type=int, default=1, help="of each session")
    parser.add_argument("--keys", type=int, default=300)
    parser.add_argument("--floods", type=int, default=0, help="beside the key")
    parser.add_argument("--count", type=int, default=100, help="of sessions")
    parser.add_argument("--at-once", type=int, default=1, help="sessions that start")
    parser.add_argument("--descriptors", type=int, default=10000, help="open before sessions start")
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--rate", type=float, default=0, help="MB/s that the client takes; 0: all it can")
    parser.add_argument("--sizes", default="1,10,100,1000,5000", help="growth: numbers of sessions")
    parser.add_argument("--profile", type=Path, help="page: where to write a profile of ours")
    parser.add_argument("--short", action="store_true", help="all: in a minute, for the exit status only")
    options = parser.parse_args()
    options.megabytes = options.megabytes or (report.PAGE_MEGABYTES if options.what == "page" else MEGABYTES)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # ends what was started, too
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # programs whose terminal is gone would outlive a run under nohup
    workshop = Workshop(options.peers, shlex.split(options.webshell))
    try:
        if options.what in WHOLE:
            WHOLE[options.what](workshop, options)
            return
        measure = SUBCOMMANDS[options.what](options)
        print(table(alternated(workshop, options.servers.split(","), options.rounds, measure)))
    finally:
        workshop.close()


if __name__ == "__main__":
    main()
