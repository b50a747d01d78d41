"""The command line: what --help says, and what is refused before anything starts."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from server.daemons import LOOPBACK, LOUD, MODULE, TWISTD, run, until
from twisted.python.usage import UsageError

import webshell
from webshell.tap import Options

BOTH = pytest.mark.parametrize("command", [MODULE, LOUD], ids=["module", "twistd"])


def options(*words: str) -> Options:
    read = Options()
    read.parseOptions([*words])
    return read


def test_every_option_reaches_the_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("WEBSHELL_CONFIG", raising=False)
    (tmp_path / "a.toml").write_text("[limits]\nsessions = 3\n")
    config = options(
        *("-l", "tcp:1", "--listen", "tcp:2", "--origin", "https://a.example", "--origin", "https://b.example"),
        *("--host", "a", "--host", "b", "--proxy", "127.0.0.1", "--proxy", "unix", "--token-file", "token"),
        *("--auth", "memory:a:b", "--auth", "file:c", "--no-auth", "--self-signed", "pem"),
        *("--frame-ancestor", "https://c.example", "--connections", "7", "--config", str(tmp_path / "a.toml")),
    ).configuration()
    assert config.listen == ("tcp:1", "tcp:2")
    assert config.origins == ("https://a.example", "https://b.example")
    assert config.hosts == ("a", "b")
    assert config.proxies == ("127.0.0.1", "unix")
    assert (config.token_file, config.self_signed) == ("token", "pem")
    assert config.auth == ("memory:a:b", "file:c")
    assert config.no_auth
    assert config.frame_ancestors == ("https://c.example",)
    assert (config.connections, config.limits.sessions) == (7, 3)


def test_what_is_wrong_is_an_error_of_usage() -> None:
    for words in (("--nothing",), ("extra",), ("--listen",)):
        with pytest.raises(UsageError):
            options(*words)
    with pytest.raises(UsageError, match="--connections must be"):
        options("--connections", "x").configuration()


@pytest.mark.parametrize(
    ("command", "start"), [(MODULE, "Usage: python -m webshell"), ((*TWISTD, "webshell"), "Usage: twistd")]
)
def test_help_reads_well(command: Sequence[str], start: str, tmp_path: Path) -> None:
    done = run(tmp_path, *command, "--help", COLUMNS="80")
    assert done.returncode == 0
    assert done.stdout.startswith(start)
    wanted = "auth config connections frame-ancestor host listen no-auth origin proxy self-signed token-file version"
    for option in wanted.split():
        line = next(line for line in done.stdout.splitlines() if f"--{option}" in line)
        text = line.partition(f"--{option}")[2].lstrip("= ")
        assert text[:1].isupper(), line
        assert "  " not in text, line
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "[default:\n" not in done.stdout.replace(" ", "") or "tcp:8080:interface=127.0.0.1]" in done.stdout


def test_twistd_lists_webshell_and_importing_the_plugin_imports_nothing_of_ours(tmp_path: Path) -> None:
    done = run(tmp_path, *TWISTD, "--help")
    assert "    webshell " in done.stdout
    program = (
        "import sys; from twisted.plugin import getPlugins; from twisted.application.service import IServiceMaker; "
        "[p for p in getPlugins(IServiceMaker)]; print([m for m in sys.modules if m.partition('.')[0] == 'webshell'])"
    )
    assert run(tmp_path, MODULE[0], "-W", "ignore", "-c", program).stdout == "[]\n"


def test_the_version(tmp_path: Path) -> None:
    assert run(tmp_path, *MODULE, "--version").stdout == f"webshell {webshell.__version__}\n"


REFUSED = [
    # what is said, and words of the complaint
    (("--no-auth", "--listen", "tcp:0"), "--no-auth with --listen tcp:0: whoever reaches this would own the machine"),
    (("--no-auth", "--listen", "haproxy:tcp:0"), "--no-auth with --listen haproxy:tcp:0"),
    (("--no-auth", "--listen", "systemd:domain=INET:index=0"), "--no-auth with --listen systemd:"),
    (("--no-auth", "--listen", LOOPBACK, "--listen", "tcp6:0"), "--no-auth with --listen tcp6:0"),
    (("--listen", "bogus:1"), "--listen bogus:1: Unknown endpoint type: 'bogus'. Write a Twisted endpoint"),
    (("--listen", "tcp:eighty"), "--listen tcp:eighty: "),
    (("--listen", "tcp"), "--listen tcp: "),
    (("--listen", ""), "--listen : "),
    (("--listen", "systemd:domain=INET:index=0"), "--listen systemd:domain=INET:index=0: IndexError"),
    (("--listen", "ssl:0:privateKey=nothing.pem"), "No such file or directory"),
    (("--token-file", "nowhere/token"), "the token file nowhere/token cannot be made: No such file"),
    (("--token-file", "open"), "the token file open can be read by others: chmod 600 open"),
    (("--token-file", "short"), "a token must be 16 to 1024 printable ASCII characters"),
    (("--self-signed", "short"), "cannot be used: "),
    (("--self-signed", "nowhere/w.pem"), "nowhere/w.pem cannot be used: there is no folder "),
    (("--auth", "palm:x"), "--auth palm: there is no such checker; --help-auth lists them"),
    (("--auth", "memory:a:b", "--auth", "memory:secret"), "--auth memory: argstring must be in format U:P"),
    (("--auth", "file"), "--auth file: 'file' requires a filename"),
    (("--auth", "anonymous"), "--auth anonymous: this checker does not take a name and a password"),
    (("--host", "http://a"), "'http://a' is no host: write name or name:port"),
    (("--origin", "a.example"), "'a.example' is no origin: write https://name"),
    (("--frame-ancestor", "https://a.example/"), "'https://a.example/' may not be named as a frame ancestor: write "),
    (("--frame-ancestor", "https://a.example; script-src *"), "; script-src *' may not be named as a frame ancestor"),
    (("--config", "framed.toml"), "'a.example' may not be named as a frame ancestor: write https://name "),
    (("--proxy", "nginx"), "'nginx' is no proxy: write its IP address"),
    (("--config", "broken.toml"), "broken.toml: "),
    (("--config", "nothing.toml"), "the configuration file cannot be read"),
]


def make_files(folder: Path) -> None:
    framed = 'frame_ancestors = ["https://a.example", "a.example"]'
    for name, content in (("open", "x" * 32), ("short", "short"), ("broken.toml", "["), ("framed.toml", framed)):
        (folder / name).write_text(content + "\n")
        (folder / name).chmod(0o644 if name == "open" else 0o600)


@BOTH
def test_what_cannot_work_is_refused_in_plain_words(command: Sequence[str], tmp_path: Path) -> None:
    make_files(tmp_path)
    # starting Python and Twisted takes longest: one of the service and one of the settings; all of them below
    for words, complaint in [REFUSED[0], REFUSED[-1]]:
        done = run(tmp_path, *command, *words)
        assert complaint in done.stdout
        assert "Traceback" not in done.stdout
        assert done.returncode == (2 if command is MODULE else 1)


@pytest.mark.parametrize(("words", "complaint"), REFUSED)
def test_what_cannot_work_is_named(
    words: Sequence[str], complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from webshell.tap import makeService

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LISTEN_FDS", raising=False)
    make_files(tmp_path)
    with pytest.raises(SystemExit) as end:
        makeService(options(*words))
    assert complaint in str(end.value)
    assert "secret" not in str(end.value)


@BOTH
def test_a_port_in_use_ends_the_start_with_a_clear_message(command: Sequence[str], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        begin = time.monotonic()
        done = run(tmp_path, *command, "--listen", LOOPBACK, "--listen", f"tcp:{port}:interface=127.0.0.1")
    assert done.returncode == 1
    assert f"webshell: --listen tcp:{port}:interface=127.0.0.1: Couldn't listen on 127.0.0.1:{port}" in done.stdout
    assert "Address already in use. Choose another address" in done.stdout
    assert "Traceback" not in done.stdout
    assert "token=" not in done.stdout
    assert time.monotonic() - begin < 20


def test_a_daemon_whose_port_is_in_use_says_so_before_it_leaves(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        where = f"tcp:{port}:interface=127.0.0.1"
        done = run(tmp_path, *TWISTD, "--pidfile=a.pid", "--logfile=a.log", "webshell", "--listen", where)
    assert done.returncode == 1
    assert f"Couldn't listen on 127.0.0.1:{port}" in done.stdout
    until(lambda: not (tmp_path / "a.pid").exists())  # twistd's child removes it after it has told its parent
