"""The last bytes of a process, by offset, and the places where a reader can go on."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from webshell.scrollback import CHUNK_BYTES, PIECE_BYTES, SAFE_SEARCH_BYTES, SPARSE_BYTES, Scrollback


def contents(scrollback: Scrollback, limit: int = 1 << 20) -> list[tuple[int, bytes]]:
    """All that is kept, in the pieces in which it is read."""
    pieces = []
    offset = scrollback.base
    while offset < scrollback.end:
        stream, data = scrollback.read(offset, limit)
        pieces.append((stream, data))
        offset += len(data)
    return pieces


def test_small_pieces_of_one_stream_are_joined() -> None:
    scrollback = Scrollback()
    for byte in b"hello":
        scrollback.add(1, bytes([byte]))
    scrollback.add(2, b"oops")
    scrollback.add(1, b"!")
    assert contents(scrollback) == [(1, b"hello"), (2, b"oops"), (1, b"!")]
    assert (scrollback.base, scrollback.end) == (0, 10)


def test_pieces_are_joined_up_to_a_size_and_large_ones_cut() -> None:
    scrollback = Scrollback()
    scrollback.add(1, b"a" * (PIECE_BYTES - 1))
    scrollback.add(1, b"b")
    scrollback.add(1, b"c")
    scrollback.add(1, b"d" * (CHUNK_BYTES + 1))
    assert [len(data) for _, data in contents(scrollback)] == [PIECE_BYTES, 1, CHUNK_BYTES, 1]


def test_a_whole_chunk_is_handed_out_without_a_copy() -> None:
    scrollback = Scrollback()
    chunk = b"x" * PIECE_BYTES
    scrollback.add(1, chunk)
    assert scrollback.read(0, PIECE_BYTES)[1] is chunk
    assert scrollback.read(0, 10) == (1, b"x" * 10)
    assert scrollback.read(PIECE_BYTES - 3, 10) == (1, b"xxx")


def test_what_was_read_does_not_change_when_more_is_joined() -> None:
    scrollback = Scrollback()
    scrollback.add(1, b"a")
    _, data = scrollback.read(0, 10)
    scrollback.add(1, b"b")
    assert data == b"a"


@pytest.mark.parametrize("offset", [-1, 9, 20, 21])
def test_only_what_is_kept_can_be_read(offset: int) -> None:
    scrollback = Scrollback(10)
    scrollback.add(1, b"x" * 10)
    scrollback.add(2, b"y" * 10)
    assert (scrollback.base, scrollback.end) == (10, 20)
    with pytest.raises(IndexError):
        scrollback.read(offset, 1)


ADDED = st.lists(
    st.tuples(st.sampled_from([1, 2]), st.sampled_from([0, 1, 7, 300, PIECE_BYTES, CHUNK_BYTES, 3 * CHUNK_BYTES])),
    max_size=30,
)


@settings(max_examples=40)
@given(ADDED, st.sampled_from([0, 100, 5000, 100_000]))
def test_the_newest_bytes_are_kept_and_never_more_than_a_chunk_beyond_the_capacity(
    added: list[tuple[int, int]], capacity: int
) -> None:
    scrollback = Scrollback(capacity)
    whole = b""
    streams = b""
    for stream, size in added:
        data = bytes((len(whole) + at) % 251 for at in range(size))
        whole += data
        streams += bytes([stream]) * size
        scrollback.add(stream, data)
        held = scrollback.end - scrollback.base
        assert held < capacity + CHUNK_BYTES or not held
    pieces = contents(scrollback, 4000)
    assert scrollback.end == len(whole)
    assert b"".join(data for _, data in pieces) == whole[scrollback.base :]
    assert b"".join(bytes([stream]) * len(data) for stream, data in pieces) == streams[scrollback.base :]
    if len(added) * SPARSE_BYTES < capacity:  # else the number of chunks may be the bound
        assert scrollback.end - scrollback.base >= min(capacity, len(whole))


def test_streams_that_take_turns_are_bounded_in_number_too() -> None:
    scrollback = Scrollback(SPARSE_BYTES * 10)
    for _ in range(100):
        scrollback.add(1, b"o")
        scrollback.add(2, b"e")
    assert len(contents(scrollback)) == 11
    assert scrollback.end == 200


def test_with_keep_nothing_is_dropped_before_it_is_released() -> None:
    scrollback = Scrollback(1000, keep=True)
    scrollback.add(1, b"a" * 900)
    assert not scrollback.full
    scrollback.add(2, b"b" * 900)
    assert scrollback.full
    assert scrollback.base == 0
    scrollback.release(800)
    assert (scrollback.base, scrollback.full) == (0, True)
    scrollback.release(900)  # the rest is less than the capacity: what is released may stay for who attaches later
    assert (scrollback.base, scrollback.full) == (0, False)
    scrollback.add(1, b"c" * 100)
    assert (scrollback.base, scrollback.full) == (900, True)
    scrollback.release(5)  # backwards: nothing
    assert scrollback.floor == 900


def test_with_keep_many_small_turns_are_full_too_until_they_are_released() -> None:
    scrollback = Scrollback(SPARSE_BYTES * 10, keep=True)
    for number in range(12):
        assert not scrollback.full
        scrollback.add(1 + number % 2, b"x")
    assert scrollback.full
    scrollback.release(1)
    assert not scrollback.full
    assert scrollback.base == 1
    scrollback.release(12)
    assert not scrollback.full


def test_without_keep_it_is_never_full_and_nothing_is_released() -> None:
    scrollback = Scrollback(1)
    scrollback.add(1, b"abc")
    scrollback.release(2)
    assert not scrollback.full
    assert scrollback.read(0, 9) == (1, b"abc")


# ---- after a gap


def after_gap(head: bytes, *, before: bytes = b"-" * 10, terminal: bool = False) -> tuple[int, str]:
    """How many bytes of *head* are skipped when *before* was dropped, and the text that restores the terminal."""
    scrollback = Scrollback(len(head), terminal=terminal)
    scrollback.add(1, before)
    scrollback.add(2, head)  # another stream: a chunk of its own
    assert scrollback.base == len(before)
    offset, restore = scrollback.after_gap()
    return offset - len(before), restore


def test_nothing_is_skipped_while_all_is_kept() -> None:
    scrollback = Scrollback(terminal=True)
    scrollback.add(1, b"\x1b[31m a\nb")
    assert scrollback.after_gap() == (0, "")


@pytest.mark.parametrize(
    ("head", "skipped"),
    [
        (b"cut line\nwhole line\n", 9),
        (b"cut\x1b[1mbold\n", 3),
        (b"1mcut sequence\x1b[0m\n", 14),
        (b"\xbcber alles", 1),
        (b"\x82\xac euro", 2),
        (b"\x9f\x98\x80 smile", 3),
        (b"\x80\x80\x80\x80\x80 no UTF-8", 3),
        (b"\x80", 1),
        (b"plain", 0),
        (b"all of it\n", 10),
        (b"x" * SAFE_SEARCH_BYTES + b"\n", 0),
        (b"x" * (SAFE_SEARCH_BYTES - 1) + b"\n", SAFE_SEARCH_BYTES),
    ],
)
def test_reading_goes_on_where_no_line_sequence_or_character_is_cut(head: bytes, skipped: int) -> None:
    assert after_gap(head) == (skipped, "")


def test_the_search_goes_across_chunks() -> None:
    scrollback = Scrollback(6000)
    scrollback.add(1, b"-" * 5000)
    for number in range(20):
        scrollback.add(1 + number % 2, b"\n" if number == 15 else b"x")
    scrollback.add(1, b"x" * 5990)
    assert scrollback.base == 5010
    assert scrollback.after_gap() == (5016, "")


def test_the_search_is_bounded() -> None:
    scrollback = Scrollback(100_000)
    for _ in range(4):
        scrollback.add(1, b"x" * CHUNK_BYTES)
    assert scrollback.after_gap() == (scrollback.base, "")


def test_what_was_lost_is_restored() -> None:
    assert after_gap(b"screen\nrest", before=b"\x1b[?1049h\x1b[?2004h", terminal=True) == (7, "\x1b[?1049h\x1b[?2004h")


def test_what_is_skipped_counts_too() -> None:
    assert after_gap(b"9hmore\x1b[?25l", before=b"\x1b[?104", terminal=True) == (6, "\x1b[?1049h")


def test_asking_changes_nothing() -> None:
    scrollback = Scrollback(8, terminal=True)
    scrollback.add(1, b"\x1b]2;\xe2\x82")
    scrollback.add(2, b"\xac is the title")
    assert scrollback.after_gap() == scrollback.after_gap() == (7, "\x1b]2;€")


TEXT = "naïve \x1b[1mbold\x1b[0m €uro 😀\x1b]2;title\x07 end\nline two\r\n\x1b[?25lhidden".encode()


@given(st.integers(1, len(TEXT)))
@example(len(TEXT))
def test_wherever_it_is_cut_no_character_and_no_sequence_is(cut: int) -> None:
    skipped, restore = after_gap(TEXT[cut:] + b".", before=TEXT[:cut], terminal=True)
    rest = (TEXT[cut:] + b".")[skipped:]
    rest.decode()  # no character is cut
    # a sequence is either whole, or its beginning is what the restoring text ends with
    begins = TEXT.rfind(b"\x1b", 0, cut + skipped)
    for sequence in (b"\x1b[1m", b"\x1b[0m", b"\x1b]2;title\x07", b"\x1b[?25l"):
        if TEXT.startswith(sequence, begins) and begins < cut + skipped < begins + len(sequence):
            assert restore.encode().endswith(TEXT[begins : cut + skipped])


# ---- each stream by itself


@given(
    st.lists(st.tuples(st.sampled_from([1, 2]), st.integers(1, 40)), max_size=30),
    st.integers(1, 400),
    st.integers(0, 700),
)
def test_streams_are_counted_by_themselves(writes: list[tuple[int, int]], capacity: int, released: int) -> None:
    """Against a list of all bytes, each with its stream and its offset there."""
    scrollback = Scrollback(capacity, keep=True)
    everything: list[tuple[int, int]] = []
    ends = {1: 0, 2: 0}
    for stream, size in writes:
        scrollback.add(stream, bytes(size))
        for _ in range(size):
            everything.append((stream, ends[stream]))
            ends[stream] += 1
        scrollback.release(min(released, scrollback.end))
    for at in range(scrollback.base, scrollback.end + 1):
        before = [other for other, _ in everything[:at]]
        assert scrollback.counts(at) == (before.count(1), before.count(2))
    for stream in (1, 2):
        base = sum(1 for other, _ in everything[: scrollback.base] if other == stream)
        assert scrollback.span(stream) == (base, ends[stream])
        for offset in range(base, ends[stream]):
            assert scrollback.place(stream, offset) == everything.index((stream, offset))
        assert scrollback.place(stream, ends[stream]) == scrollback.end
        if base < ends[stream]:
            assert scrollback.place(stream, 0) == everything.index((stream, base))  # what is left of it


def test_large_pieces_of_both_streams_are_counted() -> None:
    scrollback = Scrollback(1 << 20)
    scrollback.add(2, b"e" * (2 * CHUNK_BYTES + 5))
    scrollback.add(1, b"o" * (CHUNK_BYTES + 1))
    assert scrollback.span(1) == (0, CHUNK_BYTES + 1)
    assert scrollback.span(2) == (0, 2 * CHUNK_BYTES + 5)
    assert scrollback.place(2, CHUNK_BYTES + 7) == CHUNK_BYTES + 7
    assert scrollback.place(1, CHUNK_BYTES) == 3 * CHUNK_BYTES + 5


def test_the_tail_of_a_stream() -> None:
    scrollback = Scrollback()
    assert scrollback.tail(2, 10) == b""
    for text in (b"one", b"two", b"three"):
        scrollback.add(2, text)
        scrollback.add(1, b"out")
    assert scrollback.tail(2, 100) == b"onetwothree"
    assert scrollback.tail(2, 8) == b"twothree"
    assert scrollback.tail(2, 7) == b"wothree"
    assert scrollback.tail(1, 100) == b"outoutout"
