"""Runs everything and writes it into ``docs/performance.rst``."""

from __future__ import annotations

import importlib.metadata
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import floods, keys, machine, page, starts, startup
from benchmarks.graph import drawn
from benchmarks.growth import growth, sizes
from benchmarks.null import null
from benchmarks.rounds import Figures, Results, alternated, middle, short, table
from benchmarks.servers import Workshop
from benchmarks.targets import ROWS, Row

DOCS = Path(__file__).parent.parent / "docs"
PAGE, PICTURE = DOCS / "performance.rst", DOCS / "growth.svg"
SIZES = [1, 10, 100, 1000, 5000]
PAGE_MEGABYTES, PAGE_KEYS = 50, 60
OTHERS = "webshell", "ideal", "ttyd", "wetty", "terminado", "gotty"


def run(workshop: Workshop, rounds: int, brief: bool) -> None:
    """Everything; unless *brief*, the page is written."""
    began = time.strftime("%Y-%m-%d")
    load = "client alone: " + ", ".join(
        f"{short(null(20 if brief else 500, size)['MB/s'])} MB/s in frames of {size} bytes" for size in (4096, 65536)
    )
    print(load, flush=True)
    lines: list[Sequence[str]] = [("what", "target", "webshell", "compared with", "ratio or value", "limit", "holds")]
    for row in ROWS:
        print(f"\n{row.title}", flush=True)
        count = 1 if brief else max(1, round(row.rounds * rounds / 5))
        results = alternated(workshop, row.servers, count, row.measured(brief))
        print(table(results), flush=True)
        lines += cells(row, results)
    typed, seconds = (20, 0.3) if brief else (300, 3.0)
    if not brief:  # each as soon as it is there
        about = f"{began}: {machine.described()}. {versions(workshop)}. {load}."
        write({"machine": [about, "", f"``{command()}``"], "targets": listed(lines)})
        write({"others": listed(compared(workshop, rounds))})
        drawn_in, ready = paged(workshop, rounds)
        write({"page": listed(drawn_in), "startup": listed(ready)})
    points = [growth(workshop, "webshell", size, typed, seconds) for size in sizes([5] if brief else SIZES)]
    if not brief:
        write_growth(points)


def write_growth(points: Sequence[Figures]) -> None:
    """Into the page, and as the picture."""
    PICTURE.write_text(drawn(points, "webshell: cost of sessions, idle and with 1 % of them active"), "utf-8")
    write({"growth": listed(grown(points))})


def write(parts: dict[str, list[str]]) -> None:
    """Replace these parts of the page."""
    text = PAGE.read_text("utf-8")
    for name, body in parts.items():
        text = replaced(text, name, "\n".join(body))
    PAGE.write_text(text, "utf-8")


def cells(row: Row, results: Results) -> list[Sequence[str]]:
    """Its lines of the table."""
    lines: list[Sequence[str]] = []
    for number, promise in enumerate(row.promises):
        title = row.title if not number else ""
        ours = with_spread(results, row.servers[0], promise.figure)
        if promise.other and promise.other not in results:
            lines.append((title, promise.text, ours, f"{promise.other}: not installed", "–", "–", "open"))
            continue
        theirs = with_spread(results, promise.other, promise.figure) if promise.other else "–"
        limit = f"{promise.limit} {short(promise.reached(results))}" if promise.limit in results else "–"
        holds = "yes" if promise.holds(results) else "**no**"
        lines.append((title, promise.text, ours, theirs, short(promise.value(results)), limit, holds))
    return lines


def with_spread(results: Results, name: str, figure: str) -> str:
    """The median, and between what the rounds were."""
    values = [figures[figure] for figures in results[name]]
    between = f" ({spread(values)})" if len(values) > 1 else ""
    return f"{name} {short(middle(results, name, figure))} {figure}{between}"


def spread(values: Sequence[float]) -> str:
    """Least and greatest."""
    return f"{short(min(values))}–{short(max(values))}"


def compared(workshop: Workshop, rounds: int) -> list[Sequence[str]]:
    """All the others that are installed."""
    kinds = workshop.kinds()
    names = [name for name in OTHERS if name in kinds and not kinds[name].missing()]

    def measure(workshop: Workshop, name: str) -> Figures:
        bulk, key = floods.throughput(workshop, name, 20), keys.echo(workshop, name, 100)
        return {**bulk, **key, "start ms": starts.start(workshop, name, 20)["p50 ms"]}

    results = alternated(workshop, names, max(1, rounds // 2), measure)
    figures = ["MB/s", "CPU s/GB", "p50 µs", "p99 µs", "start ms"]
    head = ["server", "MB/s", "CPU s/GB", "echo p50 µs", "echo p99 µs", "start ms"]
    return [head, *([name, *(short(middle(results, name, figure)) for figure in figures)] for name in names)]


def paged(workshop: Workshop, rounds: int) -> tuple[list[list[str]], list[list[str]]]:
    """The page in Chromium, and what comes before it."""
    drawn_in = page.lines(page.compared(workshop, rounds, PAGE_MEGABYTES, PAGE_KEYS))
    ready = [["from", "to", "milliseconds"]]
    for begin, times in startup.with_page(workshop.webshell, max(3, rounds)).items():
        for end in ("first answer", "first paint", "ready to type in"):
            if end in times:
                ready.append([begin, end, f"{short(machine.median(times[end]))} ({spread(times[end])})"])
    return drawn_in, ready


def grown(points: Sequence[Figures]) -> list[Sequence[str]]:
    """The figures behind the graph."""
    return [[*points[0]], *([short(value) for value in point.values()] for point in points)]


def listed(lines: Sequence[Sequence[str]]) -> list[str]:
    """A table."""
    body = [".. list-table::", "   :header-rows: 1", ""]
    for line in lines:
        body += [f"   {'*' if not number else ' '} - {cell}".rstrip() for number, cell in enumerate(line)]
    return body


def replaced(text: str, name: str, body: str) -> str:
    """*text* with another *body* between the comments ``.. NAME:`` and ``.. end of NAME``."""
    pattern = rf"(?<=\.\. {name}:\n\n).*?(?=\n\n\.\. end of {name}\n)"
    found, count = re.subn(pattern, lambda _: body, text, flags=re.DOTALL)
    if count != 1:
        raise SystemExit(f"{PAGE} has no place for {name}")
    return found


def versions(workshop: Workshop) -> str:
    """Of what is compared."""
    ours = [f"{name} {importlib.metadata.version(name)}" for name in ("webshell", "Twisted", "autobahn")]
    theirs = []
    for command in (workshop.ttyd(), [workshop.tool("websocketd")]):
        if command and command[0]:
            folder = Path(command[0]).parent
            told = subprocess.run([*command, "--version"], capture_output=True, text=True, check=False, cwd=folder)
            theirs.append((told.stdout or told.stderr).strip().splitlines()[0].partition(" (")[0])
    return ", ".join([*ours, *theirs])


def command() -> str:
    """As it was given, without this machine's folders."""
    words = [word for word in sys.argv[1:] if not word.startswith("/") and word != "--peers"]
    return shlex.join(["python", "-m", "benchmarks", *words])
