"""One target's part of an rsync: a conversation with its receiver, in a thread of its own."""

from __future__ import annotations

import hashlib
import os
import stat
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from io import BufferedReader
from typing import Any, Literal

from execnet import Gateway, RemoteError
from execnet.gateway_base import Channel

from webshell.execnet import rsync_remote
from webshell.execnet.rsync_source import Directory, File, Link, Parts, Tree, read_copies

CHUNK = 1 << 18
"""Bytes of a file in one message."""

WINDOW = 1 << 22
"""Bytes that a target has not written yet; channels have no brake of their own, and would hold all of it in memory."""

Links = Literal["error", "copy", "skip"]
Special = Literal["error", "skip"]


class Incomplete(Exception):
    """Everything else is at the target, but not this: a line for each."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where to, and how."""

    gateway: Gateway
    destination: str
    finished: Callable[[], None] | None
    delete: bool


@dataclass(frozen=True, slots=True)
class Failure:
    """One target that is not complete, and why."""

    gateway: Gateway
    destination: str
    host: str
    """As the far side names itself; empty: it was not heard."""
    error: BaseException

    def __str__(self) -> str:
        """In one line, unless several things are missing."""
        lines = str(self.error).strip().splitlines() or [""]
        # the last line of a far traceback says what happened; all of it is in the exception
        text = lines[-1] if isinstance(self.error, RemoteError) else "; ".join(lines)
        name = "" if isinstance(self.error, RemoteError | Incomplete) else f"{type(self.error).__name__}: "
        return f"{place(self.gateway, self.host, self.destination)}: {name}{text}"


