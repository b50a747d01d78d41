"""The page's files in memory: a folder for each version of them, named by a hash over all, so that browsers keep them.

What is in such a folder never changes; a file that is changed on disk makes another folder at the next look.
"""

from __future__ import annotations

import gzip
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePosixPath

from twisted.web.http import CACHED, Request
from twisted.web.resource import Resource

from webshell.web.answers import NotFound

VERSIONS = 2  # in memory, 0.7 MB each: the files as they are, and as they were for a page that is just being loaded
COMPRESSION = 6  # 13 ms for all files, each when it is first asked for; 9 takes twice as long for 0.3 % less
HASH_CHARACTERS = 16  # 64 bits, of files that are ours: nobody looks for another set with the same

FOREVER = b"private, max-age=31536000, immutable"  # private: a shared cache would hand them to who is not logged in
ANEW = b"no-cache"

TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}

LASTING = ("*.svg", "*.webmanifest", "css/login.css")
"""These are served under their own names: an installed page and strangers at the login know no version."""

_IMPORT = re.compile(r'^(?:import|export)\s(?:[\w\s*{},$]+\sfrom\s)?\s*"(\.{1,2}/[^"]+)"', re.MULTILINE)
_REFUSED = re.compile(rb"\s*q\s*=\s*0(\.0*)?\s*")


class Asset:
    """One file as it was read; compressed when that is first asked for."""

    def __init__(self, name: str, body: bytes) -> None:
        self.name = name
        self.body = body
        self.hash = sha256(body).hexdigest()[:HASH_CHARACTERS]
        self._compressed: bytes | None = None

    @property
    def compressed(self) -> bytes:
        """The file in gzip's format."""
        if self._compressed is None:
            self._compressed = gzip.compress(self.body, COMPRESSION, mtime=0)
        return self._compressed

    def answer(self, request: Request, cache: bytes) -> bytes:
        """The file in a coding that the client takes, or 304 (RFC 9110, 12.5.3 and 13.1.2)."""
        small = takes_gzip(request)
        request.setHeader(b"cache-control", cache)
        request.setHeader(b"vary", b"Accept-Encoding")
        if request.setETag(f'"{self.hash}{"-gzip" if small else ""}"'.encode()) is CACHED:
            return b""
        request.setHeader(b"content-type", TYPES[PurePosixPath(self.name).suffix].encode())
        if small:
            request.setHeader(b"content-encoding", b"gzip")
        return self.compressed if small else self.body


def takes_gzip(request: Request) -> bool:
    """Whether the client has said that it takes gzip."""
    for value in request.requestHeaders.getRawHeaders(b"accept-encoding", []):
        for part in value.lower().split(b","):
            coding, _, weight = part.partition(b";")
            if coding.strip() == b"gzip":
                return not _REFUSED.fullmatch(weight)
    return False


@dataclass(frozen=True, slots=True, eq=False)
class Version:
    """All files at one time.

    :ivar name: a hash over names and contents.
    """

    name: str
    files: Mapping[str, Asset]

    def modules(self, entry: str) -> list[str]:
        """What a browser will load for the module *entry*, itself included; the largest first, as it takes longest."""
        found: dict[str, Asset] = {}
        ahead = [entry]
        while ahead:
            name = ahead.pop()
            if name in self.files and name not in found:
                found[name] = self.files[name]
                folder = os.path.dirname(name)
                imports = _IMPORT.findall(found[name].body.decode())
                ahead += [os.path.normpath(os.path.join(folder, path)) for path in imports]
        return sorted(found, key=lambda name: -len(found[name].body))


class Folder(Resource):
    """What files hang in; nothing by itself."""

    def render(self, request: Request) -> bytes:
        """Nothing."""
        raise NotFound("there is nothing here")


class Versions(Folder):
    """The folders of the versions, and the look whether there must be another one.

    :param names: of the files, relative to *folder*.
    """

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        """:raises OSError: a file cannot be read."""
        super().__init__()
        self._paths = {name: folder / name for name in names}
        self._seen = self._state()
        self._current = self._read()

    def current(self) -> Version:
        """The files as they are now: looking at 45 of them takes 0.1 ms."""
        try:
            seen = self._state()
            if seen != self._seen:
                self._current, self._seen = self._read(), seen
        except OSError:
            pass  # they are being replaced, by an upgrade: what we have fits together
        return self._current

    def _state(self) -> list[tuple[int, int, int]]:
        states = [os.stat(path) for path in self._paths.values()]
        return [(state.st_mtime_ns, state.st_size, state.st_ino) for state in states]

    def _read(self) -> Version:
        files = {name: Asset(name, path.read_bytes()) for name, path in self._paths.items()}
        together = "".join(f"{name}\0{asset.hash}\n" for name, asset in files.items())
        version = Version(sha256(together.encode()).hexdigest()[:HASH_CHARACTERS], files)
        self.children.pop(version.name.encode(), None)  # as it was once before: now the newest
        self.putChild(version.name.encode(), _tree(version))
        for oldest in list(self.children)[:-VERSIONS]:
            del self.children[oldest]
        return version


def _tree(version: Version) -> Folder:
    root = Folder()
    for name, asset in version.files.items():
        if not lasts(name):
            hang(root, name, _Kept(asset))
    return root


def lasts(name: str) -> bool:
    """Whether a file is served under its own name, not below that of a version."""
    return any(PurePosixPath(name).match(pattern) for pattern in LASTING)


def hang(root: Resource, path: str, leaf: Resource) -> None:
    """Put *leaf* at *path* below *root*."""
    *directories, last = path.encode().split(b"/")
    place = root
    for directory in directories:
        if directory not in place.children:
            place.putChild(directory, Folder())
        place = place.children[directory]
    place.putChild(last, leaf)


class _Kept(Resource):
    """A file of a version."""

    isLeaf = True

    def __init__(self, asset: Asset) -> None:
        super().__init__()
        self._asset = asset

    def render_GET(self, request: Request) -> bytes:
        """The file; the browser need never ask again."""
        return self._asset.answer(request, FOREVER)


class Latest(Resource):
    """A file under a name of its own, which stays the same whatever is in it; the browser asks each time."""

    isLeaf = True

    def __init__(self, versions: Versions, name: str) -> None:
        super().__init__()
        self._versions = versions
        self._name = name

    def render_GET(self, request: Request) -> bytes:
        """The file."""
        return self._versions.current().files[self._name].answer(request, ANEW)
