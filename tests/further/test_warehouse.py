"""The bounds over all files that one upload has fetched, and what happens when the folder cannot be exchanged."""

from __future__ import annotations

import os
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from webshell.errors import UploadFailed
from webshell.targets import warehouse
from webshell.targets.warehouse import Warehouse
from webshell.uploads import MOST_URL_FILES, Parcel, TextFile, UrlFile
from webshell.workplace import Workplace


def outcome(putting: Coroutine[Any, Any, bool]) -> object:
    """What it came to; it must have ended."""
    results: list[Any] = []
    Deferred.fromCoroutine(putting).addBoth(results.append)
    [result] = results
    return getattr(result, "value", result)


def urls(count: int) -> tuple[UrlFile, ...]:
    return tuple(UrlFile(f"f{n}", f"https://a.example/{n}", "b", f"{n}") for n in range(count))


def test_all_files_together_have_a_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warehouse, "FETCHED_BYTES", 25)

    async def fetch(url: str) -> bytes:
        return b"0123456789"

    house = Warehouse(Workplace(str(tmp_path / "work")), fetch, Clock().seconds)
    assert outcome(house.put(Parcel("two", urls(2)), "")) is True
    assert (tmp_path / "work/two/f1").read_bytes() == b"0123456789"
    assert outcome(house.put(Parcel("four", urls(4)), "")) is True  # two of them were there
    for path in (tmp_path / "work/.flcache/b").iterdir():
        path.unlink()
    failed = outcome(house.put(Parcel("three", urls(3)), ""))
    assert isinstance(failed, UploadFailed)
    assert "25 bytes" in str(failed)
    assert not (tmp_path / "work/three").exists()


def test_all_files_together_have_a_time(tmp_path: Path) -> None:
    clock = Clock()
    asked = []

    async def fetch(url: str) -> bytes:
        asked.append(url)
        clock.advance(50)
        return b""

    house = Warehouse(Workplace(str(tmp_path / "work")), fetch, clock.seconds)
    failed = outcome(house.put(Parcel("slow", urls(MOST_URL_FILES)), ""))
    assert isinstance(failed, UploadFailed)
    assert "may take 120 seconds" in str(failed)
    assert len(asked) == 3
    assert not (tmp_path / "work/slow").exists()


def test_a_folder_that_cannot_be_exchanged_is_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    house = Warehouse(Workplace(str(tmp_path)), None, Clock().seconds)
    old = tuple(TextFile(f"old{n}", str(n)) for n in range(3))
    assert outcome(house.put(Parcel("p", old), "")) is False
    real, calls = os.rename, []

    def rename(source: str, target: str) -> None:
        calls.append(source)
        if len(calls) == 5:  # three old ones out, one new one in
            raise OSError(5, "Input/output error")
        real(source, target)

    new = tuple(TextFile(f"new{n}", str(n)) for n in range(3))
    monkeypatch.setattr(os, "rename", rename)
    assert isinstance(outcome(house.put(Parcel("p", new), "")), UploadFailed)
    assert sorted(os.listdir(tmp_path / "p")) == ["old0", "old1", "old2"]
    assert os.listdir(tmp_path) == ["p"]
