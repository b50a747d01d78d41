"""From a frame to the kernel while nothing waits before it, past the transport's buffer.

Through that buffer a frame costs two epoll_ctl and one more turn of the reactor (bulk: 60 → 75 MB/s, an echo 40 µs
less, measured); under TLS what is small also waits for the next turn (an echo 12 % less, measured). It needs names of
Twisted's that are not public; where one of them is missing everything goes through the transport, more slowly.
"""

from __future__ import annotations

import contextlib
from operator import attrgetter
from typing import Any

from OpenSSL import SSL
from twisted.internet.tcp import Connection as Stream
from twisted.protocols.policies import ProtocolWrapper
from twisted.protocols.tls import BufferingTLSTransport

RECORD_BYTES = 1 << 14
"""Plain bytes of a TLS record (RFC 8446, 5.1)."""

OVERHEAD_BYTES = 256
"""What a record adds, at most (RFC 5246, 6.2.3: 2048, which no cipher does; these do 22 to 69)."""

NEEDED = ("_aggregator._buffer", "_appSendBuffer", "_flushSendBIO", "_tlsConnection")
"""Of Twisted's TLS."""


class Plain:
    """To a socket."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def send(self, start: bytes, data: bytes) -> int:
        """Send *start* and *data*; returns how many bytes of them are on their way."""
        stream = self._stream
        if stream.dataBuffer or stream._tempDataLen:
            return 0
        try:  # contextlib.suppress: three calls more for each frame
            return stream.socket.sendmsg((start, data))
        except OSError:  # full, or lost, which the transport will notice by itself
            return 0


class Encrypted:
    """To a socket through TLS."""

    def __init__(self, stream: Stream, transport: BufferingTLSTransport) -> None:
        self._stream = stream
        self._transport: Any = transport
        self._tls: SSL.Connection = transport._tlsConnection

    def send(self, start: bytes, data: bytes) -> int:
        """Send *start* and *data*; returns how many bytes of them are on their way."""
        stream, transport = self._stream, self._transport
        if stream.dataBuffer or stream._tempDataLen or transport._appSendBuffer or transport._aggregator._buffer:
            return 0
        plain = memoryview(start + data)
        sent = 0
        with contextlib.suppress(SSL.Error):  # the transport will hear it, too, with what is left
            while sent < len(plain):
                sent += self._tls.send(plain[sent : sent + RECORD_BYTES])
        if sent:
            most = sent + (sent // RECORD_BYTES + 1) * OVERHEAD_BYTES
            secret = self._tls.bio_read(most)
            gone = 0
            with contextlib.suppress(OSError):
                gone = stream.socket.send(secret)
            if gone < len(secret):
                stream.write(secret[gone:])
            if len(secret) == most:
                transport._flushSendBIO()
        return sent


Direct = Plain | Encrypted


def direct(transport: Any) -> tuple[Stream, Direct | None] | None:
    """The stream under *transport*, and the direct way there, if there is one; None: it is not a stream."""
    way: list[Any] = []
    while not isinstance(transport, Stream):
        if not hasattr(transport, "transport"):
            return None
        if getattr(type(transport), "write", None) is not ProtocolWrapper.write:  # that adds nothing (haproxy:)
            way.append(transport)
        transport = transport.transport
    if not hasattr(transport, "_tempDataLen"):
        return transport, None
    if not way:
        return transport, Plain(transport)
    outer = way[0]
    if len(way) == 1 and type(outer) is BufferingTLSTransport:
        with contextlib.suppress(AttributeError):
            attrgetter(*NEEDED)(outer)
            return transport, Encrypted(transport, outer)
    return transport, None
