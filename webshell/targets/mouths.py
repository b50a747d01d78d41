"""Where clients say something to a program on a side channel: a socket that the program listens on."""

from __future__ import annotations

import socket
from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall

from webshell.channels import joined
from webshell.targets.reactor import IReactor
from webshell.targets.wire import Wire

RETRY_SECONDS = 0.05
"""Between two attempts to reach a program that does not listen (yet)."""

ATTEMPTS = 20
"""A program that announces a key listens within milliseconds; after a second it does not."""


class Mouth:
    """Says to the program what clients say to it on one channel, in order, over one connection."""

    def __init__(
        self, reactor: IReactor, name: str, connect: Callable[[str], tuple[socket.socket, bool] | None]
    ) -> None:
        self._reactor = reactor
        self._name = name
        self._connect = connect
        self._wire: Wire | None = None
        self._ours = True  # who listens there is our library
        self._waiting: list[bytes] = []  # for a connection; bounded by who asks what is pending
        self._retry: IDelayedCall | None = None
        self._attempts = 0

    @property
    def pending(self) -> int:
        """Bytes that the program has not yet taken."""
        return sum(map(len, self._waiting)) + (0 if self._wire is None else self._wire.pending)

    def tell(self, message: bytes) -> None:
        """Say it, as soon as the program listens."""
        self._waiting.append(message)
        if self._retry is None:
            self._attempts = 0
            self._try()

    def close(self) -> None:
        """Say nothing more."""
        self._waiting.clear()
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        if self._wire is not None:
            self._wire.close()
            self._wire = None

    def _try(self) -> None:
        self._retry = None
        if self._wire is None or not self._wire.check():
            connected = self._connect(self._name)
            if connected is None:
                self._later()
                return
            connection, self._ours = connected
            self._wire = Wire(self._reactor, connection)
            self._wire.resume()  # to be told when it is closed
        waiting, self._waiting = self._waiting, []
        for message in waiting:
            # a key that is a space ends the thread of pi-top's library that listens
            if self._ours or len(message.split()) == message.count(b" ") + 1:
                self._wire.write(joined(self._name, message))

    def _later(self) -> None:
        self._attempts += 1
        if self._attempts >= ATTEMPTS:
            self._waiting.clear()
        else:
            self._retry = self._reactor.callLater(RETRY_SECONDS, self._try)
