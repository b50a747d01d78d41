"""Draws how cost grows with the number of sessions, as SVG by hand: light, and readable on dark and bright paper."""

from __future__ import annotations

import math
from collections.abc import Sequence

from benchmarks.rounds import Figures, short

WIDTH, HEIGHT = 300, 220
"""Of one panel, with its labels."""
LEFT, RIGHT, TOP, BOTTOM = 46, 10, 30, 34
PANELS: dict[str, dict[str, str]] = {
    "server CPU, %": {"idle": "idle % CPU", "1 % active": "active % CPU"},
    "server memory, MB": {"all sessions": "MB"},
    "echo of a key, µs": {
        "p50 idle": "idle p50 µs",
        "p50, 1 % active": "active p50 µs",
        "p99 idle": "idle p99 µs",
        "p99, 1 % active": "active p99 µs",
    },
}
"""What is drawn: titles of panels, names of their lines, and which figures these are."""
COLOURS = "#2a78b8", "#d9731a", "#7a9c2e", "#b0459a"
LEAST = 0.01
"""Where logarithmic axes begin at the latest: nothing may be 0 there."""


def drawn(points: Sequence[Figures], title: str) -> str:
    """The picture."""
    panels = [_panel(points, name, lines, WIDTH * number) for number, (name, lines) in enumerate(PANELS.items())]
    width = WIDTH * len(PANELS)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {HEIGHT}" font-family="sans-serif" '
            f'font-size="10" role="img"><title>{title}</title>',
            f'<rect width="{width}" height="{HEIGHT}" fill="#fff"/>',
            *panels,
            "</svg>\n",
        ]
    )


def _panel(points: Sequence[Figures], title: str, lines: dict[str, str], left: float) -> str:
    across = [math.log10(point["sessions"]) for point in points]
    values = [max(LEAST, point[what]) for point in points for what in lines.values()]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)) + 1e-9)
    high = max(high, low + 1)

    def x(value: float) -> float:
        return left + LEFT + (WIDTH - LEFT - RIGHT) * value / (max(across) or 1)

    def y(value: float) -> float:
        height = HEIGHT - TOP - BOTTOM
        return TOP + height * (1 - (math.log10(max(LEAST, value)) - low) / (high - low))

    parts = [f'<text x="{left + LEFT}" y="14" font-weight="bold">{title}</text>']
    for power in range(low, high + 1):
        at = y(10.0**power)
        parts.append(f'<path d="M{x(0):.0f} {at:.1f}H{x(max(across)):.0f}" stroke="#ddd"/>')
        parts.append(f'<text x="{x(0) - 4:.0f}" y="{at + 3:.1f}" text-anchor="end">{10.0**power:g}</text>')
    for point, place in zip(points, across, strict=True):
        label = (
            f'<text x="{x(place):.0f}" y="{HEIGHT - BOTTOM + 14}" text-anchor="middle">{point["sessions"]:.0f}</text>'
        )
        parts.append(label)
    parts.append(f'<text x="{(x(0) + x(max(across))) / 2:.0f}" y="{HEIGHT - 6}" text-anchor="middle">sessions</text>')
    for number, ((name, what), colour) in enumerate(zip(lines.items(), COLOURS, strict=False)):
        places = " ".join(f"{x(at):.1f},{y(point[what]):.1f}" for at, point in zip(across, points, strict=True))
        parts.append(f'<polyline points="{places}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        parts += [
            f'<circle cx="{x(at):.1f}" cy="{y(point[what]):.1f}" r="2.5" fill="{colour}">'
            f"<title>{name}, {point['sessions']:.0f} sessions: {short(point[what])}</title></circle>"
            for at, point in zip(across, points, strict=True)
        ]
        parts.append(f'<text x="{x(0) + 6:.0f}" y="{TOP + 8 + 11 * number}" fill="{colour}">{name}</text>')
    return "\n".join(parts)
