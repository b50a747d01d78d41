"""Both directions of a process on one WebSocket; when it is cut, both go on where they were on another one."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
import threading
import time
from http.client import HTTPResponse
from queue import Empty, SimpleQueue

from webshell.execnet.exchange import FAILURES, Exchange, count
from webshell.execnet.frames import BINARY, CLOSE, PING, PONG, TEXT, Frames, Malformed, frame, text
from webshell.execnet.lines import Accepted, Broken, Piece
from webshell.execnet.sender import Sender
from webshell.execnet.trouble import PASSING, Gone
from webshell.execnet.worker import Worker, ending

PING_SECONDS = 20.0
"""After so long a silence the server is asked whether it is there; what lies between cuts what is silent for 30 s."""

ACK_BYTES = 1 << 16
"""Consumed before that is said …"""

ACK_LESS_BYTES = 1 << 12
"""… or so much if nothing more is there …"""

ACK_SECONDS = 0.02
"""… or anything, after so long: a word back for each small message would cost more than the message."""

SLICE_BYTES = 1 << 16
"""Sent at a time: each slice may take the seconds that a silence may."""

ENDED, TAKEN, UNKNOWN, CLEANED_UP, OUT_OF_RANGE = 4000, 4001, 4004, 4010, 4016
"""Codes that the server closes with when asking again is of no use: 4001 means that somebody else reads now."""

MESSAGES = 1 << 16
"""Under way at once: the server counts their bytes only."""

_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


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
        error: BaseException | None
        while True:
            if self._closed:
                raise Gone("it was closed here")
            try:
                exchange = Exchange(self._worker.dialer, PING_SECONDS)
                try:
                    error = self._shake_hands(exchange)
                    if error is None:
                        return exchange
                except BaseException:
                    exchange.close()
                    raise
                exchange.close()
            except Gone:
                raise
            except FAILURES as failure:
                error = failure
            assert error is not None
            self._patience.fail(error)

    def _shake_hands(self, exchange: Exchange) -> OSError | None:
        """Returns what may be over later.

        :raises OSError: it is of no use to try again.
        """
        key = base64.b64encode(secrets.token_bytes(16))
        headers = {
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": key.decode(),
        }
        exchange.ask("GET", f"{self._worker.path}?off={self._offset}", headers=headers)
        answer = exchange.answer("GET")
        if answer.status == 101:
            proof = base64.b64encode(hashlib.sha1(key + _MAGIC, usedforsecurity=False).digest()).decode()
            return None if answer.getheader("Sec-WebSocket-Accept") == proof else Malformed("no answer of a WebSocket")
        if answer.status in (404, 410, 416) or answer.getheader("X-Eof"):
            raise self._worker.ended(answer)
        return self._refused(answer)

    def _refused(self, answer: HTTPResponse) -> OSError:
        error = self._worker.refused(answer)
        if answer.status not in PASSING:
            raise Gone(str(error))
        self._patience.pause(count(answer, "Retry-After") or 0)
        return error

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


class Line:
    """One connection; see :class:`webshell.execnet.lines.Line`.

    :ivar accepted: None: the server has not said it yet.
    :ivar useful: something has come by it.
    :ivar since: when it began.
    """

    pieces = MESSAGES

    def __init__(self, exchange: Exchange) -> None:
        self.accepted: int | None = None
        self.broken = self.useful = False
        self.since = time.monotonic()
        self._exchange = exchange
        self._begun = False
        self._turn = threading.Lock()

    def send(self, piece: Piece) -> None:
        """Send it; what is accepted will be told."""
        with self._turn:
            if not self._begun:
                self._begun = True
                self._exchange.send(text(**{"in": piece.offset}))
            if piece.data:
                message = memoryview(frame(BINARY, piece.data))
                for at in range(0, len(message), SLICE_BYTES):
                    self._exchange.send(message[at : at + SLICE_BYTES])
            if piece.end:
                self._exchange.send(text(eof=1))

    def say(self, message: bytes) -> None:
        """Send a message between pieces."""
        with self._turn:
            self._exchange.send(message)

    def cut(self) -> None:
        """End it."""
        self.broken = True
        self._exchange.cut()

    def rest(self) -> bool:
        """It is kept: pings go to and fro on it."""
        return True

    def leave(self) -> None:
        """It is still read."""
