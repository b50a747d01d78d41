"""Cases 64 to 70 and 74 of the acceptance list: uploads, over HTTP and on ``/run-py``."""

from __future__ import annotations

import http.server
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from further.links import BAD, Link, configured, error
from server import daemons
from server.daemons import FOREGROUND, Answer
from wire import Server

from webshell.web.further.fetch import REDIRECTS, public

OK = {"success": True, "fetched_urls": False}


def text(content: str) -> dict[str, Any]:
    return {"type": "text", "content": {"text": content}}


def url(address: str, bucket: str = "bucket", name: str = "file") -> dict[str, Any]:
    return {"type": "url", "content": {"url": address, "bucketName": bucket, "fileName": name}}


def post(server: Server, body: object, query: str = "", **headers: str) -> Answer:
    """Upload *body*, as JSON unless it is bytes, without a content type as the page does."""
    parts = urlsplit(server.url)
    sent = {"Authorization": f"Bearer {server.token}", **{name.replace("_", "-"): v for name, v in headers.items()}}
    return daemons.ask(
        (parts.hostname or "", parts.port or 0),
        f"/upload{query}",
        method="POST",
        host=parts.netloc,
        headers=sent,
        body=body if isinstance(body, bytes) else json.dumps(body).encode(),
    )


def uploaded(server: Server, name: str, **files: dict[str, Any]) -> Any:
    answer = post(server, {"name": name, "files": files})
    assert answer.status == 200, answer
    return json.loads(answer.body)


