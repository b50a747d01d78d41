"""Logging in and out by page, link and password; and that a secret never reaches a log."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from html import unescape
from typing import Any
from urllib.parse import quote, urljoin

import pytest
from twisted.cred.checkers import ANONYMOUS, FilePasswordDB, InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred, fail, succeed
from twisted.python import log as old_log
from web.web_wire import BEARER, HTML, OURS, TOKEN, UPGRADE, Answer, World, pending

from webshell.web.hosts import Rules
from webshell.web.secure import access_line, without_token

FORM = "Content-Type: application/x-www-form-urlencoded"
USERS = {"alice": b"wonderland", "operator": b"usurper", "viewer": b"peeping"}


def post(world: World, body: str, *headers: str, origin: str = OURS, **how: Any) -> Answer:
    headers = (FORM, *((origin,) if origin else ()), *HTML, *headers)
    return world.ask("/login", *headers, method="POST", body=body.encode("latin-1"), **how)


def basic(username: str, password: str) -> str:
    return "Authorization: Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


def cookie_of(answer: Answer) -> str:
    return "Cookie: " + answer.get("set-cookie").partition(";")[0]


@pytest.fixture
def users() -> World:
    return World(checkers=[InMemoryUsernamePasswordDatabaseDontUse(**USERS)])


# --- the page


def test_the_login_page(world: World) -> None:
    answer = world.ask("/login", *HTML)
    assert (answer.status, answer.get("content-type")) == (200, "text/html; charset=utf-8")
    assert answer.body.startswith(b"<form action=login></form><style nonce=")
    nonce = answer.body.partition(b"nonce=")[2].rstrip(b">").decode()
    assert f"'nonce-{nonce}'" in answer.get("content-security-policy")
    assert nonce not in world.ask("/login", *HTML).body.decode()
    assert answer.get("referrer-policy") == "same-origin"  # else browsers would post with "Origin: null"


def test_logging_in_with_the_token(world: World) -> None:
    answer = post(world, f"token={TOKEN}")
    assert (answer.status, answer.get("location")) == (303, "./")
    assert world.ask("/", *HTML, cookie_of(answer)).body == b"secret"
    assert post(world, f"token=%20{TOKEN}%0A").status == 303  # pasted with what was around it
    viewer = post(world, f"token={world.keyring.view_token}")
    assert json.loads(world.ask("/whoami", cookie_of(viewer)).body)["rights"] == ["view"]


@pytest.mark.parametrize(
    ("path", "login", "page"),
    [
        ("/", "./login", "./"),
        ("/api", "./login", "./"),
        ("/?s=a-b_1", "./login?s=a-b_1", "./?s=a-b_1"),
        ("/s/abc", "../login?s=abc", "./?s=abc"),
        ("/exec/abc.12", "../login?s=abc&p=12", "./?s=abc#12"),
        ("/exec/abc.12?s=x&p=3", "../login?s=abc&p=12", "./?s=abc#12"),
        ("/exec/abc", "../login", "./"),
        ("/s/abc/files", "../../login", "./"),
        ("/?s=%22%3E%3Cscript%3E", "./login", "./"),
        ("/?s=//evil.example", "./login", "./"),
        ("/?s=a&s=b", "./login", "./"),
        ("/?s=a&p=x%22", "./login?s=a", "./?s=a"),
        ("/?p=1", "./login", "./"),
        (f"/?s={'x' * 65}", "./login", "./"),
    ],
)
def test_where_one_wanted_to_go_is_not_forgotten(world: World, path: str, login: str, page: str) -> None:
    assert world.ask(path, *HTML).get("location") == login
    there = "/login" + login.partition("login")[2]
    answer = world.ask(there, FORM, OURS, *HTML, method="POST", body=f"token={TOKEN}".encode())
    assert (answer.status, answer.get("location")) == (303, page)
    again = world.ask(there, FORM, OURS, *HTML, method="POST", body=b"token=wrong")
    assert f"action=login{there.removeprefix('/login').replace('&', '&amp;')}>".encode() in again.body


@pytest.mark.parametrize(
    "body",
    ["", "token=", "token=wrong", "token=a&token=b", "username=x", "password=y", "token=%00", "&&&;;=", "\xff=\xff"],
)
def test_logging_in_wrongly(world: World, body: str) -> None:
    answer = post(world, body or "x")
    assert (answer.status, answer.all("set-cookie")) == (401, [])
    assert b"<form action=login>that does not let you in</form>" in answer.body
    assert world.reached == []


def test_the_query_is_nobodys_login(world: World) -> None:
    answer = world.ask(f"/login?token={TOKEN}", FORM, OURS, method="POST", body=b"x=y")
    assert answer.status == 401
    multipart = f'--b\r\nContent-Disposition: form-data; name="token"\r\n\r\n{TOKEN}\r\n--b--\r\n'.encode()
    kinds = (("multipart/form-data; boundary=b", multipart), ("text/plain", f"token={TOKEN}".encode()))
    for kind, body in kinds:
        assert world.ask("/login", f"Content-Type: {kind}", OURS, method="POST", body=body).status == 401


@pytest.mark.parametrize("origin", ["", "Origin: null", "Origin: https://evil.example", "Origin: http://localhost:1"])
def test_case_25_forms_of_other_sites(world: World, origin: str) -> None:
    assert post(world, f"token={TOKEN}", origin=origin).status == 403
    cookie = world.cookie()
    for path in ("/logout", "/share", "/api"):
        headers = [header for header in (origin, cookie, "Content-Type: text/plain") if header]
        answer = world.ask(path, *headers, method="POST", body=b"{}")
        assert (answer.status, answer.all("set-cookie")) == (403, [])
    for _ in range(20):  # and they do not use up the tries of the right user
        post(world, "token=wrong", origin=origin)
    assert post(world, f"token={TOKEN}").status == 303
    assert world.reached == []


def test_case_28_a_login_of_10_mb(world: World) -> None:
    wire = world.wire()
    lines = ["POST /login HTTP/1.1", "Host: localhost:8080", FORM, OURS, "Content-Length: 10000000", "", ""]
    wire.send("\r\n".join(lines).encode())
    assert wire.answer().status == 413
    assert post(world, "token=" + "x" * 20_000).status == 413


def test_case_17_the_login_page_is_limited(world: World) -> None:
    assert [post(world, "token=wrong").status for _ in range(11)] == [401] * 10 + [429]
    answer = post(world, f"token={TOKEN}")
    assert (answer.status, answer.all("set-cookie")) == (429, [])
    assert int(answer.get("retry-after")) > 0
    assert b"too many tries" in answer.body
    assert post(world, f"token={TOKEN}", peer="192.0.2.1").status == 303


def test_logout(world: World) -> None:
    cookie = world.cookie()
    answer = world.ask("/logout", OURS, cookie, method="POST")
    assert (answer.status, answer.get("location")) == (303, "./login")
    assert answer.get("set-cookie").startswith(
        cookie.removeprefix("Cookie: ").partition("=")[0] + "=; Path=/; Max-Age=0"
    )
    assert world.ask("/logout", cookie).status == 405


def test_whoami_and_share(world: World) -> None:
    me = json.loads(world.ask("/whoami", *BEARER).body)
    assert me == {"identity": "operator", "rights": ["manage", "run", "type", "view"], "instance": "instance-1"}
    assert world.ask("/whoami").status == 401
    answer = world.ask("/share", *BEARER, method="POST")
    assert (answer.get("content-type"), answer.get("cache-control")) == ("application/json", "no-store")
    link = json.loads(answer.body)["view"]
    viewer = cookie_of(world.ask(f"/{link}", *HTML))
    who = json.loads(world.ask("/whoami", viewer).body)
    assert (who["identity"], who["rights"]) == ("viewer", ["view"])
    refused = world.ask("/share", viewer, OURS, method="POST")
    assert (refused.status, b"needs the right 'manage'" in refused.body) == (403, True)
    assert world.ask("/share", *BEARER).status == 405


# --- links


def test_case_21_a_token_in_the_address_is_taken_out(world: World) -> None:
    for path, location in (
        ("/?token=T", "./"),
        ("/?a=1&token=T&b=%2F", "./?a=1&b=%2F"),
        ("/?%74oken=T", "./"),
        ("/s/1?token=T&x", "./1?x"),
        ("/s/a:b?token=T", "./a%3Ab"),
        ("/s/?token=T;y=1", "./?y=1"),
    ):
        answer = world.ask(path.replace("=T", "=" + TOKEN), *HTML)
        assert (answer.status, answer.get("location")) == (303, location)
        assert answer.get("referrer-policy") == "no-referrer"
        assert world.ask("/", *HTML, cookie_of(answer)).status == 200


def test_links_that_do_not_count(world: World) -> None:
    wrong = world.ask("/?token=wrong", *HTML)
    assert (wrong.status, wrong.all("set-cookie")) == (403, [])
    assert world.ask(f"/?token={TOKEN}&token={TOKEN}", *HTML).get("location") == "./login"
    for path, headers in (
        (f"/ws?token={TOKEN}", UPGRADE),
        (f"/api?token={TOKEN}", ()),
        (f"/ws?token={TOKEN}", (*UPGRADE, OURS)),
    ):
        assert world.ask(path, *headers).status == 401
    assert world.ask(f"/api?token={TOKEN}", method="HEAD").status == 401
    assert world.ask(f"/?token={TOKEN}", *HTML, "Sec-Fetch-Mode: cors", "Sec-Fetch-Site: same-origin").status == 401
    assert world.reached == []


STALE = "stale-and-secret-1234567890"


@pytest.mark.parametrize(
    ("mount", "path", "top", "query"),
    [
        ("", "/", "/", ""),
        ("", "/api", "/", ""),
        ("", "/?s=a-b_1&", "/", "?s=a-b_1"),
        ("", "/?s=%22%3E%3Cscript%3E&", "/", ""),
        ("", "/s/abc", "/", "?s=abc"),
        ("", "/s/abc/files", "/", ""),
        ("", "/exec/abc.12", "/", "?s=abc&p=12"),
        ("shell", "/shell/", "/shell/", ""),
        ("shell", "/shell/s/abc", "/shell/", "?s=abc"),
        ("shell", "/shell", "/shell/", ""),
        ("x:y", "/x%3Ay", "/x%3Ay/", ""),
        ("a b", "/a%20b", "/a%20b/", ""),
    ],
)
def test_a_link_that_is_no_longer_valid_says_how_to_get_another(mount: str, path: str, top: str, query: str) -> None:
    world = World(mount=mount)
    link = f"{path}{'' if '?' in path else '?'}token={STALE}"
    answer = world.ask(link, *HTML, "Sec-Fetch-Site: none", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document")
    assert (answer.status, answer.all("set-cookie")) == (403, [])
    assert answer.get("content-type") == "text/html; charset=utf-8"
    page = answer.body.decode()
    assert "This link is no longer valid." in page
    assert "ask who sent you this one for a new one" in page
    assert "{{" not in page
    assert STALE not in page + repr(answer.headers)
    linked = [urljoin(f"http://localhost:8080{link}", unescape(name)) for name in re.findall(r'href="([^"]*)"', page)]
    wanted = ["favicon.svg", "css/login.css", f"login{query}"]
    assert linked == [f"http://localhost:8080{top}{name}" for name in wanted]
    assert [world.ask(name.removeprefix("http://localhost:8080"), *HTML).status for name in linked] == [200] * 3
    assert world.gate.refused[403] == 1


def test_the_page_of_such_a_link_has_the_headers_of_the_login_page(world: World) -> None:
    def headers(answer: Answer) -> dict[str, str]:
        ours = {name: value for name, value in answer.headers if name not in ("date", "content-length")}
        return {**ours, "content-security-policy": re.sub("nonce-[^']*", "", ours["content-security-policy"])}

    stale = world.ask(f"/?token={STALE}", *HTML)
    # it has no form, so it need not say where it comes from
    assert headers(stale) == {**headers(world.ask("/login", *HTML)), "referrer-policy": "no-referrer"}


def test_programs_get_a_line_of_text_and_do_not_learn_whether_a_link_is_valid(world: World) -> None:
    answers = [world.ask(f"/?token={token}", "Accept: */*") for token in (STALE, TOKEN)]
    for answer in answers:
        assert (answer.status, answer.get("content-type")) == (401, "text/plain; charset=utf-8")
        assert answer.body == b"log in first, or send the token in an Authorization header\n"


def test_wrong_links_count_as_tries(world: World) -> None:
    assert [world.ask("/?token=wrong", *HTML).status for _ in range(11)] == [403] * 10 + [429]


def test_foreign_frames_cannot_use_up_the_tries(world: World) -> None:
    frame = ("Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe")
    assert {world.ask("/?token=wrong", *HTML, *frame).status for _ in range(20)} == {403}
    assert world.ask(f"/?token={TOKEN}", *HTML).status == 303


def test_case_21_a_token_is_in_no_log(world: World, logged: list[dict[str, Any]]) -> None:
    lines: list[str] = []
    text: list[str] = []

    def observer(event: dict[str, Any]) -> None:
        text.append(str(old_log.textFromEventDict(event)) + repr(event))

    old_log.addObserver(observer)
    world.site._logFile = type("File", (), {"write": staticmethod(lines.append), "close": lambda self: None})()
    secret = quote(TOKEN)
    headers = (*HTML, f"Referer: http://localhost:8080/?token={secret}", 'User-Agent: x"\x1b[31m\x07')
    paths = [
        "/?token=T",
        "/?%74oken=T",
        "/?x=1;token=T",
        "/a?TOKEN=T",
        "/%00?token=T",
        "/boo#token=T",
        "//?token=T",
        "/a;token=T",
    ]
    for path in paths:
        for method in ("GET", "HEAD", "POST", "BREW"):
            for extra in ((), UPGRADE, BEARER):
                world.ask(path.replace("=T", "=" + secret), *headers, *extra, method=method)
    world.ask(f"/?token={secret}", *headers, host="evil.example")
    world.ask(f"/?token={secret}", *headers, body=b"x" * 5000)
    old_log.removeObserver(observer)
    assert len(lines) > 50
    everything = "".join([*lines, *text, *map(repr, logged)])
    assert secret not in everything
    assert world.keyring.view_token not in everything
    assert not any(ord(character) < 32 for line in lines for character in line.rstrip("\n"))
    assert lines[0].startswith('"127.0.0.1" - - ')


def test_access_lines() -> None:
    assert callable(access_line)
    for uri, left in (
        (b"/a?b=c&d", b"/a?b=c&d"),
        (b"/a?token=x", b"/a"),
        (b"/a?b=1&%54oken=x&c", b"/a?b=1&c"),
        (b"/a?view_token=x;y", b"/a?y"),
        (b"/a", b"/a"),
        (b"https://x/?a=b#token=c", b"https://x/?a=b"),
    ):
        assert without_token(uri) == left


# --- names and passwords


def test_basic_and_form(users: World) -> None:
    who = json.loads(users.ask("/whoami", basic("alice", "wonderland")).body)
    assert (who["identity"], who["rights"]) == ("alice", ["run", "type", "view"])
    answer = post(users, "username=alice&password=wonderland")
    assert answer.status == 303
    assert json.loads(users.ask("/whoami", cookie_of(answer)).body)["identity"] == "alice"
    users.clock.advance(86400)
    assert users.ask("/whoami", cookie_of(answer)).status == 401
    assert users.ask("/api", *BEARER).status == 200
    assert users.ask("/share", basic("alice", "wonderland"), method="POST").status == 403


def test_case_18_unknown_user_and_wrong_password_look_alike(users: World) -> None:
    def shown(answer: Answer) -> tuple[Any, ...]:
        # the date, and the nonce of the page, differ anyway
        policy = answer.get("content-security-policy").partition("nonce-")[0]
        headers = [pair for pair in answer.headers if pair[0] not in ("date", "content-security-policy")]
        return answer.status, headers, answer.body.partition(b"nonce=")[0], policy

    assert shown(users.ask("/api", basic("alice", "x"))) == shown(users.ask("/api", basic("mallory", "x")))
    first, second = post(users, "username=alice&password=x"), post(users, "username=mallory&password=x")
    assert shown(first) == shown(second)
    assert first.status == 401


def test_the_tokens_identities_are_no_users(users: World) -> None:
    assert users.ask("/api", basic("operator", "usurper")).status == 401
    assert post(users, "username=viewer&password=peeping").status == 401


def test_browsers_get_no_password_window(users: World) -> None:
    assert users.ask("/api").all("www-authenticate") == [
        'Bearer realm="webshell"',
        'Basic realm="webshell", charset="UTF-8"',
    ]
    fetched = users.ask("/api", "Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: cors")
    assert fetched.all("www-authenticate") == ['Bearer realm="webshell"']


class Checker:
    """Does as it is told."""

    def __init__(self, act: Callable[[Any], Any]) -> None:
        self._act = act

    def requestAvatarId(self, credentials: Any) -> Any:
        return self._act(credentials)


def test_several_checkers_are_asked_in_turn(tmp_path: Any) -> None:
    (tmp_path / "users").write_text("bob:builder\n")
    world = World(checkers=[InMemoryUsernamePasswordDatabaseDontUse(**USERS), FilePasswordDB(str(tmp_path / "users"))])
    assert world.ask("/api", basic("alice", "wonderland")).status == 200
    assert world.ask("/api", basic("bob", "builder")).status == 200
    assert world.ask("/api", basic("bob", "wonderland")).status == 401
    assert world.reached == [("/api", "alice"), ("/api", "bob")]


@pytest.mark.parametrize("avatar", [ANONYMOUS, b"", None, "", 7, True])
def test_avatars_that_are_nobody(avatar: object) -> None:
    assert World(checkers=[Checker(lambda _: succeed(avatar))]).ask("/api", basic("a", "b")).status == 401


@pytest.mark.logs_errors
def test_a_broken_checker_lets_nobody_in() -> None:
    def broken(credentials: Any) -> Any:
        raise ValueError("hunter2")

    world = World(
        checkers=[
            Checker(broken),
            Checker(lambda _: fail(KeyError("hunter2"))),
            Checker(lambda _: fail(UnauthorizedLogin())),
        ]
    )
    answer = world.ask("/api", basic("a", "b"))
    assert (answer.status, b"hunter2" in answer.body) == (401, False)


def test_credentials_that_no_checker_sees() -> None:
    seen: list[Any] = []
    world = World(checkers=[Checker(lambda given: seen.append(given))])
    for username, password in (("a\0", "b"), ("a", "b\0"), ("x" * 2000, "b"), ("a", "x" * 2000)):
        assert world.ask("/api", basic(username, password)).status == 401
    assert seen == []


def test_passwords_are_compared_as_digests(compared: list[tuple[int, int]]) -> None:
    credentials: list[Any] = []

    def check(given: Any) -> Deferred[bytes]:
        credentials.append(given)
        return succeed(b"alice")

    world = World(checkers=[Checker(check)])
    assert world.ask("/api", basic("alice", "wonderland")).status == 200
    compared.clear()
    assert credentials[0].checkPassword(b"wonderland")
    assert not credentials[0].checkPassword(b"wonderlan")
    assert not credentials[0].checkPassword(b"")
    assert compared == [(32, 32)] * 3


def test_a_slow_checker_does_not_lift_the_limit() -> None:
    later: list[Deferred[Any]] = []

    def slow(credentials: Any) -> Deferred[Any]:
        later.append(pending())
        return later[-1]

    world = World(checkers=[Checker(slow)])
    wires = [world.wire() for _ in range(15)]
    for wire in wires:
        wire.send(f"GET /api HTTP/1.1\r\nHost: localhost:8080\r\n{basic('a', 'b')}\r\n\r\n".encode())
    assert len(later) == 10
    assert [wire.answer().status for wire in wires[10:]] == [429] * 5
    later[0].callback(b"a")
    assert wires[0].answer().status == 200
    wires[1].lose()
    for deferred in later[2:]:
        deferred.errback(UnauthorizedLogin())
    assert [wire.answer().status for wire in wires[2:10]] == [401] * 8
    assert world.reached == [("/api", "a")]


def test_login_behind_tls_and_a_mount() -> None:
    world = World(mount="shell", rules=Rules(hosts=["shell.example"]))
    answer = world.ask(
        "/shell/login", FORM, "Origin: https://shell.example", *HTML,
        method="POST", body=f"token={TOKEN}".encode(), host="shell.example", secure=True,
    )  # fmt: skip
    cookie = answer.get("set-cookie")
    assert answer.status == 303
    assert "; Path=/shell/; " in cookie
    assert cookie.endswith("; Secure")
    assert cookie.startswith("webshell_")
    again = world.ask("/shell/", *HTML, cookie_of(answer), host="shell.example", secure=True)
    assert again.status == 200
