"""The system's users, as far as programs are started for them."""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
from collections.abc import Iterator
from dataclasses import dataclass

from webshell.errors import SpawnFailed


@dataclass(frozen=True, slots=True)
class Account:
    """A system user.

    :ivar foreign: whether it is another one than the daemon's own.
    """

    name: str
    uid: int
    gid: int
    home: str
    shell: str
    foreign: bool


def account(name: str) -> Account:
    """The user called *name*; empty: the daemon's own.

    :raises SpawnFailed: there is none.
    """
    own = os.geteuid()
    try:
        entry = pwd.getpwnam(name) if name else pwd.getpwuid(own)
    except (KeyError, UnicodeError, ValueError):
        if name:
            raise SpawnFailed(f"there is no user {name!r}") from None
        return Account("", own, os.getegid(), os.environ.get("HOME", "/"), "/bin/sh", False)
    foreign = entry.pw_uid != own
    home = entry.pw_dir if foreign else os.environ.get("HOME") or entry.pw_dir
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, home, entry.pw_shell or "/bin/sh", foreign)


def environment(account: Account) -> dict[str, str]:
    """The variables that say who one is."""
    runtime = f"/run/user/{account.uid}"
    variables = {"USER": account.name, "LOGNAME": account.name, "HOME": account.home, "SHELL": account.shell}
    return variables | ({"XDG_RUNTIME_DIR": runtime} if os.path.isdir(runtime) else {})


@contextlib.contextmanager
def acting_as(account: Account) -> Iterator[None]:
    """Files are made and opened as *account* would, in this thread only; nothing changes for the daemon's own user.

    Only the supplementary groups stay the daemon's: the system has no other way to change them for one thread.

    :raises SpawnFailed: this daemon cannot do that.
    """
    if not account.foreign:
        yield
        return
    library = ctypes.CDLL(None)
    if os.geteuid() != 0 or not hasattr(library, "setfsuid"):
        raise SpawnFailed(f"only a server that runs as root, on Linux, can start programs as {account.name}")
    # these two leave signals and other threads as they are, which seteuid would not
    library.setfsgid(account.gid)
    library.setfsuid(account.uid)
    try:
        # they cannot fail, they just do nothing; -1 is never set, and asks
        if (library.setfsuid(-1), library.setfsgid(-1)) != (account.uid, account.gid):
            raise SpawnFailed(f"the system does not let the server act as {account.name}")
        yield
    finally:
        library.setfsuid(0)
        library.setfsgid(os.getegid())
