"""Files on their way in: each under a hidden name beside its place until it is whole, then put there in one step."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from enum import StrEnum
from typing import BinaryIO

from webshell.limits import Clock, Timer
from webshell.web.answers import BodyTooLarge, Malformed, NotFound, TooManyTries
from webshell.web.files.folders import Conflict, NoSpace, path_of, told

FILE_BYTES = 64 << 30
"""Of one file: more than what anybody sends through a browser."""

SPARE_BYTES = 64 << 20
"""That stay free on the disk: logs, and the shell's history, must still be written."""

ARRIVALS = 64
"""At once, on the whole server: each holds two descriptors."""

ARRIVALS_OF_SESSION = 8

IDLE_SECONDS = 60.0
"""Without a further part; after that what has come is removed."""

SLICE_BYTES = 1 << 20
PREFIX = ".webshell-"
COUNTED = 1000
"""Names that are tried if the file is to be kept beside one that is there."""


class Exists(StrEnum):
    """What to do if a file of that name is there."""

    REFUSE = "refuse"
    REPLACE = "replace"
    KEEP = "keep"
    """Both: the new one gets a number."""


class Arrival:
    """One file on its way into an open folder."""

    def __init__(self, folder: int, name: str, size: int, exists: Exists) -> None:
        """:param folder: becomes ours; :meth:`finish` and :meth:`discard` close it."""
        self.size = size
        self.received = 0
        self._folder = folder
        self._name = name
        self._exists = exists
        self._draft = f"{PREFIX}{secrets.token_hex(8)}"
        self._open = True
        try:
            with told(name):
                _check_place(folder, name, size, exists)
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
                self._file = os.open(self._draft, flags, 0o666, dir_fd=folder)
        except BaseException:
            os.close(folder)
            raise

    def add(self, body: BinaryIO) -> None:
        """Write what *body* still holds; if that fails, nothing is left."""
        try:
            with told(self._name):
                while piece := body.read(SLICE_BYTES):
                    if self.received + len(piece) > self.size:
                        raise Malformed("more has come than was announced")
                    _write(self._file, piece)
                    self.received += len(piece)
        except BaseException:
            self.discard()
            raise

    @property
    def folder(self) -> str:
        """Where its folder is now."""
        return path_of(self._folder)

    def finish(self) -> str:
        """Put the file into its place. Returns the name that it has there."""
        try:
            with told(self._name):
                return self._put()
        finally:
            self.discard()

    def discard(self) -> None:
        """Remove what has come, unless it is in its place."""
        if not self._open:
            return
        self._open = False
        with contextlib.suppress(OSError):
            os.unlink(self._draft, dir_fd=self._folder)
        os.close(self._file)
        os.close(self._folder)

    def _put(self) -> str:
        if self._exists is Exists.REPLACE:
            with contextlib.suppress(FileNotFoundError):
                old = os.stat(self._name, dir_fd=self._folder, follow_symlinks=False)
                if stat.S_ISREG(old.st_mode):
                    os.fchmod(self._file, stat.S_IMODE(old.st_mode) & 0o777)
            os.rename(self._draft, self._name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
            return self._name
        for name in _names(self._name) if self._exists is Exists.KEEP else (self._name,):
            # unlike a rename, a link replaces nothing, whoever makes a file there at this very moment
            with contextlib.suppress(FileExistsError):
                os.link(self._draft, name, src_dir_fd=self._folder, dst_dir_fd=self._folder, follow_symlinks=False)
                return name
        raise Conflict(f"{self._name} is there already")


class Arrivals:
    """All that are under way in parts, by a key that only their sender knows."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._arrivals: dict[str, tuple[str, Arrival, Timer]] = {}

    def __len__(self) -> int:
        """How many."""
        return len(self._arrivals)

    def check_room(self, session: str) -> None:
        """
        :raises TooManyTries: too many are under way already.
        """
        mine = sum(owner == session for owner, _, _ in self._arrivals.values())
        if len(self._arrivals) >= ARRIVALS or mine >= ARRIVALS_OF_SESSION:
            raise TooManyTries("too many files are under way already: wait for one of them")

    def hold(self, session: str, arrival: Arrival, key: str = "") -> str:
        """Keep *arrival* for its next part. Returns its key."""
        key = key or secrets.token_urlsafe(16)
        timer = self._clock.callLater(IDLE_SECONDS, lambda: self._late(key))
        self._arrivals[key] = (session, arrival, timer)
        return key

    def take(self, session: str, key: str) -> Arrival:
        """The arrival of that *key*; it is :meth:`hold` that keeps it for another part.

        :raises NotFound: there is none in that session.
        """
        owner, arrival, timer = self._arrivals.get(key, ("", None, None))
        if arrival is None or timer is None or owner != session:
            raise NotFound("no file of this key is under way: it was given up, or has waited too long")
        del self._arrivals[key]
        timer.cancel()
        return arrival

    def close(self) -> None:
        """Give all of them up."""
        for session, key in [(session, key) for key, (session, _, _) in self._arrivals.items()]:
            self.take(session, key).discard()

    def _late(self, key: str) -> None:
        _, arrival, _ = self._arrivals.pop(key)
        arrival.discard()


def _check_place(folder: int, name: str, size: int, exists: Exists) -> None:
    """Refuse early what would be refused at the end."""
    if size > FILE_BYTES:
        raise BodyTooLarge(f"a file may have {FILE_BYTES >> 30} GiB")
    disk = os.fstatvfs(folder)
    if disk.f_bavail * disk.f_frsize < size + SPARE_BYTES:
        raise NoSpace(f"{name}: there is not enough space left on the disk")
    with contextlib.suppress(FileNotFoundError):
        there = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if exists is Exists.REFUSE or (exists is Exists.REPLACE and stat.S_ISDIR(there.st_mode)):
            raise Conflict(f"{name} is there already")


def _names(name: str) -> Iterator[str]:
    stem, suffix = os.path.splitext(name)
    yield name
    for number in range(2, COUNTED):
        yield f"{stem} ({number}){suffix}"


def _write(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
