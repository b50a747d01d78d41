"""Tokens, the token file, cookies, and how wrong credentials are counted."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from web.web_wire import BEARER, HTML, OURS, TOKEN, UPGRADE, World

from webshell.grant import ALL_RIGHTS, Grant, Right
from webshell.web.answers import TooManyTries
from webshell.web.credentials import MOST_ADDRESSES, Throttle
from webshell.web.tokens import (
    LARGEST_COOKIE,
    MOST_COOKIES,
    Keyring,
    UnusableToken,
    cookie_values,
    new_token,
    token_from_file,
)

# --- the file


def test_a_missing_token_file_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "token"
    old = os.umask(0)
    try:
        token = token_from_file(path)
    finally:
        os.umask(old)
    assert token_from_file(path) == token
    assert len(token) == 43
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["token"]
    assert Keyring(token).grant(token.encode()) == Grant("operator", ALL_RIGHTS)


@pytest.mark.parametrize(
    ("content", "mode", "why"),
    [
        ("x" * 43, 0o640, "read by others"),
        ("x" * 43, 0o604, "read by others"),
        ("x" * 43, 0o620, "read by others"),
        ("", 0o600, "empty"),
        (" \n", 0o600, "empty"),
        ("short", 0o600, "16 to"),
        ("x" * 2000, 0o600, "16 to"),
        ("with blanks in the middle", 0o600, "16 to"),
        ("ünïcödé-ünïcödé-ünïcödé", 0o600, "16 to"),
    ],
)
def test_unusable_token_files(tmp_path: Path, content: str, mode: int, why: str) -> None:
    path = tmp_path / "token"
    path.write_text(content)
    path.chmod(mode)
    with pytest.raises(UnusableToken, match=why) as caught:
        token_from_file(path)
    assert not content.strip() or content not in str(caught.value)
    assert path.read_text() == content


def test_token_files_that_are_none(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    for path in (tmp_path, tmp_path / "pipe", tmp_path / "no" / "where"):
        with pytest.raises(UnusableToken):
            token_from_file(path)
    assert sorted(os.listdir(tmp_path)) == ["pipe"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_token_file_of_somebody_else(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("x" * 43)
    path.chmod(0o600)
    os.chown(path, 12345, 12345)
    with pytest.raises(UnusableToken, match="somebody else"):
        token_from_file(path)


def test_a_dangling_link_is_not_followed_to_make_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UnusableToken):
        token_from_file(tmp_path / "token")
    assert not (tmp_path / "elsewhere").exists()


# --- derived tokens


def test_two_tokens_two_grants() -> None:
    keys = Keyring(TOKEN)
    assert keys.grant(keys.view_token.encode()) == Grant("viewer", frozenset({Right.VIEW}), frozenset({"operator"}))
    for wrong in (b"", TOKEN[:-1].encode(), TOKEN.encode() + b"x", b"\xff", keys.view_token[:-1].encode()):
        assert keys.grant(wrong) is None
    assert Keyring(new_token()).grant(TOKEN.encode()) is None
    assert TOKEN not in repr(keys)


def test_case_16_comparison_is_by_digest(compared: list[tuple[int, int]]) -> None:
    """Both candidates are always compared, and as digests of equal length: nothing to measure."""
    keys = Keyring(TOKEN)
    assert [keys.grant(b"x" * length) for length in (0, 1, 16, 43, 1000)] == [None] * 5
    assert keys.grant(TOKEN.encode()) is not None
    assert compared == [(32, 32)] * 12
    compared.clear()
    assert keys.read_cookies([keys.cookie_name(False, "/").encode() + b"=a.b"], False, "/") is None
    assert compared == [(32, 32)]


# --- cookies


def test_case_22_the_cookie(world: World) -> None:
    plain = world.ask(f"/?token={TOKEN}", *HTML).get("set-cookie")
    name = plain.partition("=")[0]
    assert plain.partition("; ")[2] == "Path=/; Max-Age=2592000; HttpOnly; SameSite=Strict"
    assert name.startswith("webshell_")
    assert len(name) == len("webshell_") + 8
    secure = world.ask(f"/?token={TOKEN}", *HTML, secure=True).get("set-cookie")
    assert secure.startswith(f"__Host-{name}=")
    assert secure.endswith("; HttpOnly; SameSite=Strict; Secure")
    assert TOKEN not in plain + secure


def test_case_22_two_servers_on_one_host() -> None:
    first, second = World(), World(token="another-token-of-the-same-length")
    assert second.ask("/api", first.cookie()).status == 401
    renamed = second.cookie().partition("=")[0] + "=" + first.cookie().partition("=")[2]
    assert second.ask("/api", renamed).status == 401


def test_case_23_a_changed_token_ends_all_cookies(world: World) -> None:
    cookie = world.cookie()
    assert world.ask("/api", cookie).status == 200
    assert World(token=new_token()).ask("/api", cookie).status == 401


def test_cookies_expire(world: World) -> None:
    cookie = world.cookie()
    world.clock.advance(30 * 86400 - 1)
    assert world.ask("/api", cookie).status == 200
    world.clock.advance(1)
    assert world.ask("/api", cookie).status == 401


def test_cookies_of_a_listed_https_origin_are_secure() -> None:
    from webshell.web.hosts import Rules

    world = World(rules=Rules(origins=["https://shell.example"]))
    cookie = world.ask(f"/?token={TOKEN}", *HTML, host="shell.example").get("set-cookie")
    assert cookie.startswith("__Host-")
    assert cookie.endswith("; Secure")


def test_tampered_cookies(world: World) -> None:
    name, _, value = world.cookie().removeprefix("Cookie: ").partition("=")
    for position in range(0, len(value), 7):
        changed = value[:position] + ("A" if value[position] != "A" else "B") + value[position + 1 :]
        assert world.ask("/api", f"Cookie: {name}={changed}").status == 401
    for odd in ("", ".", "..", "a.b", "\xff", "=" * 50, value + "x", value[:-1], value.split(".")[0], "x" * 9000):
        assert world.ask("/api", f"Cookie: {name}={odd}").status == 401
    assert world.ask("/api", f"Cookie: {name}=junk; {name}={value}").status == 200  # another port may plant one
    assert world.ask("/api", f"Cookie: {name}=junk", f"Cookie: a; {name}={value};;").status == 200
    assert world.ask("/ws", *UPGRADE, OURS, f"Cookie: {name}={value}").status == 200


def test_so_many_cookies_of_one_name_are_looked_at(world: World) -> None:
    name, _, value = world.cookie().removeprefix("Cookie: ").partition("=")
    planted = [f"{name}=junk"] * (MOST_COOKIES - 1)
    assert world.ask("/api", f"Cookie: {'; '.join([*planted, f'{name}={value}'])}").status == 200
    assert world.ask("/api", f"Cookie: {'; '.join([*planted, f'{name}=junk', f'{name}={value}'])}").status == 401


def test_a_cookie_that_no_browser_would_keep_is_none() -> None:
    keys = Keyring(TOKEN, lambda: 1000.0)

    def cookie(letters: int) -> bytes:
        return keys.set_cookie(Grant("x" * letters), False, "/").partition(b";")[0]

    shorter, longer = cookie(2900), cookie(3000)
    sizes = [len(value.partition(b"=")[2]) for value in (shorter, longer)]
    assert sizes[0] <= LARGEST_COOKIE < sizes[1]
    assert keys.read_cookies([shorter], False, "/") is not None
    assert keys.read_cookies([longer], False, "/") is None


@given(st.lists(st.binary(max_size=60), max_size=4), st.binary(max_size=8))
@example([b"a=b; a=c", b"a=d"], b"a")
@example([b";" * 5000], b"")
def test_odd_cookie_headers_never_raise(headers: list[bytes], name: bytes) -> None:
    assert len(cookie_values(headers, name)) <= 8
    keys = Keyring(TOKEN)
    cookie = keys.cookie_name(False, "/").encode()
    assert keys.read_cookies([cookie + b"=" + header for header in headers], False, "/") is None


@given(st.text(), st.frozensets(st.sampled_from(Right)), st.frozensets(st.text(max_size=5), max_size=3))
def test_what_is_put_into_a_cookie_comes_out(identity: str, rights: frozenset[Right], owners: frozenset[str]) -> None:
    keys = Keyring(TOKEN, lambda: 1000.0)
    grant = Grant(identity, rights, owners)
    header = keys.set_cookie(grant, True, "/").partition(b";")[0]
    assert len(header) > 4096 or keys.read_cookies([header], True, "/") == grant
    assert keys.read_cookies([header], False, "/") is None


# --- how often one may be wrong


def fail(throttle: Throttle, client: str, times: int = 1) -> int:
    """How many of so many tries were allowed."""
    for number in range(times):
        try:
            throttle.begin(client)
        except TooManyTries:
            return number
    return times


def test_ten_a_minute_for_one_address() -> None:
    clock = Clock()
    throttle = Throttle(clock)
    assert fail(throttle, "192.0.2.1", 20) == 10
    with pytest.raises(TooManyTries) as caught:
        throttle.begin("192.0.2.1")
    assert 0 < int(caught.value.headers["Retry-After"]) <= 61
    assert fail(throttle, "192.0.2.2", 5) == 5
    clock.advance(60)
    assert fail(throttle, "192.0.2.1", 20) == 10


def test_an_ipv6_network_is_one_address() -> None:
    throttle = Throttle(Clock())
    assert sum(fail(throttle, f"2001:db8::{number:x}") for number in range(1, 30)) == 10
    assert fail(throttle, "2001:db8:0:1::1") == 1


def test_case_17_the_global_limit_slows_only_those_who_were_wrong() -> None:
    throttle = Throttle(Clock())
    assert sum(fail(throttle, f"192.0.2.{number}", 5) for number in range(30)) == 100 + 10  # the last ten: once each
    assert fail(throttle, "192.0.2.1") == 0
    time = throttle.begin("198.51.100.1")
    throttle.right("198.51.100.1", time)
    for _ in range(50):
        throttle.right("198.51.100.1", throttle.begin("198.51.100.1"))


def test_tries_at_the_same_time_count() -> None:
    throttle = Throttle(Clock())
    begun = [throttle.begin("192.0.2.1") for _ in range(10)]
    assert fail(throttle, "192.0.2.1") == 0
    throttle.right("192.0.2.1", begun[0])
    assert fail(throttle, "192.0.2.1", 2) == 1


def test_its_memory_is_bounded() -> None:
    clock = Clock()
    throttle = Throttle(clock)
    for number in range(MOST_ADDRESSES + 100):
        throttle.begin(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert len(throttle._tries) == len(throttle._all) == MOST_ADDRESSES
    clock.advance(61)
    throttle.begin("192.0.2.1")
    assert len(throttle._tries) == len(throttle._all) == 1


def test_case_17_over_http(world: World) -> None:
    wrong = "Authorization: Bearer wrong"
    cookie = world.cookie()
    assert [world.ask("/api", wrong).status for _ in range(12)] == [401] * 10 + [429] * 2
    limited = world.ask("/api", *BEARER)
    assert (limited.status, int(limited.get("retry-after")) > 0) == (429, True)
    assert world.ask("/api", cookie).status == 200  # who is in stays in
    assert world.ask("/api", *BEARER, peer="192.0.2.1").status == 200
    for number in range(120):
        world.ask("/api", wrong, peer=f"198.51.100.{number}")
    assert world.ask("/api", *BEARER, peer="192.0.2.1").status == 200
    assert world.ask("/api", *BEARER, peer="198.51.100.1").status == 429
    world.clock.advance(61)
    assert world.ask("/api", *BEARER).status == 200
    assert [world.ask(f"/?token={number}", *HTML).status for number in range(12)] == [403] * 10 + [429] * 2
