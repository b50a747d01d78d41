"""Files on their way in, without a server: time, room, and what the disk does meanwhile."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Generator
from pathlib import Path

import pytest
from twisted.internet.task import Clock

from webshell.web.answers import BodyTooLarge, NotFound, Refused, TooManyTries
from webshell.web.files import archive, arrivals, folders
from webshell.web.files.arrivals import Arrival, Arrivals, Exists
from webshell.web.files.folders import Conflict, NoSpace, folder_at, folder_of, open_readable


def opened(folder: Path) -> int:
    return folder_at(str(folder))


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def arrival(folder: Path, name: str = "f", size: int = 4, exists: Exists = Exists.REFUSE) -> Arrival:
    return Arrival(opened(folder), name, size, exists)


def test_what_waits_too_long_is_removed(tmp_path: Path) -> None:
    clock, before = Clock(), descriptors()
    held = Arrivals(clock)
    one = arrival(tmp_path)
    one.add(io.BytesIO(b"ab"))
    key = held.hold("S", one)
    clock.advance(arrivals.IDLE_SECONDS - 1)
    assert held.take("S", key) is one
    assert held.hold("S", one, key) == key  # another part has come: the time begins anew
    clock.advance(arrivals.IDLE_SECONDS - 1)
    assert len(list(tmp_path.iterdir())) == 1
    clock.advance(1)
    assert list(tmp_path.iterdir()) == []
    assert descriptors() == before
    assert len(held) == 0
    with pytest.raises(NotFound):
        held.take("S", key)


def test_all_sessions_together_have_a_bound(tmp_path: Path) -> None:
    clock = Clock()
    held = Arrivals(clock)
    for number in range(arrivals.ARRIVALS):
        session = f"S{number // arrivals.ARRIVALS_OF_SESSION}"
        held.check_room(session)
        held.hold(session, arrival(tmp_path, f"f{number}"))
    with pytest.raises(TooManyTries):
        held.check_room("another")
    held.close()
    held.check_room("another")
    assert clock.getDelayedCalls() == []
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = descriptors()
    one = arrival(tmp_path, size=10)
    one.add(io.BytesIO(b"ab"))

    def full(file: int, data: memoryview) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        with pytest.raises(NoSpace, match="no space left"):
            one.add(io.BytesIO(b"cd"))
    assert list(tmp_path.iterdir()) == []
    assert descriptors() == before


def test_what_is_refused_leaves_nothing_open(tmp_path: Path) -> None:
    before = descriptors()
    (tmp_path / "there").touch()
    (tmp_path / "folder").mkdir()
    for name, size, exists, refusal in (
        ("there", 1, Exists.REFUSE, Conflict),
        ("folder", 1, Exists.REPLACE, Conflict),
        ("f", arrivals.FILE_BYTES + 1, Exists.REFUSE, BodyTooLarge),
    ):
        with pytest.raises(refusal):
            arrival(tmp_path, name, size, exists)
    disk = os.statvfs(tmp_path)
    if disk.f_bavail * disk.f_frsize < arrivals.FILE_BYTES:
        with pytest.raises(NoSpace):
            arrival(tmp_path, "f", disk.f_bavail * disk.f_frsize)
    assert descriptors() == before
    assert sorted(os.listdir(tmp_path)) == ["folder", "there"]


def test_so_many_are_kept_beside_one_another(tmp_path: Path) -> None:
    for number in range(1, arrivals.COUNTED):
        (tmp_path / ("f.txt" if number == 1 else f"f ({number}).txt")).touch()
    one = arrival(tmp_path, "f.txt", 0, Exists.KEEP)
    with pytest.raises(Conflict):
        one.finish()
    assert len(os.listdir(tmp_path)) == arrivals.COUNTED - 1


def test_the_folder_of_another_users_program_is_not_ours() -> None:
    if os.geteuid() == 0:
        os.seteuid(65534)
        try:
            with pytest.raises(Refused):
                folder_of(1)
        finally:
            os.seteuid(0)
    else:
        with pytest.raises(Refused):
            folder_of(1)
    with pytest.raises(Refused):
        folder_of(2**22 + 1)  # more than Linux has


def test_a_device_is_not_even_opened(tmp_path: Path) -> None:
    before = descriptors()
    os.mkfifo(tmp_path / "pipe")
    base = opened(tmp_path)
    with pytest.raises(Refused):
        open_readable(base, ["pipe"])
    os.close(base)
    assert descriptors() == before


def test_a_stream_that_is_given_up_closes_what_it_has_open(tmp_path: Path) -> None:
    (tmp_path / "a/b/c").mkdir(parents=True)
    (tmp_path / "a/b/c/f").write_bytes(b"1" * 500_000)
    before = descriptors()
    for make in archive.FORMATS.values():
        for pieces_taken in (1, 2, 5, 7):
            pieces: Generator[bytes, None, None] = make(opened(tmp_path), "x")
            for _ in range(pieces_taken):
                next(pieces)
            pieces.close()
            assert descriptors() == before, (make, pieces_taken)


def test_folders_that_are_too_deep_are_left_out_and_told(tmp_path: Path) -> None:
    before, deep = descriptors(), tmp_path
    for _ in range(archive.DEPTH + 2):
        deep = deep / "d"
        deep.mkdir()
    (deep / "f").touch()
    said = b"".join(archive.tar(opened(tmp_path), "x"))
    assert b"too deep" in said
    assert b"x/LEFT-OUT.txt" in said
    assert descriptors() == before


def test_so_many_names_of_what_is_left_out_are_told(tmp_path: Path) -> None:
    for number in range(archive.TOLD + 2):
        os.mkfifo(tmp_path / f"{number:04}")
    with tarfile.open(fileobj=io.BytesIO(b"".join(archive.tar(opened(tmp_path), "x")))) as read:
        (member,) = read.getnames()
        told = read.extractfile(member).read().decode().splitlines()  # type: ignore[union-attr]
    assert member == "x/LEFT-OUT.txt"
    assert len(told) == archive.TOLD + 2
    assert told[-1] == "and 2 more"


def test_a_file_that_shrinks_while_it_is_packed_keeps_the_archive_whole(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"1" * 300_000)
    (tmp_path / "g").write_bytes(b"2")
    pieces = archive.tar(opened(tmp_path), "x")
    taken = [next(pieces), next(pieces), next(pieces)]
    os.truncate(tmp_path / "f", 70_000)
    whole = b"".join([*taken, *pieces])
    with tarfile.open(fileobj=io.BytesIO(whole)) as read:
        assert [(member.name, member.size) for member in read] == [("x/f", 300_000), ("x/g", 1)]
        assert read.extractfile("x/g").read() == b"2"  # type: ignore[union-attr]


def test_names_in_addresses() -> None:
    for step in (b"", b".", b"..", b"a/b", b"a\0", b"a\n", b"\x7f", b"\xff", b"x" * (folders.NAME_BYTES + 1)):
        with pytest.raises(Refused):
            folders.steps_of([b"a", step])
    assert folders.steps_of([b"...", "é".encode(), b"-rf"]) == ["...", "é", "-rf"]
    with pytest.raises(Refused):
        folders.steps_of([b"a"] * (folders.STEPS + 1))
