"""Cases 1 to 10 of the acceptance list: connection and envelope."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import pytest
from further.links import BAD, EXCEPTION, PAGE, Link
from server.daemons import ask
from wire import Ended, Refused, Server
from wsproto.events import TextMessage

PONG = {"type": "pong", "data": None, "client": "", "process": None}


def test_case_1_a_ping_is_answered_member_by_member(link: Link) -> None:
    link.send('{"type":"ping"}')
    frame = link.heard()
    assert frame == PONG
    assert list(frame) == ["type", "data", "client", "process"]


def test_case_2_members_that_are_not_asked_for_change_nothing(link: Link) -> None:
    link.send({"type": "ping", "process": "7", "client": "x", "colour": "red", "data": {"a": 1}})
    assert link.heard() == PONG


def test_case_3_the_client_of_the_query_is_in_every_frame(further: Server) -> None:
    with Link(further, "client=a%C3%A9%22c") as link:
        link.say("ping", None)
        link.say("nonsense")
        link.say("start", runner="python3", code="print(1)")
        frames = [link.heard() for _ in range(5)]
    assert [frame["type"] for frame in frames] == ["pong", "error", "started", "stdout", "stopped"]
    assert {frame["client"] for frame in frames} == {'aé"c'}


def test_case_4_binary_and_fragmented_messages_count_as_text(link: Link) -> None:
    link.send(b'{"type":"ping"}')
    assert link.heard() == PONG
    link.socket.sendall(link.ws.send(TextMessage(data='{"type":', message_finished=False)))
    link.socket.sendall(link.ws.send(TextMessage(data='"ping"}')))
    assert link.heard() == PONG


@pytest.mark.parametrize("text", ["", "hello", "{", '{"type":"ping"', b"\xff\xfe\xfd"])
def test_case_5_what_is_not_json_is_a_bad_message(link: Link, text: str | bytes) -> None:
    link.send(text)
    assert link.heard() == {"type": "error", "data": {"message": "Bad message"}, "client": "", "process": None}
    link.quiet()


@pytest.mark.parametrize("text", ["[]", '"x"', "5", "null", "[" * 100_000])
def test_case_6_json_that_is_no_object_is_an_exception(link: Link, text: str) -> None:
    link.send(text)
    assert link.told() == EXCEPTION
    link.quiet()


@pytest.mark.parametrize(
    "message",
    [{}, {"type": 5}, {"type": "nope"}, {"type": "upload", "data": {"directory": {"name": "x", "files": {}}}}],
)
def test_case_7_unknown_types_are_bad_messages(link: Link, message: dict[str, Any]) -> None:
    link.send(message)
    assert link.told() == BAD
    link.quiet()


def test_case_8_a_message_over_the_limit_ends_the_connection(link: Link) -> None:
    link.send(json.dumps({"type": "ping", "data": {"x": "x" * ((4 << 20) - 100)}}))
    assert link.told() == ("pong", None)
    link.send(json.dumps({"type": "ping", "data": {"x": "x" * (4 << 20)}}))
    with pytest.raises(Ended) as ended:
        link.heard()
    assert ended.value.code == 1009


@pytest.mark.parametrize("code", [b"", b"\x03\xe8", b"\x03\xe9bye", b"\x0f\xa0"])
def test_case_8_every_close_is_answered_alike(link: Link, code: bytes) -> None:
    link.socket.sendall(b"\x88" + bytes([0x80 | len(code)]) + b"\0\0\0\0" + code)  # none, 1000, 1001 or 4000
    assert link.gone() == 1000


@pytest.mark.parametrize("path", ["run", "run-py"])
def test_case_9_a_foreign_origin_is_refused_and_no_other(further: Server, path: str) -> None:
    for foreign in ("https://evil.example", PAGE + ".evil.example", PAGE.replace("https", "http"), "null"):
        with pytest.raises(Refused) as refused:
            Link(further, path=path, headers=[("Origin", foreign)])
        assert refused.value.status == 403, foreign
    for headers in ([("Origin", further.url.rstrip("/"))], [("Origin", PAGE)], []):
        with Link(further, path=path, headers=headers) as link:
            link.quiet()


@pytest.mark.parametrize("path", ["run", "run-py"])
def test_case_10_without_an_upgrade_it_is_a_bad_request(further: Server, path: str) -> None:
    parts = urlsplit(further.url)
    answer = ask(
        (parts.hostname or "", parts.port or 0),
        f"/{path}",
        host=parts.netloc,
        headers={"Authorization": f"Bearer {further.token}"},
    )
    assert answer.status == 400
    assert answer.body == b'No WebSocket UPGRADE hdr: None\n Can "Upgrade" only to "WebSocket".'
    assert answer.headers["access-control-allow-private-network"] == "true"
