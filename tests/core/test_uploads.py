"""What an upload asks for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webshell.errors import BadRequest, UploadFailed
from webshell.uploads import LONGEST_NAME, MOST_FILES, MOST_URL_FILES, Parcel, TextFile, UrlFile, parcel

TEXT = {"type": "text", "content": {"text": "x"}}
URL = {"type": "url", "content": {"url": "https://a.example/", "bucketName": "b/c", "fileName": "f"}}


def test_an_upload_is_a_name_and_files() -> None:
    value = {"name": "a//b/", "files": {"./x": TEXT, "y/z": URL}, "username": "pi", "more": 1}
    files = (TextFile("x", "x"), UrlFile("y/z", "https://a.example/", "b/c", "f"))
    assert parcel(value) == Parcel("a/b", files)
    assert files[1].kept == "b/c/f"
    assert parcel({"name": "a", "files": {}}) == Parcel("a", ())


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        {"name": "x"},
        {"name": 5, "files": {}},
        {"name": "\ud800", "files": {}},
        {"name": "x", "files": []},
        {"name": "x", "files": {"a": 1}},
        {"name": "x", "files": {"\ud800": TEXT}},
        {"name": "x", "files": {"a": {"type": "zip", "content": {}}}},
        {"name": "x", "files": {"a": {"type": [], "content": {}}}},
        {"name": "x", "files": {"a": {"type": "text"}}},
        {"name": "x", "files": {"a": {"type": "text", "content": {"text": "\ud800"}}}},
        {"name": "x", "files": {"a": {"type": "url", "content": {"url": "https://a.example/"}}}},
        {"name": "x", "files": {f"f{number}": TEXT for number in range(MOST_FILES + 1)}},
        {"name": "x", "files": {f"f{number}": URL for number in range(MOST_URL_FILES + 1)}},
    ],
)
def test_everything_else_is_none(value: Any) -> None:
    with pytest.raises(BadRequest):
        parcel(value)


@pytest.mark.parametrize(
    "path", ["", ".", "..", "/a", "//a", "../a", "a/..", "a/../b", "a\0", "x" * (LONGEST_NAME + 1)]
)
def test_a_name_leads_to_something_in_its_folder(path: str) -> None:
    for value in (
        {"name": path, "files": {}},
        {"name": "n", "files": {path: TEXT}},
        {"name": "n", "files": {path: URL}},
        {"name": "n", "files": {"a": {"type": "url", "content": {**URL["content"], "bucketName": path}}}},  # type: ignore[dict-item]
        {"name": "n", "files": {"a": {"type": "url", "content": {**URL["content"], "fileName": path}}}},  # type: ignore[dict-item]
    ):
        with pytest.raises(UploadFailed):
            parcel(value)


@given(st.text(alphabet="ab./\0", max_size=12))
def test_whatever_a_name_is_it_stays_in_its_folder_or_is_refused(path: str) -> None:
    try:
        name = parcel({"name": path, "files": {}}).name
    except UploadFailed:
        return
    assert not name.startswith("/")
    assert {".", "..", ""}.isdisjoint(name.split("/"))
