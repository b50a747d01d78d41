"""How processes ended that are not kept any more, and who waits for an end."""

from __future__ import annotations

import signal

import pytest

from webshell.ended import REMEMBERED, End, Ended, exit_number


def test_the_newest_are_remembered() -> None:
    ended = Ended()
    for number in range(REMEMBERED + 1):
        ended.note("s", number, End("ada", number))
    ended.note("s", 1, End("ada", 99))  # now the newest
    ended.note("t", 1, End("ada", None))
    assert [ended.find("s", number) for number in (0, 1, 2, 3)] == [None, End("ada", 99), None, End("ada", 3)]
    assert ended.find("t", 1) == End("ada", None)


def test_who_waits_is_told_once() -> None:
    ended, told = Ended(), []
    leave = ended.wait("s", 1, lambda: told.append("one"))
    ended.wait("s", 1, lambda: told.append("two"))
    other = ended.wait("s", 2, lambda: told.append("other"))
    leave()
    leave()
    other()
    ended.note("s", 1, End("ada", None))  # it is being ended
    assert told == []
    ended.note("s", 1, End("ada", 0))
    ended.note("s", 1, End("ada", 0))
    ended.note("s", 2, End("ada", 0))
    assert told == ["two"]


@pytest.mark.parametrize(
    ("code", "name", "number"),
    [(0, None, 0), (3, None, 3), (None, "KILL", -9), (None, "RTMIN+2", -(signal.SIGRTMIN + 2)), (None, None, 0)],
)
def test_an_end_as_python_says_it(code: int | None, name: str | None, number: int) -> None:
    assert exit_number(code, name) == number