def place(gateway: Gateway, host: str, destination: str) -> str:
    """A target in words."""
    return f"{gateway.id}{f' at {host}' if host else ''}, {destination}"


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the sender was asked to do, the same for all targets."""

    links: Links
    special: Special
    wanted: Callable[[str], bool]
    callback: Callable[[str, int, Channel], Any] | None
    sending: Callable[[Gateway, str], None]
    """Is told of each file whose content is sent."""


class Transfer:
    """Everything for one target.

    :param later: runs a call in the thread of the user; ``None`` is the last.
    """

    def __init__(
        self, tree: Tree, target: Target, wishes: Wishes, later: Callable[[Callable[[], Any] | None], None]
    ) -> None:
        self.target = target
        self.failure: Failure | None = None
        self.skipped: list[str] = []
        """What was left out, as asked."""
        self._tree = tree
        self._wishes = wishes
        self._later = later
        self._channel: Channel | None = None
        self._closed = False
        self._host = ""
        self._files: list[File] = []
        self._requests: deque[tuple[int, str | None]] = deque()
        self._unwritten: set[int] = set()
        self._on_the_way = 0
        self._unlinked: list[tuple[Link, str]] = []
        self._missing: list[str] = []

    # what the user's thread does

    def close(self) -> None:
        """Whatever state it is in, the far side shall not wait for more."""
        self._closed = True
        if self._channel is not None:
            try:
                self._channel.close()
            except OSError:
                pass  # the connection is gone, and with it the far side

    # what the transfer's own thread does

    def run(self) -> None:
        """All of it; what goes wrong is kept in ``failure``."""
        try:
            self._converse()
        except Exception as error:  # whatever it is: a thread has nobody to raise it to
            self.failure = Failure(self.target.gateway, self.target.destination, self._host, error)
        finally:
            self.close()
            self._later(None)

    def _converse(self) -> None:
        channel = self._channel = self.target.gateway.remote_exec(rsync_remote)
        if self._closed:
            return  # while it was started
        # a Python 2 over there has another idea of text; a user may have changed the gateway's
        channel.reconfigure(py2str_as_py3str=True, py3str_as_py2str=False)
        self._send(os.fsencode(self.target.destination), self.target.delete)
        self._until("here")
        self._fill(self._tree.directories, self._tree.files)
        for number, link in enumerate(self._tree.links):
            self._send("link", number, encoded(link.parts), os.fsencode(link.text), link.inside, link.to_directory)
        self._send("linked")
        self._until("linked")
        self._replace_links()
        self._send("done")
        channel.waitclose()
        if self._missing:
            raise Incomplete("\n".join(self._missing))
        if self.target.finished is not None:
            self._later(self.target.finished)

    def _fill(self, directories: list[Directory], files: list[File]) -> None:
        for directory in directories:
            self._send("directory", encoded(directory.parts), directory.mode, encoded(directory.names))
        for number, file in enumerate(files, len(self._files)):
            self._send("regular", number, encoded(file.parts), file.mode, file.mtime, file.size)
        self._files += files
        self._send("listed")
        self._until("listed")
        self._unwritten = {number for number, _ in self._requests}
        self._report("list", sum(self._files[number].size for number in self._unwritten))
        while self._requests:
            self._send_file(*self._requests.popleft())
        while self._unwritten:
            self._hear()

    def _send_file(self, number: int, known: str | None) -> None:
        file = self._files[number]
        try:
            opened = _open(file.path)
        except OSError as error:
            if not isinstance(error, FileNotFoundError):  # else it has gone since it was listed
                self._missing.append(f"cannot read {file.path}: {error.strerror}")
            self._unwritten.discard(number)
            self._send("gone", number)
            return
        with opened:
            if known is None or known != _checksum(opened):
                self._later(partial(self._wishes.sending, self.target.gateway, "/".join(file.parts)))
                self._send_content(opened, number, file.size)
        self._send("end", number)

    def _send_content(self, opened: BufferedReader, number: int, size: int) -> None:
        """As much as was listed: of a file that grows, the rest comes the next time."""
        self._send("start", number)
        opened.seek(0)
        while content := opened.read(min(CHUNK, size)):
            size -= len(content)
            while self._on_the_way > WINDOW - len(content):
                self._hear()
            self._on_the_way += len(content)
            self._send("data", content)

    def _replace_links(self) -> None:
        """Do as was asked with the links that the target could not make."""
        directories: list[Directory] = []
        files: list[File] = []
        for link, reason in self._unlinked:
            said = f"link {'/'.join(link.parts)} -> {link.text}"
            if self._wishes.links == "error":
                self._missing.append(f"cannot make {said}: {reason}")
            elif self._wishes.links == "skip":
                self._skip(f"{said}: {reason}")
            else:
                try:
                    copies = read_copies(link, self._wishes.wanted)
                except OSError as error:
                    self._missing.append(f"cannot copy what {said} leads to: {error.strerror}")
                    continue
                directories += copies.directories
                files += copies.files
                self._missing += [f"cannot copy {path}: {why}" for path, why in copies.unread]
                leave_out = self._skip if self._wishes.special == "skip" else self._missing.append
                for path, kind in copies.special:
                    leave_out(f"{path} is {kind}")
        if directories or files:
            self._fill(directories, files)

    def _skip(self, what: str) -> None:
        self.skipped.append(f"{place(self.target.gateway, self._host, self.target.destination)}: left out: {what}")

    def _report(self, event: str, size: int) -> None:
        if self._wishes.callback is not None and self._channel is not None:
            self._later(partial(self._wishes.callback, event, size, self._channel))

    # what goes there and what comes back

    def _send(self, *message: object) -> None:
        """:raises RemoteError, OSError: the far side has failed or gone."""
        assert self._channel is not None
        try:
            self._channel.send(message)
        except OSError:
            if self._channel.isclosed():
                self._channel.waitclose()  # there may be a reason, which this raises
            raise

    def _until(self, name: str) -> None:
        while self._hear() != name:
            pass

    def _hear(self) -> str:
        """One message.

        :raises RemoteError, EOFError: the far side has failed or gone.
        """
        assert self._channel is not None
        name, *content = self._channel.receive()
        if name not in _HEARD:
            raise ValueError(f"unknown answer of an rsync: {name!r}")
        _HEARD[name](self, *content)
        return str(name)

    def _is_here(self, host: str) -> None:
        self._host = host

    def _is_wanted(self, number: int, known: str | None) -> None:
        self._requests.append((number, known))

    def _has_taken(self, size: int) -> None:
        self._on_the_way -= size

    def _has_written(self, number: int) -> None:
        self._unwritten.discard(number)
        self._report("ack", self._files[number].size)

    def _has_no_link(self, number: int, reason: str) -> None:
        self._unlinked.append((self._tree.links[number], reason))

    def _is_done(self) -> None:
        """Whoever waits for it goes on."""


_HEARD: dict[str, Callable[..., None]] = {
    "here": Transfer._is_here,
    "want": Transfer._is_wanted,
    "listed": Transfer._is_done,
    "took": Transfer._has_taken,
    "written": Transfer._has_written,
    "unlinked": Transfer._has_no_link,
    "linked": Transfer._is_done,
}


def encoded(names: Parts) -> list[bytes]:
    """Names as they travel: text of this side need not be text of the other."""
    return [os.fsencode(name) for name in names]


def _open(path: str) -> BufferedReader:
    """:raises OSError: it cannot be read, or is no regular file any more."""
    # a FIFO in its place would hold us up for ever
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(0, "it is no regular file any more", path)
    return os.fdopen(descriptor, "rb")


def _checksum(opened: BufferedReader) -> str:
    return hashlib.file_digest(opened, "sha256").hexdigest()
