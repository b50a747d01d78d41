"""Who is this, and what may they do: the one gate before every leaf and every upgrade; nothing runs before it."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from inspect import isawaitable
from typing import cast
from urllib.parse import unquote_to_bytes

from twisted.web import http
from twisted.web.iweb import IRequest
from twisted.web.resource import IResource, Resource
from twisted.web.server import Request
from zope.interface import implementer

from webshell.errors import NotAllowed
from webshell.grant import Grant
from webshell.web.answers import (
    ALLOWED,
    METHODS,
    READ,
    Malformed,
    MethodRefused,
    NotFound,
    Refused,
    SeeOther,
    Unauthenticated,
    UpgradeRequired,
    answer,
)
from webshell.web.credentials import Credentials
from webshell.web.destination import destination
from webshell.web.hosts import Rules, Visit
from webshell.web.link import by_link, last_step, take_token
from webshell.web.secure import secure_headers
from webshell.web.tokens import OPERATOR

PUBLIC: Mapping[tuple[bytes, ...], Collection[bytes]] = {
    (b"login",): READ | {b"POST"},
    (b"logout",): {b"POST"},
    (b"css", b"login.css"): READ,
    (b"favicon.ico",): READ,
    (b"favicon.svg",): READ,
    (b"healthz",): READ,
    (b"readyz",): READ,
}
"""What may be reached without a grant, by path and method: this table and nothing else."""

Authenticator = Callable[[Visit], Awaitable[Grant | None]]
"""Returns what one kind of credential grants, None if there is none of its kind, or raises a refusal."""
Authorize = Callable[[IRequest], Grant | Awaitable[Grant | None] | None]
"""What an embedding site hands in instead of tokens and passwords."""

_ODD = re.compile(rb"[\x00-\x1f\x7f/\\]")


# --- what may come in


@dataclass(frozen=True, slots=True)
class Policy:
    """Host and Origin rules, and the ways to say who one is, in the order in which they are asked.

    :ivar credentials: if given, browsers are led to the login page, and ``?token=`` in a page's address logs in.
    :ivar challenges: what ``WWW-Authenticate`` of a 401 says.
    :ivar users: by identity, the system users that a client may be, beside those of its own grant.
    """

    rules: Rules
    authenticators: tuple[Authenticator, ...]
    credentials: Credentials | None = None
    challenges: tuple[str, ...] = ()
    users: Mapping[str, frozenset[str]] = field(default_factory=dict)

    async def grant(self, visit: Visit) -> Grant:
        """Return what the client may do, or raise the refusal."""
        for authenticator in self.authenticators:
            grant = await authenticator(visit)
            if grant is not None:
                users = self.users.get(grant.identity)
                return replace(grant, users=grant.users | users) if users else grant
        raise Unauthenticated("log in first, or send the token in an Authorization header")


def login_policy(rules: Rules, credentials: Credentials) -> Policy:
    """Let in who has the token, a name and password, or the cookie that was given for one of them."""
    basic = ('Basic realm="webshell", charset="UTF-8"',) if credentials.passwords is not None else ()
    authenticators = (credentials.bearer, credentials.basic, credentials.cookie)
    return Policy(rules, authenticators, credentials, ('Bearer realm="webshell"', *basic))


def open_policy(rules: Rules) -> Policy:
    """Let everybody in, as the operator; Host and Origin still keep other sites' pages out."""

    async def everybody(visit: Visit) -> Grant | None:
        return Grant(OPERATOR)

    return Policy(rules, (everybody,))


def embedded_policy(rules: Rules, authorize: Authorize) -> Policy:
    """Let in whom the embedding site's *authorize* grants something; it raises nothing on purpose."""

    async def ask(visit: Visit) -> Grant | None:
        headers = visit.request.requestHeaders
        if visit.unproven and headers.hasHeader(b"cookie") and not headers.hasHeader(b"authorization"):
            raise Refused("a cookie is not enough for this without an Origin header")
        answer = authorize(visit.request)
        grant = await answer if isawaitable(answer) else answer
        if grant is not None and not isinstance(grant, Grant):
            raise TypeError(f"authorize returned a {type(grant).__name__}, not a Grant or None")
        return grant

    return Policy(rules, (ask,))


# --- what was decided


@dataclass(frozen=True, slots=True)
class Admission:
    """What the gate found out about a request; *grant* is None on public paths."""

    visit: Visit
    grant: Grant | None


_ADMISSION = "webshell_admission"
"""An attribute of the request: a table would have to forget it, and a weak one cannot, as a visit knows its request."""


def granted(request: http.Request) -> Grant:
    """Return what the client of *request* may do; raises :class:`NotAllowed` if the gate granted nothing."""
    admission: Admission | None = getattr(request, _ADMISSION, None)
    if admission is None or admission.grant is None:
        raise NotAllowed("you may not do this: log in first")
    return admission.grant


def visited(request: http.Request) -> Visit:
    """Return what the gate knows about a request that it has let through, also on public paths."""
    admission: Admission = getattr(request, _ADMISSION)
    return admission.visit


# --- the gate


