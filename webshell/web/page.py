"""The page and its files: an allow-list made at start from ``static/``, found by path in a checkout and in a wheel."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Sequence
from pathlib import Path

from twisted.web.http import Request
from twisted.web.resource import Resource

from webshell.web.assets import Latest, Version, Versions, hang, lasts
from webshell.web.secure import secure_headers

PACKAGE = Path(__file__).parent.parent
OWN = ("css/*.css", "js/*.js", "*.svg", "*.webmanifest")
"""Of our own files, these are served; everything else in the folder is not."""

PLACE = "v"
"""Where the folders of the files' versions hang."""

_ENTRY = re.compile(r'<script type="module"[^>]* src="([^"]+)">')
_NAMED = re.compile(r'(?<==")[^"]+')


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


def add_files(root: Resource, folder: Path) -> Versions:
    """Hang every file that may be served into the tree below *root*."""
    names = served_files(folder)
    versions = Versions(folder, names)
    root.putChild(PLACE.encode(), versions)
    for name in filter(lasts, names):
        hang(root, name, Latest(versions, name))
    return versions


def joined(template: str, version: Version) -> str:
    """The page with its files as they are in *version*, and a hint for each module that its scripts import.

    Without the hints, a browser finds a module only when it has read the one that imports it.
    """

    def placed(found: re.Match[str]) -> str:
        name = found[0]
        return f"{PLACE}/{version.name}/{name}" if name in version.files and not lasts(name) else name

    modules = [name for entry in _ENTRY.findall(template) for name in version.modules(entry)]
    hints = "\n    ".join(f'<link rel="modulepreload" href="{name}">' for name in dict.fromkeys(modules))
    return _NAMED.sub(placed, template.replace("{{modules}}", hints))


class Page(Resource):
    """The page itself, made anew for each request: its styles carry a nonce that the policy of this answer names."""

    isLeaf = True

    def __init__(self, folder: Path, versions: Versions, frame_ancestors: Sequence[str] = ()) -> None:
        super().__init__()
        self._file = folder / "index.html"
        self._versions = versions
        self._frame_ancestors = frame_ancestors
        self._joined: tuple[str, Version, str] | None = None  # from a template and a version

    def render_GET(self, request: Request) -> bytes:
        """The page; not compressed: what it has beside its names fits into the first packets."""
        nonce = secrets.token_urlsafe(16)
        secure_headers(request, nonce, self._frame_ancestors)
        request.setHeader(b"content-type", b"text/html; charset=utf-8")
        return self.text().replace("{{nonce}}", nonce).encode()

    def text(self) -> str:
        """The page but for its nonce."""
        template, version = self._file.read_text("utf-8"), self._versions.current()
        if self._joined is None or self._joined[:2] != (template, version):
            self._joined = (template, version, joined(template, version))
        return self._joined[2]
