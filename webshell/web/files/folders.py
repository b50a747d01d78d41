"""Folders as open descriptors: where a process is, and the way from there to a file, over no link on the way in."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence

from webshell.web.answers import Malformed, NotFound, Refused

NAME_BYTES = 255
"""Of one name; no common file system takes more."""

STEPS = 64
"""Folders above a file: each costs a system call to open."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class Conflict(Refused):
    """Something is there already, or is not what it would have to be."""

    code = "wrong-state"
    status = 409


class NoSpace(Refused):
    """The disk is full, or would be."""

    code = "limit"
    status = 507


_REFUSALS: Mapping[int, type[Refused]] = {
    errno.ENOENT: NotFound,
    errno.EACCES: Refused,
    errno.EPERM: Refused,
    errno.EROFS: Refused,
    errno.EEXIST: Conflict,
    errno.ENOTDIR: Conflict,
    errno.EISDIR: Conflict,
    errno.ELOOP: Conflict,
    errno.ENOSPC: NoSpace,
    errno.EDQUOT: NoSpace,
    errno.EFBIG: NoSpace,
}
"""What the system's errors are to a client; all others are a malformed request."""


@contextlib.contextmanager
def told(what: str) -> Iterator[None]:
    """Say what the system refuses, about *what*, as a refusal of the request."""
    try:
        yield
    except OSError as error:
        kind = _REFUSALS.get(error.errno or 0, Malformed)
        raise kind(f"{what}: {(error.strerror or str(error)).lower()}") from None


def folder_of(pid: int) -> int:
    """Open the directory in which process *pid* is, or the foreground job of its terminal; the caller closes it.

    :raises Refused: it belongs to another user, whose files are none of ours.
    """
    for candidate in (_foreground(pid), pid):
        try:
            if candidate and os.stat(f"/proc/{candidate}").st_uid == os.geteuid():
                return os.open(f"/proc/{candidate}/cwd", _FOLDER)
        except OSError:  # it has ended meanwhile, or has become another user's
            continue
    raise Refused("the directory of this program is not known: it has ended, or runs as another user")


def folder_at(path: str) -> int:
    """Open the folder at the absolute *path*; empty: the home folder. The caller closes it."""
    if not path:
        path = os.path.expanduser("~")
    if not path.startswith("/") or "\0" in path:
        raise Malformed("'folder' must be an absolute path")
    with told(path):
        return os.open(path, _FOLDER)


def path_of(folder: int) -> str:
    """Where an open folder is now."""
    try:
        return os.readlink(f"/proc/self/fd/{folder}")
    except OSError:  # a system without /proc
        return ""


def steps_of(path: Sequence[bytes]) -> list[str]:
    """The names on the way to a file, from the steps of an address.

    :raises Malformed: one of them can be no file's, or would lead elsewhere.
    """
    steps = list(path)
    if len(steps) > STEPS:
        raise Malformed(f"a path may have {STEPS} steps")
    return [_name(step) for step in steps]


def descend(folder: int, steps: Sequence[str], *, make: bool) -> int:
    """Open the folder *steps* below *folder*, which stays open; no step may be a link. The caller closes the result.

    :param make: make what is missing.
    """
    here = os.dup(folder)
    try:
        for step in steps:
            with told(step):
                below = _open_below(here, step, make)
            os.close(here)
            here = below
    except BaseException:
        os.close(here)
        raise
    return here


def _open_below(folder: int, name: str, make: bool) -> int:
    if make:
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, dir_fd=folder)
    return os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=folder)


def open_readable(folder: int, steps: Sequence[str]) -> tuple[int, os.stat_result]:
    """Open a file or folder to read it. Links are followed: who asks may read what the daemon's user may.

    :raises Refused: it is a device, a pipe, or one of the kernel's own files, which have no proper size.
    """
    path = "/".join(steps) or "."
    with told(path):
        kind = os.stat(path, dir_fd=folder).st_mode  # first: opening some devices does something
        if not stat.S_ISREG(kind) and not stat.S_ISDIR(kind):
            raise Refused(f"{path} is neither a file nor a folder")
        opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY, dir_fd=folder)
    found = os.fstat(opened)
    proper = stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)
    if not proper or path_of(opened).startswith(("/proc/", "/sys/")):
        os.close(opened)
        raise Refused(f"{path} cannot be read as a file")
    return opened, found


def _name(step: bytes) -> str:
    try:
        name = step.decode()
    except UnicodeDecodeError:
        raise Malformed("names must be UTF-8") from None
    if name in ("", ".", "..") or "/" in name or _CONTROL.search(name) or len(step) > NAME_BYTES:
        raise Malformed("this name can be no file's")
    return name


def _foreground(pid: int) -> int:
    """The leader of the foreground job of the terminal of *pid*; 0: there is none."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as opened:
            return max(0, int(opened.read().rpartition(b")")[2].split()[5]))
    except (OSError, ValueError, IndexError):
        return 0
