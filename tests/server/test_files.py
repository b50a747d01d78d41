"""Files into and out of a session's folder, by HTTP, against a real daemon."""

from __future__ import annotations

import http.client
import io
import json
import os
import re
import socket
import stat
import tarfile
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import pytest
from wire import PATIENCE, Server, WireClient

from webshell.web.files import arrivals, places
from webshell.web.files.folders import NAME_BYTES, STEPS
from webshell.web.files.places import PART_BYTES

PROTOCOL = (Path(__file__).parents[2] / "docs" / "protocol.rst").read_text("utf-8")


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        value = json.loads(self.body)
        assert isinstance(value, dict)
        return value


@dataclass
class Room:
    """A session with a shell in a folder of its own."""

    server: Server
    client: WireClient
    session: str
    folder: Path

    def ask(
        self,
        method: str,
        path: str = "",
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        **query: Any,
    ) -> Answer:
        query = {"process": 1, **query}
        asked = urlencode({name.rstrip("_"): value for name, value in query.items() if value is not None})
        whole = {"Authorization": f"Bearer {self.server.token}", **(headers or {})}
        return request(self.server, method, f"s/{self.session}/files{path}?{asked}", body, whole)

    def names(self) -> list[str]:
        """What is in the folder and below, hidden things included."""
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*"))


