"""Input from an HTTP client: accepted by offset, answered when all of it has been."""

from __future__ import annotations

from twisted.web.server import NOT_DONE_YET, Request

from webshell.errors import Gone, InputFull, WebshellError
from webshell.executions import Execution, Executions
from webshell.feed import Offer
from webshell.limits import Clock, Timer
from webshell.web.answers import BodyTooLarge
from webshell.web.exec.answers import failed, flag, nothing, number
from webshell.web.exec.body import probe

INPUT_BYTES = 4 << 20
"""Of one body: it is kept in memory until the process has room for it."""


FEED_SECONDS = 50.0
"""A body waits for room so long, then its sender is told how much was accepted: proxies give up after a minute."""


def feed(executions: Executions, execution: Execution, request: Request) -> int:
    """Answer a POST: its body is input from an offset on, or after all that there was."""
    if execution.exit is not None:
        raise Gone("the process has ended, and takes no input", execution.exit)
    assert request.content is not None
    data = request.content.read(INPUT_BYTES + 1)
    if len(data) > INPUT_BYTES:  # in a site that is not ours
        raise BodyTooLarge(f"the body may have {INPUT_BYTES} bytes")
    _Fed(execution, request, data).begin(executions.sessions.clock)
    return NOT_DONE_YET


class _Fed:
    """A body on its way to the process; whoever sent it is a guest of the session so long."""

    def __init__(self, execution: Execution, request: Request, data: bytes) -> None:
        self._execution = execution
        self._request = request
        self._late: Timer | None = None
        self._offer = Offer(number(request, "off"), data, flag(request, "eof"), self._answered)

    def begin(self, clock: Clock) -> None:
        """Offer it; what has no room waits."""
        self._execution.session.welcome(self)
        self._request.notifyFinish().addBoth(lambda _: self._leave())
        try:
            self._execution.process.offer(self._offer)
        except InputFull as error:
            self._answered(error)
        if not self._request.finished:
            probe(self._request)
            self._late = clock.callLater(FEED_SECONDS, self._expired)

    def _answered(self, error: WebshellError | None) -> None:
        request, execution = self._request, self._execution
        if error is not None and execution.exit is not None:
            failed(request, Gone("the process has ended, and took no more input", execution.exit))
            return
        accepted = execution.process.feed.accepted
        request.setHeader(b"x-in-off", b"%d" % accepted)
        if error is None:
            nothing(request)
        else:
            failed(request, error)

    def _expired(self) -> None:
        self._late = None
        self._execution.process.feed.cancel(self._offer)
        self._answered(InputFull(f"the process has not read its input for {FEED_SECONDS:g} seconds"))

    def _leave(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None
        self._execution.process.feed.cancel(self._offer)
        self._execution.session.dismiss(self)
