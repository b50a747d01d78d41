"""A way through an HTTP proxy, where nothing else leads out: by CONNECT, and TLS is between the ends."""

from __future__ import annotations

import base64
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse
from urllib.parse import unquote, urlsplit
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]  # of the standard library since 2.6

from webshell.cli.address import Address
from webshell.cli.trouble import Asked
from webshell.cli.trust import stays_here
from webshell.execnet.dial import CONNECT_SECONDS, tcp
from webshell.execnet.trouble import Refused

PORT = 8080
"""Of a proxy, unless it has another one."""

VARIABLES = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
"""Where the environment names one; those for plain HTTP seldom allow a tunnel."""

MEANINGS = {
    403: "does not let us through",
    407: "wants a name and a password: http://NAME:PASSWORD@HOST:PORT in the variable https_proxy",
    502: "does not reach it",
    503: "does not reach it",
    504: "does not reach it",
}
"""What an answer means."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy.

    :ivar credentials: for ``Proxy-Authorization``; empty: it wants none.
    """

    host: str
    port: int
    credentials: str = field(default="", repr=False)

    def __str__(self) -> str:
        """For people."""
        return f"the proxy {self.host}:{self.port}"

    def road(self, place: tuple[str, int] | str) -> socket.socket:
        """A connection to *place* through it.

        :raises Refused: there is none; its text says why.
        """
        assert not isinstance(place, str)  # unix sockets are not asked for
        try:
            wire = tcp(self.host, self.port, CONNECT_SECONDS)
        except OSError as error:
            raise Refused(f"{self} cannot be reached: {error.strerror or error}") from None
        try:
            self._connect(wire, place)
        except BaseException:
            wire.close()
            raise
        return wire

    def _connect(self, wire: socket.socket, place: tuple[str, int]) -> None:
        host, port = place
        where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        proof = f"Proxy-Authorization: Basic {self.credentials}\r\n" if self.credentials else ""
        try:
            wire.sendall(f"CONNECT {where} HTTP/1.1\r\nHost: {where}\r\n{proof}\r\n".encode())
            # what it reads too much would be lost, but there is nothing: whoever is behind it waits for us to begin
            answer = HTTPResponse(wire, method="CONNECT")
            answer.begin()
            answer.close()
        except (OSError, HTTPException) as error:
            raise Refused(f"{self} does not answer as one should ({error!r})") from None
        if answer.status // 100 != 2:
            raise Refused(f"{self} {MEANINGS.get(answer.status, f'answers {answer.status}')}")


def find_proxy(address: Address, named: str, environment: Mapping[str, str]) -> Proxy | None:
    """The proxy that leads to *address*; None: it is reached without.

    :param named: as ``proxy=`` says, ``HOST:PORT``; empty: the environment may name one, for TLS to other machines.
    :raises Asked: what is named is none.
    """
    if address.socket:
        return None
    if "@" in named:
        raise Asked(f"proxy=: leave out name and password: everybody would see them; {VARIABLES[0]} may have them")
    if named:
        return _parsed(named, "proxy=")
    if not address.secure or stays_here(address):
        return None
    variable = next((name for name in VARIABLES if environment.get(name)), "")
    exempt = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    if not variable or proxy_bypass_environment(f"{address.host}:{address.port}", {"no": exempt}):
        return None
    return _parsed(environment[variable], variable)


def _parsed(text: str, where: str) -> Proxy:
    parts = urlsplit(text if "://" in text else f"http://{text}")
    try:
        port = parts.port or PORT
    except ValueError:
        port = 0
    if parts.scheme != "http" or not parts.hostname or not port:
        raise Asked(f"{where}: no HTTP proxy, which is HOST:PORT")
    name, password = unquote(parts.username or ""), unquote(parts.password or "")
    credentials = base64.b64encode(f"{name}:{password}".encode()).decode() if name else ""
    return Proxy(parts.hostname, port, credentials)
