"""Who somebody is by token, by name and password or by cookie, and how often one may be wrong; knows no paths."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import LoginFailed
from twisted.internet.defer import CancelledError, maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from webshell.grant import ALL_RIGHTS, Grant, Right
from webshell.web.answers import Refused, TooManyTries, Unauthenticated
from webshell.web.hosts import Visit, neighbourhood
from webshell.web.tokens import COOKIE_SECONDS, OPERATOR, VIEWER, Keyring, same

WINDOW_SECONDS = 60.0
TRIES_PER_ADDRESS = 10  # wrong ones a window: enough for a person, useless for a program
TRIES_EVERYWHERE = 100  # wrong ones a window, from all addresses together
MOST_ADDRESSES = 4096  # remembered; about 1 MB
LONGEST_CREDENTIAL = 1024  # bytes; what is longer is never shown to a checker
USER_COOKIE_SECONDS = 86400  # a checker cannot tell us that a user has been removed: ask for the password daily
USER_RIGHTS = ALL_RIGHTS - {Right.MANAGE}
WRONG = "that does not let you in"
"""One text for every wrong credential: it must not say what was wrong with it."""

_log = Logger()


class Throttle:
    """Counts wrong credentials, per address and altogether.

    A try counts as wrong from its beginning until it turns out right, so that many at once cannot get by.
    """

    def __init__(
        self, clock: IReactorTime, per_address: int = TRIES_PER_ADDRESS, everywhere: int = TRIES_EVERYWHERE
    ) -> None:
        self._clock = clock
        self._per_address = per_address
        self._everywhere = everywhere
        self._tries: OrderedDict[str, list[float]] = OrderedDict()  # by address, the latest last
        self._all: deque[float] = deque(maxlen=MOST_ADDRESSES)

    def begin(self, client: str) -> float:
        """Count a try of *client* and return its time, or raise :class:`TooManyTries`."""
        now, address = self._clock.seconds(), neighbourhood(client)
        self._forget(now - WINDOW_SECONDS)
        mine = [time for time in self._tries.get(address, []) if time > now - WINDOW_SECONDS]
        # the limit for everybody holds for those only who were wrong before: nobody can lock the others out
        for limit, tries in ((self._per_address, mine), (self._everywhere, self._all)):
            if mine and len(tries) >= limit:
                seconds = int(tries[-limit] + WINDOW_SECONDS - now) + 1
                raise TooManyTries("too many tries; wait a minute", {"Retry-After": str(seconds)})
        self._tries[address] = [*mine, now]
        self._tries.move_to_end(address)
        self._all.append(now)
        if len(self._tries) > MOST_ADDRESSES:
            self._tries.popitem(last=False)
        return now

    def right(self, client: str, time: float) -> None:
        """Take back the try that began at *time*."""
        address = neighbourhood(client)
        for tries in (self._tries.get(address, []), self._all):
            if time in tries:
                tries.remove(time)
        if self._tries.get(address) == []:
            del self._tries[address]

    def _forget(self, before: float) -> None:
        while self._all and self._all[0] <= before:
            self._all.popleft()
        while self._tries and next(iter(self._tries.values()))[-1] <= before:
            self._tries.popitem(last=False)


@implementer(IUsernamePassword)
@dataclass(frozen=True, slots=True)
class _NameAndPassword:
    """What checkers compare with: Twisted's own class compares by ``==``, which stops at the first difference."""

    username: bytes
    password: bytes

    def checkPassword(self, password: bytes) -> bool:
        return same(self.password, password)


class Passwords:
    """Asks ``twisted.cred`` checkers who somebody is."""

    def __init__(self, checkers: Sequence[ICredentialsChecker]) -> None:
        self._checkers = tuple(checkers)

    async def identity(self, username: bytes, password: bytes) -> str | None:
        """Return the identity that the first checker finds, or None."""
        if max(len(username), len(password)) > LONGEST_CREDENTIAL or not username or b"\0" in username + password:
            return None
        for checker in self._checkers:
            try:
                avatar = await maybeDeferred(checker.requestAvatarId, _NameAndPassword(username, password))
            except LoginFailed:
                continue
            except CancelledError:  # the client has gone
                raise
            except Exception:  # third parties' code at the door: whatever it does, nobody gets in by it
                _log.failure("a credentials checker failed")
                continue
            # an anonymous avatar is an empty tuple; the token's identities own sessions that are not this user's
            name = avatar.decode("utf-8", "replace") if isinstance(avatar, bytes) else avatar
            if isinstance(name, str) and name and name not in (OPERATOR, VIEWER):
                return name
        return None


class Credentials:
    """Turns tokens, passwords and cookies into grants, and counts the wrong ones."""

    def __init__(self, keyring: Keyring, throttle: Throttle, passwords: Passwords | None = None) -> None:
        self.keyring = keyring
        self.passwords = passwords
        self._throttle = throttle

    # what the login page and links ask

    def by_token(self, token: bytes, client: str) -> Grant:
        """Return what *token* grants, or raise the refusal."""
        time = self._throttle.begin(client)
        grant = self.keyring.grant(token)
        if grant is None:
            raise Unauthenticated(WRONG)
        self._throttle.right(client, time)
        return grant

    async def by_password(self, username: bytes, password: bytes, client: str) -> Grant:
        """Return what name and password grant, or raise the refusal."""
        time = self._throttle.begin(client)
        identity = await self.passwords.identity(username, password) if self.passwords else None
        if identity is None:
            raise Unauthenticated(WRONG)
        self._throttle.right(client, time)
        return Grant(identity, USER_RIGHTS)

    def set_cookie(self, grant: Grant, visit: Visit) -> bytes:
        """Return the ``Set-Cookie`` value that keeps *grant* for the browser of *visit*."""
        seconds = COOKIE_SECONDS if grant.identity in (OPERATOR, VIEWER) else USER_COOKIE_SECONDS
        return self.keyring.set_cookie(grant, visit.secure, visit.base, seconds)

    # authenticators: who sent this request, as far as one kind of credential says

    async def bearer(self, visit: Visit) -> Grant | None:
        """The token in ``Authorization: Bearer``."""
        given = _authorization(visit, b"bearer")
        return None if given is None else self.by_token(given, visit.arrival.client)

    async def basic(self, visit: Visit) -> Grant | None:
        """Name and password in ``Authorization: Basic``; the token is a password without a name."""
        given = _authorization(visit, b"basic")
        if given is None:
            return None
        try:
            username, colon, password = b64decode(given, validate=True).partition(b":")
        except binascii.Error:
            username, colon, password = b"", b"", b""
        if colon and not username:
            return self.by_token(password, visit.arrival.client)
        return await self.by_password(username, password, visit.arrival.client)

    async def cookie(self, visit: Visit) -> Grant | None:
        """Our cookie; it comes with whatever makes the browser send something, so it does not prove who asked."""
        headers = visit.request.requestHeaders.getRawHeaders(b"cookie", [])
        grant = self.keyring.read_cookies(headers, visit.secure, visit.base)
        if grant is not None and visit.unproven:
            raise Refused("a cookie is not enough for this without an Origin header; send the token as Bearer")
        return grant


def _authorization(visit: Visit, scheme: bytes) -> bytes | None:
    """Return what the one ``Authorization`` header of this *scheme* holds."""
    values = visit.request.requestHeaders.getRawHeaders(b"authorization", [])
    if len(values) > 1:
        raise Unauthenticated(WRONG)
    kind, _, given = values[0].partition(b" ") if values else (b"", b"", b"")
    return given.strip() if kind.lower() == scheme else None
