"""``webshell cp`` against a real daemon: both ways, byte by byte, whole or not at all."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli.commands import COMMAND, Terminal, Wire, environment, eventually, sessions, webshell
from needs import need
from wire import PATIENCE, Server

MEGABYTES = 20
LONG_AGO = 981173106  # an odd second, long before any test
MASK = 0o022

WITHOUT_POWER = (
    sys.executable,
    "-c",
    "import ctypes, os, sys\n"
    "for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH: else root may read and write anything\n"
    "    ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)\n"
    "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])",
)
"""A Python that is bound by permissions, whoever runs it."""


def cp(server: Server, *arguments: str, argv: tuple[str, ...] = COMMAND, **keywords: object) -> tuple[int, str]:
    """Run it. ``@`` before a path is the server's URL. Returns the status and what it said."""
    places = [f"{server.url}:{argument[1:]}" if argument.startswith("@") else argument for argument in arguments]
    done = subprocess.run(
        [*argv, "cp", *places],
        env=environment(server.token),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=2 * PATIENCE,
        check=False,
        umask=MASK,
        **keywords,  # type: ignore[call-overload]
    )
    assert done.stdout == b""
    told = done.stderr.decode()
    assert "Traceback" not in told
    return done.returncode, told.replace(f"{server.url}:", "@")


def contents(folder: Path) -> dict[bytes, bytes | None]:
    """All that is below it, by name; None: a folder."""
    found: dict[bytes, bytes | None] = {}
    for place, folders, files in os.walk(os.fsencode(folder)):
        for name in folders:
            found[os.path.relpath(os.path.join(place, name), os.fsencode(folder))] = None
        for name in files:
            with open(os.path.join(place, name), "rb") as file:
                found[os.path.relpath(os.path.join(place, name), os.fsencode(folder))] = file.read()
    return found


def attributes(path: Path) -> tuple[int, int]:
    status = path.stat()
    return stat.S_IMODE(status.st_mode), int(status.st_mtime)


@pytest.fixture
def there(server: Server, tmp_path: Path) -> Iterator[Path]:
    """A folder of its own in the home folder of the server; nothing hidden is left in it, and no session."""
    folder = server.home / tmp_path.name
    folder.mkdir()
    yield folder
    eventually(lambda: sessions(server) == [])
    eventually(lambda: not [*folder.rglob(".webshell*")])


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Path]:
    """A folder here; nothing hidden is left in it."""
    folder = tmp_path / "here"
    folder.mkdir()
    yield folder
    assert not [*folder.rglob(".webshell*")]


ODD = [
    b"a b",
    b"new\nline",
    b"-r",
    b"--help",
    b"~",
    b"*",
    b"'quo\"ted'",
    b"%s\\n",
    b"a:b",
    "é".encode(),
    b"\x81\x88\xff",
    b"x" * 255,
]


def odd_tree(folder: Path) -> None:
    """Files and folders with all kinds of names."""
    for name in ODD:
        path = os.path.join(os.fsencode(folder), name)
        os.mkdir(path)
        for inside in [b".hidden", b"..dots", *ODD]:
            with open(os.path.join(path, inside), "wb") as file:
                file.write(inside)
    (folder / "empty").mkdir()
    (folder / "deep").joinpath(*["nested"] * 30).mkdir(parents=True)


# ---- bytes


def test_every_byte_there_and_back(server: Server, here: Path, there: Path) -> None:
    data = os.urandom(MEGABYTES << 20)
    (here / "data").write_bytes(data)
    assert cp(server, str(here / "data"), f"@{there.name}/copy") == (0, "")
    assert (there / "copy").read_bytes() == data
    assert cp(server, f"@{there.name}/copy", str(here)) == (0, "")
    assert (here / "copy").read_bytes() == data


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 10240])
def test_sizes_at_the_edges_of_blocks(server: Server, here: Path, there: Path, size: int) -> None:
    data = os.urandom(size)
    (here / "data").write_bytes(data)
    assert cp(server, str(here / "data"), f"@{there.name}") == (0, "")
    assert cp(server, f"@{there.name}/data", str(here / "back")) == (0, "")
    assert ((there / "data").read_bytes(), (here / "back").read_bytes()) == (data, data)


