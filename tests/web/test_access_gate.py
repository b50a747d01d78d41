"""The gate: who gets past it, in what order it decides, and that nothing is reached without a grant."""

from __future__ import annotations

import base64
import gc
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.web.iweb import IRequest
from twisted.web.server import Request
from twisted.web.test.requesthelper import DummyChannel
from web.web_wire import BEARER, HTML, OURS, TOKEN, UPGRADE, World, pending

from webshell.errors import NotAllowed
from webshell.grant import Grant
from webshell.web.access import embedded_policy, granted, open_policy
from webshell.web.hosts import Rules

# --- Origin


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",  # case 1
        "null",  # 2
        "file://",  # 3
        "http://localhost:8081",  # 4
        "https://localhost:8080",  # 5
        "http://localhost:8080.evil",  # 6
        "http://evillocalhost:8080",
        "http://localhost.:8080",
        "http://LOCALHOST:8080",
        "HTTP://localhost:8080",
        "http://xn--localhost:8080",
        "http://localhost:8080@evil.example",
        "http://evil@localhost:8080",
        "http://127.0.0.1:8080",
        "http://[::1]:8080",
        "http://localhost:8080/",
        "http://localhost:08080",
        " http://localhost:8080, https://evil.example",
        "*",
    ],
)
@pytest.mark.parametrize("proof", ["cookie", "bearer"])
def test_cases_1_to_6_foreign_origins_get_nothing(origin: str, proof: str) -> None:
    world = World()
    who = BEARER if proof == "bearer" else (world.cookie(),)
    for path, extra in (("/ws", UPGRADE), ("/api", ()), ("/", HTML)):
        assert world.ask(path, *extra, *who, f"Origin: {origin}").status == 403
    assert world.ask("/api", *who, f"Origin: {origin}", method="POST").status == 403
    assert world.reached == []
    assert world.gate.refused[403] == 4


@pytest.mark.parametrize("origins", [(OURS, OURS), (OURS, "Origin: https://evil.example"), ("Origin:",), ("Origin: ",)])
def test_case_7_two_or_empty_origins(world: World, origins: tuple[str, ...]) -> None:
    assert world.ask("/ws", *UPGRADE, *BEARER, *origins).status == 400
    assert world.ask("/api", *BEARER, *origins).status == 400
    assert world.reached == []


def test_case_8_without_an_origin_a_cookie_is_not_enough(world: World) -> None:
    cookie = world.cookie()
    assert world.ask("/ws", *UPGRADE, cookie).status == 403
    assert world.ask("/api", cookie, method="POST").status == 403
    assert world.ask("/api", cookie, method="DELETE").status == 403
    assert world.reached == []
    assert world.ask("/ws", *UPGRADE, cookie, OURS).status == 200
    assert world.ask("/ws", *UPGRADE, *BEARER).status == 200
    assert world.ask("/api", cookie).status == 200
    assert world.ask("/api", cookie, OURS, method="POST").status == 200
    assert world.ask("/api", *BEARER, method="POST").status == 200
    assert [path for path, _ in world.reached] == ["/ws", "/ws", "/api", "/api", "/api"]


def test_a_listed_origin_may_do_what_our_own_may() -> None:
    world = World(rules=Rules(origins=["https://shell.example"]))
    cookie = world.cookie()
    assert world.ask("/ws", *UPGRADE, cookie, "Origin: https://shell.example").status == 200
    assert world.ask("/api", cookie, "Origin: https://shell.example", "Sec-Fetch-Site: cross-site").status == 200
    assert world.ask("/ws", *UPGRADE, cookie, "Origin: http://shell.example").status == 403


