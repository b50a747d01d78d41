"""The page's files: which are served, as what, and that nothing else is."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from server.daemons import Answer, ask
from twisted.web.resource import Resource
from wire import Server

from webshell.web.page import TYPES, add_files, served_files, static_folder

FOLDER = static_folder()


def get(server: Server, path: str, **headers: str) -> Answer:
    parts = urlsplit(server.url)
    headers = {"Authorization": f"Bearer {server.token}", **headers}
    return ask((parts.hostname or "", parts.port or 0), "/" + path, host=parts.netloc, headers=headers)


def make(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


def test_what_is_served_is_a_list_made_at_start(tmp_path: Path) -> None:
    make(tmp_path, "js/a.js", "css/a.css", "a.svg", "a.webmanifest", "node_modules/@x/y/lib/y.mjs")
    make(tmp_path, "js/a.js.map", "package.json", "tsconfig.json", "notes.txt", ".secret", "js/sub/b.js", "index.html")
    make(tmp_path, "node_modules/@x/y/lib/z.mjs")
    (tmp_path / "vendor.json").write_text('["node_modules/@x/y/lib/y.mjs"]')
    wanted = ["a.svg", "a.webmanifest", "css/a.css", "js/a.js", "node_modules/@x/y/lib/y.mjs"]
    assert sorted(served_files(tmp_path)) == wanted
    root = Resource()
    add_files(root, tmp_path)

    def leaves(resource: Resource, path: str = "") -> list[str]:
        found: list[str] = []
        for name, child in resource.children.items():
            here = path + name.decode()
            found += [here] if child.isLeaf else leaves(child, here + "/")
        return found

    assert sorted(leaves(root)) == wanted


def test_a_missing_module_is_told_with_its_cure(tmp_path: Path) -> None:
    (tmp_path / "vendor.json").write_text('["node_modules/@x/y/lib/y.mjs"]')
    with pytest.raises(FileNotFoundError) as error:
        served_files(tmp_path)
    assert "node_modules/@x/y/lib/y.mjs is missing: run 'npm ci --omit=dev --prefix static'" in str(error.value)


def test_every_file_has_its_type_and_is_asked_for_anew(server: Server) -> None:
    for name in served_files(FOLDER):
        answer = get(server, name)
        assert answer.status == 200, name
        assert answer.body == (FOLDER / name).read_bytes(), name
        assert answer.headers["content-type"] == TYPES[Path(name).suffix]
        assert answer.headers["cache-control"] == "no-cache"
        assert answer.headers["x-content-type-options"] == "nosniff"
        again = get(server, name, **{"If-None-Match": answer.headers["etag"]})
        assert (again.status, again.body) == (304, b"")


def test_nothing_else_of_the_folder_is_served(server: Server) -> None:
    files = {str(path.relative_to(FOLDER)) for path in FOLDER.glob("*") if path.is_file()} - set(served_files(FOLDER))
    folders = {"js", "js/", "css/", "node_modules/", "node_modules/@xterm"}
    tricks = {"../setup.py", "js/../vendor.json", "js/%2e%2e/vendor.json", "js//app.js"}
    others = files | folders | tricks
    for name in others:
        assert get(server, name).status in (400, 404), name


def test_the_page_has_a_policy_of_its_own_each_time(server: Server) -> None:
    nonces = set()
    for _ in range(2):
        page = get(server, "", Accept="text/html")
        assert page.status == 200
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert page.headers["cache-control"] == "no-store"
        policy = dict(part.split(" ", 1) for part in page.headers["content-security-policy"].split("; "))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == "'self'"
        assert policy["frame-ancestors"] == "'none'"
        nonce = re.search(r"'nonce-([\w-]{20,})'", policy["style-src"])
        assert nonce
        assert nonce[1].encode() in page.body
        assert b"{{" not in page.body
        assert "unsafe" not in page.headers["content-security-policy"]
        nonces.add(nonce[1])
    assert len(nonces) == 2


def test_other_pages_may_frame_it_if_they_are_named(tmp_path: Path) -> None:
    with Server(tmp_path, "--frame-ancestor", "https://a.example", "--frame-ancestor", "https://b.example") as server:
        page = get(server, "", Accept="text/html")
        assert "frame-ancestors https://a.example https://b.example;" in page.headers["content-security-policy"]
        assert "x-frame-options" not in page.headers


def test_nothing_in_the_page_is_inline_and_all_is_relative() -> None:
    for name in ("index.html", "login-token.html", "login-password.html"):
        text = (FOLDER / name).read_text("utf-8")
        assert not re.search(r"<script(?![^>]*\bsrc=)[^>]*>", text), name
        assert not re.search(r"\son\w+=", text), name
        assert not re.search(r"\sstyle=", text), name
        assert not [
            value for value in re.findall(r'(?:src|href|action)="([^"]*)"', text) if value.startswith(("/", "http"))
        ]


def test_every_third_party_file_that_is_listed_has_its_licence_beside_it() -> None:
    for name in json.loads((FOLDER / "vendor.json").read_text()):
        assert (FOLDER / Path(*Path(name).parts[:3]) / "LICENSE").is_file(), name