def test_folders_with_odd_names(server: Server, here: Path, there: Path) -> None:
    odd_tree(here)
    assert cp(server, "-r", str(here), f"@{there.name}/new") == (0, "")
    assert contents(there / "new") == contents(here)
    # into one that is there
    assert cp(server, "-r", str(here), f"@{there.name}") == (0, "")
    assert contents(there / "here") == contents(here)
    back = here / "back"
    assert cp(server, "-r", f"@{there.name}/new", str(back)) == (0, "")
    assert contents(back) == contents(there / "new")


@pytest.mark.parametrize("name", ODD, ids=ascii)
def test_a_file_with_an_odd_name(server: Server, here: Path, there: Path, name: bytes) -> None:
    text = os.fsdecode(name)
    (here / text).write_text("odd")
    # a name on the command line may look like an option, or a place
    assert cp(server, "--", f"./{text}", f"@{there.name}", cwd=here) == (0, "")
    assert (there / text).read_text() == "odd"
    (here / text).unlink()
    assert cp(server, f"@{there.name}/{text}", ".", cwd=here) == (0, "")
    assert (here / text).read_text() == "odd"


def test_several_sources_and_wildcards(server: Server, here: Path, there: Path) -> None:
    for name in ("a.txt", "b.txt", "c d.txt", "other"):
        (here / name).write_text(name)
    assert cp(server, str(here / "a.txt"), str(here / "b.txt"), str(here / "c d.txt"), f"@{there.name}/") == (0, "")
    assert contents(there) == {b"a.txt": b"a.txt", b"b.txt": b"b.txt", b"c d.txt": b"c d.txt"}
    (here / "got").mkdir()
    assert cp(server, f"@{there.name}/*.txt", str(here / "got")) == (0, "")
    assert contents(here / "got") == contents(there)
    # a name that is one is no pattern
    (there / "[ab].txt").write_text("itself")
    assert cp(server, f"@{there.name}/[ab].txt", str(here / "one")) == (0, "")
    assert (here / "one").read_text() == "itself"


def test_the_home_folder(server: Server, here: Path, there: Path) -> None:
    (here / "in-home").write_text("x")
    for place in ("@", "@.", "@~", "@~/"):
        assert cp(server, str(here / "in-home"), place) == (0, "")
        assert (server.home / "in-home").read_text() == "x"
        (server.home / "in-home").unlink()
    # the contents of a folder
    (there / "file").write_text("y")
    assert cp(server, "-r", f"@{there}/.", str(here)) == (0, "")
    assert (here / "file").read_text() == "y"
    assert cp(server, "-r", ".", f"@{there.name}", cwd=here) == (0, "")
    assert (there / "in-home").read_text() == "x"


# ---- modes, times, what is there already


def test_modes_and_times(server: Server, here: Path, there: Path) -> None:
    tree = here / "tree"
    (tree / "closed").mkdir(parents=True)
    modes = {tree / "closed" / "file": 0o640, tree / "script": 0o777, tree / "closed": 0o555, tree: 0o750}
    (tree / "closed" / "file").touch()
    (tree / "script").touch()
    for path, mode in modes.items():
        path.chmod(mode)
        os.utime(path, (LONG_AGO, LONG_AGO))
    assert cp(server, "-rp", str(tree), f"@{there.name}/kept") == (0, "")
    assert cp(server, "-rp", f"@{there.name}/kept", str(here / "kept")) == (0, "")
    assert cp(server, "-r", str(tree), f"@{there.name}/new") == (0, "")
    assert cp(server, "-r", f"@{there.name}/kept", str(here / "new")) == (0, "")
    for path, mode in modes.items():
        below = path.relative_to(tree)
        for kept in (there / "kept" / below, here / "kept" / below):
            assert attributes(kept) == (mode, LONG_AGO), kept
        for new in (there / "new" / below, here / "new" / below):
            assert attributes(new)[0] == (mode & ~MASK | (0o700 if new.is_dir() else 0)), new
            assert attributes(new)[1] > LONG_AGO
    # once more, onto what is there
    assert cp(server, "-rp", str(tree) + "/.", f"@{there.name}/new") == (0, "")
    assert {attributes(there / "new" / path.relative_to(tree)) for path in modes} == {
        (mode, LONG_AGO) for mode in modes.values()
    }


