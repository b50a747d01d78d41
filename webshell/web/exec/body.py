"""The body of an answer that goes on for as long as there is something to tell, at the pace of the connection."""

from __future__ import annotations

import contextlib
import socket
from typing import Protocol

from twisted.internet.interfaces import IPushProducer
from twisted.web.server import Request
from zope.interface import implementer

from webshell.web.direct import direct

PROBES = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}
"""A peer that vanished without a word is noticed after a minute of silence; where the system knows these options."""


def probe(request: Request) -> None:
    """Let the system look from time to time whether the client of *request*, to whom nothing may be said, is there."""
    found = direct(request.channel.transport) if request.channel is not None else None
    with contextlib.suppress(OSError):  # a unix socket
        if found is not None:
            found[0].socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for name, value in PROBES.items():
                if hasattr(socket, name):
                    found[0].socket.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


class Paced(Protocol):
    """Where the body comes from."""

    def pause(self) -> None:
        """The connection is full."""

    def resume(self) -> None:
        """It has room again."""


@implementer(IPushProducer)
class Body:
    """A body of unknown length; its end does not say that there is no more."""

    def __init__(self, request: Request) -> None:
        self._request: Request | None = request
        self._source: Paced | None = None

    def begin(self, source: Paced) -> None:
        """Send the headers; from now on *source* may :meth:`write`."""
        request = self._request
        assert request is not None
        self._source = source
        request.notifyFinish().addErrback(lambda _: self.stopProducing())
        request.setHeader(b"x-accel-buffering", b"no")  # else nginx waits for more
        probe(request)
        request.registerProducer(self, True)
        request.write(b"")  # whoever asks shall know that nothing is there yet

    def write(self, data: bytes) -> None:
        """The next bytes."""
        if self._request is not None:
            self._request.write(data)

    def end(self) -> None:
        """That was all; told again, nothing happens."""
        request, self._request = self._request, None
        if request is not None:
            request.unregisterProducer()
            request.finish()

    # ---- what the connection does

    def pauseProducing(self) -> None:
        """It is full."""
        if self._source is not None:
            self._source.pause()

    def resumeProducing(self) -> None:
        """It has room again."""
        if self._source is not None:
            self._source.resume()

    def stopProducing(self) -> None:
        """It is gone."""
        self._request = None
