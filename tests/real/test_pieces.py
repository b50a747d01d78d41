"""How much of a flooding terminal is read at a time depends on how often that sleeps."""

from __future__ import annotations

import threading

from webshell.targets.pieces import ALL_BYTES, DRAINS, HALF_BYTES, Pieces, sleeps

DRAIN_BYTES = 15 * ALL_BYTES


class Sleeps:
    """How often somebody has slept: in each drain *each* times."""

    def __init__(self, each: int) -> None:
        self.each = each
        self.count = 100

    def __call__(self) -> int:
        return self.count


def asked(pieces: Pieces, slept: Sleeps, drains: int) -> list[int]:
    sizes = []
    for _ in range(drains):
        sizes.append(pieces.begin())
        slept.count += slept.each
        pieces.end(DRAIN_BYTES)
    return sizes


def test_who_sleeps_at_every_other_read_reads_halves_from_then_on() -> None:
    slept = Sleeps(8)
    assert asked(Pieces(slept), slept, DRAINS) == [ALL_BYTES, *[HALF_BYTES] * (DRAINS - 1)]


def test_who_sleeps_less_reads_all_that_is_there() -> None:
    slept = Sleeps(7)
    assert asked(Pieces(slept), slept, DRAINS) == [ALL_BYTES] * DRAINS


def test_now_and_then_it_is_tried_again() -> None:
    slept = Sleeps(8)
    pieces = Pieces(slept)
    asked(pieces, slept, DRAINS)
    slept.each = 0
    assert asked(pieces, slept, DRAINS) == [ALL_BYTES] * DRAINS
    slept.each = 15
    assert asked(pieces, slept, DRAINS) == [ALL_BYTES, *[HALF_BYTES] * (DRAINS - 1)]


def test_a_sleep_is_counted() -> None:
    before = sleeps()
    threading.Event().wait(0.001)
    assert sleeps() > before
