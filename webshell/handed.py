"""A unix socket that somebody else has bound, as systemd does: its file, and who may reach it, stay theirs.

Twisted would make it accessible to every user when it begins, and remove it at the end, so that the next daemon that
is handed the same socket could not be reached.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.internet.unix import Port


class Adopting:
    """A reactor for endpoints that are handed a socket."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    def __getattr__(self, name: str) -> Any:
        """All else is the reactor's."""
        return getattr(self._reactor, name)

    def adoptStreamPort(self, descriptor: int, family: int, factory: IProtocolFactory) -> IListeningPort:
        """Listen at what *descriptor* means, which stays the caller's to close."""
        if family != socket.AF_UNIX:
            adopted: IListeningPort = self._reactor.adoptStreamPort(descriptor, family, factory)
            return adopted
        port = _Handed(descriptor, factory, self._reactor)
        port.startListening()
        return port


class _Handed(Port):
    _shouldShutdown = False  # who has handed it over listens on

    def __init__(self, descriptor: int, factory: IProtocolFactory, reactor: Any) -> None:
        handed = socket.fromfd(descriptor, socket.AF_UNIX, socket.SOCK_STREAM)
        # a name that is no file's, so that there is none to change and to remove; only the log has it
        super().__init__(b"\0" + str(handed.getsockname()).encode(), factory, socket.SOMAXCONN, reactor=reactor)
        self._preexistingSocket = handed

    def _logConnectionLostMsg(self) -> None:
        """Say nothing: NUL would end the line in a journal, and the next one says as much."""
