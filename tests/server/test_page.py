"""The page's files: which are served, as what, and that nothing else is."""

from __future__ import annotations

import gzip
import json
import os
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from server.daemons import Answer, ask
from twisted.web.resource import Resource
from wire import Server

from webshell.web.assets import TYPES, VERSIONS, Versions, lasts
from webshell.web.page import Page, add_files, served_files, static_folder

FOLDER = static_folder()


def get(server: Server, path: str, method: str = "GET", **headers: str) -> Answer:
    parts = urlsplit(server.url)
    headers = {"Authorization": f"Bearer {server.token}", **headers}
    where = (parts.hostname or "", parts.port or 0)
    return ask(where, "/" + path, method=method, host=parts.netloc, headers=headers)


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
    version = add_files(root, tmp_path).current().name
    assert sorted(leaves(root)) == ["a.svg", "a.webmanifest", *(f"v/{version}/{name}" for name in wanted[2:])]


def leaves(resource: Resource, path: str = "") -> list[str]:
    """The paths below *resource*."""
    found: list[str] = []
    for name, child in resource.children.items():
        here = path + name.decode()
        found += [here] if child.isLeaf else leaves(child, here + "/")
    return found


def test_a_missing_module_is_told_with_its_cure(tmp_path: Path) -> None:
    (tmp_path / "vendor.json").write_text('["node_modules/@x/y/lib/y.mjs"]')
    with pytest.raises(FileNotFoundError) as error:
        served_files(tmp_path)
    assert "node_modules/@x/y/lib/y.mjs is missing: run 'npm ci --omit=dev --prefix static'" in str(error.value)


def placed(server: Server) -> str:
    """Where the files are now."""
    found = re.search(rb'"(v/[0-9a-f]{16}/)js/app.js"', get(server, "").body)
    assert found
    return found[1].decode()


def test_every_file_has_its_type_and_need_not_be_asked_for_again(server: Server) -> None:
    place = placed(server)
    for name in served_files(FOLDER):
        answer = get(server, name if lasts(name) else place + name)
        assert answer.status == 200, name
        assert answer.body == (FOLDER / name).read_bytes(), name
        assert answer.headers["content-type"] == TYPES[Path(name).suffix]
        forever = "private, max-age=31536000, immutable"  # what a shared cache keeps, strangers could get
        assert answer.headers["cache-control"] == ("no-cache" if lasts(name) else forever)
        assert answer.headers["x-content-type-options"] == "nosniff"
        again = get(server, name if lasts(name) else place + name, **{"If-None-Match": answer.headers["etag"]})
        assert (again.status, again.body) == (304, b"")


def test_only_what_others_name_has_a_name_that_stays(server: Server) -> None:
    names = served_files(FOLDER)
    assert {name for name in names if lasts(name)} == {"css/login.css", "favicon.svg", "page.webmanifest"}
    place = placed(server)
    for name in names:
        assert get(server, place + name if lasts(name) else name).status == 404, name


@pytest.mark.parametrize("name", ["js/app.js", "node_modules/@xterm/xterm/lib/xterm.mjs", "css/login.css"])
def test_files_are_compressed_for_whom_it_helps(server: Server, name: str) -> None:
    path, whole = name if lasts(name) else placed(server) + name, (FOLDER / name).read_bytes()
    plain = get(server, path)
    small = get(server, path, **{"Accept-Encoding": "br, GZip;q=0.5"})
    assert small.headers["content-encoding"] == "gzip"
    assert gzip.decompress(small.body) == whole
    assert len(small.body) < len(whole) * 0.6
    for refused in ("identity", "br", "gzip;q=0", "gzip; q=0.000, br", "*"):
        answer = get(server, path, **{"Accept-Encoding": refused})
        assert ("content-encoding" not in answer.headers, answer.body) == (True, whole), refused
        assert answer.headers["etag"] == plain.headers["etag"]
    assert small.headers["etag"] != plain.headers["etag"]  # strong: one for each sequence of bytes
    for answer, coding in ((plain, ""), (small, "gzip")):
        assert answer.headers["vary"] == "Accept-Encoding"
        assert int(answer.headers["content-length"]) == len(answer.body)
        head = get(server, path, "HEAD", **{"Accept-Encoding": coding})
        assert (head.status, head.body) == (200, b"")
        same = {name: value for name, value in answer.headers.items() if name != "date"}
        assert {name: value for name, value in head.headers.items() if name != "date"} == same
        known = {"Accept-Encoding": coding, "If-None-Match": answer.headers["etag"]}
        again = get(server, path, **known)
        assert (again.status, again.headers["vary"]) == (304, "Accept-Encoding")
        assert get(server, path, **{**known, "Accept-Encoding": "" if coding else "gzip"}).status == 200


