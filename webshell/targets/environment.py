"""What a child is given: its environment by an allow-list, its directory, its program; all before anything starts."""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Iterable, Mapping
from functools import lru_cache

from webshell.errors import SpawnFailed

MARKER = "WEBSHELL_PROCESS"
"""The variable that every descendant inherits, by which it is found again."""

PASSED = ("HOME", "LANG", "LOGNAME", "PATH", "SHELL", "TZ", "USER")
"""What a child inherits from the daemon, and every ``LC_*``; nothing else, so no secret of the daemon's."""

PATH = "/usr/local/bin:/usr/bin:/bin"
"""Where programs are looked up when the daemon itself has no ``PATH``."""

LANGUAGE = "C.UTF-8"
"""When nobody chose one: terminals here are UTF-8."""

REFUSED = frozenset(
    [
        "BASHOPTS",
        "BASH_ENV",
        "CDPATH",
        "ENV",
        "FPATH",
        "GCONV_PATH",
        "GLIBC_TUNABLES",
        "GLOBIGNORE",
        "HOSTALIASES",
        "IFS",
        "JAVA_TOOL_OPTIONS",
        "LOCPATH",
        "NLSPATH",
        "NODE_OPTIONS",
        "NODE_PATH",
        "PATH",
        "PERLLIB",
        "PROMPT_COMMAND",
        "PS4",
        "RES_OPTIONS",
        "RUBYLIB",
        "RUBYOPT",
        "SHELLOPTS",
        "TERMCAP",
        "TERMINFO",
        "TERMINFO_DIRS",
        "ZDOTDIR",
        "WEBSHELL_PROCESS",
    ]
)
"""These make a program load or run something else than what was asked for (after sudo's list), or are ours."""

REFUSED_PREFIXES = ("BASH_FUNC_", "DYLD_", "LD_", "PERL5", "PYTHON", "_RLD")


def checked_environment(wanted: Mapping[str, str]) -> dict[str, str]:
    """*wanted*, if a client may set all of it.

    :raises SpawnFailed: it contains a variable that may not be set, or that no environment can hold.
    """
    for name, value in wanted.items():
        if not name or "=" in name or "\0" in name or "\0" in value:
            raise SpawnFailed(f"no environment can hold the environment variable {name!r}")
        if name in REFUSED or name.startswith(REFUSED_PREFIXES):
            raise SpawnFailed(f"the environment variable {name} may not be set: it changes which code programs run")
    return dict(wanted)


def checked_words(words: Iterable[str]) -> None:
    """
    :raises SpawnFailed: one of *words* is nothing that a program can be given.
    """
    for word in words:
        if "\0" in word:
            raise SpawnFailed(f"{word[:40]!r} contains a NUL character, which no program can be given")
        try:
            os.fsencode(word)
        except UnicodeEncodeError:
            raise SpawnFailed(f"{word[:40]!r} contains half a character, which no program can be given") from None


def passed_on(daemon: Mapping[str, str]) -> dict[str, str]:
    """What a child inherits of *daemon*."""
    return {name: value for name, value in daemon.items() if name in PASSED or name.startswith("LC_")}


def child_environment(
    daemon: Mapping[str, str], wanted: Mapping[str, str], *, terminal: bool, marker: str
) -> dict[str, str]:
    """The whole environment of a child: what *daemon* passes on, what is missing, *wanted* on top, and the marker.

    :raises SpawnFailed: *wanted* contains what a client may not set.
    """
    environment = {"PATH": PATH, **_account(os.getuid()), "TERM": "dumb", **passed_on(daemon)}
    if not any(environment.get(name) for name in ("LC_ALL", "LC_CTYPE", "LANG")):
        environment["LANG"] = LANGUAGE
    if terminal:
        environment |= {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
    return {**environment, **checked_environment(wanted), MARKER: marker}


def directory(wanted: str, home: str) -> str:
    """The working directory, absolute: *home* if none is *wanted*, and ``/`` if that is missing, as for every login.

    :raises SpawnFailed: it does not exist or may not be entered.
    """
    if wanted == "~" or wanted.startswith("~/"):
        wanted = home + wanted[1:]
    path = os.path.normpath(os.path.join("/", home, wanted))
    if not os.path.isdir(path):
        if not wanted:
            return "/"
        reason = "is no directory" if os.path.exists(path) else "no such directory"
        raise SpawnFailed(f"{wanted}: {reason}")
    if not os.access(path, os.X_OK):
        raise SpawnFailed(f"{wanted or path}: permission denied")
    return path


def executable(name: str, path: str, cwd: str) -> str:
    """The absolute path of the program *name*, looked up as the child would in *path*, from *cwd*.

    :raises SpawnFailed: there is none, or it cannot be executed.
    """
    folders = [""] if "/" in name else path.split(os.pathsep)
    reason = "no such file" if "/" in name else "command not found"
    for folder in folders:
        candidate = os.path.join(cwd, folder, name)
        try:
            mode = os.stat(candidate).st_mode
        except PermissionError:
            reason = "permission denied"
        except OSError:
            continue
        else:
            if stat.S_ISREG(mode) and os.access(candidate, os.X_OK):
                return candidate
            if "/" in name or not stat.S_ISDIR(mode):
                reason = "is a directory" if stat.S_ISDIR(mode) else "permission denied"
    raise SpawnFailed(f"{name}: {reason}")


@lru_cache(1)
def _account(user: int) -> Mapping[str, str]:
    """Asked once: the daemon's own account, which is not read from its file at every start (30 µs, measured)."""
    try:
        account = pwd.getpwuid(user)
    except KeyError:  # a container's account without an entry
        return {"HOME": "/", "SHELL": "/bin/sh"}
    name = account.pw_name
    shell = account.pw_shell or "/bin/sh"
    return {"HOME": account.pw_dir, "SHELL": shell, "USER": name, "LOGNAME": name}
