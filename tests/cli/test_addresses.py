"""Addresses, tokens, keys, and what the command brings to say its help."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from cli.commands import token_file

from webshell.cli.address import Address, parse_address
from webshell.cli.main import parsed
from webshell.cli.terminal import parse_key, typed_and_answered
from webshell.cli.tokens import TOKEN_BYTES, find_token
from webshell.cli.transport import Door
from webshell.cli.trouble import Asked
from webshell.cli.trust import Trust, parse_pin

HERE = Address(False, "localhost", 8080)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("shell.example.org", "wss://shell.example.org/ws"),
        ("https://shell.example.org/tools/shell", "wss://shell.example.org/tools/shell/ws"),
        ("http://127.0.0.1:8080/", "ws://127.0.0.1:8080/ws"),
        ("ws://[::1]:81/x/", "ws://[::1]:81/x/ws"),
        ("https://h:443/a b/", "wss://h/a%20b/ws"),
        ("unix:/run/w.sock", "ws://localhost/ws"),
        ("https://h/tools/s/ID", "wss://h/tools/ws"),
    ],
)
def test_addresses(text: str, url: str) -> None:
    assert parse_address(text).url("ws", "ws") == url


def test_what_else_an_address_holds() -> None:
    assert parse_address("unix:/run/w.sock").socket == "/run/w.sock"
    assert parse_address("https://h/tools/s/ID").session == "ID"


@pytest.mark.parametrize("text", ["https://h/?token=SECRET", "https://u:SECRET@h/", "http://h/#SECRET"])
def test_secrets_in_addresses_are_refused_and_not_shown(text: str) -> None:
    with pytest.raises(Asked) as asked:
        parse_address(text)
    assert "SECRET" not in str(asked.value)
    assert "--token-file" in str(asked.value)


@pytest.mark.parametrize("text", ["ftp://h/", "https://", "https://h:x/", "https://h:99999/", "unix:relative"])
def test_no_addresses(text: str) -> None:
    with pytest.raises(Asked):
        parse_address(text)


def test_where_the_token_comes_from(tmp_path: Path) -> None:
    file = token_file(tmp_path, "of-the-file")
    both = {"WEBSHELL_TOKEN": "of-the-variable", "WEBSHELL_TOKEN_FILE": file}
    assert find_token(HERE, file, both) == "of-the-file"
    assert find_token(HERE, "", both) == "of-the-variable"
    assert find_token(HERE, "", {"WEBSHELL_TOKEN_FILE": file}) == "of-the-file"


def test_the_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    class Locked(Exception):
        pass

    class NoKeyring(Locked):
        pass

    def password(service: str, user: str) -> str | None:
        asked.append((service, user))
        if user == "https://locked/":
            raise Locked("it is locked")
        if user == "https://nowhere/":
            raise NoKeyring("no backend")
        return "of-the-ring" if user == "https://h/" else None

    errors = SimpleNamespace(KeyringError=Locked, NoKeyringError=NoKeyring)
    ring = SimpleNamespace(get_password=password, errors=errors, __spec__=object())
    monkeypatch.setitem(sys.modules, "keyring", ring)
    assert find_token(parse_address("https://h"), "", {}) == "of-the-ring"
    assert find_token(parse_address("https://other"), "", {}) == ""
    assert find_token(parse_address("https://nowhere"), "", {}) == ""
    with pytest.raises(Asked, match="it is locked"):
        find_token(parse_address("https://locked"), "", {})
    assert asked[0] == ("webshell", "https://h/")


@pytest.mark.parametrize(
    ("content", "mode", "message"),
    [
        ("x", 0o640, "chmod 600"),
        ("", 0o600, "no token"),
        ("a b", 0o600, "no token"),
        ("x" * TOKEN_BYTES, 0o600, "long"),
    ],
)
def test_files_that_are_no_tokens(tmp_path: Path, content: str, mode: int, message: str) -> None:
    with pytest.raises(Asked, match=message):
        find_token(HERE, token_file(tmp_path, content, mode), {})
    with pytest.raises(Asked, match="cannot be read"):
        find_token(HERE, str(tmp_path / "missing"), {})


def test_a_token_does_not_travel_where_others_read() -> None:
    from twisted.internet import reactor

    far = parse_address("http://shell.example.org/")
    with pytest.raises(Asked, match="readable on the way"):
        Door(reactor, far, "token", Trust())
    for address in ("http://localhost/", "http://127.9.9.9/", "http://[::1]/", "unix:/x"):
        Door(reactor, parse_address(address), "token", Trust())
    Door(reactor, far, "token", Trust(), plain=True)
    Door(reactor, far, "", Trust())


def test_pins() -> None:
    pin = ":".join(["AB"] * 32)
    for text in (pin, pin.lower(), "ab" * 32, f"sha256 Fingerprint={pin}"):
        assert parse_pin(text) == pin
    with pytest.raises(Asked):
        parse_pin("AB:CD")


def test_keys() -> None:
    assert [parse_key(text) for text in ("^]", "^a", "^A", "none")] == [b"\x1d", b"\x01", b"\x01", b""]
    with pytest.raises(Asked):
        parse_key("x")


@pytest.mark.parametrize(
    "answer",
    [
        b"\x1b[?62;22c",
        b"\x1b[>0;276;0c",
        b"\x1b[12;40R",
        b"\x1b[?2026;2$y",
        b"\x1b]11;rgb:0/0/0\x1b\\",
        b"\x1bP1+r\x1b\\",
    ],
)
def test_what_a_terminal_says_by_itself(answer: bytes) -> None:
    assert typed_and_answered(b"a" + answer + b"b") == [(False, b"a"), (True, answer), (False, b"b")]


@pytest.mark.parametrize(
    "key", [b"\x1b[A", b"\x1b[1;5C", b"\x1b[1;2R", b"\x1b[15~", b"\x1bOP", b"\x1b[200~x\x1b[201~", b"\x1b"]
)
def test_keys_are_typed(key: bytes) -> None:
    assert typed_and_answered(key) == [(False, key)]


def test_the_program_keeps_its_options() -> None:
    options = parsed(["run", "http://h", "--cwd", "/", "--", "ls", "--cwd", "--"])
    assert (options.command, options.cwd) == (["ls", "--cwd", "--"], "/")


def test_words_may_follow_options() -> None:
    for words in (
        ["http://h", "--pin", "x", "desk"],
        ["--pin", "x", "http://h", "desk"],
        ["http://h", "desk", "--plain"],
    ):
        assert parsed(["attach", *words]).session == "desk"
    for words in (["http://h", "--signal", "INT", "desk", "7"], ["http://h", "desk", "--signal", "INT", "7"]):
        options = parsed(["kill", *words])
        assert (options.session, options.process, options.signal) == ("desk", 7, "INT")
    options = parsed(["forward", "http://h", "1:h:80", "--python", "p", "2:h:80"])
    assert [route.port for route in options.routes] == [1, 2]
    options = parsed(["cp", "a", "-r", "b", "h:"])
    assert [place.path for place in options.places] == [b"a", b"b", b""]
    assert (parsed(["attach", "http://h"]).session, parsed(["kill", "http://h", "x"]).process) == ("", 0)
    with pytest.raises(Asked, match="a process has a number"):
        parsed(["kill", "http://h", "desk", "shell"])


@pytest.mark.parametrize(
    "arguments",
    [["attach", "http://h", "a", "b"], ["kill", "http://h", "a", "1", "2"], ["ls", "http://h", "a"]],
)
def test_words_too_many(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parsed(arguments)
    assert ended.value.code == 2
    assert f"what is {arguments[-1]}?" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [["run", "http://h"], ["ls", "http://h", "--", "x"], ["run", "http://h", "--token", "SECRET", "--", "x"]],
)
def test_wrong_command_lines(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parsed(arguments)
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert told
    assert "SECRET" not in told


def test_help_needs_nothing_of_others() -> None:
    code = (
        "import sys; from webshell.cli.main import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "print({name.partition('.')[0] for name in sys.modules} & {'twisted', 'autobahn', 'OpenSSL', 'asyncio'})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.endswith("set()\n")
