"""Connections without a credential that somebody lets in: whoever sees the server's console enters a code from there.

For clients that cannot be changed and cannot log in. The code proves that one is at the device; it is worth nothing
anywhere else, and nothing after two minutes.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from dataclasses import dataclass
from html import escape

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.web.resource import Resource
from twisted.web.server import Request

from webshell.grant import Grant
from webshell.web.access import visited
from webshell.web.answers import BodyTooLarge, Refused, TooManyTries
from webshell.web.credentials import USER_RIGHTS, WRONG, Throttle
from webshell.web.hosts import Visit
from webshell.web.login import form
from webshell.web.secure import secure_headers
from webshell.web.tokens import same

APPROVED = "approved"
"""The identity of all who were let in like this."""

WAIT_SECONDS = 120.0
"""A connection waits so long: time to walk to the device."""

CODE_DIGITS = 6
MISTAKES = 5
"""Wrong codes after which every waiting connection is refused: guessing then succeeds once in 25,000 rounds."""

MOST_WAITING = 8
"""Connections that wait at once, from everywhere."""

MOST_REMEMBERED = 256
"""Addresses and pages that need no further code."""

WAITING = frozenset({(b"run",), (b"run-py",)})
REMEMBERED = WAITING | {(b"upload",), (b"runners",)}

log = Logger()


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A handshake that nobody has answered yet."""

    key: tuple[str, str | None]
    let_in: Deferred[bool]


class Approvals:
    """The connections that wait, and those that need not any more."""

    def __init__(self, clock: IReactorTime, throttle: Throttle, seconds: float) -> None:
        """
        :param throttle: counts the connections of each address, and the wrong codes.
        :param seconds: for so long who was let in needs no code again.
        """
        self._clock = clock
        self._throttle = throttle
        self._seconds = seconds
        self._waiting: dict[str, _Waiting] = {}  # by code
        self._mistakes = 0
        self._remembered: OrderedDict[tuple[str, str | None], float] = OrderedDict()  # until when, the oldest first

    async def authenticate(self, visit: Visit) -> Grant | None:
        """An authenticator (``access.Authenticator``): waits until somebody enters the code."""
        steps = tuple(visit.request.postpath or ())
        key = (visit.arrival.client, visit.origin)
        if steps in REMEMBERED and self._remembered.get(key, 0.0) > self._clock.seconds():
            return Grant(APPROVED, USER_RIGHTS)
        if steps not in WAITING or not visit.upgrade:
            return None
        began = self._throttle.begin(visit.arrival.client)
        if len(self._waiting) >= MOST_WAITING:
            raise TooManyTries("too many connections are waiting to be let in", {"Retry-After": "60"})
        code = self._code()
        waiting = _Waiting(key, Deferred())
        self._waiting[code] = waiting
        late = self._clock.callLater(WAIT_SECONDS, waiting.let_in.callback, False)
        log.warn(
            "{client}{page} asks to be let in. Whoever wants that enters {code} at {place} within {minutes:g} minutes",
            client=visit.arrival.client,
            page=f", a page of {visit.origin}," if visit.origin else "",
            code=code,
            place=f"{visit.arrival.scheme}://{visit.host}{visit.base}approve",
            minutes=WAIT_SECONDS / 60,
        )
        try:
            let_in = await waiting.let_in
        finally:
            self._waiting.pop(code, None)
            if late.active():
                late.cancel()
        if not let_in:
            raise Refused("nobody has let this connection in")
        self._throttle.right(visit.arrival.client, began)
        return Grant(APPROVED, USER_RIGHTS)

    def approve(self, code: bytes, client: str) -> None:
        """Let in the connection with this *code*, or raise the refusal; *client* is who says so."""
        began = self._throttle.begin(client)
        given = b"".join(code.split())
        found = [known for known in self._waiting if same(known.encode(), given)]
        if not found:
            self._mistake()
            raise Refused(WRONG)
        self._throttle.right(client, began)
        self._mistakes = 0
        waiting = self._waiting.pop(found[0])
        if self._seconds:
            self._remembered[waiting.key] = self._clock.seconds() + self._seconds
            self._remembered.move_to_end(waiting.key)
            if len(self._remembered) > MOST_REMEMBERED:
                self._remembered.popitem(last=False)
        waiting.let_in.callback(True)

    def _mistake(self) -> None:
        self._mistakes += 1
        if self._mistakes < MISTAKES:
            return
        self._mistakes = 0
        waiting, self._waiting = self._waiting, {}
        for one in waiting.values():
            one.let_in.callback(False)

    def _code(self) -> str:
        while (code := f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}}") in self._waiting:
            pass
        return code


class Approve(Resource):
    """``approve``: a form for the code, and what it is sent to."""

    isLeaf = True

    def __init__(self, approvals: Approvals, template: str) -> None:
        """:param template: the page's HTML; ``{{message}}`` in it is replaced."""
        super().__init__()
        self._approvals = approvals
        self._template = template

    def render_GET(self, request: Request) -> bytes:
        """The form."""
        return self._page(request, "")

    def render_POST(self, request: Request) -> bytes:
        """The form's field ``code``. The gate has seen to the Origin."""
        try:
            self._approvals.approve(form(request).get(b"code", b""), visited(request).arrival.client)
        except BodyTooLarge:
            raise
        except Refused as refused:
            request.setResponseCode(refused.status)
            for name, value in refused.headers.items():
                request.responseHeaders.setRawHeaders(name, [value])
            return self._page(request, str(refused))
        return self._page(request, "The connection is let in.")

    def _page(self, request: Request, message: str) -> bytes:
        secure_headers(request, secrets.token_urlsafe(16))
        # under "no-referrer", browsers send a form's POST with "Origin: null", which we would refuse
        request.responseHeaders.setRawHeaders("Referrer-Policy", ["same-origin"])
        request.responseHeaders.setRawHeaders("Content-Type", ["text/html; charset=utf-8"])
        return self._template.replace("{{message}}", escape(message)).encode()