# --- Host


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8080", "localhost", "localhost:8081", "127.0.0.2:8080"])
def test_case_9_a_rebound_name_gets_nothing(world: World, host: str) -> None:
    for path, extra in (("/", HTML), ("/api", ()), ("/ws", UPGRADE), ("/login", HTML), ("/healthz", ())):
        answer = world.ask(path, *extra, *BEARER, f"Origin: http://{host}", host=host)
        assert answer.status == 421
        assert answer.all("set-cookie") == []
        assert f"--host {host.partition(':')[0]}" in answer.body.decode()
    assert world.ask(f"/?token={TOKEN}", *HTML, host=host).all("set-cookie") == []
    assert world.reached == []


@pytest.mark.parametrize("host", ["", "localhost:8080:8080", "local host", "<script>", "a@localhost:8080", "x" * 300])
def test_an_odd_host_is_a_bad_request_and_is_not_shown(world: World, host: str) -> None:
    answer = world.ask("/", *HTML, host=host)
    assert answer.status == 400
    assert not host or host.encode() not in answer.body
    assert world.ask("/", host=None).status == 400
    assert world.ask("/", "Host: localhost:8080").status == 400


def test_case_10_forwarding_headers_of_strangers_are_ignored(world: World) -> None:
    forged = ("X-Forwarded-Host: localhost:8080", "Forwarded: host=localhost:8080", "remote-user: operator")
    assert world.ask("/api", *forged, host="evil.example").status == 421
    assert world.ask("/api", *forged, "X-Forwarded-User: operator").status == 401
    secure = "Origin: https://localhost:8080"
    assert world.ask("/api", *BEARER, "X-Forwarded-Proto: https", secure).status == 403
    trusting = World(rules=Rules(proxies=["127.0.0.1"]))
    assert trusting.ask("/api", *BEARER, "X-Forwarded-Proto: https", secure).status == 200
    assert trusting.ask("/api", *BEARER, "X-Forwarded-Proto: https", secure, peer="192.0.2.1").status == 403


# --- what is and is not a handshake


@pytest.mark.parametrize("path", ["/ws/", "/%77s", "//ws", "/ws%00", "/./ws", "/x/../ws", "/w%73", "/ws/x%2f"])
def test_case_12_a_socket_has_one_path(world: World, path: str) -> None:
    assert world.ask(path, *UPGRADE, *BEARER).status == 404
    assert world.reached == []


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (UPGRADE[:2] + UPGRADE[3:], 426),
        ((*UPGRADE[:2], "Sec-WebSocket-Version: 8", UPGRADE[3]), 426),
        ((*UPGRADE, "Sec-WebSocket-Version: 13"), 426),
        (UPGRADE[:3], 400),
        ((*UPGRADE[:3], "Sec-WebSocket-Key: !"), 400),
        ((*UPGRADE[:3], "Sec-WebSocket-Key: c2hvcnQ="), 400),
        ((*UPGRADE, UPGRADE[3]), 400),
        ((UPGRADE[0], *UPGRADE[2:]), 400),
        ((UPGRADE[0], "Connection: keep-alive", *UPGRADE[2:]), 400),
        ((*UPGRADE, "Upgrade: h2c"), 400),
    ],
)
def test_case_13_bad_handshakes(world: World, headers: tuple[str, ...], status: int) -> None:
    wire = world.wire()
    assert wire.ask("/ws", *headers, *BEARER).status == status
    world.clock.advance(3)
    assert wire.closed
    assert world.reached == []


def test_case_13_upgrade_by_the_wrong_version_or_method(world: World) -> None:
    assert world.ask("/ws", *UPGRADE, *BEARER, version="1.0").status == 400
    assert world.ask("/ws", *UPGRADE, *BEARER, method="POST").status == 400
    assert world.ask("/ws", *UPGRADE, *BEARER, body=b"x").status == 400
    assert world.reached == []


def test_a_socket_leaf_is_behind_the_gate_whatever_the_upgrade_looks_like(world: World) -> None:
    for upgrade in ("Upgrade: WebSocket", "Upgrade: foo, websocket", "Upgrade:\tWEBSOCKET", "Upgrade: h2c"):
        assert world.ask("/ws", upgrade, *UPGRADE[1:]).status in (400, 401)
        assert world.ask("/ws", upgrade, *UPGRADE[1:], world.cookie()).status in (400, 403, 200)
    assert {path for path, _ in world.reached} <= {"/ws"}
    assert len(world.reached) == 1  # h2c is no WebSocket: a plain GET


