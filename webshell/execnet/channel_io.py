"""The bytes of a gateway over a channel: what execnet calls an IO; at the channel's far end is ``child/relay.py``.

One thread sends; everybody else only leaves it something in a mailbox. So nothing that execnet does within ``write`` (a
channel that is collected there sends its end) can meet a lock, and credit and ``kill`` overtake data that has to wait.
"""

from __future__ import annotations

import codecs
import queue
import threading
from collections import deque
from typing import Any

from execnet.gateway_base import ExecModel

from webshell.execnet.carrying import carries, carry
from webshell.execnet.errors import show
from webshell.execnet.far_end import Line, ending, started

WINDOW = 1 << 20
"""Bytes, each way, that may be sent before the other side has handed them on; as in ``child/relay.py``."""

PIECE = 1 << 16
"""Bytes of one message: what another gateway has to say waits behind no more than that."""

HEADER_BYTES = 9
"""Of execnet's messages. One without content (a channel's end) never waits: the collector may send it, anywhere."""

FEW = 64
"""Writes that may wait to be sent, each of a :data:`PIECE` at most; who comes with more, or later, waits with them."""

EXITING = 2.0
"""Seconds between the end of a process's output and the news of its exit; then it is not waited for any more."""

MODELS = ("thread", "main_thread_only")
"""The execution models that have threads; under others, what waits here would stop everything."""

_END = None
_GONE = object()


