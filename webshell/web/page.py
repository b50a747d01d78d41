"""The page and its files: an allow-list made at start from ``static/``, found by path in a checkout and in a wheel."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from pathlib import Path

from twisted.web.http import CACHED, Request
from twisted.web.resource import Resource

from webshell.web.answers import NotFound
from webshell.web.secure import secure_headers

PACKAGE = Path(__file__).parent.parent
OWN = ("css/*.css", "js/*.js", "*.svg", "*.webmanifest")
"""Of our own files, these are served; everything else in the folder is not."""

TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}


def static_folder() -> Path:
    """Where the page's files are: beside the package in a checkout, inside it in a wheel."""
    inside = PACKAGE / "static"
    return inside if inside.is_dir() else PACKAGE.parent / "static"


def served_files(folder: Path) -> list[str]:
    """The paths relative to *folder* that may be served: our own, and the third-party ones that ``vendor.json`` names.

    :raises FileNotFoundError: a third-party file is missing; the message says what to do.
    """
    own = [str(path.relative_to(folder)) for pattern in OWN for path in sorted(folder.glob(pattern))]
    vendor: list[str] = json.loads((folder / "vendor.json").read_text())
    missing = [name for name in vendor if not (folder / name).is_file()]
    if missing:
        raise FileNotFoundError(
            f"the page's module {missing[0]} is missing: run 'npm ci --omit=dev --prefix static' in the checkout "
            "(npm comes with Node.js), or install a wheel of webshell, which contains it"
        )
    return own + vendor


def add_files(root: Resource, folder: Path) -> None:
    """Hang every file that may be served into the tree below *root*."""
    for name in served_files(folder):
        *directories, last = name.split("/")
        place = root
        for directory in directories:
            inner = place.children.get(directory.encode())
            if inner is None:
                inner = Folder()
                place.putChild(directory.encode(), inner)
            place = inner
        place.putChild(last.encode(), Asset(folder / name))


class Folder(Resource):
    """What files hang in; nothing by itself."""

    def render(self, request: Request) -> bytes:
        """Nothing."""
        raise NotFound("there is nothing here")


class Asset(Resource):
    """One file, revalidated at each use, so that a new version is seen at once and an old one is not sent again."""

    isLeaf = True

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def render_GET(self, request: Request) -> bytes:
        """The file, or 304 (RFC 9110, 13.1.2)."""
        status = self._path.stat()
        tag = f'"{status.st_mtime_ns:x}-{status.st_size:x}"'
        request.setHeader(b"cache-control", b"no-cache")
        request.setHeader(b"content-type", TYPES.get(self._path.suffix, "application/octet-stream").encode())
        if request.setETag(tag.encode()) is CACHED:
            return b""
        return self._path.read_bytes()


class Page(Resource):
    """The page itself, made anew for each request: its styles carry a nonce that the policy of this answer names."""

    isLeaf = True

    def __init__(self, folder: Path, frame_ancestors: Sequence[str] = ()) -> None:
        super().__init__()
        self._template = folder / "index.html"
        self._frame_ancestors = frame_ancestors

    def render_GET(self, request: Request) -> bytes:
        """The page."""
        nonce = secrets.token_urlsafe(16)
        secure_headers(request, nonce, self._frame_ancestors)
        request.setHeader(b"content-type", b"text/html; charset=utf-8")
        return self._template.read_text("utf-8").replace("{{nonce}}", nonce).encode()