# --- nothing without a grant


def paths(resource: Any, prefix: str = "") -> list[str]:
    children = getattr(resource, "children", {})
    inner = [path for name, child in children.items() for path in paths(child, f"{prefix}/{name.decode()}")]
    return [prefix or "/", *inner]


def test_cases_14_and_15_the_whole_tree_anonymously(world: World) -> None:
    public = {"/login", "/healthz", "/readyz", "/favicon.svg", "/css/login.css"}
    for path in paths(world.tree()):
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
            for extra in ((), HTML, (OURS,), UPGRADE, (*UPGRADE, OURS)):
                status = world.ask(path, *extra, method=method).status
                if path in public and method in ("GET", "HEAD") and extra[:1] != UPGRADE[:1]:
                    assert status == 200, (path, method, extra)
                else:
                    assert status >= 303, (path, method, extra)
    assert world.reached == []


def test_a_leaf_outside_the_gate_has_no_grant() -> None:
    with pytest.raises(NotAllowed):
        granted(Request(DummyChannel(), False))


def test_nothing_is_kept_of_a_request(world: World) -> None:
    def requests() -> int:
        gc.collect()
        return sum(isinstance(one, Request) for one in gc.get_objects())

    before = requests()
    for _ in range(10):
        world.ask("/api", *BEARER)
        world.ask("/login")
    assert requests() - before < 10


def test_answers_to_the_unknown(world: World) -> None:
    api = world.ask("/api")
    assert (api.status, api.get("www-authenticate")) == (401, 'Bearer realm="webshell"')
    page = world.ask("/", *HTML)
    assert (page.status, page.get("location")) == (303, "./login")
    assert world.ask("/s/1/2", *HTML).get("location") == "../../login"
    assert world.ask("/api", "Authorization: Bearer wrong").status == 401
    assert world.ask("/api", "Authorization: Digest x").status == 401
    assert world.ask("/api", *BEARER, *BEARER).status == 401
    assert world.reached == []


def test_case_19_odd_credentials(world: World) -> None:
    basic = [b"a", b":", b"a:b", b"\0:\0", b"\xff:\xff", b"'\"</script>\n:x", b"x" * 4000 + b":y", b":" + b"y" * 4000]
    odd = [f"Basic {base64.b64encode(value).decode()}" for value in basic]
    odd += [
        "Basic",
        "Basic ===",
        "Basic \xff",
        "Bearer",
        "Bearer ",
        "Bearer \xff",
        "Bearer " + "x" * 4000,
        "",
        " ",
        "x",
    ]
    for number, value in enumerate(odd):
        answer = world.ask("/api", f"Authorization: {value}", peer=f"192.0.2.{number}")
        assert answer.status == 401
        assert b"script" not in answer.body


def test_basic_takes_the_token_as_a_password_without_a_name(world: World) -> None:
    proof = base64.b64encode(f":{TOKEN}".encode()).decode()
    assert world.ask("/api", f"Authorization: Basic {proof}").status == 200
    assert world.reached == [("/api", "operator")]


def test_pages_of_other_ports_of_localhost_cannot_load_anything(world: World) -> None:
    cookie = world.cookie()
    for site in ("same-site", "cross-site", "new-kind"):
        for mode in ("no-cors", "cors", "same-origin"):
            assert world.ask("/api", cookie, f"Sec-Fetch-Site: {site}", f"Sec-Fetch-Mode: {mode}").status == 403
        assert world.ask("/", cookie, *HTML, f"Sec-Fetch-Site: {site}", "Sec-Fetch-Mode: navigate").status == 200
    for site in ("same-origin", "none"):
        assert world.ask("/api", cookie, f"Sec-Fetch-Site: {site}", "Sec-Fetch-Mode: cors").status == 200


