"""Endpoint descriptions as far as they must be understood before anything listens: loopback or not, TLS or not, where.

And what an operator is told about the result.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from twisted.internet.endpoints import quoteStringArgument, serverFromString
from twisted.internet.interfaces import IStreamServerEndpoint

from webshell.handed import Adopting

_PART = re.compile(r"((?:[^:\\]|\\.)*)(?::|\Z)", re.DOTALL)
_EVERYWHERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104
"""Interfaces that stand for all, and where this machine reaches itself there."""
_WRAPPERS = ("haproxy",)
"""Endpoints that stand before another one."""


@dataclass(frozen=True, slots=True)
class Listener:
    """What an endpoint description says.

    :ivar kind: ``tcp``, ``ssl``, ``unix`` …
    :ivar interface: the address to listen at; empty: all.
    :ivar port: 0: any free one; None: not a TCP port.
    """

    description: str
    kind: str
    interface: str
    port: int | None

    @classmethod
    def parse(cls, description: str) -> Listener:
        """Read *description*, which ``serverFromString`` has the last word on."""
        parts = [re.sub(r"\\(.)", r"\1", part) for part in _PART.findall(description)[:-1]]
        while len(parts) > 1 and parts[0] in _WRAPPERS:
            parts = parts[1:]
        keywords = dict(part.split("=", 1) for part in parts[1:] if "=" in part)
        plain = [part for part in parts[1:] if "=" not in part]
        port = keywords.get("port", plain[0] if plain else "")
        kind = parts[0] if parts else ""
        tcp = kind in ("tcp", "tcp6", "ssl") and port.isdecimal()
        interface = keywords.get("interface", "::" if kind == "tcp6" else "")
        return cls(description, kind, interface, int(port) if tcp else None)

    @property
    def local(self) -> bool:
        """Whether only this machine's own users can reach it, as far as the description proves it."""
        return self.kind == "unix" or (self.port is not None and _loopback(self.interface))

    @property
    def secure(self) -> bool:
        """Whether it speaks TLS."""
        return self.kind == "ssl"

    @property
    def wrapped(self) -> bool:
        """Whether only a proxy can talk to it."""
        return not self.description.startswith(self.kind)

    @property
    def name(self) -> str:
        """What a certificate must be valid for, for those who come by the interface's own address; may be empty."""
        return "" if self.interface in _EVERYWHERE else self.interface

    def place(self, host: str = "", port: int | None = None) -> str:
        """Where to find it, for people: a URL if that is possible.

        :param host: where it really listens, if it does already; with *port*.
        """
        if port is None:
            host, port = self.interface, self.port
        return address(host, port, secure=self.secure) if port and not self.wrapped else self.description

    def endpoint(self, reactor: object) -> IStreamServerEndpoint:
        """What listens there.

        :raises ValueError: the description is wrong; the text says what would be right.
        """
        try:
            endpoint: IStreamServerEndpoint = serverFromString(
                Adopting(reactor) if self.kind == "systemd" else reactor, self.description
            )
        except Exception as error:  # whatever a plugin raises about what was written
            reason = f"{type(error).__name__}: {error}" if isinstance(error, LookupError | RuntimeError) else error
            raise ValueError(
                f"--listen {self.description}: {reason}. "
                "Write a Twisted endpoint, for example tcp:8080:interface=127.0.0.1"
            ) from None
        return endpoint

    def with_certificate(self, file: str) -> Listener:
        """The same over TLS, with key and certificate from *file*; unchanged if it is not plain TCP."""
        if self.kind not in ("tcp", "tcp6") or self.wrapped:
            return self
        quoted = quoteStringArgument(file)
        rest = self.description[len(self.kind) :]
        if self.kind == "tcp6" and "interface=" not in rest:
            rest += ":interface=" + quoteStringArgument("::")
        return Listener.parse(f"ssl{rest}:privateKey={quoted}:certKey={quoted}")


def address(host: str, port: int, *, secure: bool) -> str:
    """The URL of a listener at *host*; one that listens everywhere is named by the loopback address."""
    host = _EVERYWHERE.get(host, host)
    if ":" in host:
        host = f"[{host}]"
    scheme, usual = ("https", 443) if secure else ("http", 80)
    return f"{scheme}://{host}/" if port == usual else f"{scheme}://{host}:{port}/"


def invitation(places: Sequence[str], token: str, view_token: str) -> list[str]:
    """The lines that let somebody in: links, or, before a unix socket, what to append to the page's public address."""
    links = [place for place in places if place.startswith("http")]
    lines = [f"    {place}?token={token}" if place in links else f"    {place}" for place in places]
    if links:
        return [
            *lines,
            "Whoever has this link may do everything; this one may only watch:",
            f"    {links[0]}?token={view_token}",
        ]
    return [
        *lines,
        "To log in, append this to the page's public address; whoever has it may do everything:",
        f"    ?token={token}",
        "With this one, one may only watch:",
        f"    ?token={view_token}",
    ]


def _loopback(interface: str) -> bool:
    try:
        return interface == "localhost" or ip_address(interface).is_loopback
    except ValueError:
        return False
