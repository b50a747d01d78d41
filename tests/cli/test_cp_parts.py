"""The two ends of ``webshell cp`` without a server: what no honest one sends, and files that change meanwhile."""

from __future__ import annotations

import os
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from cli.commands import webshell
from wire import PATIENCE, Server

from webshell.cli.cp import LOOKED_BYTES
from webshell.cli.download import HEADER_BYTES, Arriving, Download
from webshell.cli.places import Place, parse_place, quoted, shown
from webshell.cli.scripts import TAKE, of_sh
from webshell.cli.trouble import Asked
from webshell.cli.upload import DEPTH, PIECE_BYTES, Upload

# ---- down: what a server may send


def archive(*members: tuple[str, dict[str, object], bytes]) -> bytes:
    """One with these: a name, what else its header says, and what is in it."""
    file = BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as whole:
        for name, more, data in members:
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), 0o644
            for key, value in more.items():
                setattr(info, key, value)
            whole.addfile(info, BytesIO(data))
    return file.getvalue()


def unpacked(data: bytes, place: Path, *, folder: bool = True, keep: bool = False) -> list[str]:
    """Unpack it. Returns what was told."""
    told: list[str] = []
    download = Download(
        b"source",
        os.fsencode(place),
        folder=folder,
        keep=keep,
        failed=told.append,
        full=lambda text: told.append(f"the end: {text}"),
        got=lambda file, size, done: None,
    )
    arriving = Arriving(lambda offset, idle: None)
    for begin in range(0, len(data), 1 << 16):
        arriving.add(data[begin : begin + (1 << 16)], begin)
    arriving.add(b"", 0)
    download.unpack(arriving)
    return told


@pytest.mark.parametrize("name", ["../evil", "./a/../../evil", "/evil", "a/.."])
def test_names_that_lead_out(tmp_path: Path, name: str) -> None:
    place = tmp_path / "place"
    place.mkdir()
    told = unpacked(archive((name, {}, b"evil"), ("./good", {}, b"good")), place)
    assert len(told) == 1
    assert told[0].endswith(": the server tells a name that leads elsewhere")
    assert [path.name for path in tmp_path.rglob("*")] == ["place", "good"]