# --- paths


@pytest.mark.parametrize(
    "path",
    [
        "/static/../../etc/passwd",
        "/static/%2e%2e/%2e%2e/etc/passwd",
        "/s/..%2f..%2fetc/passwd",
        "/s/..\\..\\etc",
        "/s/%5c..",
        "/s/%00",
        "/s//etc/passwd",
        "//evil.example/",
        "/s/.",
        "/s/%0d%0aSet-Cookie:x",
    ],
)
def test_case_34_paths_that_climb(world: World, path: str) -> None:
    assert world.ask(path, *BEARER).status == 404
    assert world.reached == []


def test_case_34_double_encoding_stays_a_name(world: World) -> None:
    assert world.ask("/static/%252e%252e/etc/passwd", *BEARER).status == 404
    assert world.reached == []


@pytest.mark.parametrize("mount", ["shell", "a b", "x:y"])
def test_it_hangs_anywhere(mount: str) -> None:
    world = World(mount=mount)
    quoted = mount.replace(" ", "%20").replace(":", "%3A")
    redirect = world.ask(f"/{quoted}?a=b", *HTML)
    assert (redirect.status, redirect.get("location")) == (303, f"./{quoted}/?a=b")
    assert world.ask(f"/{quoted}/", *HTML).get("location") == "./login"
    assert world.ask(f"/{quoted}", method="POST").status == 404
    login = world.ask(f"/{quoted}?token={TOKEN}", *HTML)
    assert (login.status, login.get("location")) == (303, f"./{quoted}/")
    assert f"; Path=/{quoted}/; " in login.get("set-cookie")
    cookie = "Cookie: " + login.get("set-cookie").partition(";")[0]
    assert world.ask(f"/{quoted}/", *HTML, cookie).status == 200
    assert world.ask(f"/{quoted}/api", cookie).status == 200
    assert world.ask(f"/{quoted}//evil.example", *HTML, cookie).status == 404


def test_case_26_no_redirect_leaves_the_site(world: World) -> None:
    for path in ("//evil.example", "/\\evil.example", "/%2f%2fevil.example", "/https:evil.example", "/s/https:evil"):
        for query in ("", f"?token={TOKEN}", "?next=//evil.example"):
            answer = world.ask(path + query, *HTML)
            location = answer.get("location")
            assert location == "" or (location.startswith((".", "..")) and "//" not in location.partition("?")[0])


def test_code_that_looks_for_children_meets_the_gate() -> None:
    world = World()

    seeker: Any = SimpleNamespace(prepath=[b"api"], postpath=[b"x"])
    assert world.gate.getChildWithDefault(b"api", seeker) is world.gate
    assert (seeker.prepath, seeker.postpath) == ([], [b"api", b"x"])


# --- other ways to decide