def request(server: Server, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Answer:
    parts = urlsplit(server.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    connection.request(method, "/" + path, body, headers)
    response = connection.getresponse()
    answer = Answer(response.status, {}, response.read())
    answer.headers = {name.lower(): value for name, value in response.getheaders()}
    connection.close()
    return answer


@pytest.fixture
def room(server: Server, tmp_path: Path) -> Iterator[Room]:
    with server.client() as client:
        client.send({"type": "open", "id": 1})
        session = str(client.expect("attached")["session"])
        client.send({"type": "start", "id": 2, "runner": "sh", "line": f"cd '{tmp_path}' && echo there && exec cat"})
        client.expect("started")
        client.until(lambda output: b"there" in output)
        yield Room(server, client, session, tmp_path)
        client.send({"type": "close", "id": 3})
        client.expect("closed")


# ---- in


def test_a_file_lands_where_the_process_is(room: Room) -> None:
    answer = room.ask("PUT", "/a%20b.txt", b"hello\r\n\0\xff")
    assert (answer.status, answer.json) == (
        201,
        {"path": f"{room.folder}/a b.txt", "name": "a b.txt", "size": 9},
    )
    assert room.folder.joinpath("a b.txt").read_bytes() == b"hello\r\n\0\xff"
    assert room.names() == ["a b.txt"]


def test_without_a_process_it_lands_at_home(room: Room) -> None:
    assert room.ask("PUT", "/at-home", b"1", process=None).status == 201
    assert room.server.home.joinpath("at-home").read_bytes() == b"1"
    assert room.ask("GET", "/at-home", process=None).body == b"1"


def test_a_folder_may_be_named(room: Room) -> None:
    room.folder.joinpath("other").mkdir()
    assert room.ask("PUT", "/x", b"", process=None, folder=room.folder / "other").status == 201
    assert room.names() == ["other", "other/x"]
    assert room.ask("GET", process=None, folder="relative").status == 400
    assert room.ask("GET", process=None, folder=room.folder / "missing").status == 404


def test_it_follows_the_shell_and_the_program_in_front(room: Room) -> None:
    room.folder.joinpath("here").mkdir()
    room.client.send({"type": "start", "id": 5, "runner": "shell", "rows": 24, "cols": 80})
    number = room.client.expect("started")["process"]["process"]
    room.client.type(f"cd '{room.folder}/here'; echo o''k\r", number)
    room.client.until(lambda output: b"ok" in output.replace(b"o''k", b""), number)
    assert room.ask("GET", process=number).json["folder"] == f"{room.folder}/here"
    room.client.type(f'sh -c \'cd "{room.folder}"; echo o""k; exec cat\'\r', number)
    room.client.until(lambda output: output.count(b"\nok") > 0 or output.endswith(b"ok\r\n"), number)
    assert room.ask("GET", process=number).json["folder"] == str(room.folder)


def test_folders_on_the_way_are_made_and_an_empty_one_too(room: Room) -> None:
    assert room.ask("PUT", "/a/b/c.txt", b"1").status == 201
    assert room.ask("PUT", "/empty/inside/", b"").status == 201
    assert room.names() == ["a", "a/b", "a/b/c.txt", "empty", "empty/inside"]


def test_a_file_comes_in_parts_and_appears_only_when_it_is_whole(room: Room) -> None:
    first = room.ask("PUT", "/big", b"abc", size=7)
    assert (first.status, first.json["offset"]) == (202, 3)
    key = first.json["part"]
    assert [name for name in room.names() if not name.startswith(".webshell-")] == []
    wrong = room.ask("PUT", "/big", b"abc", part=key, offset=0)  # an answer was lost: it says where to go on
    assert (wrong.status, wrong.json["offset"]) == (416, 3)
    assert room.ask("PUT", "/big", b"de", part=key, offset=3).status == 202
    assert room.ask("PUT", "/big", b"fg", part=key, offset=5).status == 201
    assert room.folder.joinpath("big").read_bytes() == b"abcdefg"
    assert room.names() == ["big"]
    assert room.ask("PUT", "/big", b"x", part=key, offset=7).status == 404


def test_a_file_that_is_given_up_leaves_nothing(room: Room) -> None:
    key = room.ask("PUT", "/big", b"abc", size=7).json["part"]
    assert len(room.names()) == 1
    assert room.ask("DELETE", "/big", part=key).status == 200
    assert room.names() == []
    assert room.ask("DELETE", "/big", part=key).status == 404


def test_more_than_was_announced_is_refused_and_removed(room: Room) -> None:
    key = room.ask("PUT", "/big", b"abc", size=4).json["part"]
    assert room.ask("PUT", "/big", b"de", part=key, offset=3).status == 400
    assert room.names() == []
    assert room.ask("PUT", "/big", b"abc", size=2).status == 400
    assert room.names() == []


def test_a_session_has_so_many_under_way_and_no_more(room: Room) -> None:
    keys = [room.ask("PUT", f"/f{number}", b"", size=1).json["part"] for number in range(8)]
    assert room.ask("PUT", "/one-more", b"", size=1).status == 429
    assert room.ask("DELETE", "/f0", part=keys[0]).status == 200
    assert room.ask("PUT", "/one-more", b"1", size=1).status == 201
    for key in keys[1:]:
        room.ask("DELETE", "/f", part=key)
    assert room.names() == ["one-more"]


def test_the_key_of_a_file_is_no_use_in_another_session(room: Room) -> None:
    key = room.ask("PUT", "/big", b"abc", size=7).json["part"]
    with room.server.client() as other:
        other.send({"type": "open", "id": 1})
        session = str(other.expect("attached")["session"])
        elsewhere = Room(room.server, other, session, room.folder)
        assert elsewhere.ask("PUT", "/x", b"de", part=key, offset=3, process=None).status == 404
        other.send({"type": "close", "id": 2})
        other.expect("closed")
    assert room.ask("DELETE", "/big", part=key).status == 200


def test_what_is_there_is_asked_about(room: Room) -> None:
    there = room.folder / "f.tar.gz"
    there.write_bytes(b"old")
    there.chmod(0o640)
    assert room.ask("PUT", "/f.tar.gz", b"new").status == 409
    assert room.ask("PUT", "/f.tar.gz", b"new", size=99).status == 409  # before all of it is sent
    assert there.read_bytes() == b"old"
    kept = room.ask("PUT", "/f.tar.gz", b"new", exists="keep")
    assert (kept.status, kept.json["name"]) == (201, "f.tar (2).gz")
    assert there.read_bytes() == b"old"
    assert room.ask("PUT", "/f.tar.gz", b"new", exists="replace").status == 201
    assert (there.read_bytes(), stat.S_IMODE(there.stat().st_mode)) == (b"new", 0o640)
    assert room.ask("PUT", "/f.tar.gz", b"new", exists="perhaps").status == 400
    assert room.names() == ["f.tar (2).gz", "f.tar.gz"]


def test_what_appears_meanwhile_is_not_replaced(room: Room) -> None:
    key = room.ask("PUT", "/f", b"abc", size=4).json["part"]
    room.folder.joinpath("f").write_bytes(b"theirs")
    assert room.ask("PUT", "/f", b"d", part=key, offset=3).status == 409
    assert room.folder.joinpath("f").read_bytes() == b"theirs"
    assert room.names() == ["f"]


def test_a_file_cannot_take_a_folders_place(room: Room) -> None:
    room.folder.joinpath("d").mkdir()
    assert room.ask("PUT", "/d", b"1", exists="replace").status == 409
    room.folder.joinpath("f").write_bytes(b"")
    assert room.ask("PUT", "/f/x", b"1").status == 409
    assert room.names() == ["d", "f"]


def test_links_are_no_way_in(room: Room, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside")
    outside.joinpath("secret").write_bytes(b"old")
    room.folder.joinpath("way").symlink_to(outside)
    room.folder.joinpath("file").symlink_to(outside / "secret")
    room.folder.joinpath("dangling").symlink_to(outside / "made")
    assert room.ask("PUT", "/way/x", b"1").status == 409
    assert room.ask("PUT", "/way/x/y", b"1").status == 409
    for name in ("file", "dangling"):
        assert room.ask("PUT", f"/{name}", b"1").status == 409
        assert room.ask("PUT", f"/{name}", b"1", exists="replace").status == 201  # the link itself is replaced
        assert not room.folder.joinpath(name).is_symlink()
    assert [(path.name, path.read_bytes()) for path in outside.iterdir()] == [("secret", b"old")]


def test_a_folder_that_is_swapped_for_a_link_meanwhile_leads_nowhere(
    room: Room, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    key = room.ask("PUT", "/d/f", b"abc", size=4).json["part"]
    room.folder.joinpath("d").rename(room.folder / "moved")
    room.folder.joinpath("d").symlink_to(outside)
    assert room.ask("PUT", "/d/f", b"d", part=key, offset=3).status == 201
    assert room.folder.joinpath("moved/f").read_bytes() == b"abcd"
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize(
    "path",
    ["/../x", "/a/../../x", "/%2e%2e/x", "/..%2fx", "/%2fetc%2fx", "//etc/x", "/a%00b", "/a%0ab", "/a%5cb", "/.", ""],
)
def test_paths_that_lead_elsewhere_or_are_none_are_refused(room: Room, path: str) -> None:
    before = sorted(os.listdir(room.folder.parent))
    assert room.ask("PUT", path, b"1").status in (400, 404)
    assert room.names() == []
    assert sorted(os.listdir(room.folder.parent)) == before


def test_odd_names_are_names(room: Room) -> None:
    for name in ("<img src=x onerror=1>", "C:", "-rf", "é", "e\u0301", "'; rm -rf ~", "%2e%2e", ".bashrc", "x" * 255):
        assert room.ask("PUT", "/" + quote(name, safe=""), name.encode()).status == 201, name
        assert room.folder.joinpath(name).read_bytes() == name.encode()
    assert room.ask("PUT", "/" + "x" * 256, b"").status == 400
    assert room.ask("PUT", "/%ff", b"").status == 400
    assert room.ask("PUT", "/d" * 70, b"").status == 400


def test_a_body_is_bounded_and_larger_ones_are_for_sessions_only(room: Room) -> None:
    whole = bytes(PART_BYTES)
    assert room.ask("PUT", "/most", whole).status == 201
    assert room.folder.joinpath("most").stat().st_size == PART_BYTES
    assert room.ask("PUT", "/more", headers={"Content-Length": str(PART_BYTES + 1)}).status == 413
    headers = {"Authorization": f"Bearer {room.server.token}"}
    assert request(room.server, "PUT", "s/NOSESSION/files/x", bytes(100_000), headers).status == 413
    assert request(room.server, "POST", f"s/{room.session}/files/x", bytes(100_000), headers).status == 413


def test_a_file_that_the_disk_cannot_hold_is_refused_before_it_is_sent(room: Room) -> None:
    disk = os.statvfs(room.folder)
    assert room.ask("PUT", "/huge", b"", size=disk.f_bavail * disk.f_frsize).status in (413, 507)
    assert room.ask("PUT", "/huge", b"", size=1 << 50).status == 413
    assert room.ask("PUT", "/huge", b"", size="-1").status == 400
    assert room.names() == []


def test_what_is_under_way_goes_with_the_server(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    with Server(home) as server, server.client() as client:
        client.send({"type": "open", "id": 1})
        room = Room(server, client, str(client.expect("attached")["session"]), home)
        assert room.ask("PUT", "/big", b"abc", size=7, process=None).status == 202
        assert list(home.glob(".webshell-*"))
    assert list(home.glob(".webshell-*")) == []


# ---- out


def test_a_file_is_saved_and_never_shown(room: Room) -> None:
    room.folder.joinpath("a.html").write_bytes(b"<script>1</script>")
    answer = room.ask("GET", "/a.html")
    assert (answer.status, answer.body) == (200, b"<script>1</script>")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith('attachment; filename="a.html"')
    assert answer.headers["content-security-policy"].endswith("sandbox")
    assert answer.headers["x-content-type-options"] == "nosniff"
    head = room.ask("HEAD", "/a.html")
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", "18")


def test_a_name_cannot_leave_its_header(room: Room) -> None:
    room.folder.joinpath('a"; x="é.txt').write_bytes(b"")
    answer = room.ask("GET", "/" + quote('a"; x="é.txt', safe=""))
    expected = "attachment; filename=\"a__ x=__.txt\"; filename*=UTF-8''a%22%3B%20x%3D%22%C3%A9.txt"
    assert answer.headers["content-disposition"] == expected


@pytest.mark.parametrize(
    ("asked", "status", "body", "told"),
    [
        ("bytes=2-4", 206, b"234", "bytes 2-4/10"),
        ("bytes=7-", 206, b"789", "bytes 7-9/10"),
        ("bytes=-3", 206, b"789", "bytes 7-9/10"),
        ("bytes=-99", 200, b"0123456789", None),
        ("bytes=8-99", 206, b"89", "bytes 8-9/10"),
        ("bytes=10-", 416, b"", "bytes */10"),
        ("bytes=-0", 416, b"", "bytes */10"),
        ("bytes=4-2", 200, b"0123456789", None),
        ("bytes=1-2,4-5", 200, b"0123456789", None),
        ("bytes=-", 200, b"0123456789", None),
        ("lines=1-2", 200, b"0123456789", None),
    ],
)
def test_ranges(room: Room, asked: str, status: int, body: bytes, told: str | None) -> None:
    room.folder.joinpath("f").write_bytes(b"0123456789")
    answer = room.ask("GET", "/f", headers={"Range": asked})
    assert (answer.status, answer.body, answer.headers.get("content-range")) == (status, body, told)


def test_a_range_of_what_has_changed_is_the_whole(room: Room) -> None:
    file = room.folder / "f"
    file.write_bytes(b"0123456789")
    tag = room.ask("GET", "/f").headers["etag"]
    assert room.ask("GET", "/f", headers={"Range": "bytes=5-", "If-Range": tag}).body == b"56789"
    file.write_bytes(b"abcdefghijk")
    assert room.ask("GET", "/f", headers={"Range": "bytes=5-", "If-Range": tag}).body == b"abcdefghijk"


def test_an_empty_file(room: Room) -> None:
    room.folder.joinpath("f").write_bytes(b"")
    answer = room.ask("GET", "/f")
    assert (answer.status, answer.body, answer.headers["content-length"]) == (200, b"", "0")
    assert room.ask("GET", "/f", headers={"Range": "bytes=0-"}).status == 416


def test_a_folder_is_listed(room: Room) -> None:
    room.folder.joinpath("d").mkdir()
    room.folder.joinpath("f").write_bytes(b"123")
    os.mkfifo(room.folder / "pipe")
    room.folder.joinpath("to-d").symlink_to("d")
    room.folder.joinpath("nowhere").symlink_to("missing")
    listing = room.ask("GET").json
    assert listing["folder"] == str(room.folder)
    assert listing["more"] is False
    entries = listing["entries"]
    assert isinstance(entries, list)
    assert {entry["name"]: entry["kind"] for entry in entries} == {
        "d": "folder", "f": "file", "pipe": "other", "to-d": "folder", "nowhere": "other",
    }  # fmt: skip


def test_a_large_folder_is_listed_in_part(room: Room) -> None:
    for number in range(5001):
        room.folder.joinpath(str(number)).touch()
    listing = room.ask("GET").json
    entries = listing["entries"]
    assert isinstance(entries, list)
    assert (len(entries), listing["more"]) == (5000, True)


def furnish(folder: Path) -> None:
    folder.joinpath("d/deep").mkdir(parents=True)
    folder.joinpath("d/deep/é.txt").write_bytes(b"x" * 200_000)
    folder.joinpath("d/run").write_bytes(b"#!/bin/sh\n")
    folder.joinpath("d/run").chmod(0o755)
    folder.joinpath("d/link").symlink_to("/etc/passwd")
    folder.joinpath("d/folder-link").symlink_to("/etc")
    folder.joinpath("d/hollow").mkdir()
    os.mkfifo(folder / "d/pipe")


def test_a_folder_as_tar(room: Room) -> None:
    furnish(room.folder)
    answer = room.ask("GET", "/d", as_="tar")
    assert answer.headers["content-disposition"].startswith('attachment; filename="d.tar"')
    with tarfile.open(fileobj=io.BytesIO(answer.body)) as archive:
        names = {member.name: member for member in archive}
        assert sorted(names) == [
            "d/LEFT-OUT.txt", "d/deep", "d/deep/é.txt", "d/folder-link", "d/hollow", "d/link", "d/run",
        ]  # fmt: skip
        assert archive.extractfile("d/deep/é.txt").read() == b"x" * 200_000  # type: ignore[union-attr]
        assert names["d/run"].mode == 0o755
        assert (names["d/link"].issym(), names["d/link"].linkname) == (True, "/etc/passwd")
        assert names["d/folder-link"].issym()
        assert b"d/pipe: neither" in archive.extractfile("d/LEFT-OUT.txt").read()  # type: ignore[union-attr]


def test_a_folder_as_zip(room: Room) -> None:
    furnish(room.folder)
    answer = room.ask("GET", "/d", as_="zip")
    with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == [
            "d/LEFT-OUT.txt", "d/deep/", "d/deep/é.txt", "d/folder-link", "d/hollow/", "d/link", "d/run",
        ]  # fmt: skip
        assert archive.read("d/deep/é.txt") == b"x" * 200_000
        assert stat.S_IMODE(archive.getinfo("d/run").external_attr >> 16) == 0o755
        assert stat.S_ISLNK(archive.getinfo("d/link").external_attr >> 16)
        assert archive.read("d/link") == b"/etc/passwd"
    assert room.ask("GET", "/d", as_="rar").status == 400


def test_devices_pipes_and_the_kernels_files_are_not_read(room: Room) -> None:
    os.mkfifo(room.folder / "pipe")
    room.folder.joinpath("null").symlink_to("/dev/null")
    room.folder.joinpath("maps").symlink_to("/proc/self/maps")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(room.folder / "s"))
        for name in ("pipe", "null", "maps", "s"):
            assert room.ask("GET", f"/{name}").status == 403, name
    assert room.ask("GET", "/kcore", process=None, folder="/proc").status in (403, 404)
    assert room.ask("GET", "/missing").status == 404


def test_a_reader_who_leaves_leaves_nothing_open(room: Room) -> None:
    with room.folder.joinpath("f").open("wb") as file:
        file.truncate(256 << 20)
    parts = urlsplit(room.server.url)
    fds = Path(f"/proc/{room.server.process.pid}/fd")
    for path in ("/f", "?as=tar", "?as=zip"):
        with socket.create_connection((parts.hostname, parts.port), 30) as raw:
            query = f"{path}{'&' if '?' in path else '?'}process=1"
            raw.sendall(
                f"GET /s/{room.session}/files{query} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
                f"Authorization: Bearer {room.server.token}\r\n\r\n".encode()
            )
            assert raw.recv(100).startswith(b"HTTP/1.1 200")
        wait_until_closed(room, fds)


def wait_until_closed(room: Room, fds: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while targets := [target for target in map(target_of, fds.iterdir()) if str(room.folder) in target]:
        assert time.monotonic() < deadline, targets
        room.client.send({"type": "ping", "id": 9})
        room.client.expect("pong")


def target_of(link: Path) -> str:
    try:
        return os.readlink(link)
    except OSError:  # closed meanwhile
        return ""


def peak(server: Server) -> int:
    """The most memory that the daemon has ever used, in kB."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{server.process.pid}/status").read_text())
    assert found is not None
    return int(found[1])


def test_large_files_need_no_memory(room: Room) -> None:
    with room.folder.joinpath("large").open("wb") as file:
        file.truncate(128 << 20)
    before, part = peak(room.server), bytes(PART_BYTES)
    assert len(room.ask("GET", "/large").body) == 128 << 20
    assert len(room.ask("GET", as_="tar").body) > 128 << 20
    answer = room.ask("PUT", "/other", part, size=8 * PART_BYTES)
    for number in range(1, 8):
        assert answer.status == 202
        answer = room.ask("PUT", "/other", part, part=answer.json["part"], offset=number * PART_BYTES)
    assert (answer.status, room.folder.joinpath("other").stat().st_size) == (201, 8 * PART_BYTES)
    assert peak(room.server) - before < 16 << 10


# ---- who


def test_whoever_may_only_watch_may_not_read_files(room: Room) -> None:
    room.folder.joinpath("f").write_bytes(b"1")
    answer = request(room.server, "POST", "share", b"", {"Authorization": f"Bearer {room.server.token}"})
    found = re.search(r"token=([\w.-]+)", answer.json["view"])
    assert found is not None
    for method, path in (("GET", "/f"), ("HEAD", "/f"), ("GET", ""), ("PUT", "/g"), ("DELETE", "/f")):
        refused = room.ask(method, path, headers={"Authorization": f"Bearer {found[1]}"})
        assert refused.status == 403, (method, path)
    assert room.names() == ["f"]


def test_another_sites_page_may_neither_read_nor_write(room: Room) -> None:
    room.folder.joinpath("f").write_bytes(b"1")
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}):
        assert room.ask("GET", "/f", headers=headers).status == 403
        assert room.ask("PUT", "/g", b"1", headers=headers).status == 403
    assert room.names() == ["f"]


def test_a_session_or_process_that_is_not_there(room: Room) -> None:
    headers = {"Authorization": f"Bearer {room.server.token}"}
    assert request(room.server, "GET", "s/NONE/files", None, headers).status == 404
    assert room.ask("GET", process=99).status == 404
    assert room.ask("GET", process="x").status == 400


def test_the_documented_limits_are_those_of_the_code() -> None:
    section = PROTOCOL.partition("\nFiles\n=====\n")[2].partition("\nTranscripts\n")[0]
    assert f"at most {NAME_BYTES} bytes each, {STEPS} steps deep" in section
    assert f"if there are more than {places.LISTED}" in section
    rows = dict(re.findall(r"^(\S.*?)  +(\d[^\n]*)$", section, re.MULTILINE))
    assert rows == {
        "a body, a whole file or a part of one": f"{PART_BYTES >> 20} MiB",
        "a file": f"{arrivals.FILE_BYTES >> 30} GiB",
        "under way, of a session, of all": f"{arrivals.ARRIVALS_OF_SESSION}, {arrivals.ARRIVALS}",
        "without a further part it is given up": f"{arrivals.IDLE_SECONDS:g} s",
        "free on the disk it leaves": f"{arrivals.SPARE_BYTES >> 20} MiB",
    }
