"""One HTTP connection and its requests: bodies are bounded before they are read, and slow senders have a deadline."""

from __future__ import annotations

from http import HTTPStatus
from io import BytesIO
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, cast

from twisted.internet.interfaces import IDelayedCall, ISSLTransport
from twisted.internet.protocol import connectionDone
from twisted.protocols.policies import ProtocolWrapper
from twisted.python.failure import Failure
from twisted.web.http import RESPONSES, HTTPChannel
from twisted.web.server import Request

from webshell.web.answers import (
    ALLOWED,
    METHODS,
    BodyTooLarge,
    Malformed,
    MethodRefused,
    RefusalPage,
    Refused,
    TooManyTries,
)
from webshell.web.secure import secure_headers

if TYPE_CHECKING:
    from webshell.web.limits import LimitedSite

MEMORY_BYTES = 4 << 20  # bodies that may be larger than this go to a temporary file
LARGE_BYTES = 100_000  # … and larger than this, there may not be many of them at once
SLOWEST = 16 << 10  # bytes a second that a large body must come with on average
LINGER_SECONDS = 2.0  # a refused sender may go on so long, or the reset would destroy the answer on its way
LINGER_BYTES = 256 << 10
TLS_HANDSHAKE = b"\x16"  # begins what somebody says who takes us for https; no request begins so


class LimitedRequest(Request):
    """A request whose body is bounded, and which is refused before the resource tree hears of it."""

    refusal: Refused | None = None
    room = 0
    """Bytes that the body may have."""

    def __repr__(self) -> str:
        """Method and path: it gets logged, and the query may hold a token."""
        return f"<{self.method!r} {self.uri.partition(b'?')[0]!r}>"

    def gotLength(self, length: int | None) -> None:
        """The headers are complete: where will the body be kept?"""
        self.content = BytesIO() if self.room <= MEMORY_BYTES else TemporaryFile()  # noqa: SIM115

    def handleContentChunk(self, data: bytes) -> None:
        """A piece of the body."""
        assert self.content is not None
        if self.content.tell() + len(data) > self.room:
            raise BodyTooLarge(f"the body may have {self.room} bytes")
        self.content.write(data)

    def process(self) -> None:
        """The request is complete."""
        refusal = self.refusal or _refusal(self.method, self.uri)
        if refusal is None:
            super().process()
        else:
            self.site = self.channel.site  # type: ignore[attr-defined]
            secure_headers(self)
            self.render(RefusalPage(refusal))

    def write(self, data: bytes) -> None:
        """A piece of the answer; nobody needs to know what we run on."""
        if not self.startedWriting:
            self.responseHeaders.removeHeader("Server")
            if self.code not in RESPONSES:  # Twisted does not know some, and would say so
                self.code_message = HTTPStatus(self.code).phrase.encode()
        super().write(data)


def _refusal(method: bytes, uri: bytes) -> Refused | None:
    if method not in METHODS:
        return MethodRefused("this method is not served", {"Allow": ALLOWED})
    return None if uri.startswith(b"/") else Malformed("the request must name a path that begins with a slash")