def test_open_policy_keeps_other_sites_out() -> None:
    world = World(policy=open_policy)
    assert world.ask("/ws", *UPGRADE).status == 200
    assert world.ask("/api", method="POST").status == 200
    assert world.ask("/ws", *UPGRADE, OURS).status == 200
    assert world.reached == [("/ws", "operator"), ("/api", "operator"), ("/ws", "operator")]
    assert world.ask("/ws", *UPGRADE, "Origin: null").status == 403
    assert world.ask("/", host="evil.example").status == 421
    assert world.ask("/api", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors").status == 403
    assert len(world.reached) == 3


def embedded(answer: object) -> World:
    return World(policy=lambda rules: embedded_policy(rules, lambda request: answer))  # type: ignore[arg-type,return-value]


def test_embedding_sites_decide_themselves() -> None:
    assert embedded(None).ask("/api").status == 401
    assert embedded(None).ask("/", *HTML).status == 401
    world = embedded(Grant("alice"))
    assert world.ask(f"/api?token={TOKEN}").status == 200
    assert world.reached == [("/api", "alice")]
    assert world.ask("/ws", *UPGRADE, "Cookie: site=1").status == 403
    assert world.ask("/ws", *UPGRADE, "Cookie: site=1", OURS).status == 200
    assert world.ask("/ws", *UPGRADE, "Origin: null").status == 403


def test_embedding_sites_may_take_their_time() -> None:
    later: Deferred[Grant | None] = pending()
    world = embedded(later)
    wire = world.wire()
    wire.send(b"GET /api HTTP/1.1\r\nHost: localhost:8080\r\n\r\n")
    assert wire.received() == b""
    later.callback(Grant("bob"))
    assert wire.answer().status == 200
    assert world.reached == [("/api", "bob")]


def test_a_client_that_leaves_cancels_the_question() -> None:
    cancelled: list[object] = []
    later: Deferred[Grant | None] = Deferred(cancelled.append)
    world = embedded(later)
    wire = world.wire()
    wire.send(b"GET /api HTTP/1.1\r\nHost: localhost:8080\r\n\r\n")
    wire.lose()
    assert cancelled == [later]
    assert world.reached == []


@pytest.mark.logs_errors
def test_a_broken_authorize_lets_nobody_in() -> None:
    def broken(request: IRequest) -> Grant:
        raise KeyError("hunter2")

    world = World(policy=lambda rules: embedded_policy(rules, broken))
    assert world.ask("/api").status == 500
    assert embedded(True).ask("/api").status == 500
    assert world.reached == []


# --- what breaks


@pytest.mark.logs_errors
def test_case_36_an_exception_shows_a_reference_only(world: World, logged: list[dict[str, Any]]) -> None:
    answer = world.ask("/boom?how=now", *BEARER)
    assert answer.status == 500
    assert b"hunter2" not in answer.body
    assert b"Traceback" not in answer.body
    reference = answer.body.split()[-1].decode()
    assert [event["reference"] for event in logged if "reference" in event] == [reference]


@pytest.mark.logs_errors
def test_an_exception_in_the_middle_of_an_answer_closes(world: World) -> None:
    wire = world.wire()
    wire.send("\r\n".join(["GET /boom?how=half HTTP/1.1", "Host: localhost:8080", *BEARER, "", ""]).encode())
    assert b"hunter2" not in wire.received()
    assert wire.closed


def test_case_37_every_answer_has_its_headers(world: World) -> None:
    answers = [
        world.ask("/", *HTML),
        world.ask("/login", *HTML),
        world.ask("/api", *BEARER),
        world.ask("/api"),
        world.ask("/api", host="evil"),
        world.ask("/nowhere", *BEARER),
        world.ask("/whoami", *BEARER, method="PUT"),
        world.ask("/x", method="BREW"),
        world.ask("/api", body=b"x" * 2000),
    ]
    assert [answer.status for answer in answers] == [303, 200, 200, 401, 421, 404, 405, 405, 413]
    for answer in answers:
        assert "default-src 'none'" in answer.get("content-security-policy")
        assert "frame-ancestors 'none'" in answer.get("content-security-policy")
        assert answer.get("x-content-type-options") == "nosniff"
        assert answer.get("x-frame-options") == "DENY"
        assert answer.get("cross-origin-opener-policy") == answer.get("cross-origin-resource-policy") == "same-origin"
        assert answer.get("cache-control") == "no-store"
        assert answer.get("referrer-policy") in ("no-referrer", "same-origin")
        assert answer.all("server") == []
        assert "unsafe" not in answer.get("content-security-policy")


def test_refusals_are_escaped(world: World) -> None:
    answer = world.ask("/", *HTML, host="a_-b.c")
    assert answer.get("content-type") == "text/html; charset=utf-8"
    assert b"does not answer to the name a_-b.c" in answer.body
    assert world.ask("/api", host="evil", method="HEAD").body == b""
