"""What an upload asks for: a folder of files by name, each with its text or a place to fetch it from; pure parsing."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from webshell.errors import BadRequest, UploadFailed, WebshellError

MOST_FILES = 4096
"""In one upload: each costs a few system calls of the reactor."""

MOST_URL_FILES = 64
"""Of them; they are fetched one after another while the client waits."""

LONGEST_NAME = 1024
"""Characters of a path in an upload; the system allows 4096 bytes of a whole path."""


@dataclass(frozen=True, slots=True)
class TextFile:
    """A file whose content came with the upload."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class UrlFile:
    """A file that is fetched once, kept as *bucket*/*name*, and linked to from *path*."""

    path: str
    url: str
    bucket: str
    name: str

    @property
    def kept(self) -> str:
        """Where it is kept, relative to the folder for that."""
        return os.path.join(self.bucket, self.name)


@dataclass(frozen=True, slots=True)
class Parcel:
    """A folder that shall hold exactly *files*; all names are relative paths that lead nowhere else."""

    name: str
    files: tuple[TextFile | UrlFile, ...]


class Uploads(Protocol):
    """Who puts parcels where they belong."""

    def place(self, parcel: Parcel, user: str, placed: Callable[[WebshellError | None], None]) -> None:
        """Put *parcel* into the work folder of the system user *user*, then say so or why not; *placed* may be called
        before this returns."""


def parcel(value: object) -> Parcel:
    """The upload that *value*, which is JSON, describes.

    :raises BadRequest: it is none.
    :raises UploadFailed: a name in it leads out of its folder.
    """
    members = _object(value, "an upload")
    name, files = _text(members, "name"), _object(members.get("files"), "'files'")
    if len(files) > MOST_FILES:
        raise BadRequest(f"an upload may have {MOST_FILES} files")
    read = []
    for path, file in files.items():
        kind = _object(file, "a file").get("type")
        reader = _FILES.get(kind) if isinstance(kind, str) else None
        if reader is None:
            raise BadRequest(f"the type of a file must be one of {', '.join(_FILES)}")
        read.append(reader(_checked(path), _object(file.get("content"), "'content'")))
    if sum(isinstance(file, UrlFile) for file in read) > MOST_URL_FILES:
        raise BadRequest(f"an upload may have {MOST_URL_FILES} files of addresses")
    return Parcel(_within(name), tuple(read))


def _url_file(path: str, content: Mapping[str, Any]) -> UrlFile:
    bucket, name = _within(_text(content, "bucketName")), _within(_text(content, "fileName"))
    return UrlFile(_within(path), _text(content, "url"), bucket, name)


_FILES: Mapping[str, Callable[[str, Mapping[str, Any]], TextFile | UrlFile]] = {
    "text": lambda path, content: TextFile(_within(path), _text(content, "text")),
    "url": _url_file,
}


def _object(value: object, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise BadRequest(f"{what} must be an object")
    return value


def _text(members: Mapping[str, Any], name: str) -> str:
    value = members.get(name)
    if not isinstance(value, str):
        raise BadRequest(f"{name!r} must be a string")
    return _checked(value)


def _checked(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadRequest("half a character is none") from None
    return text


def _within(path: str) -> str:
    """*path* in its shortest form, which leads to something below the folder that it is relative to."""
    short = os.path.normpath(path)
    steps = short.split("/")
    if not path or "\0" in path or len(path) > LONGEST_NAME or steps[0] in ("", ".", ".."):
        raise UploadFailed(f"{path[:64]!r} is no path within a folder")
    if ".." in path.split("/"):  # what it leads over might be a link
        raise UploadFailed(f"{path[:64]!r} leads over '..'")
    return short
