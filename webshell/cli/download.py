"""An archive of the far side as files here: unpacked in a thread, because a disk may block and the connection may not.

Nothing that the archive says leads out of the destination: links are not made, and names that go up are refused.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
import sys
import tarfile
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import IO, cast

from webshell.cli.places import shown
from webshell.cli.streams import write_all

PIECE_BYTES = 256 << 10
HEADER_BYTES = 1 << 20
"""Of what comes before a file: its name, and what is read at once beyond it."""

PART = b".webshell-cp-"
"""Before the name of what is not whole yet."""

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS})
"""What every further file would fail from, too."""


class Arriving:
    """What has come of the archive, as a file that is read in the thread; the server's window bounds what waits."""

    def __init__(self, consumed: Callable[[int, bool], None]) -> None:
        """:param consumed: is told in the thread which offset was read, and whether nothing more waits."""
        self._pieces: SimpleQueue[tuple[bytes, int]] = SimpleQueue()
        self._consumed = consumed
        self._ended = False
        self._allowed = HEADER_BYTES

    def add(self, data: bytes, offset: int) -> None:
        """More has come; nothing: that was all."""
        self._pieces.put((data, offset))

    def allow(self, size: int) -> None:
        """A file of *size* bytes comes now; ``tarfile`` keeps what belongs to no file in memory."""
        self._allowed = size + HEADER_BYTES

    def read(self, size: int = -1) -> bytes:
        """The next piece, whatever its size; empty at the end.

        :raises tarfile.ReadError: too much has come that belongs to no file.
        """
        if self._ended:
            return b""
        data, offset = self._pieces.get()
        self._allowed -= len(data)
        if self._allowed < 0:
            raise tarfile.ReadError("a name is too long")
        if data:
            self._consumed(offset, self._pieces.empty())
        else:
            self._ended = True
        return data

    def drain(self) -> None:
        """Read the rest."""
        self._allowed = sys.maxsize
        while self.read():
            pass


class Download:
    """One source on its way here.

    :ivar put: files that have been put in their places.
    """

    def __init__(
        self,
        source: bytes,
        place: bytes,
        *,
        folder: bool,
        keep: bool,
        failed: Callable[[str], None],
        full: Callable[[str], None],
        got: Callable[[bytes, int, int], None],
    ) -> None:
        """:param source: how it is called there, for people.
        :param place: where it gets to.
        :param failed: is told in the thread what goes wrong, with its name.
        :param full: the same, when it is of no use to go on.
        :param got: is told of each file, its size and what of it has come.
        """
        self._source = source
        self._place = place
        self._folder = folder
        self._keep = keep
        self._failed = failed
        self._full = full
        self._got = got
        self._umask = os.umask(0)
        os.umask(self._umask)
        self._stopped = threading.Event()
        self._files: dict[str, bytes] = {}
        self._folders: list[tuple[bytes, tarfile.TarInfo, bool]] = []
        self.put = 0

    def stop(self) -> None:
        """What is not whole yet shall go; from another thread."""
        self._stopped.set()

    def unpack(self, arriving: Arriving) -> None:
        """Do it; returns when all has come."""
        try:
            # reads only what read() gives, so that the type is enough of a file
            with tarfile.open(
                fileobj=cast("IO[bytes]", arriving), mode="r|", encoding="utf-8", errors="surrogateescape"
            ) as archive:
                for member in archive:
                    vars(archive)["members"] = []  # it would keep them all
                    arriving.allow(member.size)
                    self._member(archive, member)
        except tarfile.TarError as error:
            if not self._stopped.is_set() and not (self.put == 0 and "empty" in str(error)):
                self._full(f"{shown(self._source)}: what came is no archive: {error}")
        finally:
            arriving.drain()
            self._finish()

    # ---- inside

    def _member(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        steps = [step for step in os.fsencode(member.name).split(b"/") if step not in (b"", b".")]
        name = b"/".join(steps) if self._folder else b""
        there = os.path.join(self._source, name) if name else self._source
        place = os.path.join(self._place, name) if name else self._place
        try:
            if b".." in steps or member.name.startswith("/"):
                self._failed(f"{shown(there)}: the server tells a name that leads elsewhere")
            elif member.isdir() and self._folder:
                self._make(place, member)
            elif member.islnk() and member.linkname in self._files:
                with open(self._files[member.linkname], "rb") as same:
                    member.size = os.fstat(same.fileno()).st_size
                    self._write(same, member, place, there)
            elif member.isreg():
                with cast("IO[bytes]", archive.extractfile(member)) as file:
                    self._write(file, member, place, there)
            else:
                self._failed(f"{shown(there)}: is not a regular file")
        except OSError as error:
            (self._full if error.errno in FULL else self._failed)(f"{shown(place)}: {error.strerror or error}")

    def _make(self, place: bytes, member: tarfile.TarInfo) -> None:
        new = not os.path.lexists(place)
        if new:
            os.mkdir(place, 0o700)
        elif not os.path.isdir(place):
            raise NotADirectoryError(0, "is not a folder")
        self._folders.append((place, member, new))

    def _write(self, file: IO[bytes], member: tarfile.TarInfo, place: bytes, there: bytes) -> None:
        old = _replaced(place)  # before: of a pipe, /dev/stdout tells no path that leads there
        place = os.path.realpath(place) if os.path.islink(place) else place
        part = os.path.join(os.path.dirname(place), PART + secrets.token_hex(8).encode())
        done = 0
        try:
            with open(os.fsdecode(part), "xb", buffering=0, opener=_private) as target:
                self._got(there, member.size, done)
                while (piece := file.read(PIECE_BYTES)) and not self._stopped.is_set():
                    write_all(target.fileno(), piece)
                    done += len(piece)
                    self._got(there, member.size, done)
                self._attributes(target.fileno(), member, old)
            if done == member.size and not self._stopped.is_set():
                os.replace(part, place)
                self._files[member.name] = place
                self.put += 1
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(part)

    def _attributes(self, file: int, member: tarfile.TarInfo, old: os.stat_result | None) -> None:
        if self._keep:
            os.fchmod(file, member.mode & 0o7777)
            os.utime(file, (member.mtime, member.mtime))
        elif old is None:
            os.fchmod(file, member.mode & 0o777 & ~self._umask)
        else:
            with contextlib.suppress(PermissionError):
                os.fchown(file, old.st_uid, old.st_gid)
            os.fchmod(file, stat.S_IMODE(old.st_mode) & 0o777)

    def _finish(self) -> None:
        # from below: what is put into a folder changes its time, and some may not be written to afterwards
        for place, member, new in reversed(self._folders):
            try:
                if self._keep:
                    os.chmod(place, member.mode & 0o7777)
                    os.utime(place, (member.mtime, member.mtime))
                elif new:
                    os.chmod(place, member.mode & 0o777 & ~self._umask | 0o700)
            except OSError as error:
                self._failed(f"{shown(place)}: {error.strerror or error}")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)


def _replaced(place: bytes) -> os.stat_result | None:
    """What is there already, if it may be replaced.

    :raises OSError: it may not.
    """
    try:
        old = os.stat(place)
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(old.st_mode):
        raise IsADirectoryError(0, "is a folder")
    if not stat.S_ISREG(old.st_mode):
        raise OSError(0, "is not a regular file")
    if not os.access(place, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    return old
