"""The web page of ``docs/side-channels.rst`` in Chromium: a student's program, its pictures, keys and buttons."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from page.browsing import Arrive, Visitor
from page.test_chromium_stage import LEFT, MIDDLE, SQUARE, shows
from playwright.sync_api import Browser, expect
from wire import PATIENCE

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


@pytest.fixture
def classroom(browser: Browser, tmp_path: Path) -> Iterator[str]:
    """The example's site, at a free port; its address."""
    source = (EXAMPLES / "classroom.py").read_text()
    assert source.count("tcp:8000:") == 1
    (tmp_path / "classroom.py").write_text(source.replace("tcp:8000:", "tcp:0:"))
    for name in ("classroom.html", "square.py"):
        (tmp_path / name).write_text((EXAMPLES / name).read_text())
    with (tmp_path / "errors").open("wb") as errors:
        site = subprocess.Popen(
            [sys.executable, "classroom.py"],
            cwd=tmp_path,
            env={**os.environ, "HOME": str(tmp_path)},
            stdout=subprocess.PIPE,
            stderr=errors,
        )
    assert site.stdout is not None
    try:
        address = site.stdout.readline().decode().strip()
        assert address, (tmp_path / "errors").read_text()
        yield address
    finally:
        site.terminate()
        site.wait(PATIENCE)
        site.stdout.close()


def test_a_student_runs_a_program_and_plays(classroom: str, arrive: Arrive) -> None:
    visitor: Visitor = arrive()
    page = visitor.page
    page.goto(classroom)
    state, keys = page.get_by_role("status"), page.locator("#keys button")
    expect(state).to_have_text("ready")
    expect(page.get_by_label("Program")).to_have_value((EXAMPLES / "square.py").read_text())
    page.get_by_role("button", name="Run").click()
    expect(keys).to_have_text(["↑", "↓", "←", "→", "Space"])
    video = page.locator("#video")
    shows(video, MIDDLE, SQUARE)
    page.keyboard.down("ArrowLeft")
    shows(video, LEFT, SQUARE)
    page.keyboard.up("ArrowLeft")
    place = keys.nth(3).bounding_box()
    assert place is not None
    page.mouse.move(place["x"] + 9, place["y"] + 9)
    page.mouse.down()
    shows(video, [316, 100], SQUARE)
    page.mouse.up()
    page.keyboard.down(" ")
    expect(state).to_have_text("ended with 0")
    page.keyboard.up(" ")
    expect(page.get_by_label("Output")).to_contain_text("the square is at 280, 80")
    expect(keys).to_have_count(0)
    page.get_by_label("Program").fill("while True: pass")
    page.get_by_role("button", name="Run").click()
    expect(state).to_have_text("running")
    page.get_by_role("button", name="Stop").click()
    expect(state).to_have_text("ended with -15")
    page.get_by_label("Program").fill("1 / 0")
    page.get_by_role("button", name="Run").click()
    expect(page.locator("pre .error")).to_contain_text("ZeroDivisionError")
