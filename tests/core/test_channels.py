"""Side channels: credit, who falls behind, late comers, the brake, the end, and what it looks like on a socket."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from doubles import FakeClient, FakeListener, World
from hypothesis import given
from hypothesis import strategies as st

from webshell import messages as m
from webshell.channels import EPILOGUE_BYTES, KINDS, Channels, Cutter, joined
from webshell.dialects.further import Further
from webshell.dialects.further_py import FurtherPython
from webshell.errors import BadRequest, InputFull
from webshell.grant import Grant
from webshell.recipes import RECIPES
from webshell.target import Parent

DOCS = Path(__file__).parents[2] / "docs"
NAMES = ["keylisten", "keyevent", "video"]
CREDIT = KINDS["video"].credit


def scene() -> tuple[World, FakeClient, Parent]:
    """A client of the native dialect, and its process with side channels."""
    world = World()
    ada, _ = world.opened("ada")
    ada.ask("start", runner="sh", line="x", channels=NAMES)
    world.take()
    return world, ada, world.children[0].parent


def said(name: str, text: bytes) -> tuple[int, int, bytes]:
    """As a client notes it."""
    return 3, 1, bytes([len(name)]) + name.encode() + text


# ---- pictures: the latest wins


def test_a_client_that_keeps_up_gets_every_picture() -> None:
    world, ada, parent = scene()
    for number in range(10):
        parent.said("video", b"%d" % number)
        assert world.heard("ada") == [said("video", b"%d" % number)]
        ada.ask("seen", process=1, channel="video", count=number + 1)
    assert world.take() == []


def test_a_client_that_falls_behind_gets_the_latest_and_no_backlog() -> None:
    world, ada, parent = scene()
    for number in range(100):
        parent.said("video", b"%d" % number)
    assert world.heard("ada") == [said("video", b"%d" % number) for number in range(CREDIT)]
    ada.ask("seen", process=1, channel="video", count=1)
    assert world.heard("ada") == [said("video", b"99")]
    ada.ask("seen", process=1, channel="video", count=CREDIT + 1)
    assert world.heard("ada") == []
    parent.said("video", b"100")
    assert world.heard("ada") == [said("video", b"100")]


def test_a_full_transport_is_the_same_for_who_does_not_acknowledge() -> None:
    log: list[Any] = []
    feeds = Channels(1, ["video"])
    slow, fast = FakeListener(log, "slow"), FakeListener(log, "fast")
    feeds.attach(slow)
    feeds.attach(fast)
    slow.writable = False
    for number in range(5):
        feeds.said("video", b"%d" % number)
    assert log == [("fast", m.Said(1, "video", b"%d" % number)) for number in range(5)]
    log.clear()
    slow.writable = True
    assert feeds.serve(slow)
    assert log == [("slow", m.Said(1, "video", b"4"))]


def test_who_comes_later_sees_the_picture_that_is_shown() -> None:
    world, ada, parent = scene()
    parent.said("video", b"old")
    parent.said("video", b"shown")
    bob = world.client("bob", Grant("bob", owners=frozenset({"ada"})))
    ada.ask("list", id=1)
    session = world.take()[-1][1]["sessions"][0]["session"]
    bob.ask("attach", session=session)
    assert said("video", b"shown") in world.heard("bob")


@pytest.mark.parametrize("count", [0, 5, 1 << 53])
def test_what_cannot_have_been_seen_is_ignored(count: int) -> None:
    world, ada, parent = scene()
    for number in range(9):
        parent.said("video", b"%d" % number)
    world.take()
    ada.ask("seen", process=1, channel="video", count=count)
    assert world.take() == []


# ---- keys: none is lost


def test_keys_are_all_told_in_order_and_the_program_waits_for_who_is_slow() -> None:
    world, ada, parent = scene()
    keys = [b"%d" % number for number in range(KINDS["keylisten"].credit + 5)]
    for key in keys[:-5]:
        parent.said("keylisten", key)
    assert world.take() == [*(("ada", *said("keylisten", key)) for key in keys[:-5]), (1, "hold", "keylisten")]
    for key in keys[-5:]:  # what was on its way
        parent.said("keylisten", key)
    assert world.take() == []
    ada.ask("seen", process=1, channel="keylisten", count=10)
    assert world.take() == [*(("ada", *said("keylisten", key)) for key in keys[-5:]), (1, "release", "keylisten")]


def test_somebody_who_can_take_more_is_enough_and_who_leaves_holds_nothing_up() -> None:
    world, ada, parent = scene()
    ada.ask("list", id=1)
    session = world.take()[-1][1]["sessions"][0]["session"]
    bob = world.client("bob", Grant("bob", owners=frozenset({"ada"})))
    bob.ask("attach", session=session)
    bob.connection.pause()
    world.take()
    parent.said("keylisten", b"a")
    assert world.take() == [("ada", *said("keylisten", b"a"))]
    ada.connection.pause()
    assert (1, "hold", "keylisten") in world.take()
    ada.connection.resume()
    assert (1, "release", "keylisten") in world.take()
    ada.connection.pause()
    bob.connection.closed()
    ada.connection.closed()
    assert (1, "release", "keylisten") in world.take()  # nobody is there: it goes on


def test_who_comes_later_hears_which_keys_are_listened_to() -> None:
    feeds = Channels(1, NAMES)
    for key in (b"a", b"b"):
        feeds.said("keylisten", key)
    log: list[Any] = []
    late = FakeListener(log, window=1)
    feeds.attach(late)
    assert feeds.serve(late)
    assert log == [("ada", m.Said(1, "keylisten", b"a")), ("ada", m.Said(1, "keylisten", b"b"))]


@pytest.mark.parametrize("size", [1, KINDS["keylisten"].message_bytes])
def test_what_is_kept_is_bounded(size: int) -> None:
    kind = KINDS["keylisten"]
    feeds = Channels(1, NAMES)
    for number in range(3 * kind.kept):
        feeds.said("keylisten", b"%*d" % (size, number))
    log: list[Any] = []
    late = FakeListener(log)
    feeds.attach(late)
    feeds.serve(late)
    kept = min(kind.kept, kind.kept_bytes // len(log[-1][1].message))
    assert [event.message for _, event in log] == [b"%*d" % (size, n) for n in range(3 * kind.kept)][-kept:]


def test_who_falls_out_of_what_is_kept_goes_on_with_the_oldest() -> None:
    kind = KINDS["keylisten"]
    feeds = Channels(1, NAMES)
    log: list[Any] = []
    slow = FakeListener(log)
    feeds.attach(slow)
    slow.writable = False
    for number in range(kind.kept + 7):
        feeds.said("keylisten", b"%d" % number)
    slow.writable = True
    feeds.serve(slow)
    assert [event.message for _, event in log] == [b"%d" % (n + 7) for n in range(kind.kept)]


# ---- to the program


def test_keys_reach_the_program() -> None:
    world, ada, _ = scene()
    ada.ask("tell", id=1, process=1, channel="keyevent", text="a keydown")
    assert world.take() == [(1, "tell", "keyevent", b"a keydown"), ("ada", {"type": "done", "id": 1})]


def test_what_waits_for_the_program_is_bounded() -> None:
    world, ada, _ = scene()
    most = KINDS["keyevent"].kept_bytes
    ada.ask("tell", process=1, channel="keyevent", text="x" * most)
    assert len(world.take()) == 1
    ada.ask("tell", process=1, channel="keyevent", text="x")
    assert world.take()[0][1]["code"] == "input-full"
    assert world.children[0].sides is not None
    with pytest.raises(InputFull):
        Channels.tell(_with_sides(world), "keyevent", b"x")


def _with_sides(world: World) -> Channels:
    feeds = Channels(1, NAMES)
    feeds.sides = world.children[0].sides
    return feeds


@pytest.mark.parametrize("name", ["video", "keylisten", "other", ""])
def test_only_what_listens_can_be_told(name: str) -> None:
    world, ada, _ = scene()
    ada.ask("tell", id=1, process=1, channel=name, text="x")
    assert [(event["code"], event["id"]) for event in world.heard("ada")] == [("bad-request", 1)]


@pytest.mark.parametrize("name", ["keyevent", "other", ""])
def test_only_what_speaks_can_be_seen(name: str) -> None:
    with pytest.raises(BadRequest):
        Channels(1, NAMES).seen(FakeListener([]), name, 1)
    Channels(1, NAMES).seen(FakeListener([]), "video", 1)  # of a listener that has left


def test_a_process_has_the_channels_that_were_asked_for() -> None:
    world = World()
    ada, _ = world.opened("ada")
    ada.ask("start", runner="sh", line="x")
    ada.ask("start", runner="sh", line="x", channels=["video"])
    assert [child.command.channels for child in world.children] == [(), ("video",)]
    world.take()
    for process in (1, 2):
        ada.ask("tell", process=process, channel="keyevent", text="x")
    assert [event["code"] for event in world.heard("ada")] == ["bad-request", "bad-request"]


def test_a_place_without_side_channels_drops_what_is_told() -> None:
    Channels(1, NAMES).tell("keyevent", b"x")
    feeds = Channels(1, NAMES)
    blocked = FakeListener([])
    blocked.writable = False
    feeds.attach(blocked)
    feeds.said("keylisten", b"x")


# ---- the end


def test_the_last_picture_comes_before_the_end_whatever_was_acknowledged() -> None:
    world, ada, parent = scene()
    for number in range(9):
        parent.said("video", b"%d" % number)
    world.take()
    parent.exited(0, None, ())
    last, ended = world.take()
    assert last == ("ada", *said("video", b"8"))
    assert ended[1]["type"] == "exited"
    ada.ask("tell", process=1, channel="keyevent", text="x")
    assert world.heard("ada")[0]["code"] == "wrong-state"


def test_the_end_waits_for_a_transport_that_is_full() -> None:
    world, ada, parent = scene()
    ada.connection.pause()
    parent.said("video", b"last")
    parent.exited(0, None, ())
    assert world.heard("ada") == []
    ada.connection.resume()
    last, ended = world.take()
    assert last == ("ada", *said("video", b"last"))
    assert ended[1]["type"] == "exited"


@pytest.mark.parametrize("large", [False, True])
def test_little_is_kept_after_the_end(large: bool) -> None:
    picture = b"x" * (EPILOGUE_BYTES + large)
    feeds = Channels(1, NAMES)
    log: list[Any] = []
    here = FakeListener(log)
    here.writable = False
    feeds.attach(here)
    feeds.said("video", picture)
    feeds.end()
    assert not feeds.serve(here)
    here.writable = True
    assert feeds.serve(here)
    late = FakeListener(log, "late")
    feeds.attach(late)
    feeds.serve(late)
    feeds.detach(late)
    event = m.Said(1, "video", picture)
    assert log == [("ada", event)] + [("late", event)] * (not large)


def test_who_goes_while_it_is_told_is_told_no_more() -> None:
    log: list[Any] = []
    feeds = Channels(1, NAMES)
    one, other = FakeListener(log, "one"), FakeListener(log, "other")
    feeds.attach(one)
    feeds.attach(other)

    def go(event: m.Event) -> None:
        feeds.detach(other)
        feeds.detach(one)
        one.writable = False

    one.on_event = go
    feeds.said("keylisten", b"a")
    assert log == [("one", m.Said(1, "keylisten", b"a"))]


# ---- on a program's sockets


def cut(name: str, *pieces: bytes) -> list[bytes]:
    messages: list[bytes] = []
    cutter = Cutter(name, messages.append)
    for piece in pieces:
        cutter.add(piece)
    return messages


def test_messages_are_cut_at_their_ends() -> None:
    assert cut("keylisten", b"a endkeylisten ArrowUp endkeylisten b") == [b"a", b"ArrowUp"]
    assert cut("keylisten", b"  endkeylisten ") == [b" "]
    assert cut("keylisten", b" endkeylisten endkeylisten x endkeylisten ") == [b"x"]
    assert cut("video", b"a endkeylisten  endvideo ") == [b"a endkeylisten "]


@given(st.lists(st.sampled_from([b"a", b" ", b"end", b"xendvideo", b"\xff", b"x y"]), max_size=6), st.data())
def test_where_the_pieces_end_makes_no_difference(messages: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(joined("video", message) for message in messages)
    assert cut("video", stream) == messages
    at = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    pieces = [stream[start:end] for start, end in zip([0, *at], [*at, len(stream)], strict=True)]
    assert cut("video", *pieces) == messages


@pytest.mark.parametrize("step", [7, 1000, 1 << 20])
def test_a_message_that_is_too_long_is_left_out_and_memory_is_bounded(step: int) -> None:
    longest = KINDS["keylisten"].message_bytes
    stream = b"".join(joined("keylisten", b"x" * size) for size in (longest, longest + 1, 100 * longest, 3))
    messages: list[bytes] = []
    cutter = Cutter("keylisten", messages.append)
    for start in range(0, len(stream), step):
        cutter.add(stream[start : start + step])
        assert len(cutter._buffer) <= longest + 2 * len(b" endkeylisten ")
    assert messages == [b"x" * longest, b"xxx"]


# ---- as clients of further-link hear it


@pytest.mark.parametrize("dialect", [Further, FurtherPython])
def test_in_further_links_dialects(dialect: type[Further | FurtherPython]) -> None:
    world = World()
    world.sessions.runners = {"run:python3": RECIPES["python3"]}
    client = world.client("ada", dialect=dialect())
    start = {"type": "start", "process": "P", "data": {"runner": "python3", "code": "", "sourceScript": ""}}
    client.connection.receive(json.dumps(start))
    world.take()
    parent = world.children[0].parent
    parent.said("keylisten", b"a")
    parent.said("video", b"cGljdHVyZQ==")
    frames = [json.loads(frame) for frame in world.heard("ada")]
    expected = [("keylisten", {"output": "a"}), ("video", {"output": "cGljdHVyZQ=="})]
    assert [(frame["type"], frame["data"]) for frame in frames] == expected
    assert {frame["process"] for frame in frames} == {"P" if dialect is Further else ""}
    for data, told in (
        ({"key": "a", "event": "keydown"}, (1, "tell", "keyevent", b"a keydown")),
        ({"key": " ", "event": "whatever"}, (1, "tell", "keyevent", b"  whatever")),
    ):
        client.connection.receive(json.dumps({"type": "keyevent", "process": "P", "data": data}))
        assert world.take() == [told]
    for wrong in ({"key": 5, "event": "keydown"}, {"key": "a"}, {"event": "keyup"}):
        client.connection.receive(json.dumps({"type": "keyevent", "process": "P", "data": wrong}))
        assert json.loads(world.heard("ada")[0])["data"] == {"message": "Bad message"}


# ---- what the documentation says of it


def test_the_documented_channels() -> None:
    text = (DOCS / "protocol.rst").read_text("utf-8")
    rows = re.findall(r"^``(\w+)`` +(the process|a client) .*?(?:(\d+) +(gets \w+(?: \w+)?))?$", text, re.MULTILINE)
    documented = {name: (who == "the process", int(credit or 0), rule) for name, who, credit, rule in rows}
    rules = {True: "gets all", False: "gets the latest"}
    assert documented == {
        name: (kind.from_program, kind.credit, rules[kind.lossless] if kind.from_program else "")
        for name, kind in KINDS.items()
    }
    keys, events, video = (KINDS[name] for name in ("keylisten", "keyevent", "video"))
    assert f"The last {keys.kept} keys ({keys.kept_bytes >> 10} kB)" in text
    assert f"More than {events.kept_bytes >> 10} kB" in text
    page = " ".join((DOCS / "side-channels.rst").read_text("utf-8").split())
    assert f"may have {video.message_bytes >> 20} MiB as base64 text" in page
    assert f"a key's name {keys.message_bytes} bytes" in page
    assert f"at most {EPILOGUE_BYTES >> 10} kB" in page
    assert f"({keys.credit} under way)" in page
