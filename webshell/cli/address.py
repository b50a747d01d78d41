"""Where a server is: an address as people write it, taken apart."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import SplitResult, quote, urlsplit

from webshell.cli.trouble import Asked

SECURE = {"https": True, "wss": True, "http": False, "ws": False}
PORTS = {True: 443, False: 80}

FORMS = "https://HOST[:PORT][/PATH], http://… for this machine, or unix:/PATH/OF/SOCKET"


@dataclass(frozen=True, slots=True)
class Address:
    """One server.

    :ivar host: a name or an address without brackets; of a unix socket ``localhost``.
    :ivar path: of the place where the server hangs; begins and ends with a slash.
    :ivar socket: the file of a unix socket; empty: TCP.
    :ivar session: the id, if it is the address of a session.
    """

    secure: bool
    host: str
    port: int
    path: str = "/"
    socket: str = ""
    session: str = ""

    @property
    def site(self) -> str:
        """Host and port as URLs and the Host header have them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.secure] else f"{host}:{self.port}"

    def url(self, scheme: str, path: str) -> str:
        """The URL of *path* below the server, with the scheme or with its secure sister."""
        return f"{scheme}{'s' * self.secure}://{self.site}{self.path}{path}"

    def __str__(self) -> str:
        """As it is shown, and as the keyring knows it."""
        return f"unix:{self.socket}" if self.socket else self.url("http", "")


def parse_address(text: str) -> Address:
    """The address that *text* is.

    :raises Asked: it is none, or holds a secret, which everybody on the machine would see.
    """
    if text.startswith("unix:"):
        if not text.startswith("unix:/"):
            raise Asked(f"{text}: a unix socket is written with its whole path: unix:/PATH/OF/SOCKET")
        return Address(False, "localhost", 80, socket=text.removeprefix("unix:"))
    parts = urlsplit(text if "://" in text else f"https://{text}")
    try:
        port = parts.port
    except ValueError:
        raise Asked(f"{_shown(parts)}: the port must be a number up to 65535") from None
    if parts.scheme not in SECURE or not parts.hostname:
        raise Asked(f"{_shown(parts)}: not the address of a server; one is {FORMS}")
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise Asked(
            f"{_shown(parts)}: leave out the token and whatever else follows: everybody on this machine can read "
            "command lines. Put it into a file for --token-file, or into the variable WEBSHELL_TOKEN"
        )
    secure = SECURE[parts.scheme]
    place, _, session = parts.path.partition("/s/")
    path = quote(place if place.endswith("/") else f"{place}/", safe="/%")
    return Address(secure, parts.hostname, port or PORTS[secure], path, session=session.strip("/"))


def _shown(parts: SplitResult) -> str:
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
