"""Files to and from the folder of the shell, in Chromium: dropped, chosen, cancelled, asked about, saved."""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from page.browsing import Arrive, Visitor, fresh_session
from playwright.sync_api import Locator, expect
from wire import Server


def drag(visitor: Visitor, *files: Path, onto: str = "#panels") -> Callable[[], object]:
    """As a person who brings *files* from another window, and does not let go yet; the result lets go."""
    box = visitor.page.locator(onto).bounding_box()
    assert box is not None
    place = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
    data = {"items": [], "files": [str(file) for file in files], "dragOperationsMask": 1}
    devtools = visitor.context.new_cdp_session(visitor.page)
    for kind in ("dragEnter", "dragOver"):
        devtools.send("Input.dispatchDragEvent", {"type": kind, **place, "data": data})
    return lambda: devtools.send("Input.dispatchDragEvent", {"type": "drop", **place, "data": data})


def drop(visitor: Visitor, *files: Path, onto: str = "#panels") -> None:
    drag(visitor, *files, onto=onto)()


def lots(visitor: Visitor) -> Locator:
    return visitor.page.locator(".lot")


def in_folder(visitor: Visitor, folder: Path) -> Visitor:
    folder.mkdir()
    return visitor.runs(f"cd '{folder}'").at_prompt()


def menu(visitor: Visitor, item: str) -> None:
    visitor.page.get_by_role("button", name="Menu").click()
    visitor.page.get_by_role("menuitem", name=item).click()


