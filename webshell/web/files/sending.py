"""Answers that are too long to be made at once: pieces as the connection takes them, and the headers that go before."""

from __future__ import annotations

import os
import re
from collections.abc import Generator
from urllib.parse import quote

from twisted.internet.interfaces import IPullProducer
from twisted.logger import Logger
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request
from zope.interface import implementer

PIECE_BYTES = 128 << 10
"""Of a file, read at once: on the way to the kernel it is in memory."""

log = Logger()

_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")
_PLAIN = re.compile(r"[^A-Za-z0-9._ ()+,=@-]")


@implementer(IPullProducer)
class Pieces:
    """Sends what an iterator yields, each piece when the one before is gone; closes it whatever happens."""

    def __init__(self, request: Request, pieces: Generator[bytes, None, None]) -> None:
        self._request = request
        self._pieces = pieces
        request.notifyFinish().addBoth(lambda _: pieces.close())
        request.registerProducer(self, False)

    def resumeProducing(self) -> None:
        """The connection takes more."""
        request = self._request
        try:
            for piece in self._pieces:
                if piece:
                    request.write(piece)
                    return
        except OSError as error:
            log.error("a file could not be read to its end: {error}", error=str(error))
            request.unregisterProducer()
            request.channel.loseConnection()  # so that it does not look complete
            return
        request.unregisterProducer()
        request.finish()

    def stopProducing(self) -> None:
        """The connection is gone."""
        self._pieces.close()


class Stream(Resource):
    """An answer of unknown length."""

    isLeaf = True

    def __init__(self, pieces: Generator[bytes, None, None], name: str) -> None:
        """:param pieces: the first is empty: what has not begun cannot be closed."""
        super().__init__()
        next(pieces)
        self._pieces = pieces
        self._name = name

    def render(self, request: Request) -> bytes | int:
        """Begin to send."""
        attach_headers(request, self._name)
        if request.method == b"HEAD":
            self._pieces.close()
            return b""
        Pieces(request, self._pieces)
        return NOT_DONE_YET


class WholeOrPart(Resource):
    """A file, or the range of it that is asked for; several ranges are answered by the whole."""

    isLeaf = True

    def __init__(self, file: int, status: os.stat_result, name: str) -> None:
        """:param file: open; it is closed when it is sent."""
        super().__init__()
        self._file = file
        self._status = status
        self._name = name

    def render(self, request: Request) -> bytes | int:
        """Begin to send."""
        size = self._status.st_size
        tag = f'"{self._status.st_ino:x}-{size:x}-{self._status.st_mtime_ns:x}"'
        attach_headers(request, self._name)
        request.setHeader(b"accept-ranges", b"bytes")
        request.setHeader(b"etag", tag.encode())
        asked = request.getHeader("range") if request.getHeader("if-range") in (None, tag) else None
        start, end = wanted(asked, size)
        if start >= end and asked is not None and (start, end) != (0, size):
            os.close(self._file)
            request.setResponseCode(416)
            request.setHeader(b"content-range", f"bytes */{size}".encode())
            return b""
        if (start, end) != (0, size):
            request.setResponseCode(206)
            request.setHeader(b"content-range", f"bytes {start}-{end - 1}/{size}".encode())
        request.setHeader(b"content-length", str(end - start).encode())
        if request.method == b"HEAD" or start == end:
            os.close(self._file)
            return b""
        pieces = _read(self._file, start, end)
        next(pieces)
        Pieces(request, pieces)
        return NOT_DONE_YET


def wanted(header: str | None, size: int) -> tuple[int, int]:
    """The first byte and the one after the last of the range that *header* names; the whole if it names none.

    They are the same, and not the whole, if the range is beyond the end.
    """
    found = _RANGE.fullmatch(header or "")
    if found is None or found.groups() == ("", ""):
        return 0, size
    if not found[1]:
        count = min(int(found[2]), size)
        return (size - count, size) if count else (size + 1, size + 1)
    start = int(found[1])
    if start >= size:
        return size + 1, size + 1
    end = min(int(found[2]) + 1, size) if found[2] else size
    return (start, end) if start < end else (0, size)  # one that ends before it begins is to be ignored


def attach_headers(request: Request, name: str) -> None:
    """To be saved under *name*, and never shown: no browser may take it for one of our pages."""
    headers = request.responseHeaders
    headers.setRawHeaders("content-type", ["application/octet-stream"])
    plain = _PLAIN.sub("_", name) or "_"
    full = quote(os.fsencode(name).decode("utf-8", "replace"), safe="")
    headers.setRawHeaders("content-disposition", [f"attachment; filename=\"{plain}\"; filename*=UTF-8''{full}"])
    headers.setRawHeaders("content-security-policy", ["default-src 'none'; frame-ancestors 'none'; sandbox"])


def _read(file: int, start: int, end: int) -> Generator[bytes, None, None]:
    try:
        yield b""  # from here on closing this closes the file
        os.lseek(file, start, os.SEEK_SET)
        while start < end:
            piece = os.read(file, min(end - start, PIECE_BYTES))
            if not piece:
                raise OSError("it has become shorter")
            start += len(piece)
            yield piece
    finally:
        os.close(file)
