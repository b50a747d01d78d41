"""Puts uploads into the folders of those who run programs: prepared beside, then moved in; nothing else is touched."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Iterator

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from webshell.errors import SpawnFailed, UploadFailed, WebshellError
from webshell.targets.accounts import Account, account, acting_as
from webshell.uploads import Parcel, TextFile, UrlFile
from webshell.workplace import Workplace

CACHE = ".flcache"
"""Fetched files, by bucket and name, in the work folder; further-link has them there, too."""

STAGE = ".webshell-"
"""How the name of the folder begins in which an upload is prepared: beside its place, so that moving is renaming."""

FETCHED_BYTES = 256 << 20
"""Of all files that one upload has fetched."""

FETCHED_SECONDS = 120.0
"""After this no further file is fetched for an upload: the web page waits for 180 s, and the last may take 60."""

Fetch = Callable[[str], Awaitable[bytes]]
"""Fetches an address; raises UploadFailed."""

log = Logger()


class Warehouse:
    """Where uploads are put."""

    def __init__(self, workplace: Workplace, fetch: Fetch | None, seconds: Callable[[], float]) -> None:
        """
        :param fetch: None: files are not fetched, and those that would have to be are left out.
        :param seconds: tells the time since some beginning.
        """
        self._workplace = workplace
        self._fetch = fetch
        self._seconds = seconds

    def place(self, parcel: Parcel, user: str, placed: Callable[[WebshellError | None], None]) -> None:
        """Put *parcel* where it belongs, then say so; see :class:`webshell.uploads.Uploads`."""
        done = Deferred.fromCoroutine(self.put(parcel, user))
        done.addCallbacks(lambda _: placed(None), lambda failure: placed(_expected(failure.value)))
        done.addErrback(lambda failure: log.failure("telling about an upload failed", failure))

    async def put(self, parcel: Parcel, user: str) -> bool:
        """Put *parcel* into the work folder of the system user *user*; whether files of addresses are part of it.

        :raises UploadFailed: it cannot be put there; what was there is as it was.
        """
        try:
            who = account(user)
            root = self._workplace.work_folder(who.home)
            with _told(who):
                os.makedirs(root, exist_ok=True)
                root = os.path.realpath(root)
                _check_way(root, parcel.name)
                for file in parcel.files:
                    if isinstance(file, UrlFile):
                        _check_way(root, os.path.join(CACHE, file.kept))
            if self._fetch is not None:
                await self._keep_all(root, parcel, who)
            with _told(who):
                _put(root, parcel, self._fetch is not None)
        except SpawnFailed as error:  # about users
            raise UploadFailed(str(error)) from None
        return self._fetch is not None

    async def _keep_all(self, root: str, parcel: Parcel, who: Account) -> None:
        size, end = 0, self._seconds() + FETCHED_SECONDS
        for file in parcel.files:
            if isinstance(file, UrlFile):
                if self._seconds() > end:
                    raise UploadFailed(f"fetching the files of an upload may take {FETCHED_SECONDS:g} seconds")
                size += await self._keep(root, file, who)
                if size > FETCHED_BYTES:
                    raise UploadFailed(f"all fetched files of an upload may have {FETCHED_BYTES} bytes")

    async def _keep(self, root: str, file: UrlFile, who: Account) -> int:
        """Fetch *file* unless that was done before. Returns how many bytes were fetched."""
        assert self._fetch is not None
        path = os.path.join(root, CACHE, file.kept)
        with _told(who):
            if os.path.exists(path):
                return 0
        content = await self._fetch(file.url)
        with _told(who):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            _check_way(root, os.path.join(CACHE, file.kept))  # it may have been changed while we fetched
            draft, name = tempfile.mkstemp(prefix=STAGE, dir=os.path.dirname(path))
            with open(draft, "wb") as opened:
                opened.write(content)
            os.chmod(name, 0o644)
            os.rename(name, path)
        return len(content)


def _expected(error: BaseException) -> WebshellError:
    if isinstance(error, WebshellError):
        return error
    log.error("an upload failed: {error}", error=repr(error))
    return UploadFailed("something broke; the server's log tells more")


@contextlib.contextmanager
def _told(who: Account) -> Iterator[None]:
    """Act as *who*; what the system refuses is the upload's failure."""
    try:
        with acting_as(who):
            yield
    except OSError as error:
        raise UploadFailed(f"{error.filename or 'the upload'}: {(error.strerror or str(error)).lower()}") from None


def _check_way(root: str, name: str) -> None:
    """
    :raises UploadFailed: something on the way from *root* to *name* is a link.
    """
    path = root
    for step in name.split("/"):
        path = os.path.join(path, step)
        if os.path.islink(path):
            raise UploadFailed(f"{name}: {step} is a link")


def _put(root: str, parcel: Parcel, with_urls: bool) -> None:
    stage = tempfile.mkdtemp(prefix=STAGE, dir=root)
    try:
        new, old = os.path.join(stage, "new"), os.path.join(stage, "old")
        os.mkdir(new)
        os.mkdir(old)
        for file in parcel.files:
            path = os.path.join(new, file.path)
            if isinstance(file, TextFile):
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "x", encoding="utf-8", newline="") as opened:
                    opened.write(file.text)
        for file in parcel.files:  # links last: nothing is ever written through one
            path = os.path.join(new, file.path)
            if isinstance(file, UrlFile) and with_urls:
                os.makedirs(os.path.dirname(path), exist_ok=True)
                _check_way(new, file.path)
                os.symlink(os.path.join(root, CACHE, file.kept), path)
        place = os.path.join(root, parcel.name)
        _check_way(root, parcel.name)
        os.makedirs(place, exist_ok=True)
        _exchange(place, new, old)
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _exchange(place: str, new: str, old: str) -> None:
    """Move what is in *place* to *old*, and what is in *new* there; the folder stays, for those who stand in it."""
    moved: list[tuple[str, str]] = []
    try:
        for source, target in ((place, old), (new, place)):
            for name in os.listdir(source):
                pair = (os.path.join(source, name), os.path.join(target, name))
                os.rename(*pair)
                moved.append(pair)
    except OSError:
        for source, target in reversed(moved):
            os.rename(target, source)
        raise
