"""Both directions of a process on one WebSocket; when it is cut, both go on where they were on another one."""

from __future__ import annotations

import json
import re
import threading
import time
from queue import Empty, SimpleQueue

from webshell.execnet.exchange import FAILURES, Exchange
from webshell.execnet.frames import BINARY, CLOSE, PING, PONG, TEXT, Frames, Malformed, frame, text
from webshell.execnet.lines import Accepted, Broken
from webshell.execnet.sender import Sender
from webshell.execnet.socket_line import Line, opened
from webshell.execnet.trouble import Gone
from webshell.execnet.worker import Worker, ending

PING_SECONDS = 20.0
"""After so long a silence the server is asked whether it is there; what lies between cuts what is silent for 30 s."""

ACK_BYTES = 1 << 16
"""Consumed before that is said …"""

ACK_LESS_BYTES = 1 << 12
"""… or so much if nothing more is there …"""

ACK_SECONDS = 0.02
"""… or anything, after so long: a word back for each small message would cost more than the message."""

ENDED, TAKEN, UNKNOWN, CLEANED_UP, OUT_OF_RANGE = 4000, 4001, 4004, 4010, 4016
"""Codes that the server closes with when asking again is of no use: 4001 means that somebody else reads now."""


class Conversation:
    """The bytes from a process, and the lines to it. A thread of its own reads: answers must not wait for whoever
    consumes bytes; there are never more of them than the server sends unacknowledged.

    :ivar sender: who is told what is accepted; to be set before :meth:`begin`.
    """

    def __init__(self, worker: Worker) -> None:
        self.sender: Sender
        self._worker = worker
        self._patience = worker.patience()
        self._arrived: SimpleQueue[bytes | Gone | OSError] = SimpleQueue()
        self._offset = 0  # of what has arrived
        self._consumed = self._acknowledged = 0
        self._line: Line | None = None
        self._change = threading.Condition()
        self._closed = False

    def begin(self) -> None:
        """Connect."""
        threading.Thread(target=self._run, name="webshell-socket", daemon=True).start()

    # ---- what the reader does

    def receive(self) -> bytes:
        """The next bytes.

        :raises Gone: there will be none; its text says why.
        :raises OSError: the server cannot be asked any more; its text says why.
        """
        unsaid = self._consumed - self._acknowledged
        if unsaid >= ACK_BYTES:
            self._acknowledge()
            unsaid = 0
        try:
            data = self._arrived.get(unsaid < ACK_LESS_BYTES, ACK_SECONDS if unsaid else None)
        except Empty:
            self._acknowledge()
            data = self._arrived.get()
        if not isinstance(data, bytes):
            self._arrived.put(data)  # for whoever asks again
            raise data
        self._consumed += len(data)
        return data

    def _acknowledge(self) -> None:
        """Say what has been consumed: the server may wait for it, with nothing more to come before."""
        self._acknowledged = self._consumed
        line = self._line
        if line is not None:
            try:
                line.say(text(ack=self._consumed))
            except FAILURES:
                line.cut()  # whoever listens to it notices

    def release(self) -> None:
        """Nobody will ask any more."""
        self.abandon()

    def abandon(self) -> None:
        """There will be no more bytes; who waits for them is woken."""
        self._end(Gone("it was closed here"))
        line = self._line
        if line is not None:
            line.cut()

    # ---- what the sender does

    def line(self) -> Line | None:
        """The connection as soon as there is one; None: there will be none."""
        with self._change:
            self._change.wait_for(lambda: self._closed or (self._line is not None and not self._line.broken))
            return None if self._closed else self._line

    def close(self) -> None:
        """Nothing will be sent any more; what there is to read is read."""

    # ---- the thread

    def _run(self) -> None:
        try:
            while not self._closed:
                exchange = self._opened()
                line = Line(exchange)
                try:
                    self._listen(line, exchange)
                except Gone:
                    raise
                except FAILURES as error:
                    # one that did something, or was there for long, may end at any time
                    if not line.useful and time.monotonic() - line.since < PING_SECONDS:
                        self._patience.fail(error)
                    else:
                        self._patience.worked()
                finally:
                    line.cut()
                    exchange.close()
                    self.sender.tell(Broken(line))
        except (Gone, *FAILURES) as error:
            self._end(error if isinstance(error, Gone | OSError) else Gone(str(error) or repr(error)))

    def _end(self, why: Gone | OSError) -> None:
        with self._change:
            if self._closed:
                return
            self._closed = True
            self._change.notify_all()
        self.sender.fail(str(why))
        self._arrived.put(why)

    def _opened(self) -> Exchange:
        """A connection that speaks WebSocket now."""
        while True:
            if self._closed:
                raise Gone("it was closed here")
            try:
                return opened(self._worker, self._offset, PING_SECONDS)
            except FAILURES as error:
                self._patience.fail(error)

    def _listen(self, line: Line, exchange: Exchange) -> None:
        """Until the connection ends."""
        frames = Frames()
        asked = False
        while True:
            try:
                data = exchange.receive()
            except TimeoutError:
                if asked:
                    raise
                asked = True
                line.say(frame(PING, b""))
                continue
            if not data:
                raise EOFError("the connection was cut")
            asked = False
            for opcode, content in frames.add(data):
                self._hear(line, opcode, content)

    def _hear(self, line: Line, opcode: int, content: bytes) -> None:
        if opcode == BINARY:
            line.useful = True
            self._offset += len(content)
            self._arrived.put(content)
        elif opcode == TEXT:
            self._told(line, content)
        elif opcode == PING:
            line.say(frame(PONG, content))
        elif opcode == CLOSE:
            self._closing(content)

    def _told(self, line: Line, content: bytes) -> None:
        try:
            told = json.loads(content)
            offset, accepted = told.get("off", self._offset), told.get("in")
        except (ValueError, AttributeError):
            raise Malformed("a message that is no JSON object") from None
        if offset != self._offset:
            raise Gone(f"the process {self._worker.id} goes on at {offset}, not at {self._offset}")
        if type(accepted) is int:
            if line.accepted is not None:
                line.useful = True
                self.sender.tell(Accepted(accepted))
                return
            with self._change:
                line.accepted = accepted
                self._line = line
                self._change.notify_all()

    def _closing(self, content: bytes) -> None:
        code, reason = int.from_bytes(content[:2], "big"), content[2:].decode("utf-8", "replace")
        name = self._worker.id
        status = re.match(r"exit (-?\d+)$", reason)
        if status is not None:
            self._worker.exit = int(status[1])
        if code in (ENDED, CLEANED_UP) and self._worker.exit is not None:
            raise Gone(f"the process {name} has ended {ending(self._worker.exit)}")
        if code in (ENDED, TAKEN, UNKNOWN, CLEANED_UP, OUT_OF_RANGE):
            raise Gone(f"the process {name} cannot be read any more: {reason or code}")
        raise EOFError(f"the server closed the connection: {reason or code}")
