"""The body of an answer that goes on for as long as there is something to tell, at the pace of the connection."""

from __future__ import annotations

from typing import Protocol

from twisted.internet.interfaces import IPushProducer
from twisted.web.server import Request
from zope.interface import implementer


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
