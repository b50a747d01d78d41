"""Cases 59 and 60 of the acceptance list: other users of the system; only root can start programs as them."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from further.links import Link, configured
from server.daemons import FOREGROUND
from wire import PATIENCE, Server

import webshell
from webshell.targets.accounts import account, acting_as

USER = "daemon"
"""An account that every system has; its shell may be ``nologin``."""

GRANTED = f'[users]\noperator = ["{USER}", "no-such-user"]'

PACKAGE = Path(webshell.__file__)

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can start programs as somebody else")


@pytest.fixture(scope="module")
def granting() -> Iterator[Server]:
    """A daemon whose operator may be another user; its home can be reached by all users."""
    home = Path(tempfile.mkdtemp(prefix="webshell-test-"))
    home.chmod(0o755)
    try:
        settings = configured(home, GRANTED)
        for folder in ("temp", "work"):
            (home / folder).mkdir(exist_ok=True)
            (home / folder).chmod(0o1777)
        path = "/usr/local/bin:/usr/bin:/bin"
        with Server(home, "--config", settings, argv=FOREGROUND, PATH=path) as running:
            yield running
    finally:
        shutil.rmtree(home)


def refusal(link: Link) -> str:
    link.say("start", runner="python3", code="")
    frame = link.heard()
    assert (frame["type"], frame["data"]["message"]) == ("error", "Message Exception")
    detail: str = frame["data"]["detail"]
    return detail


@pytest.mark.parametrize("user", ["nosuch", "", "root", USER, "%ff"])
@pytest.mark.parametrize("path", ["run", "run-py"])
def test_case_59_a_user_that_is_not_granted_is_refused(further: Server, user: str, path: str) -> None:
    with Link(further, f"user={user}", path) as link:
        link.say("start", runner="python3", code="", sourceScript="")
        kind, data = link.told()
        assert (kind, data["message"]) == ("error", "Message Exception")
        assert "you may not run programs as the user" in data["detail"]
        link.quiet()


def test_case_59_a_user_that_is_granted_and_does_not_exist_is_refused(granting: Server) -> None:
    with Link(granting, "user=no-such-user") as link:
        assert refusal(link) == "there is no user 'no-such-user'"


@needs_root
@pytest.mark.parametrize("query", ["", "&pty=1"])
def test_case_60_a_program_runs_as_the_user(granting: Server, query: str) -> None:
    account = pwd.getpwnam(USER)
    code = (
        "import os\n"
        "print(*os.getresuid(), *os.getresgid(), sep=',')\n"
        "print(*sorted(os.getgroups()), sep=',')\n"
        "print(os.environ['LOGNAME'], os.environ['USER'], os.environ['HOME'], os.environ['PWD'], sep=',')\n"
        "print(oct(os.umask(0)), os.stat(__file__).st_uid, os.access('/etc/shadow', os.R_OK), sep=',')\n"
        "print(os.stat(0).st_uid if os.isatty(0) else 'pipe', os.getpid() == os.getsid(0) == os.getpgid(0), sep=',')\n"
    )
    with Link(granting, f"user={USER}{query}") as link:
        link.start(code=code)
        output, complaint, end = link.until_stopped()
    assert (complaint, end) == ("", 0)
    identity, groups, names, rights, ends = [line.split(",") for line in output.split()]
    assert identity == [str(account.pw_uid)] * 3 + [str(account.pw_gid)] * 3
    expected = {account.pw_gid, *(group.gr_gid for group in grp.getgrall() if USER in group.gr_mem)}
    assert groups == [str(number) for number in sorted(expected)]
    assert names == [USER, USER, account.pw_dir, str(granting.home / "temp")]
    assert rights == ["0o22", str(account.pw_uid), "False"]
    assert ends == [str(account.pw_uid) if query else "pipe", "True"]
    assert list((granting.home / "temp").iterdir()) == []


@needs_root
def test_folders_and_scripts_are_made_as_the_user_could(granting: Server) -> None:
    uid = pwd.getpwnam(USER).pw_uid
    with Link(granting, f"user={USER}") as link:
        link.start(code="open('made', 'w')", path="a/b")
        assert link.until_stopped() == ("", "", 0)
        made = granting.home / "work" / "a" / "b"
        assert {path.stat().st_uid for path in (made.parent, made, made / "made")} == {uid}
        closed = granting.home / "work" / "closed"
        closed.mkdir(mode=0o700)
        link.say("start", runner="python3", code="", path="closed/x")
        kind, data = link.told()
        assert (kind, "permission denied" in data["detail"]) == ("error", True)
        assert list(closed.iterdir()) == []


@needs_root
def test_a_file_of_somebody_else_stays_as_it_is(granting: Server) -> None:
    file = granting.home / "work" / "mine.sh"
    file.write_text("#!/bin/sh\nid -un\n")
    file.chmod(0o644)
    with Link(granting, f"user={USER}") as link:
        link.say("start", runner="exec", path="mine.sh")
        assert link.told()[0] in ("started", "error")
    status = file.stat()
    assert (status.st_uid, stat.S_IMODE(status.st_mode)) == (os.geteuid(), 0o644)


@needs_root
def test_stop_reaches_a_program_of_another_user(granting: Server) -> None:
    with Link(granting, f"user={USER}") as link:
        link.start(code="import time\nprint('ready')\ntime.sleep(60)")
        link.until_said("ready")
        link.say("stop")
        assert link.until_stopped() == ("", "", -15)


@needs_root
def test_a_default_user_must_be_granted_too(tmp_path: Path) -> None:
    settings = configured(tmp_path, f'user = "{USER}"\n')
    with Server(tmp_path, "--config", settings) as server, Link(server) as link:
        assert "you may not" in refusal(link)


@needs_root
@pytest.mark.skipif(
    not all(folder.stat().st_mode & 1 for folder in PACKAGE.parents), reason="installed where only root may read"
)
def test_side_channels_work_for_another_user(granting: Server) -> None:
    code = (
        "from signal import pause\nfrom further_link import KeyboardButton\n"
        "button = KeyboardButton('a')\nbutton.when_pressed = lambda: print('pressed', flush=True)\npause()"
    )
    with Link(granting, f"user={USER}") as link:
        link.start(code=code)
        assert link.told() == ("keylisten", {"output": "a"})
        link.say("keyevent", key="a", event="keydown")
        link.until_said("pressed")
        link.say("stop")
        assert link.until_stopped() == ("", "", -15)


@needs_root
def test_acting_as_somebody_holds_for_files_and_no_longer_than_meant(tmp_path_factory: pytest.TempPathFactory) -> None:
    who = account(USER)
    secret = tmp_path_factory.mktemp("secret") / "file"
    secret.write_text("x")
    secret.chmod(0o600)
    with acting_as(who):
        with pytest.raises(PermissionError):
            secret.read_text()
        with tempfile.TemporaryFile() as made:
            status = os.fstat(made.fileno())
        assert (status.st_uid, status.st_gid) == (who.uid, who.gid)
        assert os.geteuid() == 0
    assert secret.read_text() == "x"


@needs_root
def test_where_the_system_does_not_allow_that_nothing_is_done() -> None:
    # in a process that has given away the right to become somebody else
    code = (
        "import os\nfrom dataclasses import replace\nfrom webshell.targets.accounts import account, acting_as\n"
        "from webshell.errors import SpawnFailed\n"
        "try:\n    with acting_as(account('daemon')): print('acted')\nexcept SpawnFailed as error: print(error)"
    )
    drop = ["setpriv", "--bounding-set", "-setuid", "--inh-caps", "-setuid", sys.executable, "-c", code]
    if shutil.which("setpriv") is None:
        pytest.skip("there is no setpriv here")
    done = subprocess.run(drop, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.stdout == "the system does not let the server act as daemon\n", done.stderr


@needs_root
def test_a_server_that_is_not_root_says_so() -> None:
    code = (
        "import os\nfrom webshell.command import Command\nfrom webshell.targets.accounts import account, acting_as\n"
        "from webshell.targets.users import Users\nfrom webshell.errors import SpawnFailed\n"
        "users = Users(None, {})\nos.setuid(65534)\n"
        "try:\n    users.spawn(Command(('true',), cwd='/', user='daemon'), None)\n"
        "except SpawnFailed as error: print(error)\n"
        "try:\n    with acting_as(account('daemon')): print('acted')\n"
        "except SpawnFailed as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE, check=False)
    first, second = done.stdout.splitlines()
    assert first == "only a server that runs as root can start programs as daemon"
    assert second == "only a server that runs as root, on Linux, can start programs as daemon"