def test_links_and_devices_are_not_made(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    place = tmp_path / "place"
    place.mkdir()
    members: list[tuple[str, dict[str, object], bytes]] = [
        ("link", {"type": tarfile.SYMTYPE, "linkname": str(out)}, b""),
        ("link/file", {}, b"through it"),
        ("hard", {"type": tarfile.LNKTYPE, "linkname": "/etc/passwd"}, b""),
        ("null", {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 3}, b""),
        ("pipe", {"type": tarfile.FIFOTYPE}, b""),
    ]
    assert unpacked(archive(*members), place) == [
        "source/link: is not a regular file",
        f"{place}/link/file: No such file or directory",
        "source/hard: is not a regular file",
        "source/null: is not a regular file",
        "source/pipe: is not a regular file",
    ]
    assert [*place.iterdir()] == [*out.iterdir()] == []


def test_one_file_is_one_file(tmp_path: Path) -> None:
    """Whatever its name is in the archive."""
    place = tmp_path / "place"
    assert unpacked(archive(("sub/other", {}, b"data")), place, folder=False) == []
    assert place.read_text() == "data"
    assert unpacked(archive(("sub", {"type": tarfile.DIRTYPE}, b"")), place, folder=False) == [
        "source: is not a regular file"
    ]


@pytest.mark.parametrize("keep", [False, True])
def test_powers_are_not_given_unless_asked_for(tmp_path: Path, keep: bool) -> None:
    place = tmp_path / "place"
    assert unpacked(archive(("x", {"mode": 0o4755}, b"data")), place, folder=False, keep=keep) == []
    assert place.stat().st_mode & 0o7000 == (0o4000 if keep else 0)


def test_an_archive_that_ends_early(tmp_path: Path) -> None:
    data = archive(("a", {}, b"a" * 1000), ("b", {}, b"b" * 100_000))
    told = unpacked(data[:20_000], tmp_path)
    assert told == ["the end: source: what came is no archive: unexpected end of data"]
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_name_without_end(tmp_path: Path) -> None:
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 1 << 33
    arriving_bytes = info.tobuf(tarfile.GNU_FORMAT) + b"n" * (3 * HEADER_BYTES)
    assert unpacked(arriving_bytes, tmp_path) == ["the end: source: what came is no archive: a name is too long"]
    # the bound is for names: a file may have any size
    assert unpacked(archive(("big", {}, bytes(3 * HEADER_BYTES))), tmp_path) == []
    assert (tmp_path / "big").stat().st_size == 3 * HEADER_BYTES


def test_it_is_stopped(tmp_path: Path) -> None:
    download = Download(
        b"source",
        os.fsencode(tmp_path / "place"),
        folder=False,
        keep=False,
        failed=lambda text: None,
        full=lambda text: None,
        got=lambda file, size, done: None,
    )
    arriving = Arriving(lambda offset, idle: None)
    thread = threading.Thread(target=download.unpack, args=(arriving,))
    thread.start()
    arriving.add(archive(("x", {}, bytes(100_000)))[:50_000], 50_000)
    download.stop()
    arriving.add(b"", 0)
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert [*tmp_path.iterdir()] == []


@pytest.fixture
def hostile(tmp_path: Path) -> Iterator[tuple[Server, Path]]:
    """A server whose ``sh`` is in the folder, too."""
    programs = tmp_path / "programs"
    programs.mkdir()
    with Server(tmp_path, PATH=f"{programs}:{os.environ['PATH']}") as running:
        yield running, programs


def test_names_without_end(hostile: tuple[Server, Path], tmp_path: Path) -> None:
    server, programs = hostile
    (programs / "sh").write_text("#!/bin/sh\nexec yes\n")
    (programs / "sh").chmod(0o755)
    done = webshell(server, "cp", str(tmp_path / "new"), url=f"{server.url}:x*")
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr == b"webshell: more names match than one command can copy\n"
    assert LOOKED_BYTES < 1 << 30  # what the test had to read


def test_errors_without_end_in_a_line(hostile: tuple[Server, Path], tmp_path: Path) -> None:
    """They are shown in parts, and what a terminal would obey is not."""
    server, programs = hostile
    line = "x" * 50_000
    (programs / "sh").write_text(f"#!/bin/sh\nprintf '%s' '{line}' >&2\nprintf '\\033]0;evil\\a\\n' >&2\nexit 1\n")
    (programs / "sh").chmod(0o755)
    done = webshell(server, "cp", str(tmp_path / "new"), url=f"{server.url}:x*")
    assert done.returncode == 1
    assert done.stderr.count(b"x") == len(line)
    assert b"\x1b" not in done.stderr
    assert b"\xef\xbf\xbd]0;evil\xef\xbf\xbd\n" in done.stderr


# ---- up: files that change, folders without end


def taken(pieces: bytes, place: Path) -> tuple[int, str]:
    """What the far side makes of an archive: its status and errors."""
    argv = of_sh(TAKE, "", "1", "", ".webshell-cp-part", quoted(os.fsencode(place)))
    done = subprocess.run(argv, input=pieces, capture_output=True, timeout=PATIENCE, check=False)
    assert done.stdout.startswith(b"ready ")
    return done.returncode, done.stderr.decode()


def test_a_file_that_becomes_shorter(tmp_path: Path) -> None:
    """It is left out; the archive stays one."""
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "a").write_bytes(b"a" * (3 * PIECE_BYTES))
    (tree / "b").write_text("b")
    told: list[str] = []
    cut = False

    def sent(path: bytes, size: int, done: int) -> None:
        nonlocal cut
        if done and not cut:
            cut = True
            os.truncate(path, done + 10)

    upload = Upload(tree=True, keep=False, failed=told.append, sent=sent)
    sources = upload.checked([os.fsencode(tree)])
    pieces = b"".join(upload.pieces(sources, 0o022))
    assert told == [f"{tree}/a: became shorter while it was read"]
    assert taken(pieces, tmp_path / "place") == (0, "")
    assert [path.name for path in (tmp_path / "place").iterdir()] == ["b"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["place", "tree"]


@pytest.mark.parametrize("missing", [1, 512, 11_000])
def test_what_did_not_arrive_whole(tmp_path: Path, missing: int) -> None:
    """The last member is what makes it whole; without it nothing appears."""
    (tmp_path / "file").write_bytes(b"x" * 20_000)
    upload = Upload(tree=False, keep=False, failed=lambda text: None, sent=lambda path, size, done: None)
    pieces = b"".join(upload.pieces(upload.checked([os.fsencode(tmp_path / "file")]), 0o022)).rstrip(b"\0")
    status, told = taken(pieces[:-missing], tmp_path / "place")
    assert (status, bool(told)) == (1, True)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_folders_that_lead_back(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "again").symlink_to("../tree")
    deep = tmp_path / "tree"
    for _ in range(DEPTH):
        deep /= "d"
        deep.mkdir()
    (deep / "file").touch()
    told: list[str] = []
    upload = Upload(tree=True, keep=False, failed=told.append, sent=lambda path, size, done: None)
    assert b"file" not in b"".join(upload.pieces(upload.checked([os.fsencode(tmp_path / "tree")]), 0o022))
    assert told == [f"{tmp_path}/tree/again: leads back into itself", f"{deep}: leads back into itself"]


# ---- places


@pytest.mark.parametrize(
    ("text", "url", "path"),
    [
        ("file", "", b"file"),
        ("./a:b", "", b"./a:b"),
        ("/a:b", "", b"/a:b"),
        ("host:file", "host", b"file"),
        ("host:", "host", b""),
        ("host:/a:b", "host", b"/a:b"),
        ("host:8080:file", "host:8080", b"file"),
        ("[::1]:8080:file", "[::1]:8080", b"file"),
        ("https://host:file", "https://host", b"file"),
        ("https://host/tools/shell:~/file", "https://host/tools/shell", b"file"),
        ("http://host:80/x:file", "http://host:80/x", b"file"),
        ("unix:/run/w.sock:file", "unix:/run/w.sock", b"file"),
    ],
)
def test_places(text: str, url: str, path: bytes) -> None:
    assert parse_place(text) == Place(url, path)


@pytest.mark.parametrize(
    "text", ["", "https://host", "https://host/path", "unix:/run/w.sock", "host:8080", "http://h:80"]
)
def test_no_places(text: str) -> None:
    with pytest.raises(Asked):
        parse_place(text)


def test_names_travel_as_formats() -> None:
    for name in (bytes(range(1, 256)), b"%s\\n", b"-e", b"'"):
        done = subprocess.run(["sh", "-c", 'printf "$1"', "x", quoted(name)], capture_output=True, check=True)
        assert done.stdout == name
    assert shown(b"a\nb\x1b[m\xff") == "a\ufffdb\ufffd[m\ufffd"
