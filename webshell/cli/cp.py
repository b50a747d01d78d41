"""``webshell cp``: files and folders there, or here, whole or not at all."""

from __future__ import annotations

import errno
import os
import re
import sys
import threading
from argparse import Namespace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from webshell.cli.download import PART, Arriving, Download
from webshell.cli.far import Far
from webshell.cli.places import Place, base, quoted, shown
from webshell.cli.progress import Progress
from webshell.cli.scripts import LOOK, SEND, TAKE, of_sh
from webshell.cli.transport import Door
from webshell.cli.trouble import Failed
from webshell.cli.upload import Upload

LOOKED_BYTES = 16 << 20
"""Of names that match: more are not copied by one command."""

HARMLESS = re.compile(
    r"Exiting with failure status|Error is not recoverable|Removing leading|in the future$|implausibly old time stamp"
)
"""What ``tar`` says although nothing has failed, or after what has."""

FULL = re.compile(r"Wrote only \d+ of \d+ bytes$|Cannot write: No space left on device$")
"""How ``tar`` says that, before it is asked for the reason or afterwards."""


async def command(reactor: Any, options: Namespace, door: Door) -> int:
    """Copy.

    :returns: 0, or 1 if something could not be copied.
    """
    return await Copy(reactor, options, door).done()


class Copy:
    """One command."""

    def __init__(self, reactor: Any, options: Namespace, door: Door) -> None:
        self._reactor = reactor
        self._tree = bool(options.tree)
        self._keep = bool(options.keep)
        self._sources: list[Place] = options.places[:-1]
        self._target: Place = options.places[-1]
        self._url = str(options.url)
        self._far = Far(reactor, door, patience=options.patience, told=self._heard)
        self._progress = Progress(quiet=options.quiet)
        self._upload = Upload(self._tree, self._keep, self._failed, self._progress.at)
        self._from = b""  # what "./" is in what the far side says
        self._status = 0

    async def done(self) -> int:
        """Its exit status."""
        work = self._there() if self._target.url else self._here()
        try:
            return await self._far.carry("cp", work)
        finally:
            work.close()
            self._progress.end()

    # ---- there

    async def _there(self) -> int:
        sources = self._upload.checked([source.path for source in self._sources])
        if not sources:
            return 1
        answer = bytearray()

        def ready(data: bytes, offset: int) -> None:
            answer.extend(data)
            self._far.consumed(offset)
            if answer.startswith(b"ready ") and answer.endswith(b"\n"):
                self._far.feed(self._upload.pieces(sources, int(answer.split()[1], 8)))

        several = len(self._sources) > 1
        flags = ["1" if flag else "" for flag in (several, any(folder for _, folder in sources), self._keep)]
        part = (PART + os.urandom(8).hex().encode()).decode()
        await self._far.start("cp", of_sh(TAKE, *flags, part, quoted(self._target.path)), output=ready)
        return self._judged(await self._far.exited())

    # ---- here

    async def _here(self) -> int:
        found = await self._found()
        target = self._target.path
        into = os.path.isdir(target)
        if len(self._sources) > 1 or len(found) > 1:
            if not into:
                raise Failed(f"{shown(target)}: is not a folder")
        elif found and not into:
            kind = found[0][:1]
            if kind == b"d" and os.path.lexists(target):
                raise Failed(f"{shown(target)}: is not a folder")
            if not os.path.isdir(os.path.dirname(target.rstrip(b"/") if kind == b"d" else target) or b"."):
                raise Failed(f"{shown(target)}: there is no such folder")
        for one in found:
            path = one[1:]
            place = os.path.join(target, base(path)) if into else target
            await self._fetch(path, place.rstrip(b"/") or b"/", folder=one[:1] == b"d")
        return self._status

    async def _found(self) -> list[bytes]:
        """The kind and path of each source."""
        answer = bytearray()

        def looked(data: bytes, offset: int) -> None:
            answer.extend(data)
            if len(answer) > LOOKED_BYTES:
                self._far.fail(Failed("more names match than one command can copy"))
            self._far.consumed(offset)

        paths = [quoted(source.path) for source in self._sources]
        await self._far.start("cp: look", of_sh(LOOK, "1" if self._tree else "", *paths), output=looked)
        self._far.end_input()
        self._judged(await self._far.exited())
        return bytes(answer).split(b"\0")[:-1]

    async def _fetch(self, path: bytes, place: bytes, *, folder: bool) -> None:
        name = path.removeprefix(b"./")
        self._from = path if folder else b""
        reactor, far = self._reactor, self._far
        arriving = Arriving(lambda offset, idle: reactor.callFromThread(lambda: far.consumed(offset, idle=idle)))
        download = Download(
            name,
            place,
            folder=folder,
            keep=self._keep,
            failed=lambda text: reactor.callFromThread(self._failed, text),
            full=lambda text: reactor.callFromThread(far.fail, Failed(text)),
            got=lambda file, size, done: (
                reactor.callFromThread(self._progress.at, file, size, done) if self._progress.on else None
            ),
        )
        unpacked: Deferred[None] = Deferred()

        def work() -> None:
            try:
                download.unpack(arriving)
            except Exception:
                reactor.callFromThread(unpacked.errback, Failure())
            else:
                reactor.callFromThread(unpacked.callback, None)

        thread = threading.Thread(target=work, name="unpack")
        thread.start()
        try:
            where, _, last = path.rpartition(b"/")
            within = (path, b"./") if folder else (where or b"/", last)
            await far.start("cp", of_sh(SEND, *map(quoted, within)), output=arriving.add)
            far.end_input()
            self._judged(await far.exited())
        except BaseException:
            download.stop()
            raise
        finally:
            arriving.add(b"", 0)
            thread.join()
        await unpacked
        if not folder and not download.put and not self._status:
            raise Failed(f"{self._url}:{shown(name)}: it did not arrive")

    # ---- what goes wrong

    def _judged(self, status: int) -> int:
        if status and not self._status:
            raise Failed(f"{self._url}: the copy ended there with status {status}")
        return self._status

    def _heard(self, line: str) -> None:
        by_tar = line.startswith("tar: ")
        text = line.removeprefix("tar: ")
        if HARMLESS.search(text):
            return
        text = FULL.sub(os.strerror(errno.ENOSPC), text)
        number, slash, rest = text.partition("/") if "/" in text.partition(":")[0] else text.partition(":")
        if by_tar and number in self._upload.names:
            text = f"{shown(self._upload.names[number])}{slash}{rest}"
            self._far.fail(Failed(f"{self._url}:{shown(self._target.path)}: {text}"))
            return
        if by_tar and text.startswith("./") and self._from:
            text = os.fsdecode(os.path.join(self._from, b"")) + text[2:]
        self._failed(f"{self._url}:{text.removeprefix('./')}")

    def _failed(self, text: str) -> None:
        self._status = 1
        self._progress.end()
        print(f"webshell: {shown(os.fsencode(text))}", file=sys.stderr, flush=True)
