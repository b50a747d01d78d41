"""The allow-list of the environment, and the choice of the way to start."""

from __future__ import annotations

import os
import stat

import pytest

from webshell.errors import SpawnFailed
from webshell.targets import chain
from webshell.targets.environment import checked_environment, child_environment, directory, executable

ALLOWED = {
    "EDITOR": "vi",
    "HOME": "/home/ada",
    "TERM": "vt100",
    "LANG": "de_DE.UTF-8",
    "PYTHO": "1",
    "path": "1",
    "LDX": "1",
}
REFUSED = (
    *(
        "LD_PRELOAD",
        "LD_LIBRARY_PATH",
        "LD_",
        "DYLD_INSERT_LIBRARIES",
        "BASH_ENV",
        "ENV",
        "PATH",
        "IFS",
        "CDPATH",
        "PS4",
    ),
    *(
        "PYTHONPATH",
        "PYTHONSTARTUP",
        "PERL5LIB",
        "PERL5OPT",
        "RUBYLIB",
        "RUBYOPT",
        "NODE_OPTIONS",
        "SHELLOPTS",
        "TERMINFO",
    ),
    *("BASH_FUNC_ls%%", "GLIBC_TUNABLES", "WEBSHELL_PROCESS", "", "A=B", "=", "A\0B"),
)


def test_what_a_client_may_set() -> None:
    assert checked_environment(ALLOWED) == ALLOWED


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_client_may_not_set(name: str) -> None:
    with pytest.raises(SpawnFailed, match="environment variable"):
        checked_environment({"GOOD": "1", name: "x"})


def test_the_daemons_secrets_stay_with_it() -> None:
    daemon = {
        "WEBSHELL_TOKEN": "s",
        "WEBSHELL_LISTEN": "s",
        "AWS_SECRET_ACCESS_KEY": "s",
        "LD_PRELOAD": "s",
        "LCX": "s",
    }
    assert "s" not in child_environment(daemon, {}, terminal=True, marker="m").values()


def test_what_the_daemon_passes_on() -> None:
    daemon = {
        "HOME": "/h",
        "USER": "u",
        "LOGNAME": "l",
        "SHELL": "/s",
        "PATH": "/p",
        "TZ": "z",
        "LANG": "C",
        "LC_ALL": "x",
    }
    expected = {**daemon, "TERM": "dumb", "A": "1", "WEBSHELL_PROCESS": "m"}
    assert child_environment(daemon, {"A": "1"}, terminal=False, marker="m") == expected


def test_a_terminals_variables_and_what_overrides_them() -> None:
    found = child_environment({}, {"TERM": "vt100"}, terminal=True, marker="m")
    assert (found["TERM"], found["COLORTERM"], found["LANG"]) == ("vt100", "truecolor", "C.UTF-8")
    assert found["HOME"].startswith("/")
    assert found["PATH"] == "/usr/local/bin:/usr/bin:/bin"


@pytest.mark.parametrize("name", ["LANG", "LC_ALL", "LC_CTYPE"])
def test_a_chosen_language_stays(name: str) -> None:
    found = child_environment({name: "C"}, {}, terminal=True, marker="m")
    assert found[name] == "C"
    assert found.get("LANG", "C") == "C"


def test_directories() -> None:
    assert directory("", "/tmp") == "/tmp"
    assert directory("", "/nonexistent") == "/"
    assert directory("~", "/usr") == "/usr"
    assert directory("~/bin", "/usr") == "/usr/bin"
    assert directory("bin", "/usr") == "/usr/bin"
    assert directory("/usr/../bin/", "/tmp") == "/bin"


@pytest.mark.skipif(os.getuid() == 0, reason="root may enter everything")
def test_a_directory_that_may_not_be_entered(tmp_path: os.PathLike[str]) -> None:
    os.chmod(tmp_path, 0)
    with pytest.raises(SpawnFailed, match="permission denied"):
        directory(str(tmp_path), "/")


def test_a_program_is_found_as_the_child_would_find_it(tmp_path: os.PathLike[str]) -> None:
    first, second = (os.path.join(tmp_path, name) for name in ("first", "second"))
    for folder in (first, second):
        os.mkdir(folder)
        with open(os.path.join(folder, "program"), "w") as file:
            os.chmod(file.fileno(), stat.S_IRWXU if folder == second else stat.S_IRUSR)
    os.mkdir(os.path.join(first, "folder"))
    path = f"{first}:/nonexistent:{second}"
    assert executable("program", path, "/") == f"{second}/program"
    assert executable("program", "", second) == f"{second}/program"
    assert executable("second/program", "/bin", str(tmp_path)) == f"{second}/program"
    for name, reason in (("folder", "command not found"), ("nothing", "command not found")):
        with pytest.raises(SpawnFailed, match=f"{name}: {reason}"):
            executable(name, path, "/")
    with pytest.raises(SpawnFailed, match="permission denied"):
        executable("program", first, "/")


def test_the_tools_are_used_where_they_work() -> None:
    start = chain.fastest()("/bin/sh", ("sh", "-c", "x"), "", "/dir", True)
    assert [os.path.basename(start[0]), *start[1:3]] == ["setsid", "--ctty", "--"]
    assert start[-4:] == ["--", "sh", "-c", "x"]


@pytest.mark.parametrize(
    "script",
    ["exit 1", 'case "$1" in --ctty) exit 1;; esac; exec "$@"', "exec sleep 100"],
    ids=["broken", "busybox", "stuck"],
)
def test_python_is_used_where_they_do_not(script: str, tmp_path: os.PathLike[str]) -> None:
    for name in ("setsid", "env"):
        with open(os.path.join(tmp_path, name), "w") as file:
            file.write(f"#!/bin/sh\n{script}\n")
            os.chmod(file.fileno(), stat.S_IRWXU)
    assert chain.fastest(str(tmp_path), 0.2) is chain.by_python
    assert chain.fastest("/nonexistent") is chain.by_python


def test_a_tool_is_saved_where_the_child_starts_where_the_daemon_is() -> None:
    start = chain.fastest()("/bin/sh", ("sh",), "", os.getcwd(), False)
    assert [os.path.basename(word) for word in start] == ["setsid", "--", "sh"]


def test_what_only_python_can_start() -> None:
    start = chain.fastest()
    for argv, arg0 in ((("a=b",), ""), (("sleep", "1"), "another")):
        assert start("/bin/x", argv, arg0, "/", False) == chain.by_python("/bin/x", argv, arg0, "/", False)
    assert start("/bin/bash", ("bash", "x"), "-bash", "/", False)[-3:] == ["bash", "-l", "x"]
