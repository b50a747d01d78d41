"""The process at the server: started, asked how it ended, and killed, each by a request of its own."""

from __future__ import annotations

import json
import re
import threading
from http.client import HTTPException, HTTPResponse
from typing import Any
from urllib.parse import quote

from webshell.execnet.dial import Dialer
from webshell.execnet.exchange import FAILURES, Exchange, count, said
from webshell.execnet.patience import Patience
from webshell.execnet.spec import Wanted
from webshell.execnet.trouble import PASSING, Gone, Refused, refusal

START_SECONDS = 60.0
"""For the answer to a start: the machine may be busy, and the interpreter far away."""

KILL_SECONDS = 3.0
"""For a connection and for the answer to a kill: execnet waits for it without limit."""

TAIL_LINES = 20
"""Of standard error, in a message."""

NAME = re.compile(r"[\w-]+\.\d+", re.ASCII)
"""What a server calls its processes."""

WAIT_SECONDS = 20.0
"""Of one question for the end; what lies between cuts connections that are silent for a minute."""


def stated(answer: HTTPResponse, name: str) -> Gone:
    """What an answer of 404, 410 or 416, or the one at the end, says about the process *name*."""
    status = count(answer, "X-Exit")
    if status is not None:
        return Gone(f"the process {name} has ended {ending(status)}")
    if answer.status == 416:
        return Gone(f"the process {name} has gone on: what comes next is not kept any more ({said(answer)})")
    return Gone(said(answer) or f"there is no process {name} (HTTP {answer.status})")


def ending(status: int) -> str:
    """An exit status for people."""
    return f"by signal {-status}" if status < 0 else f"with status {status}"


class Worker:
    """A process.

    :ivar id: as the server knows it.
    :ivar exit: its status, negative for a signal; None: it runs, or nobody knows.
    :ivar over: set when nothing can be learnt from it any more.
    """

    def __init__(self, dialer: Dialer, wanted: Wanted) -> None:
        """Start it.

        :raises OSError: that cannot be; its text says why.
        :raises execnet.HostNotFound: there is no such machine.
        """
        self.dialer = dialer
        self.exit: int | None = None
        self.over = threading.Event()
        self._patience_seconds = wanted.patience
        members: dict[str, Any] = {"name": f"execnet {wanted.name}"}
        asked = {"python": wanted.python, "cwd": wanted.cwd, "grace": wanted.grace}
        members |= {name: value for name, value in asked.items() if value not in ("", None)}
        exchange = Exchange(dialer, START_SECONDS)
        try:
            exchange.ask("POST", "popen", json.dumps(members).encode(), {"Content-Type": "application/json"})
            answer = exchange.answer("POST")
            if answer.status != 201:
                raise self.refused(answer)
            self.id = answer.read().decode("ascii", "replace").strip()
        except TimeoutError:
            raise TimeoutError(f"{dialer.address} does not answer") from None
        except (HTTPException, EOFError, ConnectionResetError, BrokenPipeError) as error:
            raise Refused(f"{dialer.address}: no answer of a webshell ({error!r})") from None
        finally:
            exchange.close()
        if not NAME.fullmatch(self.id):
            raise Refused(f"{dialer.address}: no answer of a webshell ({self.id[:80]!r})")

    @property
    def path(self) -> str:
        """Of its resource, below the server's."""
        return f"exec/{quote(self.id)}"

    def patience(self) -> Patience:
        """For one of its connections."""
        return Patience(self._patience_seconds, self.over)

    def refused(self, answer: HTTPResponse) -> OSError:
        """The error for an answer that is none of those that were hoped for."""
        location = answer.getheader("Location") or ""
        return refusal(answer.status, said(answer), location, bool(self.dialer.token))

    def ended(self, answer: HTTPResponse) -> Gone:
        """Note what *answer* says about its end, and say it."""
        status = count(answer, "X-Exit")
        if status is not None:
            self.exit = status
        return stated(answer, self.id)

    def wait(self) -> int | None:
        """Wait for its end. Returns its status; None: that is not known any more."""
        patience = self.patience()
        while self.exit is None:
            try:
                answer, status = self._asked_for_the_end()
                if status in (404, 410):
                    break
                if status in PASSING:
                    patience.fail(self.refused(answer))
                elif status not in (200, 204):
                    break
                patience.worked()
            except FAILURES as error:
                try:
                    patience.fail(error)
                except FAILURES:
                    break
        return self.exit

    def _asked_for_the_end(self) -> tuple[HTTPResponse, int]:
        exchange = Exchange(self.dialer, 2 * WAIT_SECONDS)
        try:
            exchange.ask("GET", f"{self.path}/wait?timeout={WAIT_SECONDS:g}")
            answer = exchange.answer("GET")
            if answer.status == 200:
                self.exit = int(json.loads(answer.read())["exit"])
            elif answer.status in (404, 410):
                self.ended(answer)
            return answer, answer.status
        finally:
            exchange.close()

    def kill(self) -> bool:
        """End it at once, and all that it started. Returns whether the server has heard that."""
        return self._say("DELETE", f"{self.path}?signal=KILL")

    def interrupt(self) -> None:
        """As Ctrl-C does."""
        self._say("POST", f"{self.path}/signal", b"INT")

    def forget(self) -> None:
        """It has ended and told all: the server need not remember it."""
        self._say("DELETE", self.path)

    def last_words(self) -> tuple[int | None, str]:
        """How it ended (None: nobody knows), and the last that it said to its standard error."""
        try:
            exchange = Exchange(self.dialer, KILL_SECONDS)
            try:
                exchange.ask("GET", f"{self.path}/status")
                told = json.loads(exchange.answer("GET").read())
                return told["exit"], "\n".join(told["err"]["tail"].splitlines()[-TAIL_LINES:])
            finally:
                exchange.close()
        except (*FAILURES, ValueError, LookupError, TypeError, AttributeError):
            return self.exit, ""

    def _say(self, method: str, path: str, body: bytes = b"") -> bool:
        try:
            exchange = Exchange(self.dialer, KILL_SECONDS)
        except FAILURES:
            return False
        try:
            exchange.ask(method, path, body)
            return exchange.answer(method).status not in PASSING
        except FAILURES:
            return False
        finally:
            exchange.close()
