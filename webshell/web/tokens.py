"""The login token and everything derived from it: the view-only token and signed cookies; knows no HTTP request."""

from __future__ import annotations

import hmac
import json
import os
import re
import secrets
import stat
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path

from webshell.errors import WebshellError
from webshell.grant import ALL_RIGHTS, Grant, Right

TOKEN_BYTES = 32  # 256 random bits
SHORTEST_TOKEN = 16  # characters; what is shorter could be guessed
LONGEST_TOKEN = 1024  # characters; it must fit into a header and a link
LARGEST_COOKIE = 4096  # bytes, what browsers keep
MOST_COOKIES = 8  # of one name in one request: other ports of this host may have planted some
COOKIE_SECONDS = 30 * 86400

OPERATOR = "operator"
VIEWER = "viewer"

_TOKEN = re.compile(rf"[!-~]{{{SHORTEST_TOKEN},{LONGEST_TOKEN}}}")


class UnusableToken(WebshellError):
    """A token, or the file that should hold it, cannot be used; the text says why and never shows it."""


def same(first: bytes, second: bytes) -> bool:
    """Compare in a time that tells nothing, not even the length."""
    return hmac.compare_digest(sha256(first).digest(), sha256(second).digest())


def new_token() -> str:
    """Return a new random login token."""
    return secrets.token_urlsafe(TOKEN_BYTES)


# --- the token file


def token_from_file(path: Path) -> str:
    """Return the token that *path* holds; make the file, for its owner's eyes only, if there is none."""
    try:
        if not path.exists():
            _make(path, new_token())
        # somebody else may have made it in the meantime: what counts is what is there
        return _read(path)
    except OSError as error:
        raise UnusableToken(f"the token file {path} cannot be read: {error.strerror}") from None


def _read(path: Path) -> str:
    # checked is what is opened, not what the name says; a pipe must not make us wait
    with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise UnusableToken(f"the token file {path} is no file")
        if status.st_uid not in (os.geteuid(), 0):
            raise UnusableToken(f"the token file {path} belongs to somebody else (user {status.st_uid})")
        if status.st_mode & 0o077:
            raise UnusableToken(f"the token file {path} can be read by others: chmod 600 {path}")
        text = file.read(LONGEST_TOKEN + 2).decode("latin-1").strip()
    if not text:
        raise UnusableToken(f"the token file {path} is empty: remove it, and a new token is made")
    return checked(text)


def _make(path: Path, token: str) -> None:
    # complete under another name first: nobody ever sees it empty, and an existing file is never replaced
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "w") as file:
            file.write(token + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    except OSError as error:
        raise UnusableToken(f"the token file {path} cannot be made: {error.strerror}") from None


def checked(token: str) -> str:
    """Return *token* if it can be one, or raise :class:`UnusableToken`."""
    if not _TOKEN.fullmatch(token):
        raise UnusableToken(
            f"a token must be {SHORTEST_TOKEN} to {LONGEST_TOKEN} printable ASCII characters without spaces"
        )
    return token


# --- tokens and cookies


class Keyring:
    """The login token, and the keys derived from it; a new token makes every old link and cookie void."""

    def __init__(self, token: str, now: Callable[[], float] = time.time, *, cross_site: bool = False) -> None:
        """:param cross_site: over TLS, other sites' pages may send the cookie; the gate still checks their Origin."""
        self.token = checked(token)
        self._cross_site = cross_site
        self._now = now
        self.view_token = _text(self._derive("webshell view"))
        self._cookie_key = self._derive("webshell cookie")
        # the port is not part of a cookie's scope, so two servers on one host need two names
        self._name = f"webshell_{hmac.digest(self._cookie_key, b'name', 'sha256').hex()[:8]}"

    def _derive(self, purpose: str) -> bytes:
        return hmac.digest(self.token.encode(), purpose.encode(), "sha256")

    def grant(self, token: bytes) -> Grant | None:
        """Return what the bearer of *token* may do, or None; always compares with both."""
        operator, viewer = same(token, self.token.encode()), same(token, self.view_token.encode())
        if operator:
            return Grant(OPERATOR, ALL_RIGHTS)
        return Grant(VIEWER, frozenset({Right.VIEW}), frozenset({OPERATOR})) if viewer else None

    def cookie_name(self, secure: bool, base: str) -> str:
        """Return the cookie's name at the path *base*."""
        return ("__Host-" if secure and base == "/" else "") + self._name

    def set_cookie(self, grant: Grant, secure: bool, base: str, seconds: int = COOKIE_SECONDS) -> bytes:
        """Return a ``Set-Cookie`` value that lets its bearer in as *grant* for so long."""
        claim = {
            "identity": grant.identity,
            "rights": sorted(grant.rights),
            "owners": sorted(grant.owners),
            "until": int(self._now()) + seconds,
        }
        payload = _text(json.dumps(claim, separators=(",", ":")).encode())
        return self._cookie(f"{payload}.{self._signature(payload.encode())}", secure, base, seconds)

    def clear_cookie(self, secure: bool, base: str) -> bytes:
        """Return a ``Set-Cookie`` value that makes a browser forget."""
        return self._cookie("", secure, base, 0)

    def read_cookies(self, headers: Sequence[bytes], secure: bool, base: str) -> Grant | None:
        """Return what the first valid cookie in the ``Cookie`` *headers* grants."""
        values = cookie_values(headers, self.cookie_name(secure, base).encode())
        return next((grant for value in values if (grant := self._opened(value)) is not None), None)

    def _cookie(self, value: str, secure: bool, base: str, seconds: int) -> bytes:
        site = "None" if self._cross_site and secure else "Strict"
        text = f"{self.cookie_name(secure, base)}={value}; Path={base}; Max-Age={seconds}; HttpOnly; SameSite={site}"
        return (text + ("; Secure" if secure else "")).encode()

    def _signature(self, payload: bytes) -> str:
        return _text(hmac.digest(self._cookie_key, payload, "sha256"))

    def _opened(self, value: bytes) -> Grant | None:
        payload, _, signature = value.rpartition(b".")
        if len(value) > LARGEST_COOKIE or not same(signature, self._signature(payload).encode()):
            return None
        try:
            claim = json.loads(urlsafe_b64decode(payload + b"=" * (-len(payload) % 4)))
            if claim["until"] <= self._now():
                return None
            rights = frozenset(map(Right, claim["rights"]))
            return Grant(str(claim["identity"]), rights, frozenset(map(str, claim["owners"])))
        except (ValueError, KeyError, TypeError):
            return None  # ours, but of another version


def cookie_values(headers: Sequence[bytes], name: bytes) -> list[bytes]:
    """Return the values of the cookies called *name*; whatever else the headers hold is passed over."""
    pairs = (pair.strip(b" \t").partition(b"=") for header in headers for pair in header.split(b";"))
    return [value for key, equals, value in pairs if key == name and equals][:MOST_COOKIES]


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()
