"""One address for people and programs: the page, plain bytes, or rows of JSON."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from exec.asking import Answer, Api
from wire import Server

ROWS = "application/x-ndjson"


def rows(answer: Answer | bytes) -> list[Any]:
    """The lines."""
    body = answer if isinstance(answer, bytes) else answer.body
    return [json.loads(line) for line in body.splitlines()]


def ask(api: Api, path: str, accept: str | None) -> Answer:
    """Ask for a form."""
    return api.ask("GET", path, **({} if accept is None else {"Accept": accept}))


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, "application/octet-stream"),
        ("*/*", "application/octet-stream"),
        ("image/png", "application/octet-stream"),
        ("text/plain", "text/plain; charset=utf-8"),
        ("text/*", "text/plain; charset=utf-8"),
        ("TEXT/PLAIN;q=0.5, application/x-ndjson;q=0.4", "text/plain; charset=utf-8"),
        ("application/x-ndjson", ROWS),
        ("text/plain;q=0.1,application/*;q=0.2,application/octet-stream;q=0", ROWS),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "page"),
        ("text/html;q=nonsense", "page"),
        (",;,", "application/octet-stream"),
    ],
)
def test_the_form_that_is_wanted(api: Api, accept: str | None, kind: str) -> None:
    name = api.popen("echo", "hi")
    api.wait(name)
    for path in (f"exec/{name}", f"s/{name.partition('.')[0]}"):
        answer = ask(api, path, accept)
        if kind == "page":
            assert answer.status == 303
        else:
            assert (answer.status, answer.headers["content-type"]) == (200, kind)
            assert answer.headers["cache-control"] == "no-store"


def test_both_streams_in_rows(api: Api) -> None:
    name = api.python(
        "import os\nos.write(1, 'aä'.encode())\nos.read(0, 1)\n"
        "os.write(2, b'\\xff')\nos.read(0, 1)\nos.write(1, b'b')\nos._exit(3)"
    )
    expected = [
        {"off": 0, "stream": "out", "text": "aä"},
        {"off": 0, "stream": "err", "base64": base64.b64encode(b"\xff").decode()},
        {"off": 3, "stream": "out", "text": "b"},
        {"exit": 3, "signal": None, "survivors": []},
    ]
    with api.streaming(f"exec/{name}", Accept=ROWS) as watcher:
        for row in expected[:2]:
            assert json.loads(watcher.readline()) == row  # as it comes
            api.feed(name, b".")
        assert rows(watcher.read()) == expected[2:]
    assert rows(ask(api, f"exec/{name}", ROWS)) == expected  # when it has ended
    assert rows(ask(api, f"s/{name.partition('.')[0]}", ROWS)) == expected
    assert rows(ask(api, f"s/{name.partition('.')[0]}?process=1", ROWS)) == expected
    assert ask(api, f"s/{name.partition('.')[0]}", "text/plain").body == "aä".encode() + b"\xff" + b"b"


def test_characters_that_are_cut_in_two(api: Api) -> None:
    name = api.python(
        "import os, time\nfor byte in '€x'.encode() + '€'.encode()[:2]: os.write(1, bytes([byte])); time.sleep(0.03)"
    )
    told = rows(ask(api, f"exec/{name}", ROWS))
    assert "".join(row.get("text", "") for row in told) == "€x"
    assert told[-2:] == [
        {"off": 4, "stream": "out", "base64": base64.b64encode("€".encode()[:2]).decode()},
        {"exit": 0, "signal": None, "survivors": []},
    ]


def test_watching_drives_nobody_away(server: Server, api: Api) -> None:
    name = api.popen("cat")
    session = name.partition(".")[0]
    watcher = Api(server.url, server.view_token)
    with (
        api.streaming(f"exec/{name}?off=0") as reader,
        watcher.streaming(f"s/{session}", Accept="text/plain") as first,
        watcher.streaming(f"exec/{name}", Accept=ROWS) as second,
    ):
        api.feed(name, b"hello\n")
        assert reader.read(6) == b"hello\n"
        assert first.read(6) == b"hello\n"
        assert json.loads(second.readline()) == {"off": 0, "stream": "out", "text": "hello\n"}
        api.feed(name, b"", eof=True)
        assert reader.read() == first.read() == b""
        assert rows(second.read()) == [{"exit": 0, "signal": None, "survivors": []}]


def test_who_watches_slowly_misses_something_and_is_told(api: Api) -> None:
    name = api.python("import os\nos.read(0, 1)\nfor _ in range(4096): os.write(1, b'x' * 8191 + b'\\n')")
    with api.streaming(f"exec/{name}", Accept=ROWS) as watcher:
        api.feed(name, b".")
        off = 0
        while not (answer := api.read(name, off)).ended:
            off += len(answer.body)
        assert off == 32 << 20  # far more than the sockets hold
        told = rows(watcher.read())
    lost = [row["gap"] for row in told if "gap" in row]
    assert lost
    seen = sum(len(row["text"]) for row in told if "text" in row)
    assert seen + sum(lost) == off
    texts = [row for row in told if "text" in row]
    assert texts[-1]["off"] + len(texts[-1]["text"]) == off
    assert told[-1]["exit"] == 0


def test_the_newest_process_of_a_session(api: Api) -> None:
    first = api.popen("echo", "one")
    session = first.partition(".")[0]
    api.wait(first)
    api.wait(api.popen("echo", "two", session=session))
    assert ask(api, f"s/{session}", "text/plain").body == b"two\n"
    assert ask(api, f"s/{session}?process=1", "text/plain").body == b"one\n"
    missing = ask(api, f"s/{session}?process=3", "text/plain")
    assert (missing.status, missing.json["error"]) == (404, "no-process")


def test_sessions_that_are_not_there(server: Server, api: Api) -> None:
    answer = ask(api, "s/none", "text/plain")
    assert (answer.status, answer.json["error"]) == (404, "no-session")
    with server.open() as client:
        client.send({"type": "list", "id": 9})
        session = client.expect("sessions")["sessions"][-1]["session"]
        answer = ask(api, f"s/{session}", "text/plain")
        assert (answer.status, answer.json["error"]) == (404, "no-process")
        client.send({"type": "close"})
    assert api.ask("PUT", f"s/{session}").status == 405
    assert Api(server.url, "").ask("GET", f"s/{session}").status == 401


def test_the_way_to_the_page(api: Api) -> None:
    name = api.popen("true")
    session = name.partition(".")[0]
    answer = ask(api, f"exec/{name}", "text/html")
    assert (answer.status, answer.headers["location"]) == (303, f"../s/{session}#1")
    answer = ask(api, f"s/{session}", "text/html")
    assert (answer.status, answer.headers["location"]) == (303, f"../?s={session}")
    assert api.ask("HEAD", f"s/{session}").status == 303
    answer = ask(api, "s/%22%26x%3D%23", "text/html")
    assert answer.headers["location"] == "../?s=%22%26x%3D%23"
