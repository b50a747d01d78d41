"""Endpoint descriptions as far as they must be understood before anything listens: loopback or not, TLS or not, where."""

from __future__ import annotations

import re
from dataclasses import dataclass

from twisted.internet.endpoints import quoteStringArgument

_PART = re.compile(r"((?:[^:\\]|\\.)*)(?::|\Z)", re.DOTALL)
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
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
        tcp = kind in ("tcp", "tcp4", "tcp6", "ssl") and port.isdecimal()
        return cls(description, kind, keywords.get("interface", ""), int(port) if tcp else None)

    @property
    def local(self) -> bool:
        """Whether only this machine's own users can reach it, as far as the description proves it."""
        return self.kind == "unix" or (self.port is not None and self.interface in _LOOPBACK)

    @property
    def secure(self) -> bool:
        """Whether it speaks TLS."""
        return self.kind == "ssl"

    def with_certificate(self, file: str) -> Listener:
        """The same over TLS, with key and certificate from *file*; unchanged if it is not plain TCP."""
        if self.kind not in ("tcp", "tcp4") or not self.description.startswith(self.kind):
            return self
        quoted = quoteStringArgument(file)
        rest = self.description[len(self.kind) :]
        return Listener.parse(f"ssl{rest}:privateKey={quoted}:certKey={quoted}")


def address(host: str, port: int, *, secure: bool) -> str:
    """The URL of a listener at *host*; one that listens everywhere is named by the loopback address."""
    host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    scheme, usual = ("https", 443) if secure else ("http", 80)
    return f"{scheme}://{host}/" if port == usual else f"{scheme}://{host}:{port}/"
