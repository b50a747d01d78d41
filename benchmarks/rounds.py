"""Alternating rounds of several servers, and the medians of what they measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from benchmarks import machine
from benchmarks.servers import Workshop

Figures = dict[str, float]
"""What one measurement found, by what it is; the unit is part of the name."""

Results = dict[str, list[Figures]]
"""By server, one for each round."""

Measure = Callable[[Workshop, str], Figures]
"""Measures one server, by name."""


def alternated(workshop: Workshop, names: Sequence[str], count: int, measure: Measure) -> Results:
    """A B C, A B C, …: whatever else the machine does meanwhile hits all of them.

    :param names: of servers; what follows a blank is for *measure* to understand.
    """
    kinds = workshop.kinds()
    results: Results = {}
    for name in names:
        if reason := kinds[name.split()[0]].missing():
            print(f"  {name}: {reason}", flush=True)
        else:
            results[name] = []
    for _ in range(count):
        for name, found in results.items():
            found.append(measure(workshop, name))
    return results


def middle(results: Results, name: str, what: str) -> float:
    """The median over the rounds."""
    return machine.median([figures[what] for figures in results[name]])


def ratio(results: Results, name: str, other: str, what: str) -> float:
    """The median over the rounds of the ratio within each."""
    pairs = zip(results[name], results[other], strict=True)
    return machine.median([mine[what] / theirs[what] for mine, theirs in pairs])


def table(results: Results) -> str:
    """Medians with the least and the greatest, and the ratios of the first server to each other one."""
    first, *others = results
    lines = []
    for what in results[first][0]:
        for name, found in results.items():
            values = [figures[what] for figures in found]
            spread = f"{short(min(values))} … {short(max(values))}"
            compared = ""
            if name in others and all(figures[what] for figures in found):
                compared = f"{first} / {name} = {ratio(results, first, name, what):.2f}"
            lines.append(f"{what:22} {name:14} {short(machine.median(values)):>10}   {spread:22} {compared}")
    return "\n".join(lines)


def short(value: float) -> str:
    """With the digits that say something."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
