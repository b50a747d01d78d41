"""Answers that end a request early, a refusal or a redirect that cannot leave the site, and how to answer later."""

from __future__ import annotations

import json
import secrets
from collections.abc import Coroutine, Mapping, Sequence
from html import escape
from http import HTTPStatus
from typing import Any, ClassVar
from urllib.parse import quote

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.error import UnsupportedMethod
from twisted.web.http import HTTPChannel
from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET, Request
from zope.interface import implementer

from webshell.errors import NotAllowed, WebshellError

READ = frozenset({b"GET", b"HEAD"})
METHODS = READ | {b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS"}
ALLOWED = b", ".join(sorted(METHODS)).decode()
CLOSING = frozenset({400, 408, 413, 421, 426, 503})
"""After these the connection is closed: what follows on it is not to be trusted or not to be waited for."""

_log = Logger()


class Refused(WebshellError):
    """The request goes no further; the text is shown."""

    code = "not-allowed"
    status: ClassVar[int] = 403

    def __init__(self, text: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(text)
        self.headers: Mapping[str, str] = headers or {}

    def html(self, request: Request) -> str:
        """The page for a person."""
        title = escape(HTTPStatus(self.status).phrase)
        return (
            f'<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
            '<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">'
            f"<h1>{title}</h1><p>{escape(str(self))}</p></html>\n"
        )


class Malformed(Refused):
    """No proper request: a header is missing, doubled or of no known form."""

    code = "bad-request"
    status = 400


class NotFound(Refused):
    """A path that nothing can hang at."""

    code = "bad-request"
    status = 404


class MethodRefused(Refused):
    """A method that is not served."""

    code = "bad-request"
    status = 405


class BodyTooLarge(Refused):
    """More body than is taken here."""

    code = "limit"
    status = 413


class UnknownHost(Refused):
    """A Host that this server does not answer to."""

    status = 421


class UpgradeRequired(Refused):
    """A WebSocket version that is not spoken."""

    code = "bad-request"
    status = 426


class TooManyTries(Refused):
    """Too many wrong credentials."""

    code = "limit"
    status = 429


class Unauthenticated(Refused):
    """Nobody knows who this is."""

    status = 401


class Failed(Refused):
    """Something broke; the text holds a reference to the log and nothing else."""

    code = "bad-request"
    status = 500


def refusal(error: WebshellError) -> Refused:
    """Return *error* as an answer: what a leaf raises on purpose has a status too."""
    if isinstance(error, Refused):
        return error
    return Refused(str(error)) if isinstance(error, NotAllowed) else Malformed(str(error))


def wants_json(request: Request) -> bool:
    """Whether a program asks, which is told errors as JSON: the process API's clients."""
    steps = request.path.split(b"/")
    return b"exec" in steps[-3:] or steps[-1] == b"popen"


def wants_html(request: Request) -> bool:
    """Whether a person with a browser is going to read the answer."""
    return any(b"text/html" in value for value in request.requestHeaders.getRawHeaders(b"accept", []))


class RefusalPage(Resource):
    """The page, or the line of text, that a refusal is answered with."""

    isLeaf = True

    def __init__(self, refused: Refused) -> None:
        super().__init__()
        self._refused = refused

    def render(self, request: Request) -> bytes:
        """Answer every method alike."""
        refused, headers = self._refused, request.responseHeaders
        request.setResponseCode(refused.status)
        for name, value in refused.headers.items():
            headers.setRawHeaders(name, value.split("\n"))
        closing = refused.status in CLOSING or request.requestHeaders.hasHeader(b"upgrade")
        if closing and isinstance(request.channel, HTTPChannel):  # HTTP/2 has no such header
            headers.setRawHeaders(b"connection", [b"close"])
            request.channel.persistent = 0
        if wants_html(request):
            headers.setRawHeaders(b"content-type", [b"text/html; charset=utf-8"])
            body = refused.html(request)
        elif wants_json(request):
            headers.setRawHeaders(b"content-type", [b"application/json"])
            body = json.dumps({"error": refused.code, "message": str(refused)}) + "\n"
        else:
            headers.setRawHeaders(b"content-type", [b"text/plain; charset=utf-8"])
            body = f"{refused}\n"
        return b"" if request.method == b"HEAD" else body.encode()


class SeeOther(Resource):
    """A redirect to a place below the directory of the request: relative, so that it can never leave the site."""

    isLeaf = True

    def __init__(
        self,
        *steps: str | bytes,
        query: bytes = b"",
        up: int = 0,
        fragment: str = "",
        cookies: Sequence[bytes] = (),
    ) -> None:
        super().__init__()
        # "./" first: a step like "evil:" or "" is then neither a scheme nor a host
        path = ("../" * up or "./") + "/".join(quote(step, safe="") for step in steps)
        end = f"#{fragment}".encode() if fragment else b""
        self._location = path.encode() + (b"?" + query if query else b"") + end
        self._cookies = cookies

    def render(self, request: Request) -> bytes:
        """Answer every method alike."""
        request.setResponseCode(303)
        request.responseHeaders.setRawHeaders(b"location", [self._location])
        request.cookies.extend(self._cookies)
        return b""


@implementer(IResource)
class _Known:
    """A resource whose refusal of a method looks like all our refusals."""

    isLeaf = True

    def __init__(self, resource: IResource) -> None:
        self._resource = resource

    def getChildWithDefault(self, name: bytes, request: Request) -> IResource:
        raise NotFound("there is nothing here")

    def putChild(self, path: bytes, child: IResource) -> None:
        raise NotImplementedError

    def render(self, request: Request) -> bytes | int:
        try:
            body: bytes | int = self._resource.render(request)
            return body
        except UnsupportedMethod as error:
            allowed: list[bytes] = sorted(error.allowedMethods)
            if request.method == b"HEAD" and b"GET" in allowed:
                raise  # Twisted tries again with GET
            raise MethodRefused("this method is not served here", {"Allow": b", ".join(allowed).decode()}) from None


def answer(request: Request, leaf: Coroutine[Deferred[Any], Any, IResource]) -> int:
    """Render what *leaf* returns, or the refusal that it raises; for the ``render`` methods of resources."""
    task = Deferred.fromCoroutine(_answer(request, leaf))
    if not task.called:
        request.notifyFinish().addErrback(lambda _: task.cancel())
    task.addErrback(_broken, request)
    return NOT_DONE_YET


async def _answer(request: Request, leaf: Coroutine[Deferred[Any], Any, IResource]) -> None:
    try:
        resource = await leaf
        if request.channel is not None:  # still there
            request.render(_Known(resource))
    except WebshellError as error:
        if request.startedWriting or request.channel is None:
            raise
        request.render(RefusalPage(refusal(error)))


def _broken(failure: Failure, request: Request) -> None:
    if failure.check(CancelledError) and not request.finished and request.channel is None:
        return  # the client went away while we asked somebody
    reference = secrets.token_hex(4)
    _log.failure("a request failed, reference {reference}", failure, reference=reference)
    if request.finished or request.channel is None:
        return
    if isinstance(request.channel, HTTPChannel) and request.channel.transport is None:
        return  # a WebSocket has taken the connection over
    if request.startedWriting:
        request.channel.loseConnection()
    else:
        request.render(RefusalPage(Failed(f"Something broke here. The server's log tells more: look for {reference}")))
