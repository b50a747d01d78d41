"""What a gateway's spec asks for: ``http=HOST:PORT//path=/tools//python=python3.12``, taken apart and checked."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from execnet import XSpec

from webshell.cli.address import Address, parse_address
from webshell.cli.tokens import find_token
from webshell.cli.trouble import Asked
from webshell.cli.trust import Trust, check_clear, pins
from webshell.execnet.dial import Dialer, Road
from webshell.execnet.web_proxy import Proxy, find_proxy

TRANSPORTS = {"http": "http", "https": "http", "ws": "ws", "wss": "ws"}
"""The keys that make a spec ours, and what carries the bytes then."""

PATIENCE_SECONDS = 60.0
"""For a lost connection to come back: the server does not keep a process for longer unless it is told to."""

LONGEST_POLL = 60.0
"""The server waits no longer."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a spec asks for.

    :ivar transport: ``http`` or ``ws``.
    :ivar token: empty: there is none. Its text is in no ``repr``.
    :ivar python: what starts the interpreter, as a shell would read it; empty: as the server likes.
    :ivar cwd: a folder there in which it starts; empty: as the server likes.
    :ivar proxy: through which the server is reached; None: it is without.
    :ivar poll: seconds of a long poll; 0: answers are streams.
    :ivar patience: seconds for a lost connection to come back.
    :ivar grace: seconds that the process outlives us; None: as the server likes.
    """

    transport: str
    address: Address
    token: _Secret
    trust: Trust
    python: str
    name: str
    cwd: str
    proxy: Proxy | None
    poll: float
    patience: float
    grace: float | None

    def dialer(self, road: Road | None = None) -> Dialer:
        """Who opens connections to the server.

        :param road: makes them; None: they are made from here.
        """
        if road is None and self.proxy is not None:
            road = self.proxy.road
        return Dialer(self.address, self.trust, self.token, road)


class _Secret(str):
    """A text that shows itself to nobody who did not ask for it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'…'" if self else "''"


def scheme_of(spec: XSpec) -> str:
    """The key that makes *spec* ours; empty: it is not.

    :raises ValueError: there are two.
    """
    found = [scheme for scheme in TRANSPORTS if getattr(spec, scheme) is not None]
    if len(found) > 1:
        raise ValueError(f"{spec}: {found[0]}= or {found[1]}=, not both")
    return found[0] if found else ""


def read_spec(spec: XSpec, environment: Mapping[str, str] = os.environ) -> Wanted:
    """What *spec* asks for; the token is looked for as the ``webshell`` command does it.

    :raises ValueError: it cannot be meant so, or there is something wrong with the token's file.
    """
    scheme = scheme_of(spec)
    try:
        address = parse_address(_url(spec, scheme))
        if address.session:
            raise Asked(f"{address}: the address of the server, not of a session")
        token = find_token(address, _text(spec, "token_file"), environment)
        check_clear(address, token, bool(spec.plain), "//plain")
        trust = Trust(_text(spec, "ca_file"), pins([text for text in _text(spec, "pin").split(",") if text]))
        python = _python(_text(spec, "python"), bool(spec.dont_write_bytecode))
        return Wanted(
            TRANSPORTS[scheme],
            address,
            _Secret(token),
            trust,
            python,
            spec.id or "",
            _text(spec, "cwd"),
            find_proxy(address, _text(spec, "proxy"), environment) if not spec.via else None,
            _number(spec, "poll", 0.0, LONGEST_POLL),
            _number(spec, "patience", PATIENCE_SECONDS),
            _number(spec, "grace", 0.0) if spec.grace is not None else None,
        )
    except Asked as trouble:
        raise ValueError(str(trouble)) from None


def _url(spec: XSpec, scheme: str) -> str:
    place = getattr(spec, scheme)
    if place in (True, "") or place.endswith(":"):
        raise Asked(
            f"{spec}: {scheme}=HOST[:PORT] is meant, without a scheme before it: // separates the parts of a spec"
        )
    if spec.token is not None:
        raise Asked(
            "leave out token=: everybody would see it where the spec is shown. Put it into a file for token_file=, "
            "or into the variable WEBSHELL_TOKEN"
        )
    if place.startswith("unix:"):
        return str(place)
    path = _text(spec, "path")
    return f"{scheme}://{place.rstrip('/')}{'/' * bool(path)}{path.lstrip('/')}"


def _text(spec: XSpec, key: str) -> str:
    value = getattr(spec, key)
    if value is True:
        raise Asked(f"{spec}: {key}= needs a value")
    return str(value or "")


def _number(spec: XSpec, key: str, otherwise: float, most: float = 1e6) -> float:
    text = _text(spec, key)
    if not text:
        return otherwise
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= most:
        raise Asked(f"{spec}: {key}= is a number of seconds up to {most:g}")
    return number


def _python(python: str, unwritten: bool) -> str:
    try:
        words = shlex.split(python)
    except ValueError as error:
        raise Asked(f"python={python}: {error}") from None
    if python and not words:
        raise Asked("python= names no program")
    return python if not unwritten else f"{python or 'python3'} -B"