def test_what_is_replaced_keeps_its_mode(server: Server, here: Path, there: Path) -> None:
    for folder, other, arguments in [
        (there, here, (str(here / "file"), f"@{there.name}")),
        (here, there, (f"@{there.name}/file", str(here))),
    ]:
        (other / "file").write_text("new")
        (folder / "file").write_text("old and longer")
        (folder / "file").chmod(0o741)
        assert cp(server, *arguments) == (0, "")
        assert ((folder / "file").read_text(), attributes(folder / "file")[0]) == ("new", 0o741)
        # through a link
        (folder / "file").rename(folder / "target")
        (folder / "file").symlink_to("target")
        (other / "file").write_text("newer")
        assert cp(server, *arguments) == (0, "")
        assert ((folder / "target").read_text(), (folder / "file").is_symlink()) == ("newer", True)
        (folder / "file").unlink()
        (other / "file").unlink()


def test_folders_are_merged(server: Server, here: Path, there: Path) -> None:
    for folder in (here, there):
        (folder / "tree" / "sub").mkdir(parents=True)
    (here / "tree" / "sub" / "both").write_text("new")
    (there / "tree" / "sub" / "both").write_text("old")
    (there / "tree" / "sub" / "there").write_text("stays")
    (here / "tree" / ".here").write_text("comes")
    assert cp(server, "-r", str(here / "tree"), f"@{there.name}") == (0, "")
    assert contents(there) == {
        b"tree": None,
        b"tree/sub": None,
        b"tree/sub/both": b"new",
        b"tree/sub/there": b"stays",
        b"tree/.here": b"comes",
    }
    assert cp(server, "-r", f"@{there.name}/tree", str(here)) == (0, "")
    assert contents(here) == contents(there)


def test_many_files_are_merged(server: Server, here: Path, there: Path) -> None:
    """By one program for a few hundred, if nothing keeps them from it."""
    for folder in (here, there):
        (folder / "tree").mkdir()
    for number in range(450):
        (here / "tree" / f"{number} x").write_text("new")
    for number in range(0, 450, 2):
        (there / "tree" / f"{number} x").write_text("old")
    (there / "tree" / "8 x").chmod(0o600)
    (there / "tree" / "4 x").unlink()
    (there / "tree" / "4 x").mkdir()
    (there / "tree" / "6 x").unlink()
    (there / "tree" / "6 x").symlink_to("../linked")
    (there / "linked").write_text("old")
    status, told = cp(server, "-r", str(here / "tree"), f"@{there.name}")
    assert (status, told) == (1, f"webshell: @{there.name}/tree/4 x: is a folder\n")
    found = contents(there / "tree")
    assert found.pop(b"4 x", b"") is None
    assert found == {f"{number} x".encode(): b"new" for number in range(450) if number != 4}
    assert ((there / "linked").read_text(), (there / "tree" / "6 x").is_symlink()) == ("new", True)
    modes = {path.name: attributes(path)[0] for path in (there / "tree").iterdir()}
    assert {name for name, mode in modes.items() if mode == 0o600} == {"8 x"}


def test_links_are_followed_and_made_to_files(server: Server, here: Path, there: Path) -> None:
    for folder, other, arguments in [
        (here, there, (str(here / "tree"), f"@{there.name}/copy")),
        (there, here, (f"@{there.name}/tree", str(here / "copy"))),
    ]:
        (folder / "tree").mkdir()
        (folder / "outside").write_text("outside")
        (folder / "tree" / "soft").symlink_to("../outside")
        (folder / "tree" / "first").write_text("hard")
        (folder / "tree" / "second").hardlink_to(folder / "tree" / "first")
        assert cp(server, "-r", *arguments) == (0, "")
        assert contents(other / "copy") == {b"soft": b"outside", b"first": b"hard", b"second": b"hard"}
        assert not any(path.is_symlink() for path in (other / "copy").iterdir())
        # one that leads nowhere, and what is no file
        (folder / "tree" / "broken").symlink_to("nowhere")
        os.mkfifo(folder / "tree" / "pipe")
        status, told = cp(server, "-r", *arguments)
        assert status == 1
        assert "tree/broken: " in told
        assert "tree/pipe: is not a regular file" in told
        assert len(told.splitlines()) == 2, told
        # what could be copied, was; it is in the folder that is there now
        assert (other / "copy" / "tree" / "soft").read_text() == "outside"


