"""``s/ID/files/PATH``: reading and writing files where a session's shell is; see docs/protocol.rst, Files."""

from __future__ import annotations

import io
import json
import os
import re
import stat

from twisted.web.resource import IResource, Resource
from twisted.web.server import Request

from webshell.errors import NoSuchProcess, NoSuchSession, NotAllowed
from webshell.executions import Executions
from webshell.grant import Grant, Right
from webshell.session import Session
from webshell.sessions import Sessions
from webshell.web.access import granted
from webshell.web.answers import BodyTooLarge, Malformed, NotFound, answer
from webshell.web.exec.permalinks import Permalink
from webshell.web.files.archive import FORMATS
from webshell.web.files.arrivals import Arrival, Arrivals, Exists
from webshell.web.files.folders import descend, folder_at, folder_of, open_readable, path_of, steps_of, told
from webshell.web.files.sending import Stream, WholeOrPart

PART_BYTES = 8 << 20
"""Of one body: it is kept in a temporary file until it is complete, and then written at once."""

LISTED = 5000
"""Entries of a folder that are told."""

_PATH = re.compile(rb".*/s/([A-Za-z0-9_-]{1,64})/files(?:/.*)?")


def files_limit(sessions: Sessions, method: bytes, path: bytes) -> int | None:
    """How large a body may be that is a file's; None: it is none, or its sender does not even know a session."""
    found = _PATH.fullmatch(path) if method == b"PUT" else None
    if found is None:
        return None
    try:
        sessions.find(found[1].decode(), Grant("the body limit"))
    except NoSuchSession:
        return None
    return PART_BYTES


class Places(Resource):
    """``s``: below it, each session by its id."""

    def __init__(self, sessions: Sessions, arrivals: Arrivals, executions: Executions) -> None:
        super().__init__()
        self._sessions = sessions
        self._arrivals = arrivals
        self._executions = executions

    def getChild(self, name: bytes, request: Request) -> Resource:
        """Whether there is such a session is looked up when the grant is."""
        session = name.decode("utf-8", "replace")
        place = Permalink(self._executions, session)
        place.putChild(b"files", Files(self._sessions, session, self._arrivals))
        return place