def test_a_changed_file_is_seen_at_the_next_look(tmp_path: Path) -> None:
    make(tmp_path, "js/a.js", "css/a.css")
    versions = Versions(tmp_path, ["js/a.js", "css/a.css"])
    first = versions.current()
    assert versions.current() is first
    (tmp_path / "js" / "a.js").write_text("changed")
    second = versions.current()
    assert second.name != first.name
    assert second.files["js/a.js"].body == b"changed"
    # a page that was sent just before still finds what fits to it
    assert [name.decode() for name in versions.children] == [first.name, second.name]
    for number in range(2 * VERSIONS):
        (tmp_path / "js" / "a.js").write_text("changed" + "!" * number)
        assert versions.current().files["js/a.js"].body.endswith(b"!" * number)
        assert len(versions.children) <= VERSIONS
    last = versions.current()
    (tmp_path / "js" / "a.js").write_text("changed")
    assert versions.current().name == second.name
    assert [name.decode() for name in versions.children] == [last.name, second.name]


def test_while_files_are_replaced_those_of_before_are_served(tmp_path: Path) -> None:
    make(tmp_path, "js/a.js", "css/a.css")
    versions = Versions(tmp_path, ["js/a.js", "css/a.css"])
    first = versions.current()
    (tmp_path / "js" / "a.js").rename(tmp_path / "aside")
    assert versions.current() is first
    (tmp_path / "js" / "a.js").write_text("new")
    assert versions.current().files["js/a.js"].body == b"new"


def test_a_file_with_the_same_time_and_size_is_another_one_if_it_was_put_in_its_place(tmp_path: Path) -> None:
    make(tmp_path, "a.css")
    versions = Versions(tmp_path, ["a.css"])
    before, status = versions.current(), (tmp_path / "a.css").stat()
    (tmp_path / "b.css").write_text("b.css")
    os.utime(tmp_path / "b.css", ns=(status.st_atime_ns, status.st_mtime_ns))
    (tmp_path / "b.css").rename(tmp_path / "a.css")
    assert versions.current().name != before.name


def test_what_a_module_imports_is_found(tmp_path: Path) -> None:
    make(tmp_path, "js/types.js", "js/unused.js", "js/quoted.js", "js/deep/leaf.js", "lib/other.mjs")
    lines = [
        'import "./effect.js";',
        'import {\n  a,\n  b as c,\n} from "./named.js"; // why',
        'import * as x from "../lib/other.mjs";',
        'import y from "./missing.js";',
        '/** @typedef {import("./types.js").T} T */',
        'export const text = "./quoted.js";',
    ]
    (tmp_path / "js" / "entry.js").write_text("\n".join(lines))
    (tmp_path / "js" / "effect.js").write_text('export { z } from "./named.js";\n' + "/* long */" * 100)
    (tmp_path / "js" / "named.js").write_text('import "./entry.js";\nexport * from "./deep/leaf.js";\n')
    names = [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*js")]
    modules = Versions(tmp_path, names).current().modules("js/entry.js")
    assert modules[0] == "js/effect.js"  # the largest
    assert sorted(modules) == ["js/deep/leaf.js", "js/effect.js", "js/entry.js", "js/named.js", "lib/other.mjs"]


def test_the_page_names_each_module_in_advance(server: Server) -> None:
    text, place = get(server, "").body.decode(), placed(server)
    hinted = re.findall(r'<link rel="modulepreload" href="([^"]+)">', text)
    unused = {"js/types.js"}  # types only
    unused |= {"js/fetching.js", "js/sending.js", "js/transfer.js"}  # for files: loaded when some are sent or fetched
    modules = {place + name for name in served_files(FOLDER) if name.endswith("js") and name not in unused}
    assert sorted(hinted) == sorted(modules)
    scripts = [text.index(f'src="{place}js/{name}.js"') for name in ("early", "enter", "ahead", "app")]
    assert scripts == sorted(scripts)
    assert scripts[0] < text.index('rel="stylesheet"') < text.index("modulepreload") < scripts[1]


def test_the_page_changes_with_its_files_and_with_its_template(tmp_path: Path) -> None:
    make(tmp_path, "js/a.js")
    (tmp_path / "index.html").write_text('{{modules}}<script type="module" src="js/a.js"></script><a href="a.js">')
    versions = Versions(tmp_path, ["js/a.js"])
    page = Page(tmp_path, versions)
    name = versions.current().name
    hint = f'<link rel="modulepreload" href="v/{name}/js/a.js">'
    assert page.text() == f'{hint}<script type="module" src="v/{name}/js/a.js"></script><a href="a.js">'
    assert page.text() is page.text()
    (tmp_path / "js" / "a.js").write_text("changed")
    assert page.text().count(versions.current().name) == 2
    (tmp_path / "index.html").write_text("another")
    assert page.text() == "another"


def test_nothing_else_of_the_folder_is_served(server: Server) -> None:
    files = {str(path.relative_to(FOLDER)) for path in FOLDER.glob("*") if path.is_file()} - set(served_files(FOLDER))
    folders = {"js", "js/", "css/", "node_modules/", "node_modules/@xterm"}
    tricks = {"../setup.py", "js/../vendor.json", "js/%2e%2e/vendor.json", "js//app.js"}
    place = placed(server)
    others = (
        files
        | folders
        | tricks
        | {"v", "v/", place, place + "js", "v/0000000000000000/js/app.js", place + "index.html"}
    )
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
    for name in ("index.html", "login-token.html", "login-password.html", "login-link.html"):
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
