"""A folder as one stream, tar or zip, made piece by piece while it is sent; links stay links, none is followed."""

from __future__ import annotations

import contextlib
import os
import stat
import tarfile
import time
import zipfile
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, cast

PIECE_BYTES = 64 << 10
"""Read at once: some microseconds of the reactor's time."""

DEPTH = 64
"""Folders in one another; each holds a descriptor."""

TOLD = 1000
"""Names of what was left out that are told."""

LEFT_OUT = "LEFT-OUT.txt"
ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)

_OPEN = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY


@dataclass(frozen=True, slots=True)
class _Found:
    """Something in the folder; *parent* is open while the next is not yet asked for."""

    path: str
    name: str
    parent: int
    status: os.stat_result


def tar(folder: int, name: str) -> Generator[bytes, None, None]:
    """The open *folder*, which is closed at the end, as a tar file in which all is below *name*.

    The first piece is empty: from then on closing the generator closes the folder.
    """
    left_out: list[str] = []
    with _closing(folder):
        yield b""
        for found in _walk(folder, name, left_out):
            info = tarfile.TarInfo(found.path)
            info.mode, info.mtime = stat.S_IMODE(found.status.st_mode), int(found.status.st_mtime)
            if stat.S_ISDIR(found.status.st_mode):
                info.type = tarfile.DIRTYPE
                yield _header(info)
            elif stat.S_ISLNK(found.status.st_mode):
                info.type, info.linkname = tarfile.SYMTYPE, os.readlink(found.name, dir_fd=found.parent)
                yield _header(info)
            else:
                with _reading(found, left_out) as file:
                    if file is not None:
                        info.size = os.fstat(file).st_size
                        yield _header(info)
                        yield from _exactly(file, info.size)
                        yield bytes(-info.size % tarfile.BLOCKSIZE)
    if left_out:
        text = _told(left_out)
        info = tarfile.TarInfo(f"{name}/{LEFT_OUT}")
        info.size, info.mtime = len(text), int(time.time())
        yield _header(info) + text + bytes(-len(text) % tarfile.BLOCKSIZE)
    yield bytes(2 * tarfile.BLOCKSIZE)


def zipped(folder: int, name: str) -> Generator[bytes, None, None]:
    """The same as a zip file."""
    left_out: list[str] = []
    pieces = _Pieces()
    with _closing(folder), _zip_file(pieces) as archive:
        yield b""
        for found in _walk(folder, name, left_out):
            info = _zip_info(found)
            if stat.S_ISDIR(found.status.st_mode):
                archive.writestr(info, b"")
            elif stat.S_ISLNK(found.status.st_mode):
                archive.writestr(info, os.fsencode(os.readlink(found.name, dir_fd=found.parent)))
            else:
                with _reading(found, left_out) as file:
                    if file is not None:
                        with archive.open(info, "w", force_zip64=True) as entry:
                            while piece := os.read(file, PIECE_BYTES):
                                entry.write(piece)
                                yield pieces.taken()
            yield pieces.taken()
        if left_out:
            archive.writestr(f"{name}/{LEFT_OUT}", _told(left_out))
    yield pieces.taken()


FORMATS: Mapping[str, Callable[[int, str], Generator[bytes, None, None]]] = {"tar": tar, "zip": zipped}
"""By the suffix of their names."""


class _Pieces:
    """What a zip file is written to: not seekable, so that all that is written can go out at once."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """There is nothing behind this."""

    def taken(self) -> bytes:
        """All that was written since this was last asked."""
        parts, self._parts = self._parts, []
        return b"".join(parts)


def _walk(folder: int, path: str, left_out: list[str], depth: int = 0) -> Iterator[_Found]:
    """Everything in the open *folder*, by name, a folder before what is in it."""
    for name in sorted(os.listdir(folder)):
        below = f"{path}/{name}"
        try:
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except OSError:  # removed meanwhile
            continue
        found = _Found(below, name, folder, status)
        if not stat.S_ISDIR(status.st_mode):
            if stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode):
                yield found
            else:
                left_out.append(f"{below}: neither a file nor a folder")
            continue
        yield found
        try:
            if depth == DEPTH:
                raise OSError(0, "too deep")
            opened = os.open(name, _OPEN | os.O_DIRECTORY, dir_fd=folder)
        except OSError as error:
            left_out.append(f"{below}: {error.strerror}")
            continue
        with _closing(opened):
            yield from _walk(opened, below, left_out, depth + 1)


@contextlib.contextmanager
def _reading(found: _Found, left_out: list[str]) -> Iterator[int | None]:
    """The file, open; None: it cannot be read, which is noted."""
    try:
        file = os.open(found.name, _OPEN, dir_fd=found.parent)
    except OSError as error:
        left_out.append(f"{found.path}: {error.strerror}")
        yield None
        return
    with _closing(file):
        yield file


@contextlib.contextmanager
def _closing(descriptor: int) -> Iterator[None]:
    try:
        yield
    finally:
        os.close(descriptor)


def _exactly(file: int, size: int) -> Iterator[bytes]:
    """*size* bytes, as the header has promised: of what grows meanwhile the first, of what shrinks zeros at the end."""
    while size > 0:
        piece = os.read(file, min(size, PIECE_BYTES)) or bytes(min(size, PIECE_BYTES))
        size -= len(piece)
        yield piece


def _header(info: tarfile.TarInfo) -> bytes:
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def _zip_file(pieces: _Pieces) -> zipfile.ZipFile:
    return zipfile.ZipFile(cast("IO[bytes]", pieces), "w", zipfile.ZIP_DEFLATED, compresslevel=1)


def _zip_info(found: _Found) -> zipfile.ZipInfo:
    mode = found.status.st_mode
    path = os.fsencode(found.path).decode("utf-8", "replace") + ("/" if stat.S_ISDIR(mode) else "")
    info = zipfile.ZipInfo(path, max(ZIP_EPOCH, time.localtime(found.status.st_mtime)[:6]))
    info.compress_type = zipfile.ZIP_STORED if stat.S_ISDIR(mode) else zipfile.ZIP_DEFLATED
    info.external_attr = (mode & 0xFFFF) << 16
    return info


def _told(left_out: list[str]) -> bytes:
    more = [f"and {len(left_out) - TOLD} more"] if len(left_out) > TOLD else []
    return "\n".join(["Left out:", *left_out[:TOLD], *more, ""]).encode("utf-8", "replace")
