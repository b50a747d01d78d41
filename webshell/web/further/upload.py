"""``upload``: a folder of files for programs to use."""

from __future__ import annotations

import json

from twisted.logger import Logger
from twisted.web.resource import IResource, Resource
from twisted.web.server import Request

from webshell.errors import BadRequest, UploadFailed
from webshell.grant import Right
from webshell.targets.warehouse import Warehouse
from webshell.uploads import parcel
from webshell.web.access import granted
from webshell.web.answers import answer
from webshell.web.further.leaf import Leaf, argument, said, text

UPLOAD_BYTES = 16 << 20
"""Of a body: sixteen times what further-link takes; it is parsed at once."""

log = Logger()


def body_limit(method: bytes, path: bytes) -> int | None:
    """How large an upload's body may be; None: this is none."""
    return UPLOAD_BYTES if method == b"POST" and path.endswith(b"/upload") else None


class Upload(Leaf):
    """Takes JSON in whatever content type; clients send none."""

    def __init__(self, warehouse: Warehouse, user: str) -> None:
        """:param user: the system user for those who name none; empty: the daemon's own."""
        super().__init__()
        self._warehouse = warehouse
        self._user = user

    def render_POST(self, request: Request) -> int:
        """Validate all, then put it where it belongs."""
        return answer(request, self._upload(request))

    async def _upload(self, request: Request) -> IResource:
        grant = granted(request)
        grant.require(Right.RUN)
        user = argument(request, "user")
        try:
            wanted = parcel(_decoded(request))
            if user is None:
                user = self._user
            if user or argument(request, "user") is not None:
                grant.require_user(user)
            fetched = await self._warehouse.put(wanted, user)
        except BadRequest:
            return _Refusal(400, "400: Bad Request")
        except UploadFailed as error:
            log.info("an upload was refused: {reason}", reason=str(error))
            return _Refusal(500, "500: Internal Server Error")
        return _Done({"success": True, "fetched_urls": fetched})


def _decoded(request: Request) -> object:
    assert request.content is not None
    try:
        return json.loads(request.content.read())
    except (ValueError, RecursionError):
        raise BadRequest("this is not JSON") from None


class _Done(Resource):
    """The answer to an upload that succeeded."""

    isLeaf = True

    def __init__(self, value: object) -> None:
        super().__init__()
        self._value = value

    def render(self, request: Request) -> bytes:
        """Answer."""
        return said(request, self._value)


class _Refusal(Resource):
    """The answer to one that did not, in further-link's words."""

    isLeaf = True

    def __init__(self, status: int, body: str) -> None:
        super().__init__()
        self._status = status
        self._body = body

    def render(self, request: Request) -> bytes:
        """Answer."""
        request.setResponseCode(self._status)
        return text(request, self._body)
