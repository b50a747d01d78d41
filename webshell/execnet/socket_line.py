"""One WebSocket to a process: how it begins, and what is sent by it."""

from __future__ import annotations

import base64
import hashlib
import secrets
import threading
import time

from webshell.execnet.exchange import Exchange
from webshell.execnet.frames import BINARY, Malformed, frame, text
from webshell.execnet.lines import Piece
from webshell.execnet.trouble import PASSING, Gone
from webshell.execnet.worker import Worker

SLICE_BYTES = 1 << 16
"""Sent at a time: each slice may take the seconds that a silence may."""

MESSAGES = 1 << 16
"""Under way at once: the server counts their bytes only."""

_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def opened(worker: Worker, offset: int, seconds: float) -> Exchange:
    """A connection that speaks WebSocket now; output comes from *offset* on.

    :param seconds: that anything may take.
    :raises Gone: it is of no use to try again; its text says why.
    :raises OSError: there is none now. All of ``FAILURES`` may be raised.
    """
    exchange = Exchange(worker.dialer, seconds)
    try:
        _shake_hands(worker, exchange, offset)
    except BaseException:
        exchange.close()
        raise
    return exchange


def _shake_hands(worker: Worker, exchange: Exchange, offset: int) -> None:
    key = base64.b64encode(secrets.token_bytes(16))
    headers = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": key.decode(),
    }
    exchange.ask("GET", f"{worker.path}?off={offset}", headers=headers)
    answer = exchange.answer("GET")
    if answer.status == 101:
        proof = base64.b64encode(hashlib.sha1(key + _MAGIC, usedforsecurity=False).digest()).decode()
        if answer.getheader("Sec-WebSocket-Accept") != proof:
            raise Malformed("no answer of a WebSocket")
    elif answer.status in (404, 410, 416):
        raise worker.ended(answer)
    else:
        error = worker.refused(answer)
        raise error if answer.status in PASSING else Gone(str(error))


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
