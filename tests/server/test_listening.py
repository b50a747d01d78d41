"""What is understood of an endpoint before anything listens; Twisted's own parser is the judge."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.endpoints import quoteStringArgument, serverFromString
from twisted.internet.testing import MemoryReactorClock

from webshell.listening import Listener, address, invitation


@pytest.mark.parametrize(
    ("description", "kind", "interface", "port"),
    [
        ("tcp:8080:interface=127.0.0.1", "tcp", "127.0.0.1", 8080),
        ("tcp:port=80", "tcp", "", 80),
        ("tcp:0", "tcp", "", 0),
        (r"tcp6:8080:interface=\:\:1", "tcp6", "::1", 8080),
        ("tcp6:8080", "tcp6", "::", 8080),
        ("ssl:443:privateKey=a.pem:interface=localhost", "ssl", "localhost", 443),
        ("unix:/run/webshell.sock:mode=600", "unix", "", None),
        (r"unix:/tmp/a\:b\=c", "unix", "", None),
        ("systemd:domain=INET:index=0", "systemd", "", None),
        ("haproxy:tcp:8080:interface=127.0.0.1", "tcp", "127.0.0.1", 8080),
        ("haproxy:unix:/run/x", "unix", "", None),
        ("tcp:eighty", "tcp", "", None),
        ("haproxy", "haproxy", "", None),
        ("", "", "", None),
        ("\\", "", "", None),
    ],
)
def test_descriptions(description: str, kind: str, interface: str, port: int | None) -> None:
    listener = Listener.parse(description)
    assert (listener.description, listener.kind, listener.interface, listener.port) == (
        description,
        kind,
        interface,
        port,
    )


LOCAL = [
    "tcp:8080:interface=127.0.0.1",
    "tcp:8080:interface=127.0.0.5",
    "tcp:interface=127.0.0.1:port=8080",
    "tcp:8080:interface=localhost",
    r"tcp6:8080:interface=\:\:1",
    "ssl:8443:interface=127.0.0.1",
    "unix:/run/x",
    "haproxy:tcp:8080:interface=127.0.0.1",
    "haproxy:unix:/run/x",
]
OPEN = [
    "tcp:8080",
    "tcp:8080:interface=",
    "tcp:8080:interface=0.0.0.0",
    "tcp:8080:interface=192.168.1.5",
    "tcp:8080:interface=127.0.0.1.example",
    "tcp:8080:interface=localhost.example",
    r"tcp:8080:interface=127.0.0.1\:",
    "tcp6:8080",
    r"tcp6:8080:interface=\:\:",
    "ssl:8443",
    "haproxy:tcp:8080",
    "haproxy:haproxy:tcp:8080",
    "systemd:domain=INET:index=0",
    "systemd:domain=INET:index=0:interface=127.0.0.1",
    "systemd:domain=UNIX:index=0",
    "onion:80:interface=127.0.0.1",
    "unix",
    "",
]


@pytest.mark.parametrize("description", LOCAL)
def test_local(description: str) -> None:
    assert Listener.parse(description).local


@pytest.mark.parametrize("description", [one for one in OPEN if one != "unix"])
def test_not_proven_to_be_local(description: str) -> None:
    assert not Listener.parse(description).local


WORDS = st.text(st.sampled_from("127.0:\\=intrfaceocalhs"), max_size=12)
INTERFACES = st.sampled_from(["127.0.0.1", "127.0.0.2", "0.0.0.0", "::1", "localhost", "10.0.0.1", ""]) | WORDS


@given(
    st.integers(0, 65535),
    INTERFACES,
    st.sampled_from(["{port}:interface={quoted}", "port={port}:interface={quoted}", "interface={quoted}:port={port}"]),
)
def test_twisted_listens_where_we_think(port: int, interface: str, form: str) -> None:
    description = "tcp:" + form.format(port=port, quoted=quoteStringArgument(interface))
    endpoint = serverFromString(MemoryReactorClock(), description)
    listener = Listener.parse(description)
    assert (listener.port, listener.interface) == (endpoint._port, endpoint._interface)


@given(st.lists(st.sampled_from(["tcp", ":", "8080", "interface", "=", "127.0.0.1", "\\", "0.0.0.0", "haproxy"])))
def test_what_we_call_local_twisted_never_opens_to_others(pieces: list[str]) -> None:
    description = "".join(pieces)
    listener = Listener.parse(description)
    if not listener.local:
        return
    try:
        endpoint = serverFromString(MemoryReactorClock(), description)
    except Exception:
        return  # refused: nobody listens
    while hasattr(endpoint, "_wrappedEndpoint"):
        endpoint = endpoint._wrappedEndpoint
    assert endpoint._interface == "127.0.0.1"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("tcp:8080:interface=127.0.0.1", r"ssl:8080:interface=127.0.0.1:privateKey=/a\:b.pem:certKey=/a\:b.pem"),
        ("tcp6:8080", r"ssl:8080:interface=\:\::privateKey=/a\:b.pem:certKey=/a\:b.pem"),
        (r"tcp6:80:interface=\:\:1", r"ssl:80:interface=\:\:1:privateKey=/a\:b.pem:certKey=/a\:b.pem"),
        ("unix:/x", "unix:/x"),
        ("ssl:1", "ssl:1"),
        ("haproxy:tcp:1", "haproxy:tcp:1"),
    ],
)
def test_a_certificate_is_for_what_speaks_plain_tcp(before: str, after: str) -> None:
    listener = Listener.parse(before).with_certificate("/a:b.pem")
    assert listener.description == after
    assert listener.secure == after.startswith("ssl:")
    assert (listener.interface, listener.port) == (Listener.parse(before).interface, Listener.parse(before).port)


@pytest.mark.parametrize(
    ("host", "port", "secure", "url"),
    [
        ("127.0.0.1", 8080, False, "http://127.0.0.1:8080/"),
        ("", 80, False, "http://127.0.0.1/"),
        ("0.0.0.0", 443, True, "https://127.0.0.1/"),
        ("::", 443, False, "http://[::1]:443/"),
        ("fe80::1", 8443, True, "https://[fe80::1]:8443/"),
    ],
)
def test_addresses(host: str, port: int, secure: bool, url: str) -> None:
    assert address(host, port, secure=secure) == url


def test_places() -> None:
    listener = Listener.parse("tcp:0:interface=127.0.0.1")
    assert listener.place() == "tcp:0:interface=127.0.0.1"  # nobody knows yet
    assert listener.place("127.0.0.1", 4711) == "http://127.0.0.1:4711/"
    assert Listener.parse("tcp:80").place() == "http://127.0.0.1/"
    assert Listener.parse("haproxy:tcp:80").place("127.0.0.1", 80) == "haproxy:tcp:80"
    assert Listener.parse("unix:/x").place() == "unix:/x"


def test_the_name_for_a_certificate() -> None:
    assert Listener.parse("tcp:80:interface=192.0.2.1").name == "192.0.2.1"
    assert not Listener.parse("tcp:80").name
    assert not Listener.parse("tcp6:80").name


def test_an_invitation_by_links() -> None:
    assert invitation(["unix:/x", "http://a/", "https://b/"], "T", "V") == [
        "    unix:/x",
        "    http://a/?token=T",
        "    https://b/?token=T",
        "Whoever has this link may do everything; this one may only watch:",
        "    http://a/?token=V",
    ]


def test_an_invitation_where_there_are_no_links() -> None:
    lines = invitation(["unix:/x"], "T", "V")
    assert lines[0] == "    unix:/x"
    assert [line.strip() for line in lines if line.startswith("    ?")] == ["?token=T", "?token=V"]
