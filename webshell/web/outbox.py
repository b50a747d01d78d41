"""What a WebSocket says, on its way to the kernel: at once, or several messages in one piece."""

from __future__ import annotations

from twisted.internet.interfaces import IPushProducer, ITransport
from zope.interface import implementer

from webshell.web.conversation import Conversation
from webshell.web.direct import direct
from webshell.web.frames import head

HELD_BYTES = 1 << 14
"""Held at most: answers are small, and what is larger is worth a system call of its own."""


@implementer(IPushProducer)
class Brake:
    """The transport's signals to a connection: full, room again, gone."""

    def __init__(self, connection: Conversation) -> None:
        self.pauseProducing = connection.pause
        self.resumeProducing = connection.resume

    def stopProducing(self) -> None:
        """The transport is gone; ``onClose`` says so too."""


class Outbox:
    """The way out of one WebSocket.

    :ivar file: the descriptor under the transport; -1: there is none.
    """

    __slots__ = ("_direct", "_held", "_size", "_stream", "_transport", "file")

    def __init__(self, transport: ITransport) -> None:
        self._transport = transport
        self._held: list[bytes] | None = None
        self._size = 0
        found = direct(transport)
        self._stream = found and found[0]
        self._direct = found and found[1]
        self.file = found[0].fileno() if found else -1

    def send(self, first: int, data: bytes) -> None:
        """Send a message, whose frame has this *first* byte, unless it is held."""
        start = head(first, len(data))
        if self._held is None:
            self._write(start, data)
            return
        self._held += start, data
        self._size += len(data)
        if self._size > HELD_BYTES:
            self.release()
            self.hold()

    def hold(self) -> None:
        """Keep what is sent from now on, until :meth:`release`: each piece takes a system call and wakes the client.

        Whoever opens a session and starts a program in it is answered by three (40 µs, measured).
        """
        if self._held is None:
            self._held, self._size = [], 0

    def release(self) -> None:
        """Send what was held, and hold nothing any more."""
        held, self._held = self._held, None
        if held:
            self._write(held[0], b"".join(held[1:]))

    def flush(self) -> None:
        """Let the transport write now what it has: else that takes a turn of the reactor, and two calls of epoll."""
        stream = self._stream
        if self._direct is None or stream is None or stream.disconnecting:
            return
        if stream.dataBuffer or stream._tempDataLen:
            stream.doWrite()  # if it fails, the reactor will be told, too

    def _write(self, start: bytes, data: bytes) -> None:
        sent = self._direct.send(start, data) if self._direct is not None else 0
        if sent < len(start) + len(data):
            self._transport.write((start + data)[sent:])