def test_files_and_folders_land_where_the_shell_is(anna: Visitor, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.joinpath("project/deep").mkdir(parents=True)
    source.joinpath("project/hollow").mkdir()
    source.joinpath("project/deep/é.txt").write_bytes(b"1" * 3_000_000)
    source.joinpath("project/a b#%.txt").write_bytes(b"2")
    source.joinpath("single.bin").write_bytes(bytes(range(256)))
    there = tmp_path / "there"
    in_folder(anna, there)
    let_go = drag(anna, source / "project", source / "single.bin")
    zone = anna.page.locator(".drop-zone")
    expect(zone).to_contain_text("the folder of “Terminal 1”")
    let_go()
    expect(lots(anna)).to_contain_text(f"4 files sent to {there}/")
    expect(zone).to_be_hidden()
    names = sorted(
        str(path.relative_to(there)) for path in there.rglob("*") if path.is_file() or not any(path.iterdir())
    )
    assert names == ["project/a b#%.txt", "project/deep/é.txt", "project/hollow", "single.bin"]
    assert there.joinpath("project/deep/é.txt").read_bytes() == b"1" * 3_000_000
    assert there.joinpath("single.bin").read_bytes() == bytes(range(256))


def test_it_asks_about_what_is_there_already(anna: Visitor, tmp_path: Path) -> None:
    source, there = tmp_path / "source", tmp_path / "there"
    source.mkdir()
    in_folder(anna, there)
    files = [source / f"{number}.txt" for number in range(5)]
    for file in files:
        file.write_text("new")
        there.joinpath(file.name).write_text("old")
    drop(anna, *files)
    dialog = anna.page.get_by_role("dialog")
    expect(dialog).to_contain_text("“0.txt” is there already")
    dialog.get_by_role("button", name="Skip").click()
    expect(dialog).to_contain_text("“1.txt”")
    dialog.get_by_role("button", name="Keep both").click()
    expect(dialog).to_contain_text("“2.txt”")
    dialog.get_by_label("The same for all others").check()
    dialog.get_by_role("button", name="Replace").click()
    expect(lots(anna)).to_contain_text("4 files sent")
    expect(lots(anna)).to_contain_text("1 skipped")
    content = {path.name: path.read_text() for path in there.iterdir()}
    assert content == {
        "0.txt": "old", "1.txt": "old", "1 (2).txt": "new", "2.txt": "new", "3.txt": "new", "4.txt": "new",
    }  # fmt: skip
    anna.complaints.clear()  # the browser says it too


def test_what_is_cancelled_leaves_nothing(anna: Visitor, tmp_path: Path) -> None:
    there = tmp_path / "there"
    in_folder(anna, there)
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(2 << 30)
    drop(anna, large)
    expect(lots(anna)).to_contain_text("Sending large")
    expect(lots(anna).locator("progress")).to_be_visible()
    lots(anna).get_by_role("button", name="Cancel").click()
    expect(lots(anna)).to_contain_text("Cancelled.")
    for _ in range(600):
        if not list(there.iterdir()):
            break
        anna.page.wait_for_timeout(50)
    assert list(there.iterdir()) == []
    lots(anna).get_by_role("button", name="Close").click()
    expect(lots(anna)).to_have_count(0)


def test_files_are_chosen_from_the_menu(anna: Visitor, tmp_path: Path) -> None:
    there = tmp_path / "there"
    in_folder(anna, there)
    tmp_path.joinpath("chosen.txt").write_text("1")
    with anna.page.expect_file_chooser() as chooser:
        menu(anna, "Send files …")
    chooser.value.set_files(tmp_path / "chosen.txt")
    expect(lots(anna)).to_contain_text("1 file sent")
    assert there.joinpath("chosen.txt").read_text() == "1"


def test_a_folder_that_may_not_be_written_is_told(anna: Visitor, tmp_path: Path) -> None:
    tmp_path.joinpath("f").write_text("1")
    anna.runs("cd /proc").at_prompt()
    drop(anna, tmp_path / "f")
    expect(lots(anna)).to_contain_text("Not sent: ")
    anna.complaints.clear()  # the browser says it too


def test_files_are_found_and_saved(anna: Visitor, tmp_path: Path) -> None:
    there = tmp_path / "there"
    in_folder(anna, there)
    there.joinpath("inner").mkdir()
    there.joinpath("inner/a b.txt").write_text("inside")
    there.joinpath("page.html").write_text("<script>document.title = 'taken'</script>")
    menu(anna, "Get files …")
    dialog = anna.page.get_by_role("dialog")
    expect(dialog.get_by_label("Folder")).to_have_value(str(there))
    with anna.page.expect_download() as saved:
        dialog.get_by_role("link", name="page.html").click()
    assert saved.value.suggested_filename == "page.html"
    assert Path(saved.value.path()).read_text().startswith("<script>")
    dialog.get_by_role("button", name="inner/").click()
    expect(dialog.get_by_label("Folder")).to_have_value(f"{there}/inner")
    with anna.page.expect_download() as saved:
        dialog.get_by_role("link", name="zip").click()
    assert saved.value.suggested_filename == "inner.zip"
    with zipfile.ZipFile(saved.value.path()) as archive:
        assert archive.read("inner/a b.txt") == b"inside"
    dialog.get_by_role("button", name="↑ up").click()
    expect(dialog.get_by_role("button", name="inner/")).to_be_visible()
    with anna.page.expect_download() as saved:
        dialog.get_by_role("link", name="tar").click()
    with tarfile.open(saved.value.path()) as tar:
        assert "there/inner/a b.txt" in tar.getnames()
    dialog.get_by_label("Folder").fill("/does/not/exist")
    dialog.get_by_label("Folder").press("Enter")
    expect(dialog.get_by_role("alert")).to_contain_text("no such file or directory")
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_have_count(0)
    anna.complaints.clear()  # the browser says what was not there
    assert anna.page.title() != "taken"


def test_beside_the_zone_nothing_happens(anna: Visitor, tmp_path: Path) -> None:
    tmp_path.joinpath("f.html").write_text("1")
    before = anna.page.url
    drop(anna, tmp_path / "f.html", onto="header")
    anna.runs("echo still here")
    anna.sees("^still here")
    assert anna.page.url == before


def test_who_may_only_watch_may_not_send(server: Server, arrive: Arrive, tmp_path: Path) -> None:
    session = fresh_session(server)
    anna, ben = arrive(), arrive()
    anna.enter(server, f"#s={session}").at_prompt()
    link = anna.page.evaluate("fetch('share', {method: 'POST'}).then(answer => answer.json())")["view"]
    ben.page.goto(f"{server.url}{link.lstrip('./')}#s={session}")
    expect(ben.page.locator("#view-only")).to_be_visible()
    tmp_path.joinpath("f").write_text("1")
    let_go = drag(ben, tmp_path / "f")
    expect(ben.page.locator(".drop-zone")).to_have_text("You may only watch here")
    let_go()
    ben.page.get_by_role("button", name="Menu").click()
    expect(ben.page.get_by_role("menuitem", name="What runs here")).to_be_visible()
    expect(ben.page.get_by_role("menuitem", name="Send files …")).to_have_count(0)
    expect(ben.page.get_by_role("menuitem", name="Get files …")).to_have_count(0)
    assert not server.home.joinpath("f").exists()


def test_on_a_phone(server: Server, arrive: Arrive, tmp_path: Path) -> None:
    anna = arrive(viewport={"width": 360, "height": 640}, has_touch=True, is_mobile=True)
    anna.enter(server, f"#s={fresh_session(server)}").at_prompt()
    there = tmp_path / "there"
    in_folder(anna, there)
    tmp_path.joinpath("a-rather-long-name-of-a-photograph-20261121.jpeg").write_bytes(b"1")
    with anna.page.expect_file_chooser() as chooser:
        menu(anna, "Send files …")
    chooser.value.set_files(tmp_path / "a-rather-long-name-of-a-photograph-20261121.jpeg")
    expect(lots(anna)).to_contain_text("1 file sent")
    lots(anna).get_by_role("button", name="Close").click()
    drop(anna, tmp_path / "a-rather-long-name-of-a-photograph-20261121.jpeg")
    for name in ("Cancel", "Skip", "Keep both", "Replace"):
        within(anna.page.get_by_role("dialog").get_by_role("button", name=name))
    anna.page.get_by_role("button", name="Skip").click()
    expect(lots(anna)).to_contain_text("1 skipped")
    anna.complaints.clear()  # the browser says it too
    menu(anna, "Get files …")
    dialog = anna.page.get_by_role("dialog")
    expect(dialog.get_by_role("link", name="a-rather-long")).to_be_visible()
    within(dialog)
    within(lots(anna))


def within(shown: Locator, width: float = 360) -> None:
    box = shown.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