# ---- what cannot be


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("@T/missing", "H"), "@T/missing: No such file or directory"),
        (("@T/mis*", "H"), "@T/mis*: No such file or directory"),
        (("H/missing", "@T"), "H/missing: No such file or directory"),
        (("@T", "H"), "@T: is a folder; -r copies folders"),
        (("H", "@T"), "H: is a folder; -r copies folders"),
        (("H/file", "@T/missing/x"), "@T/missing: No such folder"),
        (("H/file", "@T/missing/"), "@T/missing/: No such folder"),
        (("@T/file", "H/missing/x"), "H/missing/x: there is no such folder"),
        (("@T/file", "H/missing/"), "H/missing/: there is no such folder"),
        (("H/file", "H/file", "@T/file"), "@T/file: No such folder"),
        (("@T/file", "@T/file", "H/file"), "H/file: is not a folder"),
        (("-r", "H", "@T/file"), "@T/file: is not a folder"),
        (("-r", "@T", "H/file"), "H/file: is not a folder"),
        (("H/file", "@T/onto"), "@T/onto/file: is a folder"),
        (("@T/file", "H/onto"), "H/onto/file: is a folder"),
        (("H/file", "@T/pipe"), "@T/pipe: is not a regular file"),
        (("@T/file", "H/pipe"), "H/pipe: is not a regular file"),
        (("@T/pipe", "H/new"), "@T/pipe: is not a regular file"),
        (("H/pipe", "@T/new"), "H/pipe: is not a regular file"),
        (("H/file", "@/dev/null"), "@/dev/null: is not a regular file"),
        (("H/file", "@T/broken"), "@T/broken: the link leads nowhere"),
    ],
)
def test_exact_errors(server: Server, here: Path, there: Path, arguments: tuple[str, ...], message: str) -> None:
    for folder in (here, there):
        (folder / "file").write_text("x")
        (folder / "onto" / "file").mkdir(parents=True)
        os.mkfifo(folder / "pipe")
        (folder / "broken").symlink_to("no/where")
    before = [sorted(folder.rglob("*")) for folder in (here, there)]
    names = {"T": there.name, "H": str(here)}
    status, told = cp(server, *(re.sub(r"^(@?)([TH])(?=/|$)", lambda m: m[1] + names[m[2]], a) for a in arguments))
    assert (status, told) == (1, f"webshell: {re.sub('^(@?)([TH])(?=[/:])', lambda m: m[1] + names[m[2]], message)}\n")
    assert [sorted(folder.rglob("*")) for folder in (here, there)] == before
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_a_link_of_the_system_to_a_pipe(server: Server, there: Path) -> None:
    (there / "file").write_text("x")
    assert cp(server, f"@{there.name}/file", "/dev/stdout") == (1, "webshell: /dev/stdout: is not a regular file\n")