def everything(folder: Path) -> dict[str, str]:
    """Every file and link below *folder*, with its content or target."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            found[str(path.relative_to(folder))] = "-> " + os.readlink(path)
        elif path.is_file():
            found[str(path.relative_to(folder))] = path.read_text()
    return found


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe\xfd",
        b"[" * 100_000,
        {},
        [],
        5,
        "x",
        {"name": "x"},
        {"name": 5, "files": {}},
        {"name": "x", "files": []},
        {"name": "x", "files": {"a": 1}},
        {"name": "x", "files": {"a": {"type": "zip", "content": {}}}},
        {"name": "x", "files": {"a": {"type": ["text"], "content": {}}}},
        {"name": "x", "files": {"a": {"type": "text", "content": "x"}}},
        {"name": "x", "files": {"a": {"type": "text", "content": {"text": 5}}}},
        {"name": "x", "files": {"a": {"type": "url", "content": {"url": "https://a.example/"}}}},
        {"name": "x", "files": {f"f{number}": text("") for number in range(4097)}},
    ],
)
def test_case_64_what_is_no_upload_is_a_bad_request(further: Server, body: object) -> None:
    answer = post(further, body)
    assert (answer.status, answer.body) == (400, b"400: Bad Request")


def test_case_65_a_folder_holds_exactly_what_was_uploaded(further: Server) -> None:
    folder = further.home / "work" / "exact"
    files = {"a.txt": text("one\r\ntwo\n"), "b/c/d.py": text("print('ü')"), "empty": text("")}
    assert uploaded(further, "exact", **files) == OK
    assert {path: file["content"]["text"] for path, file in files.items()} == {
        str(path.relative_to(folder)): path.read_bytes().decode() for path in folder.rglob("*") if path.is_file()
    }
    inode = folder.stat().st_ino
    assert uploaded(further, "exact", **{"./new": text("x")}) == OK
    assert everything(folder) == {"new": "x"}
    assert folder.stat().st_ino == inode  # a shell that stands in it still does
    assert uploaded(further, "exact") == OK
    assert everything(folder) == {}
    assert uploaded(further, "some/deeper/place", x=text("y")) == OK
    assert not [path for path in (further.home / "work").iterdir() if path.name.startswith(".webshell")]


def test_case_65_a_program_imports_what_was_uploaded(further: Server, link: Link) -> None:
    uploaded(further, "program", **{"library.py": text("name = 'the library'")})
    link.start(code="import library; print(library.name)", path="program")
    assert link.until_stopped() == ("the library\n", "", 0)
    uploaded(further, "program", run=text("#!/bin/sh\necho run"))
    link.start(runner="exec", path="program/run")
    assert link.until_stopped() == ("run\n", "", 0)


ESCAPES: list[tuple[str, dict[str, Any]]] = [
    ("../outside", {}),
    ("../work-evil", {}),
    ("/tmp/webshell-evil", {}),
    ("a/../../outside", {}),
    ("a/../b", {}),
    ("", {}),
    (".", {}),
    ("a\0b", {}),
    ("x" * 5000, {}),
    ("link/inside", {}),
    ("link", {}),
    ("p", {"../y": text("x")}),
    ("p", {"a/../../y": text("x")}),
    ("p", {"/y": text("x")}),
    ("p", {"": text("x")}),
    ("p", {"a": text("x"), "a/b": text("y")}),
    ("p", {"a": text("x"), "./a": text("y")}),
    ("p", {"a": url("https://a.example/", bucket="../evil")}),
    ("p", {"a": url("https://a.example/", name="../../evil")}),
    ("p", {"a": url("https://a.example/", bucket="")}),
]


@pytest.mark.parametrize(("name", "files"), ESCAPES)
def test_case_66_what_leads_out_of_its_folder_changes_nothing(
    further: Server, name: str, files: dict[str, Any]
) -> None:
    home = further.home
    uploaded(further, "p", kept=text("as it was"))
    (home / "outside").mkdir(exist_ok=True)
    (home / "outside" / "file").write_text("as it was")
    if not (home / "work" / "link").is_symlink():
        (home / "work" / "link").symlink_to(home / "outside")
    before = everything(home / "work"), everything(home / "outside"), sorted(os.listdir(home))
    answer = post(further, {"name": name, "files": {"first": text("x"), **files}})
    assert (answer.status, answer.body) == (500, b"500: Internal Server Error")
    assert before == (everything(home / "work"), everything(home / "outside"), sorted(os.listdir(home)))


def test_case_68_without_fetching_files_of_addresses_are_left_out(further: Server) -> None:
    assert uploaded(further, "offline", a=text("x"), b=url("https://a.example/")) == OK
    assert everything(further.home / "work" / "offline") == {"a": "x"}


# ---- fetching


class Source(http.server.BaseHTTPRequestHandler):
    """Answers with its path's first step as the status, and counts."""

    asked: list[str] = []  # noqa: RUF012

    def do_GET(self) -> None:
        self.asked.append(self.path)
        status, _, rest = self.path.lstrip("/").partition("/")
        self.send_response(int(status))
        if status in ("301", "302", "307"):
            self.send_header("Location", rest)
        self.end_headers()
        if status == "200":
            size = int(rest) if rest.isdecimal() else 0
            for _ in range(size >> 20):
                self.wfile.write(b"x" * (1 << 20))
            self.wfile.write(b"fetched " + rest.encode())

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture(scope="module")
def source() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Source) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def fetching(tmp_path_factory: pytest.TempPathFactory, source: str) -> Iterator[Server]:
    """A daemon that fetches, from our own source as well."""
    home = tmp_path_factory.mktemp("home")
    hosts = json.dumps([source.removeprefix("http://")])
    settings = configured(home, f"url_files = true\nurl_hosts = {hosts}")
    with Server(home, "--config", settings, argv=FOREGROUND) as running:
        yield running


def test_case_67_a_file_of_an_address_is_fetched_once(fetching: Server, source: str) -> None:
    folder = fetching.home / "work" / "fetched"
    before = len(Source.asked)
    files = {"a/b.txt": url(f"{source}/200/hello", "bucket", "deep/er"), "c": text("x")}
    for _ in range(2):
        assert uploaded(fetching, "fetched", **files) == {"success": True, "fetched_urls": True}
        assert (folder / "a" / "b.txt").read_text() == "fetched hello"
        assert (folder / "c").read_text() == "x"
    assert len(Source.asked) == before + 1
    assert os.readlink(folder / "a" / "b.txt") == str(fetching.home / "work" / ".flcache" / "bucket" / "deep" / "er")