class LimitedChannel(HTTPChannel):
    """An HTTP connection that refuses bodies before it reads them and has a deadline for a whole request."""

    site: LimitedSite
    _deadline: IDelayedCall | None = None
    _lingered = 0

    def dataReceived(self, data: bytes) -> None:
        """Bytes; the first of a request start its deadline."""
        # a request that waits behind another one has not begun yet
        if data and not self.requests and self._deadline is None:
            self._deadline = self.callLater(self.site.request_seconds, self._late)
            if data.startswith(TLS_HANDSHAKE):  # it may hold no line end, for which we would wait
                self._respondToBadRequestAndDisconnect()
                return
        super().dataReceived(data)

    def lineReceived(self, line: bytes) -> None:
        """A request line or header."""
        if line[:1] in (b" ", b"\t") or b"\n" in line or b"\r" in line or b"\0" in line:
            self._respondToBadRequestAndDisconnect()  # a folded header, or one smuggled in by a bare line end
        else:
            super().lineReceived(line)

    def lineLengthExceeded(self, line: bytes) -> None:
        """A line that does not end."""
        self._respondToBadRequestAndDisconnect()

    def headerReceived(self, line: bytes) -> bool:
        """A whole header."""
        try:
            return bool(super().headerReceived(line))
        except ValueError:  # a Content-Length of more digits than int() takes
            self._respondToBadRequestAndDisconnect()
            return False

    def allHeadersReceived(self) -> None:
        """Now it is known what body will come."""
        request: LimitedRequest = self.requests[-1]
        request.room = self.site.body_limit(self._command, self._path.partition(b"?")[0])
        if request.requestHeaders.hasHeader(b"upgrade") and self.length != 0:
            self._refuse(request, Malformed("a handshake has no body"))
        elif self.length is not None and self.length > request.room:
            self._refuse(request, BodyTooLarge(f"the body may have {request.room} bytes"))
        elif request.room > LARGE_BYTES and (self.length is None or self.length > LARGE_BYTES):
            self._expect_large(request)
        super().allHeadersReceived()
        self.persistent = self.persistent and request.refusal is None

    def rawDataReceived(self, data: bytes) -> None:
        """A piece of a body, still in its chunks."""
        try:
            super().rawDataReceived(data)
        except BodyTooLarge as error:  # a chunked body: here is where its length turns out
            self._refuse(self.requests[-1], error)
            self.persistent = False
            self.allContentReceived()

    def allContentReceived(self) -> None:
        """The request is complete."""
        self.site.large_bodies.forget(self)
        self._stop_deadline()
        super().allContentReceived()

    def requestDone(self, request: LimitedRequest) -> None:
        """The request is answered."""
        if request.refusal is None:
            super().requestDone(request)
        else:
            self.requests.clear()
            self._linger(LINGER_SECONDS)

    def isSecure(self) -> bool:
        """Whether TLS is below what counts us."""
        counted = cast("ProtocolWrapper", self.transport)
        return ISSLTransport.providedBy(counted.transport)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The peer is gone, or we have closed."""
        self.site.large_bodies.forget(self)
        self._stop_deadline()
        super().connectionLost(reason)

    def _expect_large(self, request: LimitedRequest) -> None:
        in_memory = request.room <= MEMORY_BYTES
        if not self.site.large_bodies.admit(self, self.site.address(self.getPeer()), in_memory=in_memory):
            self._refuse(request, TooManyTries("too many large bodies are on their way from this address"))
        elif self._deadline is not None:
            self._deadline.delay((self.length or request.room) / SLOWEST)

    def _refuse(self, request: LimitedRequest, refusal: Refused) -> None:
        request.refusal = refusal
        request.requestHeaders.removeHeader(b"expect")
        self.length = 0  # so the request goes on at once, as if it had no body

    def _respondToBadRequestAndDisconnect(self) -> None:
        self._say(b"400 Bad Request")

    def _late(self) -> None:
        self._deadline = None
        self._say(b"408 Request Timeout")

    def _say(self, status: bytes) -> None:
        """Answer outside of any request, and close."""
        if self._lingered or self.transport is None:
            return
        self.transport.write(
            b"HTTP/1.1 " + status + b"\r\nConnection: close\r\nContent-Length: 0\r\nX-Content-Type-Options: nosniff\r\n"
            b"Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\nCache-Control: no-store\r\n\r\n"
        )
        self._linger(LINGER_SECONDS)

    # from here on nothing that arrives is looked at

    def _linger(self, seconds: float) -> None:
        self._stop_deadline()
        self.setTimeout(None)
        self.clearLineBuffer()
        self.dataReceived = self.rawDataReceived = self._ignore  # type: ignore[method-assign]
        self._lingered = 1
        self._deadline = self.callLater(seconds, self._leave)

    def _ignore(self, data: bytes) -> None:
        self._lingered += len(data)
        if self._lingered > LINGER_BYTES:
            self._leave()

    def _leave(self) -> None:
        self._stop_deadline()
        if self._abortingCall is None:
            self.timeoutConnection()  # in order if the peer takes the answer, by force if not

    def _stop_deadline(self) -> None:
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        self._deadline = None
