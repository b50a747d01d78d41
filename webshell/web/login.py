"""The leaves around logging in: the login page, logout, who am I, and a link for somebody who may only look."""

from __future__ import annotations

import json
import secrets
from html import escape
from urllib.parse import quote

from twisted.web.http import parse_qs
from twisted.web.resource import IResource, Resource
from twisted.web.server import Request

from webshell.grant import Grant, Right
from webshell.web.access import granted, visited
from webshell.web.answers import BodyTooLarge, Refused, SeeOther, answer
from webshell.web.credentials import Credentials
from webshell.web.destination import destination, landing
from webshell.web.secure import secure_headers
from webshell.web.tokens import Keyring

FORM_BYTES = 16 << 10  # two credentials, percent-encoded, and room
FORM = b"application/x-www-form-urlencoded"


class LoginPage(Resource):
    """``login``: a form, and what it is sent to.

    :param template: the page's HTML; ``{{message}}``, ``{{query}}`` and ``{{nonce}}`` in it are replaced.
    """

    def __init__(self, credentials: Credentials, template: str) -> None:
        super().__init__()
        self._credentials = credentials
        self._template = template

    def render_GET(self, request: Request) -> bytes:
        """The form."""
        return self._page(request, "")

    def render_POST(self, request: Request) -> int:
        """The form's fields: ``token``, or ``username`` and ``password``. The gate has seen to the Origin."""
        return answer(request, self._login(request))

    async def _login(self, request: Request) -> IResource:
        try:
            grant = await self._grant(form(request), visited(request).arrival.client)
        except Refused as refused:
            return _Again(self, refused)
        query, fragment = landing(request)
        cookie = self._credentials.set_cookie(grant, visited(request))
        return SeeOther("", query=query, fragment=fragment, cookies=(cookie,))

    async def _grant(self, form: dict[bytes, bytes], client: str) -> Grant:
        if b"username" in form:
            return await self._credentials.by_password(form[b"username"], form.get(b"password", b""), client)
        return self._credentials.by_token(form.get(b"token", b"").strip(), client)

    def _page(self, request: Request, message: str) -> bytes:
        nonce = secrets.token_urlsafe(16)
        secure_headers(request, nonce)
        # under "no-referrer", browsers send a form's POST with "Origin: null", which we would refuse
        request.responseHeaders.setRawHeaders("Referrer-Policy", ["same-origin"])
        request.responseHeaders.setRawHeaders("Content-Type", ["text/html; charset=utf-8"])
        query = destination(request).decode()
        text = self._template.replace("{{nonce}}", nonce).replace("{{message}}", escape(message))
        text = text.replace("{{query}}", escape(f"?{query}" if query else ""))
        return text.encode()


class _Again(Resource):
    """The login page with the reason why it is shown again."""

    isLeaf = True

    def __init__(self, page: LoginPage, refused: Refused) -> None:
        super().__init__()
        self._login_page = page
        self._refused = refused

    def render(self, request: Request) -> bytes:
        """The form with a message."""
        request.setResponseCode(self._refused.status)
        for name, value in self._refused.headers.items():
            request.responseHeaders.setRawHeaders(name, [value])
        return self._login_page._page(request, str(self._refused))


def form(request: Request) -> dict[bytes, bytes]:
    """Return the first value of each field of the body; the query is nobody's login."""
    kind = request.requestHeaders.getRawHeaders(b"content-type", [b""])[0].partition(b";")[0].strip().lower()
    if kind != FORM or request.content is None:
        return {}
    body: bytes = request.content.read(FORM_BYTES + 1)
    if len(body) > FORM_BYTES:
        raise BodyTooLarge("this is too long")
    return {name: values[0] for name, values in parse_qs(body, keep_blank_values=True).items()}


class Logout(Resource):
    """``logout``: makes the browser forget its cookie."""

    def __init__(self, keyring: Keyring) -> None:
        super().__init__()
        self._keyring = keyring

    def render_POST(self, request: Request) -> bytes:
        """Forget."""
        visit = visited(request)
        cookie = self._keyring.clear_cookie(visit.secure, visit.base)
        return SeeOther("login", cookies=(cookie,)).render(request)


class WhoAmI(Resource):
    """``whoami``: what the gate thinks of the one who asks.

    :param instance: changes when the server is restarted.
    """

    def __init__(self, instance: str) -> None:
        super().__init__()
        self._instance = instance

    def render_GET(self, request: Request) -> bytes:
        """Identity and rights."""
        grant = granted(request)
        return _json(request, {"identity": grant.identity, "rights": sorted(grant.rights), "instance": self._instance})


class Share(Resource):
    """``share``: a link, relative to the page, for somebody who may look and not touch."""

    def __init__(self, keyring: Keyring) -> None:
        super().__init__()
        self._keyring = keyring

    def render_POST(self, request: Request) -> bytes:
        """The link."""
        granted(request).require(Right.MANAGE)
        return _json(request, {"view": "?token=" + quote(self._keyring.view_token, safe="")})


def _json(request: Request, value: dict[str, object]) -> bytes:
    request.responseHeaders.setRawHeaders("Content-Type", ["application/json"])
    request.responseHeaders.setRawHeaders("Cache-Control", ["no-store"])
    return json.dumps(value).encode() + b"\n"