class ChannelIO:
    """What ``execnet.Gateway`` reads and writes.

    :ivar name: for messages: what it is that the bytes come from.
    :ivar status: with which the process ended; negative for a signal, None: not known, or it has not.
    :ivar tail: the last that it said to its standard error.
    :ivar loud: what comes of its standard error goes to ours.
    """

    remoteaddress: str

    def __init__(self, channel: Line, execmodel: ExecModel, name: str) -> None:
        """:param channel: its next item is the relay's answer.

        :raises OSError: the process could not be started, or the connection not made; ``errno`` says why.
        :raises EOFError: the gateway in between has ended.
        """
        if execmodel.backend not in MODELS:
            raise ValueError(f"{name}: not with the execution model {execmodel.backend!r}: one of {', '.join(MODELS)}")
        self.execmodel = execmodel
        self.name = name
        self.status: int | None = None
        self.tail = ""
        self.loud = False
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._channel = channel
        # a connection has no exit of which there could be news
        self._exiting = EXITING if started(channel.receive(), name) else 0.0
        self._mailbox: queue.SimpleQueue[tuple[str, Any, threading.Event | None]] = queue.SimpleQueue()
        self._waiting: deque[tuple[memoryview | None, threading.Event | None]] = deque()
        self._arrived: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._unread = bytearray()
        self._owed = 0
        self._over = ""
        self._shut = ""
        self._deaf = False
        self._ended = threading.Event()
        threading.Thread(target=self._send, name=f"webshell: to {name}", daemon=True).start()
        carry(channel.gateway)
        channel.setcallback(self._told, endmarker=_GONE)

    # what a gateway does

    def read(self, size: int) -> bytes:
        """Exactly *size* bytes.

        :raises EOFError: there are no more; its text says why.
        """
        while len(self._unread) < size:
            self._unread += self.read_some()
        data = bytes(memoryview(self._unread)[:size])
        del self._unread[:size]
        return data

    def read_some(self) -> bytes:
        """What has arrived, as soon as there is something.

        :raises EOFError: as :meth:`read`.
        """
        piece = self._arrived.get()
        if piece is _END:
            self._arrived.put(_END)  # for whoever reads again
            self._ended.wait(self._exiting)
            raise EOFError(self._over or f"{self.name} ended its output")
        self._owed += len(piece)
        if self._owed >= WINDOW // 4:
            self._leave("credit", self._owed)
            self._owed = 0
        return piece

    def write(self, data: bytes) -> None:
        """All of *data*, in one piece among other writers'.

        It waits while the other side takes nothing; not so in a thread that may bring the credit.

        :raises OSError: nobody is there any more.
        """
        if self._over or self._shut:
            raise OSError(self._over or self._shut)
        done = threading.Event() if self._must_wait(len(data)) else None
        self._leave("data", memoryview(data), done)
        if done is not None and not self._over:
            done.wait()
        if self._over:
            raise OSError(self._over)

    def close_read(self) -> None:
        """What else arrives is thrown away."""
        self._deaf = True
        while True:
            try:
                piece = self._arrived.get_nowait()
            except queue.Empty:
                break
            if piece is _END:
                self._arrived.put(_END)
                break
            self._leave("credit", len(piece))

    def close_write(self) -> None:
        """Nothing is written any more; what waits is still sent."""
        if not self._shut:
            self._shut = f"{self.name}: its input has been closed"
            self._leave("data", None)

    def wait(self) -> int | None:
        """The process's status, when it has ended."""
        self._ended.wait()
        return self.status

    def kill(self) -> None:
        """End it; this does not wait."""
        self._leave("kill", None)

    # called in the receiver thread of the gateway in between: it must not wait

    def _told(self, item: Any) -> None:
        if item is _GONE:
            self._finish(f"{self.name} ended with {self._channel.gateway.id}, through which it was reached")
        elif item is None:
            self._arrived.put(_END)
        elif isinstance(item, bytes):
            if self._deaf:
                self._leave("credit", len(item))
            else:
                self._arrived.put(item)
        elif isinstance(item, int):
            self._leave("room", item)
        elif item[0] == "err":
            if self.loud:
                show(self._decoder.decode(item[1]))
            self._leave("credit", len(item[1]))
        elif item[0] == "lost":
            self._finish(f"{self.name} is lost: {item[1]}")
        else:
            _, self.status, self.tail = item
            self._finish(f"{self.name} {ending(self.status)}")

    def _finish(self, why: str) -> None:
        if not self._over:
            self._over = why
            self._arrived.put(_END)
            self._ended.set()
        self._leave("stop", None)

    def _leave(self, kind: str, value: Any, done: threading.Event | None = None) -> None:
        self._mailbox.put((kind, value, done))

    def _must_wait(self, size: int) -> bool:
        late = self._mailbox.qsize() + len(self._waiting) >= FEW
        return size > HEADER_BYTES and (late or size > PIECE) and not carries()

    # the thread that sends

    def _send(self) -> None:
        room = WINDOW
        try:
            while True:
                sendable = bool(self._waiting) and (room > 0 or self._waiting[0][0] is _END)
                try:
                    # what lies in the mailbox goes before what waits
                    kind, value, done = self._mailbox.get(block=not sendable)
                except queue.Empty:
                    room -= self._send_piece(min(room, PIECE))
                    continue
                if kind == "data":
                    self._waiting.append((value, done))
                elif kind == "room":
                    room += value
                elif kind == "stop":
                    break
                else:
                    self._channel.send("kill" if kind == "kill" else value)
        except OSError as error:
            self._finish(f"{self.name}: {error}")
        self._release()

    def _send_piece(self, limit: int) -> int:
        """Send what waits, *limit* bytes at most; how many they were."""
        parts: list[memoryview] = []
        sent: list[threading.Event] = []
        size = 0
        while self._waiting and size < limit:
            data, done = self._waiting[0]
            if data is _END:
                break
            part = data[: limit - size]
            parts.append(part)
            size += len(part)
            if len(part) < len(data):
                self._waiting[0] = (data[len(part) :], done)
                break
            self._waiting.popleft()
            if done is not None:
                sent.append(done)
        if not parts:
            self._waiting.popleft()
        try:
            self._channel.send(b"".join(parts) if parts else _END)
        except OSError:
            self._waiting.extend((_END, done) for done in sent)  # they are told of the end with the others
            raise
        for done in sent:
            done.set()
        return size

    def _release(self) -> None:
        """Nobody waits in vain: whoever leaves something after this sees that it is over."""
        waiting = [done for _, done in self._waiting]
        while not self._mailbox.empty():
            waiting.append(self._mailbox.get()[2])
        self._waiting.clear()
        for done in waiting:
            if done is not None:
                done.set()
