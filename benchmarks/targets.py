"""What is promised, and the measurements that show whether it holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks import floods, keys, machine, pastes, starts, startup
from benchmarks.rounds import Figures, Measure, Results, middle, ratio
from benchmarks.servers import Workshop

US, TTYD, IDEAL = "webshell", "ttyd", "ideal"
RELAY = "ideal-1k"
"""The fastest that we know, as long as it does nothing but relay."""
BARE = "autobahn"
"""The least that a server on Twisted and Autobahn does."""
ALL = US, IDEAL, TTYD
LIMITED = US, IDEAL, RELAY, TTYD
VIEWERS = 10


@dataclass(frozen=True)
class Promise:
    """One figure and its bound.

    :ivar figure: which of the measured ones is shown.
    :ivar value: what the bound is for, from all that was measured.
    :ivar other: what it is compared with; the promise is left open where that is not installed.
    :ivar limit: what reaches most of this here, although it does next to nothing; empty: nobody asked.
    """

    text: str
    figure: str
    bound: float
    value: Callable[[Results], float]
    other: str = ""
    at_most: bool = True
    limit: str = ""

    def reached(self, results: Results) -> float:
        """What *value* would be if ours were as good as the limit."""
        return self.value({**results, US: results[self.limit], f"{US}-tls": results[self.limit]})

    def holds(self, results: Results) -> bool:
        """Does it?"""
        value = self.value(results)
        return value <= self.bound if self.at_most else value >= self.bound


@dataclass(frozen=True)
class Row:
    """One measurement of several servers, and what is promised about it; the first server is ours.

    :ivar measure: ``(workshop, name, short)``.
    :ivar rounds: how many, of 5.
    """

    title: str
    servers: tuple[str, ...]
    measure: Callable[[Workshop, str, bool], Figures]
    promises: tuple[Promise, ...]
    rounds: int = 5

    def measured(self, short: bool) -> Measure:
        """For rounds."""
        return lambda workshop, name: self.measure(workshop, name, short)


def at_least(figure: str, bound: float, other: str, first: str = US, limit: str = "") -> Promise:
    """So many times what *other* reaches."""
    text = f"≥ {bound:g} × {other}"
    return Promise(text, figure, bound, lambda r: ratio(r, first, other, figure), other, False, limit)


def at_most(figure: str, bound: float, other: str, limit: str = "") -> Promise:
    """So many times what *other* needs."""
    text = f"≤ {bound:g} × {other}"
    return Promise(text, figure, bound, lambda r: ratio(r, US, other, figure), other, limit=limit)


def within(figure: str, bound: float, name: str = US) -> Promise:
    """So much at most, by itself."""
    return Promise(f"≤ {bound:g}", figure, bound, lambda r: middle(r, name, figure))


def _p50_of(figure: str, bound: float, other: str) -> Promise:
    def value(results: Results) -> float:
        return middle(results, US, figure) / middle(results, other, "p50 µs")

    return Promise(f"≤ {bound:g} × {other}'s p50", figure, bound, value, other, limit=RELAY)


def _near(figure: str, bound: float, other: str) -> Promise:
    text = f"≤ {other} + {bound:g}"
    return Promise(text, figure, bound, lambda r: middle(r, US, figure) - middle(r, other, figure), other)


def _for_each_viewer(results: Results) -> float:
    many, one = (middle(results, name, "CPU s/GB") for name in (f"{US} {VIEWERS}", US))
    return (many / one - 1) / (VIEWERS - 1)


def _flood(workshop: Workshop, name: str, short: bool) -> Figures:
    return floods.throughput(workshop, name, 10 if short else 100)


def _floods(count: int) -> Callable[[Workshop, str, bool], Figures]:
    return lambda workshop, name, short: floods.throughput(workshop, name, 5 if short else 50, count)


def _viewed(workshop: Workshop, name: str, short: bool) -> Figures:
    viewers = int([*name.split(), "1"][1])
    return floods.throughput(workshop, US, 5 if short else 50, viewers=viewers)


def _echo(count: int) -> Callable[[Workshop, str, bool], Figures]:
    return lambda workshop, name, short: keys.echo(workshop, name, 20 if short else 300, count)


def _start(at_once: int) -> Callable[[Workshop, str, bool], Figures]:
    return lambda workshop, name, short: starts.start(workshop, name, 16 if short else 128, at_once)


def _blocked(workshop: Workshop, name: str, short: bool) -> Figures:
    return starts.blocked(workshop, name, 500 if short else 10_000, 5 if short else 100)


def _idle(workshop: Workshop, name: str, short: bool) -> Figures:
    return starts.idle(workshop, name, 10, 0.3) if short else starts.idle(workshop, name, 300)


def _ctrl_c(rate: float) -> Callable[[Workshop, str, bool], Figures]:
    return lambda workshop, name, short: keys.ctrl_c(workshop, name, rate)


def _never_reads(workshop: Workshop, name: str, short: bool) -> Figures:
    return floods.never_reads(workshop, name, 1 if short else 6)


def _fair(workshop: Workshop, name: str, short: bool) -> Figures:
    return floods.fairness(workshop, name, 4, 0.5 if short else 3)


def _paste(workshop: Workshop, name: str, short: bool) -> Figures:
    return pastes.paste(workshop, name, 1 if short else 100 if name == "webshell-pipe" else 10)


def _start_up(workshop: Workshop, name: str, short: bool) -> Figures:
    times = startup.rounds(workshop.webshell, 1 if short else 3, None)
    return {"ms to the first answer": machine.median(times["command"]["first answer"])}


ROWS = (
    Row(
        "bulk output, pty to client",
        LIMITED,
        _flood,
        (
            at_least("MB/s", 1.5, TTYD, limit=RELAY),
            at_least("MB/s", 0.95, IDEAL),
            at_most("CPU s/GB", 0.55, TTYD, limit=RELAY),
        ),
    ),
    Row("four floods at once", ALL, _floods(4), (at_least("MB/s", 1.3, TTYD),)),
    Row(
        "one viewer, ten viewers",
        (US, f"{US} {VIEWERS}"),
        _viewed,
        (Promise("≤ 0.25 of the CPU of one for each more", "CPU s/GB", 0.25, _for_each_viewer),),
    ),
    Row(
        "bulk output, TLS",
        ("webshell-tls", US, RELAY, "ttyd-tls"),
        _flood,
        (at_least("MB/s", 0.8, US, "webshell-tls"), at_least("MB/s", 1.3, "ttyd-tls", "webshell-tls", RELAY)),
    ),
    Row(
        "bulk output, pipe",
        ("webshell-pipe", "websocketd"),
        _flood,
        (at_least("MB/s", 0.8, "websocketd", "webshell-pipe"),),
    ),
    Row("fairness of four floods", ALL, _fair, (at_least("least share", 0.9, TTYD),), 3),
    Row("echo of a key, idle", LIMITED, _echo(0), (at_most("p50 µs", 1.15, TTYD, RELAY),)),
    Row(
        "echo, one flood beside",
        LIMITED,
        _echo(1),
        (_p50_of("p50 µs", 0.7, TTYD), at_most("p99 µs", 1, TTYD, RELAY)),
    ),
    Row(
        "echo, four floods beside",
        LIMITED,
        _echo(4),
        (_p50_of("p50 µs", 0.7, TTYD), at_most("p99 µs", 1, TTYD, RELAY)),
    ),
    Row("start to the first prompt, one by one", (*ALL, BARE), _start(1), (at_most("p50 ms", 1, TTYD, BARE),)),
    Row("start to the first prompt, 16 at once", (*ALL, BARE), _start(16), (at_most("p50 ms", 1, TTYD, BARE),)),
    Row("start with 10,000 descriptors open", (US,), _blocked, (within("ms blocked", 2),), 1),
    Row("idle sessions", (US, TTYD), _idle, (within("kB a session", 15), within("threads a session", 0)), 3),
    Row(
        "Ctrl-C in a flood, client of 20 MB/s",
        (US, TTYD),
        _ctrl_c(20),
        (at_most("ms to the prompt", 0.2, TTYD), within("MB after it", 0.3)),
    ),
    Row("Ctrl-C in a flood, fast client", (US, TTYD), _ctrl_c(0), (_near("ms to the prompt", 2, TTYD),)),
    Row("a client that never reads", (US, TTYD), _never_reads, (within("MB more", 2), within("% CPU", 0.5)), 3),
    Row(
        "bulk input, 100 MB, pipe",
        ("webshell-pipe", TTYD),
        _paste,
        (at_least("MB/s", 1, TTYD, "webshell-pipe"),),
        3,
    ),
    Row("bulk input, 10 MB, pty", (US, TTYD), _paste, (at_least("MB/s", 1, TTYD),)),
    Row("from the command to the first answer", (US,), _start_up, (within("ms to the first answer", 600),), 1),
)