def test_case_67_a_redirect_is_followed(fetching: Server, source: str) -> None:
    uploaded(fetching, "redirected", a=url(f"{source}/302/{source}/307//200/there", "redirected"))
    assert (fetching.home / "work" / "redirected" / "a").read_text() == "fetched there"


def test_so_many_redirects_are_followed(fetching: Server, source: str) -> None:
    for steps, reached in ((REDIRECTS, True), (REDIRECTS + 1, False)):
        before = len(Source.asked)
        way = url(f"{source}{'/302/' * steps}/200/there", f"ways-{steps}")
        assert post(fetching, {"name": "ways", "files": {"a": way}}).status == (200 if reached else 500)
        assert len(Source.asked) == before + REDIRECTS + 1


@pytest.mark.parametrize("path", ["/404/x", "/500/x", "/204/", "/302/" + "/302/" * 3])
def test_case_67_what_is_not_there_fails_and_changes_nothing(fetching: Server, source: str, path: str) -> None:
    uploaded(fetching, "failing", kept=text("as it was"))
    answer = post(fetching, {"name": "failing", "files": {"a": url(source + path, "failing"), "b": text("x")}})
    assert (answer.status, answer.body) == (500, b"500: Internal Server Error")
    assert everything(fetching.home / "work" / "failing") == {"kept": "as it was"}
    assert not (fetching.home / "work" / ".flcache" / "failing" / "file").exists()


@pytest.mark.parametrize("linked", [text("through"), url("https://a.example/", "bucket", "other")])
def test_case_66_a_name_through_a_link_of_the_same_upload_changes_nothing(
    fetching: Server, source: str, linked: dict[str, Any]
) -> None:
    # what was fetched before is a folder by now, so that its link leads into one
    uploaded(fetching, "p", a=url(f"{source}/200/x", "linked", "deep/er"), kept=text("as it was"))
    before = everything(fetching.home / "work")
    link = url(f"{source}/200/x", "linked", "deep")
    for files in ({"a": link, "a/b": linked}, {"a/b": linked, "a": link}):
        answer = post(fetching, {"name": "p", "files": files})
        assert (answer.status, answer.body) == (500, b"500: Internal Server Error")
    assert before == everything(fetching.home / "work")


def test_case_66_a_link_that_a_program_made_is_replaced_and_never_followed(further: Server) -> None:
    uploaded(further, "q", kept=text("as it was"))
    outside = further.home / "outside-q"
    outside.mkdir()
    (outside / "file").write_text("as it was")
    (further.home / "work" / "q" / "link").symlink_to(outside)
    assert uploaded(further, "q", **{"link/file": text("new")}) == OK
    assert everything(further.home / "work" / "q") == {"link/file": "new"}
    assert everything(outside) == {"file": "as it was"}


def test_what_is_too_large_is_not_kept(fetching: Server, source: str) -> None:
    answer = post(fetching, {"name": "large", "files": {"a": url(f"{source}/200/{33 << 20}", "large")}})
    assert answer.status == 500
    assert not (fetching.home / "work" / ".flcache" / "large").exists()
    assert not (fetching.home / "work" / "large").exists()


