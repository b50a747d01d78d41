"""Terminals in Chromium: programs, sizes, colours, characters, pasting, floods, reloading."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import time
from pathlib import Path

import pytest
from needs import need
from page.browsing import Arrive, Visitor, fresh_session
from playwright.sync_api import WebSocket, expect
from wire import PATIENCE, Server

from webshell.limits import Limits

PASTED_BYTES = 1 << 20
FLOOD_BYTES = 3 << 20
FLOOD_SECONDS = 2.0
BACK_SECONDS = 3.0
"""From Ctrl-C in a flood to a prompt that answers; the window is 256 kB, so little is still on its way."""


DARK_DOTS = """async (picture) => {
  const image = new Image();
  image.src = 'data:image/png;base64,' + picture;
  await image.decode();
  const context = Object.assign(document.createElement('canvas'), image).getContext('2d');
  context.canvas.width = image.width;
  context.canvas.height = image.height;
  context.drawImage(image, 0, 0);
  const dots = context.getImageData(0, 0, image.width, image.height).data;
  return dots.filter((value, place) => place % 4 === 0 && value < 160).length;
}"""


def size(visitor: Visitor, mark: str, command: str = "stty size") -> tuple[int, int]:
    """What *command* says: rows, columns; *mark* tells it from what the screen has shown before."""
    visitor.runs(f"echo {mark}'' $({command})")
    found = re.search(rf"^{mark} (\d+) (\d+)$", visitor.sees(rf"^{mark} \d+ \d+$"), re.M)
    assert found
    return int(found[1]), int(found[2])


def rows_drawn(visitor: Visitor) -> int:
    return visitor.terminal.locator(".xterm-rows > div").count()


def test_typing(anna: Visitor) -> None:
    anna.runs("echo $((6 * 7))").sees("^42$")


def test_vim_writes_a_file(anna: Visitor, home: Path) -> None:
    need("vim")
    anna.runs("vim -u NONE -N note").sees("^~$")
    anna.types("ifirst line", "Enter").types("second line", "Escape").types(":wq", "Enter").at_prompt()
    assert home.joinpath("note").read_text() == "first line\nsecond line\n"


def test_top(anna: Visitor) -> None:
    need("top")
    anna.runs("top").sees("load average")
    anna.types("q").at_prompt()


def test_the_size_is_right_before_the_first_prompt_and_after_a_resize(anna: Visitor) -> None:
    first = size(anna, "now")
    assert first[0] == rows_drawn(anna)
    assert size(anna, "before", "echo $AT_FIRST") == first  # the profile asked, before the prompt
    anna.page.set_viewport_size({"width": 700, "height": 500})
    anna.page.wait_for_function(
        "rows => document.querySelectorAll('.terminal .xterm-rows > div').length < rows", arg=first[0]
    )
    anna.runs(f"until [ \"$(stty size)\" != '{first[0]} {first[1]}' ]; do :; done")
    second = size(anna, "then")
    assert second[0] == rows_drawn(anna)
    assert second[0] < first[0]
    assert second[1] < first[1]


@pytest.mark.parametrize("dots", [1, 1.25, 2])
@pytest.mark.parametrize("points", [9, 14, 23])
def test_the_first_size_is_the_one_that_xterm_finds(server: Server, arrive: Arrive, dots: float, points: int) -> None:
    visitor = arrive(device_scale_factor=dots, viewport={"width": 1237, "height": 811})
    visitor.page.add_init_script(f"localStorage['webshell.settings'] = '{{\"fontSize\": {points}}}'")
    sent: list[str] = []
    visitor.page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(str(frame))))
    visitor.enter(server, f"#s={fresh_session(server)}").at_prompt()
    assert size(visitor, "now")[0] == rows_drawn(visitor)
    assert [json.loads(frame)["runner"] for frame in sent if '"start"' in frame] == ["shell"]
    assert [frame for frame in sent if '"resize"' in frame] == []


def test_true_colour(anna: Visitor) -> None:
    anna.runs(r"printf '\033[38;2;12;100;59mgr''een\033[m\n'").sees("^green$")
    assert (
        anna.page.evaluate(
            """() => [...document.querySelectorAll('.terminal .xterm-rows span')]
            .find((span) => span.textContent === 'green').style.color"""
        )
        == "rgb(12, 100, 59)"
    )


def test_wide_characters_and_emoji(anna: Visitor) -> None:
    anna.runs("printf '%s|\\n' 日本語 👩‍🚀 e\u0301 🇩🇪").sees(r"^日本語\|\n👩‍🚀\|\ne\u0301\|\n🇩🇪\|$")


def test_the_first_emoji_of_a_terminal_is_as_wide_as_all_others(anna: Visitor) -> None:
    anna.runs(r"printf '\360\237\232\200\033[3Gx\n'").sees(r"^🚀x$")


def test_a_megabyte_pasted_arrives_intact(anna: Visitor, home: Path) -> None:
    lines = (f"{number:06d} {hashlib.sha256(b'%d' % number).hexdigest()}\n" for number in range(PASTED_BYTES // 72 + 1))
    text = "".join(lines)
    anna.runs("stty -echo; echo rea''dy; cat >pasted; stty echo; echo do''ne").sees("^ready$")
    anna.pastes(text)
    dialog = anna.page.get_by_role("dialog")
    expect(dialog).to_contain_text("000000 5feceb66")  # it is looked at before a shell would run it
    dialog.get_by_role("button", name="Paste").click()
    anna.terminal.locator("textarea").focus()
    anna.presses("Control+d").sees("^done$")
    assert home.joinpath("pasted").read_text() == text


def test_ctrl_c_ends_a_flood_at_once(anna: Visitor) -> None:
    anna.runs("yes").sees(r"(^y$\n){10}")
    anna.page.wait_for_function(
        "end => performance.now() > end", arg=anna.page.evaluate("performance.now()") + FLOOD_SECONDS * 1000
    )
    began = time.monotonic()
    anna.presses("Control+c").types("echo ba''ck", "Enter").sees("^back$")
    assert time.monotonic() - began < BACK_SECONDS


def test_reload_in_the_middle_of_top(anna: Visitor) -> None:
    need("top")
    anna.runs("top -d 0.3").sees("load average")
    anna.reload()
    anna.sees("load average")
    anna.page.wait_for_function(  # it goes on, and does not stand still
        "before => document.querySelector('.terminal:not([hidden]) .xterm-rows > div').textContent !== before",
        arg=anna.terminal.locator(".xterm-rows > div").first.text_content(),
    )
    anna.terminal.locator("textarea").focus()
    anna.types("q").at_prompt()


def test_a_program_names_its_tab_and_rings_its_bell(anna: Visitor) -> None:
    anna.runs(r"printf '\033]0;<b>at work\007'").at_prompt()
    expect(anna.page.get_by_role("tab", selected=True)).to_contain_text("<b>at work")
    anna.runs("until [ -e ring ]; do sleep 0.05; done; printf '\\a'; rm ring; echo ru''ng").in_scroll()
    block = anna.enters("touch ring")
    expect(block).to_contain_text("done")
    expect(anna.page.locator("[role=tab].bell")).to_have_count(1)


def test_what_ran_is_over_when_the_shell_ends(anna: Visitor) -> None:
    anna.runs("exit 3").sees(r"^\[exit 3")
    expect(anna.page.locator("[role=tab].exited")).to_have_count(1)
    anna.reload()
    anna.sees(r"^\[exit 3.*\] Enter starts another\.$")
    anna.terminal.locator("textarea").focus()
    anna.presses("Enter").at_prompt()
    expect(anna.page.get_by_role("tab")).to_have_text(["Scroll", re.compile("Terminal 1")])
    anna.runs("echo ano''ther").sees("^another$")


@pytest.mark.parametrize("scale", [1, 2])
def test_underscores_are_seen(arrive: Arrive, server: Server, scale: float) -> None:
    visitor = arrive(device_scale_factor=scale).enter(server, f"#s={fresh_session(server)}").at_prompt()
    visitor.runs("printf '_%.0s' $(seq 40); echo; echo").sees("^_{40}$")
    row = visitor.terminal.locator(".xterm-rows > div").filter(has_text="____").last.bounding_box()
    assert row
    around = {"x": row["x"], "y": row["y"], "width": 200, "height": row["height"] + 2}
    picture = base64.b64encode(visitor.page.screenshot(clip=around)).decode()  # type: ignore[arg-type]
    blank = arrive()
    assert blank.page.evaluate(DARK_DOTS, picture) >= 100


@pytest.mark.parametrize("scale", [1, 1.5])
def test_no_row_is_lost_at_other_pixel_densities(arrive: Arrive, server: Server, scale: float) -> None:
    visitor = arrive(device_scale_factor=scale).enter(server, f"#s={fresh_session(server)}")
    visitor.runs("seq 200").sees("^200$")
    visitor.at_prompt()
    last = visitor.terminal.locator(".xterm-rows > div").last.bounding_box()
    panel = visitor.page.locator("main").bounding_box()
    assert last
    assert panel
    assert last["y"] + last["height"] <= panel["y"] + panel["height"] + 0.5


def test_nothing_moves_while_nothing_happens(anna: Visitor) -> None:
    # an animation makes 60 frames a second, and keys wait for them
    assert anna.page.evaluate("document.getAnimations().length") == 0
    assert anna.terminal.locator(".xterm-cursor").count() == 1


def test_no_more_than_a_window_is_unacknowledged_and_in_the_end_nothing(server: Server, arrive: Arrive) -> None:
    visitor = arrive()
    came, acknowledged, most = 0, 0, 0

    def received(frame: str | bytes) -> None:
        nonlocal came, most
        if isinstance(frame, bytes):
            came += len(frame) - 5  # the head
            most = max(most, came - acknowledged)

    def sent(frame: str | bytes) -> None:
        nonlocal acknowledged
        if isinstance(frame, str) and '"ack"' in frame:
            acknowledged = json.loads(frame)["offset"]

    def watch(socket: WebSocket) -> None:
        socket.on("framereceived", received)
        socket.on("framesent", sent)

    visitor.page.on("websocket", watch)
    visitor.enter(server, f"#s={fresh_session(server)}")
    visitor.runs(f"head -c {FLOOD_BYTES} /dev/zero | tr '\\0' x | fold -w 90; echo do''ne").sees("done$")
    visitor.at_prompt()
    end = time.monotonic() + PATIENCE
    while acknowledged < came and time.monotonic() < end:
        visitor.page.evaluate("0")  # frames are told meanwhile
    assert acknowledged == came > FLOOD_BYTES
    assert 0 < most <= Limits().window
