"""Logging in by a link: the token in a page's address, and what is shown to who follows one that lets nobody in."""

from __future__ import annotations

import re
import secrets
from html import escape
from urllib.parse import quote, unquote_to_bytes

from twisted.web.server import Request

from webshell.grant import Grant
from webshell.web.answers import Refused, Unauthenticated
from webshell.web.credentials import Credentials
from webshell.web.destination import destination
from webshell.web.hosts import Visit
from webshell.web.page import static_folder
from webshell.web.secure import secure_headers


class StaleLink(Refused):
    """The token of a link is wrong, most often because it was right once; nothing of it is shown."""

    def __init__(self) -> None:
        super().__init__(
            "this link is no longer valid: take the one that the server printed when it last started, "
            "or ask who sent you this one for a new one"
        )

    def html(self, request: Request) -> str:
        """A page like the login page."""
        secure_headers(request, secrets.token_urlsafe(16))
        query = destination(request).decode()
        text = (static_folder() / "login-link.html").read_text("utf-8")
        text = text.replace("{{query}}", escape(f"?{query}" if query else ""))
        return text.replace("{{up}}", escape(_to_the_top(request)))


def by_link(credentials: Credentials, token: bytes, visit: Visit) -> Grant:
    """Return what the *token* of a page's address grants, or raise the refusal."""
    if visit.request.requestHeaders.getRawHeaders(b"sec-fetch-dest", [b"document"]) != [b"document"]:
        raise Refused("this cannot be opened in a frame")  # a foreign page could use up everybody's tries
    try:
        return credentials.by_token(token, visit.arrival.client)
    except Unauthenticated:
        raise StaleLink from None


def take_token(request: Request) -> bytes | None:
    """Return the token of the query, and remove it from wherever a log could find it."""
    path, mark, query = request.uri.partition(b"?")
    parts = re.split(b"[&;]", query) if mark else []
    kept = [part for part in parts if unquote_to_bytes(part.partition(b"=")[0]) != b"token"]
    request.uri = path + (b"?" + b"&".join(kept) if kept else b"")
    headers = request.requestHeaders
    headers.setRawHeaders(b"referer", [v for v in headers.getRawHeaders(b"referer", []) if b"token" not in v.lower()])
    tokens = request.args.pop(b"token", [])
    return tokens[0] if len(tokens) == 1 else None


def last_step(request: Request) -> tuple[bytes, ...]:
    """Return the steps that lead from the directory of *request* to itself, or into it if it lacks its slash."""
    last = unquote_to_bytes(request.path.rpartition(b"/")[2])
    return (last,) if request.postpath else (last, b"")


def _to_the_top(request: Request) -> str:
    """The way from the directory of *request* to where the gate hangs, with a slash at its end: it leaves no site."""
    if request.postpath:
        return "../" * (len(request.postpath) - 1) or "./"
    return f"./{quote(last_step(request)[0], safe='')}/"