def test_what_cannot_be_read_is_left_out(server: Server, here: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    home = tmp_path_factory.mktemp("powerless")
    for folder in (here, home):
        (folder / "tree" / "closed").mkdir(parents=True)
        (folder / "tree" / "secret").write_text("secret")
        (folder / "tree" / "public").write_text("public")
        (folder / "tree" / "secret").chmod(0)
        (folder / "tree" / "closed").chmod(0)
    bound = (*WITHOUT_POWER, "-m", "webshell.cli")
    with Server(home, argv=(*WITHOUT_POWER, "-m", "webshell")) as powerless:
        try:
            secret = str(here / "tree" / "secret")
            assert cp(powerless, secret, "@", argv=bound) == (1, f"webshell: {secret}: Permission denied\n")
            assert cp(powerless, "@tree/secret", str(here)) == (1, "webshell: @tree/secret: Permission denied\n")
            assert not (home / "secret").exists()
            assert not (here / "secret").exists()
            status, told = cp(powerless, "-r", str(here / "tree"), "@copy", argv=bound)
            closed = str(here / "tree" / "closed")
            assert status == 1
            assert sorted(told.splitlines()) == [
                f"webshell: {closed}: Permission denied",
                f"webshell: {secret}: Permission denied",
            ]
            assert contents(home / "copy") == {b"public": b"public"}
            status, told = cp(powerless, "-r", "@tree", str(here / "copy"))
            assert status == 1
            assert sorted(told.splitlines()) == [
                "webshell: @tree/closed: Cannot open: Permission denied",
                "webshell: @tree/secret: Cannot open: Permission denied",
            ]
            assert contents(here / "copy") == {b"public": b"public"}
            # and where nothing may be written
            (home / "copy").chmod(0o555)
            status, told = cp(powerless, str(here / "copy" / "public"), "@copy/new")
            assert (status, told) == (1, "webshell: @copy/: Permission denied\n")
            (home / "copy" / "public").chmod(0o444)
            (home / "copy").chmod(0o755)
            status, told = cp(powerless, str(here / "copy" / "public"), "@copy")
            assert (status, told) == (1, "webshell: @copy/public: Permission denied\n")
            (here / "copy" / "public").chmod(0o444)
            status, told = cp(powerless, "@tree/public", str(here / "copy"), argv=bound)
            assert (status, told) == (1, f"webshell: {here}/copy/public: Permission denied\n")
        finally:
            for folder in (here, home):
                (folder / "tree" / "closed").chmod(0o700)


def small_disk(folder: Path) -> tuple[str, ...]:
    """What runs a command with 4 MB of disk at *folder*, which goes with it."""
    own = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-r", "-m"]
    need("unshare")
    script = 'mount -t tmpfs -o size=4m none "$0" && exec "$@"'
    return (*own, "sh", "-c", script, str(folder))


def test_a_full_disk_there(here: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    home = tmp_path_factory.mktemp("full")
    (home / "small").mkdir()
    (here / "big").write_bytes(os.urandom(MEGABYTES << 20))
    with Server(home, argv=(*small_disk(home / "small"), sys.executable, "-m", "webshell")) as full:
        seen = Path(f"/proc/{full.pid}/root{home}/small")  # through the server's eyes
        (seen / "old").write_text("old")
        status, told = cp(full, str(here / "big"), "@small/old")
        assert status == 1
        assert told == f"webshell: @small/old: {here}/big: No space left on device\n"
        eventually(lambda: [path.name for path in seen.iterdir()] == ["old"])
        assert (seen / "old").read_text() == "old"


def test_a_full_disk_here(server: Server, here: Path, there: Path) -> None:
    (here / "small").mkdir()
    (there / "big").write_bytes(os.urandom(MEGABYTES << 20))
    script = 'echo old > "$1/old"; shift; "$@"; status=$?; ls -A "$0"; cat "$0/old"; exit $status'
    argv = (*small_disk(here / "small"), "sh", "-c", script, str(here / "small"), str(here / "small"), *COMMAND)
    done = subprocess.run(
        [*argv, "cp", f"{server.url}:{there.name}/big", str(here / "small" / "old")],
        env=environment(server.token),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "old\nold\n"), done.stderr
    assert done.stderr == f"webshell: {here}/small/old: No space left on device\n"


# ---- cuts and ends


def test_a_cut_changes_nothing(server: Server, wire: Wire, here: Path, there: Path) -> None:
    data = os.urandom(4 << 20)
    (here / "data").write_bytes(data)
    wire.cuts_after = 2000  # a few reports of what was taken
    assert cp(server, str(here / "data"), f"{wire.url}:{there.name}/copy") == (0, "")
    assert wire.cuts_after == 0
    assert (there / "copy").read_bytes() == data
    wire.cuts_after = 2 << 20
    assert cp(server, f"{wire.url}:{there.name}/copy", str(here / "back")) == (0, "")
    assert wire.cuts_after == 0
    assert (here / "back").read_bytes() == data


def started(server: Server, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*COMMAND, "cp", *arguments],
        env=environment(server.token),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


@pytest.mark.parametrize("way", ["there", "back"])
@pytest.mark.parametrize("how", ["killed server", "dead wire", "signal"])
def test_what_is_cut_off_leaves_nothing(
    tmp_path: Path, here: Path, way: str, how: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = tmp_path_factory.mktemp("vanishes")
    source, target = (here, home) if way == "there" else (home, here)
    with (source / "big").open("wb") as file:
        file.truncate(2 << 30)
    with Wire() as wire, Server(home, "--host", wire.host) as server:
        wire.lead_to(server)
        far = f"{wire.url}:"
        places = (str(here / "big"), far) if way == "there" else (far + "big", str(here / "copy"))
        with started(server, "--patience", "1", *places) as process:
            assert process.stderr is not None
            eventually(
                lambda: (
                    any(path.is_file() and path.stat().st_size for path in target.rglob(".webshell*/0"))
                    if way == "there"
                    else any(path.stat().st_size for path in target.glob(".webshell*"))
                )
            )
            status = 255
            if how == "killed server":
                server.stop(signal.SIGKILL)
            elif how == "dead wire":
                wire.cut(dead=True)
            else:
                process.send_signal(signal.SIGINT)
                status = 128 + signal.SIGINT
            assert process.wait(PATIENCE) == status
            told = process.stderr.read().decode()
        assert told == (
            "" if how == "signal" else "webshell: the connection was lost, and did not come back within 1 seconds\n"
        )
        eventually(lambda: not [*target.glob(".webshell*")])
        left = {path.name for path in target.iterdir()} - {"server.log", "big" if target == home else ""}
        assert left <= ({"big"} if source == target else set()), left
        if target == home:
            assert not (home / "big").exists()


# ---- what people see


def test_progress_in_a_terminal(server: Server, here: Path, there: Path) -> None:
    (here / "data").write_bytes(os.urandom(MEGABYTES << 20))
    with Terminal(server, "cp", f"{server.url}:{there.name}/copy", url=str(here / "data")) as terminal:
        terminal.until(r"here/data +100% +21 MB +\d+ [kM]B/s\r\n")
        assert terminal.end() == 0
    with Terminal(server, "cp", "-q", str(here / "back"), url=f"{server.url}:{there.name}/copy") as terminal:
        assert terminal.end() == 0
        assert terminal.seen == b""
    with Terminal(server, "cp", str(here / "back"), url=f"{server.url}:{there.name}/copy") as terminal:
        terminal.until(r"copy +100% +21 MB +\d+ [kM]B/s\r\n")
        assert terminal.end() == 0


@pytest.mark.parametrize(
    "arguments",
    [("cp",), ("cp", "a"), ("cp", "a", "b"), ("cp", "h:a", "h:b"), ("cp", "h:a", "g:b", "c"), ("cp", "h:a", "b", "c")],
)
def test_wrong_command_lines(server: Server, arguments: tuple[str, ...]) -> None:
    done = subprocess.run([*COMMAND, *arguments], capture_output=True, timeout=PATIENCE, check=False)
    assert done.returncode == 2, done.stderr
    assert done.stderr


def test_who_may_only_watch(server: Server, here: Path) -> None:
    (here / "file").touch()
    done = subprocess.run(
        [*COMMAND, "cp", str(here / "file"), f"{server.url}:new"],
        env=environment(server.view_token),
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 1
    assert b"you may not do this" in done.stderr
    assert not (server.home / "new").exists()


def test_it_ends_with_what_it_made(server: Server, there: Path) -> None:
    """A destination that cannot even be looked for: no session is left behind."""
    with contextlib.suppress(FileNotFoundError):
        (there / "x").unlink()
    done = webshell(server, "cp", str(there), url=f"{server.url}:{there.name}/x")
    assert done.returncode == 1
