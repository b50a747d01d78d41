"""A stream of a process, read by offset: whatever is cut is asked for again, so nothing is lost or doubled."""

from __future__ import annotations

from http.client import HTTPResponse

from webshell.execnet.exchange import FAILURES, Exchange, count, said
from webshell.execnet.trouble import PASSING, Gone
from webshell.execnet.worker import Worker

READ_BYTES = 1 << 20
"""Handed on at a time, at most."""

IDLE_SECONDS = 50.0
"""After so long a silence it is asked again: what lies between cuts connections that are silent for a minute, and a
dead one would else be waited for."""


class Stream:
    """Standard output or error of a worker; one thread reads it."""

    def __init__(self, worker: Worker, name: str = "out", poll: float = 0.0) -> None:
        """:param name: ``out`` or ``err``, which is for people: behind what the server has dropped it goes on.

        :param poll: seconds of a long poll; 0: answers are streams.
        """
        self.offset = 0
        self._skips = name == "err"
        self._worker = worker
        self._more = f"&stream={name}" * (name != "out") + f"&poll={poll:g}" * bool(poll)
        self._seconds = IDLE_SECONDS + poll
        self._patience = worker.patience()
        self._exchange: Exchange | None = None
        self._answer: HTTPResponse | None = None
        self._closed = False

    def receive(self) -> bytes:
        """The next bytes.

        :raises Gone: there will be none; its text says why.
        :raises OSError: the server cannot be asked any more; its text says why.
        """
        while True:
            answer = self._answer or self._asked()
            try:
                data = answer.read1(READ_BYTES)
            except FAILURES:
                self._drop()
                continue
            if data:
                self.offset += len(data)
                self._patience.worked()
                return data
            self._answer = None  # it has rolled over, or was cut: both are known by the next answer

    def _asked(self) -> HTTPResponse:
        while True:
            if self._closed:
                raise Gone("it was closed here")
            kept = self._exchange
            try:
                exchange = self._exchange = kept if kept is not None and kept.usable else self._opened()
                if self._closed:  # meanwhile: who closed it did not know of this connection
                    raise Gone("it was closed here")
                exchange.ask("GET", f"{self._worker.path}?off={self.offset}{self._more}")
                answer = exchange.answer("GET")
            except FAILURES as error:
                self._drop()
                if kept is None:  # an old connection may have been closed meanwhile
                    self._patience.fail(error)
                continue
            if answer.status == 200 and count(answer, "X-Off") in (self.offset, None):
                self._answer = answer
                return answer
            self._judge(answer)

    def _opened(self) -> Exchange:
        self._drop()
        return Exchange(self._worker.dialer, self._seconds)

    def _judge(self, answer: HTTPResponse) -> None:
        if answer.status == 204 and not answer.getheader("X-Eof"):
            self._patience.worked()
        elif answer.status == 416 and self._skips and (base := _base(answer)) is not None and base > self.offset:
            said(answer)
            self.offset = base
        elif answer.status in (200, 204, 404, 410, 416):
            raise self._worker.ended(answer)
        else:
            error = self._worker.refused(answer)
            if answer.status not in PASSING:
                raise error
            self._patience.fail(error, count(answer, "Retry-After") or 0)

    def _drop(self) -> None:
        exchange, self._exchange, self._answer = self._exchange, None, None
        if exchange is not None:
            exchange.close()

    def abandon(self) -> None:
        """There will be no more bytes; who waits for them is woken."""
        self._closed = True
        exchange = self._exchange
        if exchange is not None:
            exchange.cut()

    def release(self) -> None:
        """Let go of the connection; by the thread that reads."""
        self._closed = True
        self._drop()


def _base(answer: HTTPResponse) -> int | None:
    digits = (answer.getheader("X-Range") or "").partition("-")[0]
    return int(digits) if digits.isdecimal() else None
