"""What a terminal would have been told by output that is gone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webshell.modes import CARRY_BYTES, SGR_SEQUENCES, Modes


def restored(*pieces: bytes) -> str:
    modes = Modes()
    for piece in pieces:
        modes.feed(piece)
    return modes.restore()


@pytest.mark.parametrize(
    ("output", "restore"),
    [
        (b"no sequence at all", ""),
        (b"\x1b[?2004h", "\x1b[?2004h"),
        (b"\x1b[?2004h\x1b[?2004l", ""),
        (b"\x1b[?1002;1006h", "\x1b[?1002h\x1b[?1006h"),
        (b"\x1b[?1049h\x1b[?1h", "\x1b[?1049h\x1b[?1h"),  # the alternate screen first: it clears
        (b"\x1b[?47h\x1b[?1049h", "\x1b[?1049h"),
        (b"\x1b[?1049h\x1b[?47l", ""),
        (b"\x1b[?25l", "\x1b[?25l"),  # a reset terminal shows its cursor
        (b"\x1b[?25l\x1b[?25h", ""),
        (b"\x1b[?7l", "\x1b[?7l"),
        (b"\x1b[?3h", ""),  # 132 columns: the size is not the output's business
        (b"\x1b[?;1h", "\x1b[?1h"),
        (b"\x1b[1;31m", "\x1b[1;31m"),
        (b"\x1b[1m\x1b[31m", "\x1b[1m\x1b[31m"),
        (b"\x1b[1m\x1b[m", ""),
        (b"\x1b[1m\x1b[0m", ""),
        (b"\x1b[1m\x1b[0;32m", "\x1b[0;32m"),
        (b"\x1b[38:2::1:2:3m", "\x1b[38:2::1:2:3m"),
        (b"\x1b[5;20r", "\x1b[5;20r"),
        (b"\x1b[5;20r\x1b[r", ""),
        (b"\x1b=", "\x1b="),
        (b"\x1b=\x1b>", "\x1b>"),
        (b"\x1b(0", "\x1b(0"),
        (b"\x1b(0\x1b(B", ""),
        (b"\x1b]2;title\x07", "\x1b]2;title\x07"),
        (b"\x1b]0;title\x1b\\", "\x1b]2;title\x07"),
        ("\x1b]2;größer\x07".encode(), "\x1b]2;größer\x07"),
        (b"\x1b]2;" + b"x" * 257 + b"\x07", ""),
        (b"\x1b[?1049h\x1b[1m\x1b=\x1b(0\x1b[2;3r\x1bc", ""),
        (b"\x1b[?1049h\x1b[1m\x1b[!p", ""),
        (b"\x1b]2;stays\x07\x1bc", "\x1b]2;stays\x07"),
        (b"\x1b[2J\x1b[H\x1b[10;10Htext", ""),
        (b"\x1b[?" + b"9" * 60 + b"h", ""),
        (b"text \x1b[3", "\x1b[3"),  # cut: what comes next completes it
    ],
)
def test_restore(output: bytes, restore: str) -> None:
    assert restored(output) == restore
    assert restored(*(output[at : at + 1] for at in range(len(output)))) == restore


def test_colours_are_bounded() -> None:
    text = restored(b"".join(b"\x1b[%dm" % (30 + number % 8) for number in range(100)))
    assert text.count("m") == SGR_SEQUENCES


def test_what_is_carried_is_bounded() -> None:
    modes = Modes()
    modes.feed(b"\x1b]2;")
    for _ in range(1000):
        modes.feed(b"x")
        assert len(modes._carry) <= CARRY_BYTES


SESSION = (
    b"$ vi\x1b[?1049h\x1b[?1h\x1b=\x1b[1;24r\x1b[?25l\x1b]2;notes \xe2\x82\xac (vi)\x1b\\\x1b[1;38;5;12m~\x1b[m"
    b"\x1b[?1002;1006h\x1b(0lqk\x1b(B\x1b[!p\x1b[?1000h\x1b[7m\x1b[?1049l\x1b[" + b"?" + b"1;" * 29 + b"12h"
)


@given(st.integers(0, len(SESSION)), st.integers(0, len(SESSION)))
def test_cuts_make_no_difference(first: int, second: int) -> None:
    first, second = sorted((first, second))
    assert restored(SESSION[:first], SESSION[first:second], SESSION[second:]) == restored(SESSION)


@given(st.lists(st.binary(max_size=30) | st.sampled_from([b"\x1b", b"\x1b[", b"\x1b[?", b";", b"0", b"\x07", b"h"])))
def test_no_output_is_too_strange(pieces: list[bytes]) -> None:
    modes = Modes()
    for piece in pieces:
        modes.feed(piece)
    assert isinstance(modes.restore(), str)


PIECES = [b"\x1b[?25l", b"\x1b[?1049h", b"\x1b[1m", b"\x1b[m", b"\x1bc", b"\x1b(0", b"\x1b]2;t\x07"]


@given(st.lists(st.sampled_from(PIECES)))
def test_restoring_restores(pieces: list[bytes]) -> None:
    text = restored(*pieces)
    assert restored(text.encode()) == text
