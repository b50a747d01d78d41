"""Host and Origin: only exact forms pass, and nothing that anybody can send makes the rules raise anything else."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from twisted.web.server import Request
from twisted.web.test.requesthelper import DummyChannel
from web.web_wire import BEARER, World

from webshell.web.answers import Malformed, Refused, UnknownHost
from webshell.web.hosts import Arrival, BadRule, Rules, check_ancestors, neighbourhood
from webshell.web.secure import secure_headers

PLAIN = Arrival(False, "127.0.0.1", 8080, "127.0.0.1")


def host(text: str, arrival: Arrival = PLAIN, rules: Rules | None = None) -> str | None:
    try:
        return (rules or Rules()).host([text.encode("latin-1")], arrival)
    except (Malformed, UnknownHost):
        return None


@pytest.mark.parametrize(
    ("arrival", "right", "wrong"),
    [
        (
            PLAIN,
            ["localhost:8080", "127.0.0.1:8080", "[::1]:8080", "LOCALHOST:8080"],
            [
                "localhost",
                "127.0.0.1",
                "[::1]",
                "localhost:80",
                "::1:8080",
                "0.0.0.0:8080",
                "127.1:8080",
                "2130706433:8080",
            ],
        ),
        (
            Arrival(False, "192.0.2.7", 8080, "192.0.2.9"),
            ["localhost:8080", "192.0.2.7:8080"],
            ["192.0.2.8:8080", "192.0.2.7", "192.0.2.7:80", "192.0.2.07:8080", "192.0.2.7.nip.io:8080"],
        ),
        (
            Arrival(False, "2001:db8::7", 8080, "::1"),
            ["[2001:db8::7]:8080"],
            ["[2001:db8:0::7]:8080", "2001:db8::7:8080", "[2001:db8::7%25eth0]:8080", "[2001:db8::8]:8080"],
        ),
        (Arrival(False, "::ffff:192.0.2.7", 8080, "::1"), ["192.0.2.7:8080"], ["[::ffff:192.0.2.7]:8080"]),
        (Arrival(False, "fe80::1%eth0", 8080, "fe80::2"), ["[fe80::1]:8080"], ["[fe80::1%eth0]:8080"]),
        (Arrival(False, "127.0.0.1", 80, "x"), ["localhost", "localhost:80", "127.0.0.1"], ["localhost:443"]),
        (Arrival(True, "127.0.0.1", 443, "x"), ["localhost", "localhost:443"], ["localhost:80", "localhost:8080"]),
        (Arrival(False, None, None, "unix"), ["localhost"], ["localhost:8080", "127.0.0.1", "[::1]", "evil.example"]),
    ],
)
def test_the_hosts_of_this_machine(arrival: Arrival, right: list[str], wrong: list[str]) -> None:
    assert [text for text in right if host(text, arrival) is None] == []
    assert [text for text in wrong if host(text, arrival) is not None] == []


def test_configured_hosts() -> None:
    rules = Rules(hosts=["shell.example", "other.example:9000"], origins=["https://front.example:8443"])
    for text in ("shell.example:8080", "shell.example", "other.example:9000", "front.example:8443", "shell.example:80"):
        assert host(text, rules=rules), text
    for text in (
        "shell.example:8081",
        "other.example",
        "other.example:8080",
        "front.example",
        "front.example:8080",
        "a.shell.example",
        "shell.example.evil",
        "evilshell.example",
        "shell.example.:8080",
    ):
        assert host(text, rules=rules) is None, text
    assert host("shell.example", Arrival(False, None, None, "unix"), rules) == "shell.example"


def test_the_default_port_is_left_out() -> None:
    tls = Arrival(True, "127.0.0.1", 443, "x")
    assert host("localhost:443", tls) == "localhost"
    assert Rules().origin([b"https://localhost"], "localhost", tls) == "https://localhost"
    with pytest.raises(Refused):
        Rules().origin([b"https://localhost:443"], "localhost", tls)


@pytest.mark.parametrize(
    "wrong",
    [
        {"hosts": ["http://x"]},
        {"hosts": ["X.example"]},
        {"hosts": ["*"]},
        {"hosts": ["*.example"]},
        {"hosts": ["x.example."]},
        {"hosts": ["x:0"]},
        {"hosts": ["x:65536"]},
        {"hosts": [""]},
        {"hosts": ["bücher.example"]},
        {"origins": ["x.example"]},
        {"origins": ["*"]},
        {"origins": ["null"]},
        {"origins": ["https://x.example/"]},
        {"origins": ["https://x.example:443"]},
        {"origins": ["http://x.example:80"]},
        {"origins": ["file://"]},
        {"origins": ["https://*.example"]},
        {"origins": ["https://user@x.example"]},
        {"proxies": ["proxy.example"]},
        {"proxies": ["10.0.0.0/8"]},
    ],
)
def test_rules_that_could_not_work_are_refused_at_once(wrong: dict[str, list[str]]) -> None:
    with pytest.raises(BadRule):
        Rules(**wrong)


# --- who may show our page in a frame: this goes into a header as it is

ANCESTORS = [
    "https://a.example",
    "http://localhost",
    "http://localhost:3000",
    "https://127.0.0.1:8443",
    "https://xn--bcher-kva.example:65535",
    "https://a_b.c-d.example",
]


def test_origins_may_be_frame_ancestors() -> None:
    check_ancestors([])
    check_ancestors(ANCESTORS)


@pytest.mark.parametrize(
    "origin",
    [
        "",
        " ",
        "*",
        "null",
        "'self'",
        "'none'",
        "https:",
        "https://",
        "data:",
        "file:///",
        "a.example",
        "//a.example",
        "ws://a.example",
        "javascript://a.example",
        "https://a.example/",
        "https://a.example/path",
        "https://a.example?x",
        "https://a.example#x",
        "https://user@a.example",
        "https://*.example",
        "https://a.example:*",
        "https://a.example:",
        "https://a.example:0",
        "https://a.example:65536",
        "https://a.example:443",
        "http://a.example:80",
        "https://a.example:8\u0664",
        "https://A.example",
        "HTTPS://a.example",
        "https://bücher.example",
        "https://a\u2024example",
        "https://[::1]:8080",
        " https://a.example",
        "https://a.example ",
        "https://a.example\n",
        "https://a.example\r\nX-Evil: 1",
        "https://a.example https://b.example",
        "https://a.example,https://b.example",
        "https://a.example; script-src *",
        "https://a.example;",
        "https://a.example\0",
        "https://" + "a" * 1000,
    ],
)
def test_what_is_no_origin_is_refused_as_a_frame_ancestor_in_plain_words(origin: str) -> None:
    for origins in ([origin], [*ANCESTORS, origin], [origin, *ANCESTORS]):
        with pytest.raises(BadRule) as error:
            check_ancestors(origins)
        assert str(error.value).startswith(f"{origin!r} may not be named as a frame ancestor: write https://name ")


PLACES = st.tuples(st.sampled_from(ANCESTORS), st.integers(0, 40))


@given(PLACES, st.text("; ,'\"*/\\?#@%&=+()[]{}<>|^`~!$\t\r\n\0\x7fAZäß\u0660\u2028\ud800", min_size=1, max_size=3))
def test_no_character_of_another_kind_gets_in_anywhere(place: tuple[str, int], odd: str) -> None:
    origin, at = place
    with pytest.raises(BadRule):
        check_ancestors([origin[:at] + odd + origin[at:]])


@given(st.text() | st.from_regex(r"https?://[a-z0-9._:-]{1,20}", fullmatch=True))
def test_what_gets_in_is_one_word_of_the_policy(origin: str) -> None:
    try:
        check_ancestors([origin])
    except BadRule:
        return
    assert re.fullmatch(r"https?://[a-z0-9._-]+(:[0-9]{1,5})?", origin, re.ASCII)
    request = Request(DummyChannel(), False)
    secure_headers(request, "nonce", [origin])
    policy = (request.responseHeaders.getRawHeaders("content-security-policy") or [""])[0]
    assert policy.split("; ")[:3] == ["default-src 'none'", f"frame-ancestors {origin}", "script-src 'self'"]


# --- what anybody may send


@given(st.lists(st.binary(max_size=40), max_size=3), st.booleans())
@example([b"localhost:8080", b"localhost:8080"], False)
@example([b"[" * 200], False)
@example([b"a" * 10_000], False)
@example([b"a." * 130 + b":8080"], False)
@example([b"localhost:" + b"8" * 5000], False)
def test_only_known_hosts_pass(values: list[bytes], secure: bool) -> None:
    arrival = Arrival(secure, "127.0.0.1", 8080, "127.0.0.1")
    try:
        normal = Rules(hosts=["shell.example"]).host(values, arrival)
    except (Malformed, UnknownHost):
        assert values != [b"localhost:8080"]
    else:
        names = ("localhost:8080", "127.0.0.1:8080", "[::1]:8080", "shell.example", "shell.example:8080")
        assert normal in names
        assert len(values) == 1


near = st.sampled_from(["http://", "https://", "localhost", ":8080", ".", "@", "[::1]", "null", "%", "/", "xn--", "\0"])


@given(st.one_of(st.text(max_size=40), st.lists(near, max_size=6).map("".join)))
@example("http://localhost:8080")
@example("https://good.example")
def test_only_two_origins_pass(text: str) -> None:
    rules = Rules(origins=["https://good.example"])
    value = text.encode("utf-8", "surrogatepass")
    try:
        passed = rules.origin([value], "localhost:8080", PLAIN)
    except (Malformed, Refused):
        assert value not in (b"http://localhost:8080", b"https://good.example")
    else:
        assert passed in ("http://localhost:8080", "https://good.example")
        assert value == passed.encode()


def test_the_client_behind_a_proxy() -> None:
    def client(*headers: str, peer: str = "10.0.0.1", proxies: tuple[str, ...] = ("10.0.0.1", "10.0.0.2")) -> int:
        """How many tries of one forged client after another it takes to be stopped."""
        world = World(rules=Rules(proxies=proxies))
        for number in range(20):
            forged = [header.replace("N", str(number)) for header in headers]
            if world.ask("/api", "Authorization: Bearer x", *forged, peer=peer).status == 429:
                return number
        return 20

    assert client("X-Forwarded-For: 192.0.2.N") == 20  # each is another client
    assert client("X-Forwarded-For: 192.0.2.N, 198.51.100.1") == 10  # case 10: the left-most entry is the client's own
    assert client("X-Forwarded-For: 192.0.2.N", "X-Forwarded-For: 198.51.100.1, 10.0.0.2") == 10
    assert client("X-Forwarded-For: 192.0.2.N", peer="10.0.0.9") == 10
    assert client("X-Forwarded-For: 192.0.2.N", peer="::ffff:10.0.0.1") == 20
    assert client("X-Forwarded-For: nonsense N") == 10
    assert client("X-Forwarded-For: ") == 10
    assert client() == 10


def test_a_unix_socket() -> None:
    world = World()
    assert world.ask("/api", *BEARER, unix=True, host="localhost").status == 200
    assert world.ask("/api", *BEARER, unix=True, host="localhost:8080").status == 421
    assert World(rules=Rules(hosts=["a.example"])).ask("/api", *BEARER, unix=True, host="a.example").status == 200


@given(st.one_of(st.text(), st.ip_addresses().map(str)))
@example("::ffff:192.0.2.1")
@example("fe80::1%eth0")
def test_neighbourhoods(client: str) -> None:
    assert isinstance(neighbourhood(client), str)


def test_one_ipv6_network_is_one_client() -> None:
    assert (
        neighbourhood("2001:db8::1")
        == neighbourhood("2001:db8::ffff:ffff:ffff:ffff")
        != neighbourhood("2001:db8:0:1::1")
    )
    assert neighbourhood("::ffff:192.0.2.1") == neighbourhood("192.0.2.1") != neighbourhood("192.0.2.2")
    assert neighbourhood("unix") == "unix"