@implementer(IResource)
class Gate:
    """The root of everything: nothing of *tree* is reached without a grant, except what *public* lists.

    It may be a site's root or hang anywhere below one.
    """

    isLeaf = True  # so that this is where every path comes, whole

    def __init__(
        self, tree: IResource, policy: Policy, public: Mapping[tuple[bytes, ...], Collection[bytes]] = PUBLIC
    ) -> None:
        self._tree = tree
        self._policy = policy
        self._public = public
        self.refused: Counter[int] = Counter()
        """How often, by status."""

    def getChildWithDefault(self, name: bytes, request: Request) -> Gate:
        """Stay in the way of those who look for children although this is a leaf."""
        assert request.prepath is not None
        assert request.postpath is not None
        request.postpath.insert(0, request.prepath.pop())
        return self

    def putChild(self, path: bytes, child: IResource) -> None:
        """Hang *child* into the tree, behind the gate."""
        self._tree.putChild(path, child)

    def render(self, request: Request) -> int:
        """Decide, then let the tree answer."""
        return answer(request, self._counted(request))

    async def _counted(self, request: Request) -> IResource:
        try:
            return await self._admit(request)
        except Refused as refused:
            self.refused[refused.status] += 1
            raise

    async def _admit(self, request: Request) -> IResource:
        policy, steps = self._policy, tuple(request.postpath or ())
        token = take_token(request) if policy.credentials is not None else None
        secure_headers(request)
        visit = policy.rules.visit(request)
        _check_form(visit)
        if token is not None and policy.credentials is not None and visit.navigation:
            grant = by_link(policy.credentials, token, visit)
            cookie = policy.credentials.set_cookie(grant, visit)
            return SeeOther(*last_step(request), query=_query(request), cookies=(cookie,))
        if not steps:
            if request.method not in READ:
                raise NotFound("there is nothing here; the path needs a slash at its end")
            return SeeOther(*last_step(request), query=_query(request))
        public = request.method in self._public.get(steps, ()) and not visit.upgrade
        if public and visit.unproven:
            raise Refused("this needs an Origin header")
        try:
            setattr(request, _ADMISSION, Admission(visit, None if public else await policy.grant(visit)))
        except Unauthenticated as error:
            if visit.navigation and policy.credentials is not None:
                return SeeOther("login", up=len(steps) - 1, query=destination(request))
            raise Unauthenticated(str(error), _challenge(policy, visit)) from None
        return _find(self._tree, request)


def _find(resource: IResource, request: Request) -> IResource:
    while request.postpath and not resource.isLeaf:
        name = request.postpath.pop(0)
        cast("list[bytes]", request.prepath).append(name)
        # Twisted answers what is missing with a page class that it has deprecated itself
        if _lacks(resource, name):
            raise NotFound("there is nothing here")
        resource = resource.getChildWithDefault(name, request)
    return resource


def _lacks(resource: object, name: bytes) -> bool:
    plain = getattr(type(resource), "getChild", None) is Resource.getChild
    return plain and name not in cast("Resource", resource).children


def _challenge(policy: Policy, visit: Visit) -> Mapping[str, str]:
    # a browser would show its own password window over our page
    browser = visit.request.requestHeaders.hasHeader(b"sec-fetch-mode")
    challenges = [text for text in policy.challenges if not (browser and text.startswith("Basic"))]
    return {"WWW-Authenticate": "\n".join(challenges)} if challenges else {}


def _check_form(visit: Visit) -> None:
    """Refuse what no proper client sends, and what other sites' pages send."""
    request = visit.request
    if request.method not in METHODS:
        raise MethodRefused("this method is not served", {"Allow": ALLOWED})
    steps = [unquote_to_bytes(step) for step in request.path.split(b"/")[1:]]
    if b"" in steps[:-1] or any(step in (b".", b"..") or _ODD.search(step) for step in steps):
        raise NotFound("there is nothing here")
    if visit.foreign:
        raise Refused("pages of another origin may not load this")
    if visit.upgrade:
        _check_handshake(request)


def _check_handshake(request: Request) -> None:
    headers = request.requestHeaders
    if b"%" in request.path or request.path.endswith(b"/"):
        raise NotFound("there is nothing here")
    connection = b",".join(headers.getRawHeaders(b"connection", [])).lower().split(b",")
    upgrade = [value.lower() for value in headers.getRawHeaders(b"upgrade", [])]
    if request.method != b"GET" or request.clientproto != b"HTTP/1.1" or upgrade != [b"websocket"]:
        raise Malformed("a WebSocket handshake is a GET of HTTP/1.1 with 'Upgrade: websocket'")
    if b"upgrade" not in [token.strip() for token in connection]:
        raise Malformed("a WebSocket handshake has 'Connection: Upgrade'; a proxy may have removed it")
    if headers.getRawHeaders(b"sec-websocket-version") != [b"13"]:
        raise UpgradeRequired("WebSocket version 13 is spoken here", {"Sec-WebSocket-Version": "13"})
    keys = headers.getRawHeaders(b"sec-websocket-key", [])
    try:
        proper = [len(b64decode(key, validate=True)) for key in keys] == [16]
    except binascii.Error:
        proper = False
    if not proper:
        raise Malformed("a WebSocket handshake has one Sec-WebSocket-Key of 16 bytes")


def _query(request: Request) -> bytes:
    return request.uri.partition(b"?")[2]