PRIVATE = "is a private address"
REFUSED = "is not fetched"


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("http://127.0.0.1:1/", REFUSED),
        ("https://127.0.0.1:1/", PRIVATE),
        ("https://localhost:1/", PRIVATE),
        ("https://[::1]:1/", PRIVATE),
        ("https://[::ffff:127.0.0.1]:1/", PRIVATE),
        ("https://[64:ff9b::7f00:1]:1/", PRIVATE),
        ("https://169.254.169.254/latest/meta-data/", PRIVATE),
        ("https://10.0.0.1/", PRIVATE),
        ("https://0.0.0.0:1/", PRIVATE),
        ("https://2130706433:1/", PRIVATE),
        ("https://user:password@127.0.0.1:1/", REFUSED),
        ("file:///etc/passwd", REFUSED),
        ("ftp://a.example/", REFUSED),
        ("https://", REFUSED),
        ("https://a.example:99999/", REFUSED),
        ("gopher:", REFUSED),
    ],
)
def test_case_69_private_addresses_and_other_schemes_are_refused(
    fetching: Server, source: str, address: str, reason: str
) -> None:
    for wanted in (address, f"{source}/302/{address}"):
        before = len(fetching.log)
        answer = post(fetching, {"name": "private", "files": {"a": url(wanted, "private")}})
        assert (answer.status, answer.body) == (500, b"500: Internal Server Error"), wanted
        assert reason in fetching.log[before:]
    assert not (fetching.home / "work" / "private").exists()


@pytest.mark.parametrize("address", ["", "//a.example/", "https://\u00fc.example/"])
def test_case_69_what_is_no_address_is_refused(fetching: Server, address: str) -> None:
    before = len(fetching.log)
    assert post(fetching, {"name": "private", "files": {"a": url(address, "private")}}).status == 500
    assert REFUSED in fetching.log[before:]


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        ("127.0.0.1", False),
        ("100.64.0.1", False),
        ("224.0.0.1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::", False),
        ("2002:7f00:1::", False),
        ("::ffff:93.184.216.34", True),
        ("::ffff:10.0.0.1", False),
    ],
)
def test_which_addresses_are_the_internets(address: str, expected: bool) -> None:
    assert public(address) is expected


@pytest.mark.parametrize("kind", ["", "text/plain", "application/json", "application/x-www-form-urlencoded"])
def test_case_70_any_content_type_will_do(further: Server, kind: str) -> None:
    headers = {"Content_Type": kind} if kind else {}
    assert post(further, {"name": "types", "files": {"a": text("x")}}, **headers).status == 200


def test_a_body_has_a_bound_which_is_larger_than_elsewhere(further: Server) -> None:
    assert uploaded(further, "large", a=text("x" * (15 << 20))) == OK
    parts = urlsplit(further.url)
    answer = daemons.ask(
        (parts.hostname or "", parts.port or 0),
        "/upload",
        method="POST",
        host=parts.netloc,
        headers={"Authorization": f"Bearer {further.token}", "Content-Length": str(17 << 20)},
        body=b"",
    )
    assert answer.status == 413


def test_only_who_may_run_programs_may_upload(further: Server) -> None:
    body = {"name": "x", "files": {}}
    assert post(further, body, Authorization="Bearer wrong-token-of-sixteen").status == 401
    assert post(further, body, Authorization=f"Bearer {further.view_token}").status == 403
    for user in ("nobody", "root", ""):
        assert post(further, body, f"?user={user}").status == 403


# ---- /run-py


def test_case_74_an_upload_on_run_py(further: Server, python: Link) -> None:
    directory = {"name": "old", "files": {"library.py": text("name = 'the library'")}}
    python.say("upload", None, directory=directory)
    python.say("start", None, sourceScript="import library; print(library.name)", directoryName="old")
    assert [python.told() for _ in range(2)] == [("uploaded", None), ("started", None)]
    assert python.until_stopped() == ("the library\n", "", 0)
    wrongs: list[dict[str, Any]] = [{}, {"directory": {}}, {"directory": {"name": 5, "files": {}}}]
    for wrong in wrongs:
        python.say("upload", None, **wrong)
        assert python.told() == BAD
    for escape in ("../x", "link/x"):
        python.say("upload", None, directory={"name": escape, "files": {}})
        if escape == "../x" or (further.home / "work" / "link").is_symlink():
            assert python.told() == error("Bad upload")
        else:
            assert python.told() == ("uploaded", None)
    python.say("upload", None, user="nobody", directory=directory)
    assert python.told() == error("Message Exception")