class Files(Resource):
    """``files``: what is below it is a path in the folder of a process, of the home folder, or of one that is named."""

    isLeaf = True

    def __init__(self, sessions: Sessions, session: str, arrivals: Arrivals) -> None:
        super().__init__()
        self._sessions = sessions
        self._session = session
        self._arrivals = arrivals

    def render_GET(self, request: Request) -> int:
        """A file, what is in a folder, or a folder as one file."""
        return answer(request, self._get(request))

    def render_PUT(self, request: Request) -> int:
        """A file, whole or in parts; a folder if the path ends with a slash."""
        return answer(request, self._put(request))

    def render_DELETE(self, request: Request) -> int:
        """Give up a file that is under way."""
        return answer(request, self._delete(request))

    async def _get(self, request: Request) -> IResource:
        base = self._base(request)
        try:
            steps = steps_of(_path(request))
            opened, status = open_readable(base, steps)
            if stat.S_ISREG(status.st_mode):
                return WholeOrPart(opened, status, steps[-1] if steps else "file")
        finally:
            os.close(base)
        kind = _argument(request, "as")
        if kind in FORMATS:
            name = (steps[-1] if steps else os.path.basename(path_of(opened))) or "files"
            return Stream(FORMATS[kind](opened, name), f"{name}.{kind}")
        try:
            if kind:
                raise Malformed(f"a folder can be had as {' or '.join(FORMATS)}")
            with told("/".join(steps) or "."):
                return Said(200, _listing(opened))
        finally:
            os.close(opened)

    async def _put(self, request: Request) -> IResource:
        session = self._checked(request)
        body = request.content
        assert body is not None
        length = body.seek(0, io.SEEK_END)
        body.seek(0)
        if length > PART_BYTES:  # in a site that is not ours
            raise BodyTooLarge(f"a part may have {PART_BYTES} bytes")
        if key := _argument(request, "part"):
            arrival = self._arrivals.take(session.id, key)
            offset = _number(request, "offset")
            if offset != arrival.received:
                self._arrivals.hold(session.id, arrival, key)
                return Said(416, {"part": key, "offset": arrival.received})
        else:
            exists = _argument(request, "exists") or Exists.REFUSE
            if exists not in set(Exists):
                raise Malformed(f"'exists' is one of {', '.join(Exists)}")
            size = _number(request, "size") if _argument(request, "size") else length
            base = self._base(request)
            try:
                path = _path(request)
                if path[-1:] == [b""]:
                    os.close(descend(base, steps_of(path[:-1]), make=True))
                    return Said(201, {"path": "/".join(step.decode() for step in path)})
                steps = steps_of(path)
                if not steps:
                    raise Malformed("the address does not name a file")
                self._arrivals.check_room(session.id)
                arrival = Arrival(descend(base, steps[:-1], make=True), steps[-1], size, Exists(exists))
            finally:
                os.close(base)
        arrival.add(body)
        if arrival.received < arrival.size:
            key = self._arrivals.hold(session.id, arrival, key)
            return Said(202, {"part": key, "offset": arrival.received})
        where = arrival.folder
        name = arrival.finish()
        return Said(201, {"path": os.path.join(where, name), "name": name, "size": arrival.size})

    async def _delete(self, request: Request) -> IResource:
        session = self._checked(request)
        self._arrivals.take(session.id, _argument(request, "part")).discard()
        return Said(200, {})

    def _checked(self, request: Request) -> Session:
        """The session, if whoever asks could read and write there by its shell."""
        grant = granted(request)
        if not grant.rights & {Right.TYPE, Right.RUN}:
            raise NotAllowed("you may not do this: it needs the right 'type' or 'run'")
        try:
            return self._sessions.find(self._session, grant)
        except NoSuchSession as error:
            raise NotFound(str(error)) from None

    def _base(self, request: Request) -> int:
        session = self._checked(request)
        if not _argument(request, "process"):
            return folder_at(_argument(request, "folder"))
        try:
            child = session.process(_number(request, "process")).child
        except NoSuchProcess as error:
            raise NotFound(str(error)) from None
        return folder_of(child.pid) if child is not None else folder_at("")


class Said(Resource):
    """A value as JSON."""

    isLeaf = True

    def __init__(self, status: int, value: object) -> None:
        super().__init__()
        self._status = status
        self._value = value

    def render(self, request: Request) -> bytes:
        """Answer."""
        request.setResponseCode(self._status)
        request.setHeader(b"content-type", b"application/json")
        return json.dumps(self._value).encode() + b"\n"


def _listing(folder: int) -> object:
    entries: list[dict[str, object]] = []
    with os.scandir(folder) as found:
        for entry in found:
            if len(entries) == LISTED:
                return {"folder": path_of(folder), "entries": entries, "more": True}
            entries.append(_entry(entry))
    return {"folder": path_of(folder), "entries": entries, "more": False}


def _entry(entry: os.DirEntry[str]) -> dict[str, object]:
    name = os.fsencode(entry.name).decode("utf-8", "replace")
    try:
        status = entry.stat()
    except OSError:  # a link to nowhere
        return {"name": name, "kind": "other", "size": 0, "modified": 0}
    kind = "folder" if stat.S_ISDIR(status.st_mode) else "file" if stat.S_ISREG(status.st_mode) else "other"
    return {"name": name, "kind": kind, "size": status.st_size, "modified": int(status.st_mtime)}


def _path(request: Request) -> list[bytes]:
    return list(request.postpath or [])


def _argument(request: Request, name: str) -> str:
    values = (request.args or {}).get(name.encode(), [])
    if len(values) > 1:
        raise Malformed(f"'{name}' is given twice")
    return values[0].decode("utf-8", "replace") if values else ""


def _number(request: Request, name: str) -> int:
    text = _argument(request, name)
    if not text.isascii() or not text.isdecimal() or len(text) > 18:
        raise Malformed(f"'{name}' must be a number")
    return int(text)
