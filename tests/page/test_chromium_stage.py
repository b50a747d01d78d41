"""What programs show and listen for, in Chromium: pictures, keys of the keyboard, buttons for a finger."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

from page.browsing import Arrive, Visitor, fresh_session
from playwright.sync_api import Locator, expect
from wire import Server

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "square.py"

COLOUR = """(image, [x, y]) => {
  const canvas = document.createElement('canvas');
  canvas.width = image.naturalWidth;
  canvas.height = image.naturalHeight;
  const context = canvas.getContext('2d');
  context.drawImage(image, 0, 0);
  return [...context.getImageData(x, y, 1, 1).data].slice(0, 3);
}"""
SQUARE, GROUND = [250, 160, 40], [20, 40, 60]
LEFT, MIDDLE = [4, 100], [160, 100]


def shows(picture: Locator, place: list[int], colour: list[int]) -> None:
    """Wait until the picture has this colour there."""
    page = picture.page
    for _ in range(600):
        if picture.evaluate(COLOUR, place) == colour:
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"{place} is {picture.evaluate(COLOUR, place)}, not {colour}")


def hold(visitor: Visitor, key: str, until: Callable[[], object]) -> None:
    """As a finger does: the program looks thirty times a second."""
    visitor.page.keyboard.down(key)
    until()
    visitor.page.keyboard.up(key)


def ends(visitor: Visitor, block: Locator) -> None:
    """Press the space bar until the program has ended."""
    hold(visitor, " ", lambda: expect(block.locator(".result")).to_contain_text("done"))


def test_a_program_in_the_scroll_is_seen_and_moved(anna: Visitor, home: Path) -> None:
    shutil.copy(EXAMPLE, home)
    anna.in_scroll()
    block = anna.enters("python3 square.py")
    stage = block.get_by_role("figure")
    expect(stage.locator(".pad")).to_have_text(["↑", "↓", "←", "→", "Space"])
    picture = stage.locator("img")
    shows(picture, MIDDLE, SQUARE)
    expect(stage).to_be_focused()  # nobody was typing
    anna.page.keyboard.down("ArrowLeft")
    shows(picture, LEFT, SQUARE)
    expect(stage.get_by_role("button", name="←")).to_have_class(re.compile("down"))
    anna.page.keyboard.up("ArrowLeft")
    shows(picture, MIDDLE, GROUND)
    right = stage.get_by_role("button", name="→").bounding_box()
    assert right is not None
    anna.page.mouse.move(right["x"] + 5, right["y"] + 5)
    anna.page.mouse.down()
    shows(picture, [316, 100], SQUARE)
    anna.page.mouse.up()
    ends(anna, block)
    expect(block.locator(".output")).to_contain_text("the square is at 280, 80")
    expect(stage.locator(".pad")).to_have_count(0)
    expect(picture).to_be_visible()  # the last one stays


def test_a_picture_that_comes_late_stands_above_the_field_for_input(anna: Visitor) -> None:
    anna.in_scroll()
    program = EXAMPLE.read_text().split("left, top = 140")[0] + "input(); send_image(Picture(0, 80)); input()"
    anna.entry.fill(f"python3 -c '{program}'")
    anna.entry.press("Enter")
    block = anna.blocks.nth(0)
    field = block.get_by_role("textbox")
    field.press("Enter")
    shows(block.get_by_role("figure").locator("img"), LEFT, SQUARE)
    picture, below = block.get_by_role("figure").bounding_box(), field.bounding_box()
    assert picture is not None
    assert below is not None
    assert picture["y"] + picture["height"] <= below["y"]
    field.press("Control+d")
    expect(block.locator(".result")).not_to_contain_text("running")


def test_it_is_there_after_a_reload(anna: Visitor, home: Path) -> None:
    shutil.copy(EXAMPLE, home)
    anna.in_scroll()
    stage = anna.enters("python3 square.py").get_by_role("figure")
    shows(stage.locator("img"), MIDDLE, SQUARE)
    anna.reload()
    anna.in_scroll()
    stage = anna.blocks.nth(0).get_by_role("figure")
    expect(stage.locator(".pad")).to_have_count(5)
    shows(stage.locator("img"), MIDDLE, SQUARE)
    stage.click(position={"x": 3, "y": 3})
    ends(anna, anna.blocks.nth(0))


def test_a_program_in_a_terminal(anna: Visitor, home: Path) -> None:
    shutil.copy(EXAMPLE, home)
    anna.runs("python3 square.py")
    stage = anna.page.get_by_role("figure")
    shows(stage.locator("img"), MIDDLE, SQUARE)
    expect(anna.terminal.locator("textarea")).to_be_focused()  # who types goes on typing
    stage.click(position={"x": 3, "y": 3})
    anna.page.keyboard.down("ArrowLeft")
    shows(stage.locator("img"), LEFT, SQUARE)
    anna.page.keyboard.up("ArrowLeft")
    hold(anna, " ", lambda: anna.sees("the square is at [04], 80"))
    stage.get_by_role("button", name="Close").click()
    expect(anna.page.get_by_role("figure")).to_have_count(0)
    expect(anna.terminal.locator("textarea")).to_be_focused()


def test_in_pythons_blocks(anna: Visitor) -> None:
    anna.in_scroll()
    block = anna.enters(EXAMPLE.read_text().split("left, top = 140")[0] + "send_image(Picture(0, 80))", mode="Python")
    shows(block.get_by_role("figure").locator("img"), LEFT, SQUARE)
    second = anna.enters("send_image(Picture(280, 80))")
    shows(second.get_by_role("figure").locator("img"), LEFT, GROUND)


def test_what_is_no_picture_leaves_the_last_one(anna: Visitor) -> None:
    anna.in_scroll()
    program = EXAMPLE.read_text().split("left, top = 140")[0]
    block = anna.enters(
        program + "send_image(Picture(0, 80)); send_image(b'no picture')\nsend_image(b'')", mode="Python"
    )
    shows(block.get_by_role("figure").locator("img"), LEFT, SQUARE)
    expect(block.locator(".result")).to_contain_text("done")


def test_who_only_watches_sees_but_has_no_keys(arrive: Arrive, server: Server, home: Path) -> None:
    shutil.copy(EXAMPLE, home)
    session = fresh_session(server)
    anna = arrive().enter(server, f"#s={session}").at_prompt().in_scroll()
    anna.enters("python3 square.py")
    watcher = arrive()
    watcher.page.goto(f"{server.url}?token={server.view_token}#s={session}")
    watcher.page.get_by_role("tab", name="Scroll").click()
    stage = watcher.blocks.nth(0).get_by_role("figure")
    shows(stage.locator("img"), MIDDLE, SQUARE)
    expect(stage.locator(".pads")).to_be_hidden()
    ends(anna, anna.blocks.nth(0))
    expect(watcher.blocks.nth(0).locator(".result")).to_contain_text("done")
