"""Files and folders from here as one archive, and what the far side does with it when it is whole."""

from __future__ import annotations

import os
import stat
import tarfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from webshell.cli.places import base, quoted, shown

PIECE_BYTES = 256 << 10
"""Read at once; the server takes about as much before it must report."""

DEPTH = 256
"""Folders in one another, as a guard beside the one against links that lead back."""

INSTALL = b"install"
"""The last member: what has it, is whole."""

_OPEN = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


@dataclass(slots=True)
class Upload:
    """One way there.

    :ivar tree: folders are copied.
    :ivar keep: modes and times are kept.
    :ivar failed: is told what cannot be sent, with its name.
    :ivar sent: is told of each file, its size and what of it has been sent.
    """

    tree: bool
    keep: bool
    failed: Callable[[str], None]
    sent: Callable[[bytes, int, int], None]
    names: dict[str, bytes] = field(default_factory=dict)
    """What each source, by its number in the archive, is called here."""
    _left: list[str] = field(default_factory=list)
    _placed: list[str] = field(default_factory=list)
    _folders: list[str] = field(default_factory=list)

    def checked(self, paths: list[bytes]) -> list[tuple[bytes, bool]]:
        """Those of *paths* that can be read, and whether each is a folder; the others are told."""
        found = []
        for path in paths:
            try:
                folder = stat.S_ISDIR(os.stat(path).st_mode)
                if folder and not self.tree:
                    self.failed(f"{shown(path)}: is a folder; -r copies folders")
                    continue
                os.close(_opened(path))
            except OSError as error:
                self.failed(f"{shown(path)}: {error.strerror}")
                continue
            found.append((path, folder))
        return found

    def pieces(self, sources: list[tuple[bytes, bool]], umask: int) -> Iterator[bytes]:
        """The archive. What cannot be read is left out, and told."""
        for number, (path, folder) in enumerate(sources):
            name = str(number).encode()
            self.names[str(number)] = path
            self._placed.append(f"place {number} '{quoted(base(path))}' {'d' if folder else 'f'}")
            if folder:
                yield from self._folder(path, name, umask, ())
            else:
                yield from self._file(path, name, umask)
        script = "\n".join([*self._left, *self._placed, "clean", *self._folders]).encode() + b"\n"
        info = tarfile.TarInfo(INSTALL.decode())
        info.size, info.mode = len(script), 0o600
        yield _header(info, INSTALL) + script + _padding(info.size) + bytes(tarfile.RECORDSIZE)

    def _folder(self, path: bytes, name: bytes, umask: int, above: tuple[tuple[int, int], ...]) -> Iterator[bytes]:
        try:
            status = os.stat(path)
            key = (status.st_dev, status.st_ino)
            if key in above or len(above) >= DEPTH:
                self.failed(f"{shown(path)}: leads back into itself")
                return
            with os.scandir(path) as entries:
                inside = sorted((entry.name, entry.is_dir()) for entry in entries)
        except OSError as error:
            self.failed(f"{shown(path)}: {error.strerror}")
            return
        info = self._described(status, umask)
        info.type, info.mode = tarfile.DIRTYPE, info.mode | 0o700
        yield _header(info, name)
        for each, folder in inside:
            if folder:
                yield from self._folder(os.path.join(path, each), name + b"/" + each, umask, (*above, key))
            else:
                yield from self._file(os.path.join(path, each), name + b"/" + each, umask)
        if self.keep:
            mode, moment = stat.S_IMODE(status.st_mode), time.gmtime(max(0, status.st_mtime))
            number, _, below = name.partition(b"/")
            place = f"'{quoted(base(self.names[number.decode()]))}' '{quoted(below)}'"
            self._folders.append(f"folder {place} {mode:o} {time.strftime('%Y%m%d%H%M.%S', moment)}")

    def _file(self, path: bytes, name: bytes, umask: int) -> Iterator[bytes]:
        try:
            file = _opened(path)
        except OSError as error:
            self.failed(f"{shown(path)}: {error.strerror}")
            return
        try:
            status = os.fstat(file)
            info = self._described(status, umask)
            info.size = status.st_size
            yield _header(info, name)
            done = 0
            self.sent(path, info.size, done)
            while done < info.size:
                try:
                    piece = os.read(file, min(PIECE_BYTES, info.size - done))
                    why = "" if piece else "became shorter while it was read"
                except OSError as error:
                    piece, why = b"", error.strerror or str(error)
                if why:
                    self.failed(f"{shown(path)}: {why}")
                    self._left.append(f"leave '{quoted(name)}'")
                    yield from _zeros(info.size - done)
                    break
                done += len(piece)
                yield piece
                self.sent(path, info.size, done)
            yield _padding(info.size)
        finally:
            os.close(file)

    def _described(self, status: os.stat_result, umask: int) -> tarfile.TarInfo:
        info = tarfile.TarInfo()
        mode = stat.S_IMODE(status.st_mode)
        info.mode = mode if self.keep else mode & 0o777 & ~umask
        info.mtime = int(max(0, status.st_mtime)) if self.keep else 0
        return info


def _opened(path: bytes) -> int:
    """Open a regular file or a folder.

    :raises OSError: it is something else, or cannot be read.
    """
    file = os.open(path, _OPEN)
    mode = os.fstat(file).st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        os.close(file)
        raise OSError(0, "is not a regular file")
    return file


def _header(info: tarfile.TarInfo, name: bytes) -> bytes:
    info.name = name.decode("utf-8", "surrogateescape")
    return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")


def _padding(size: int) -> bytes:
    return bytes(-size % tarfile.BLOCKSIZE)


def _zeros(size: int) -> Iterator[bytes]:
    while size > 0:
        yield bytes(min(PIECE_BYTES, size))
        size -= PIECE_BYTES
