"""What ``webshell forward`` connects with what: ``[ADDRESS:]PORT:HOST:PORT``, taken apart."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from webshell.cli.trouble import Asked

HOST = r"\[[0-9A-Fa-f:.%\w]+\]|[^:\[\]\s]+"
FORM = re.compile(rf"(?:({HOST}):)?([0-9]+):({HOST}):([0-9]+)")
LOOPBACK = ("127.0.0.1", "::1")
"""Both: who listens on only one of them leaves the other, and half of who says localhost, to others."""

LARGEST_PORT = 65535


@dataclass(frozen=True, slots=True)
class Route:
    """One way.

    :ivar addresses: here; the first one has to work, the others if there are such.
    :ivar port: here; 0: any that is free.
    :ivar host: there.
    """

    addresses: tuple[str, ...]
    port: int
    host: str
    target: int

    @property
    def there(self) -> str:
        """Where it leads, as people write it."""
        return site(self.host, self.target)


def site(host: str, port: int) -> str:
    """A host and a port, as people write them."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def parse_route(text: str) -> Route:
    """The route that *text* is.

    :raises Asked: it is none.
    """
    found = FORM.fullmatch(text)
    if found is None:
        raise Asked(
            f"forward: {text}: not a way there; one is PORT:HOST:PORT, like 8080:localhost:80, "
            "or ADDRESS:PORT:HOST:PORT to listen not only for this machine; IPv6 in brackets"
        )
    address, host = ((part or "").strip("[]") for part in (found[1], found[3]))
    port, target = int(found[2]), int(found[4])
    if port > LARGEST_PORT or not 0 < target <= LARGEST_PORT:
        raise Asked(f"forward: {text}: a port is a number from 1 to {LARGEST_PORT}, or 0 before the host: a free one")
    return Route(_addresses(address, text), port, host, target)


def _addresses(address: str, text: str) -> tuple[str, ...]:
    if address in ("", "localhost"):
        return LOOPBACK
    try:
        return (str(ipaddress.ip_address(address)),)
    except ValueError:
        raise Asked(
            f"forward: {text}: {address} is not an address of this machine; 0.0.0.0 and [::] are all of them"
        ) from None
