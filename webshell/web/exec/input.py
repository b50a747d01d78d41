"""Input from an HTTP client: accepted by offset, answered when all of it has been."""

from __future__ import annotations

from twisted.web.server import NOT_DONE_YET, Request

from webshell.errors import Gone, InputFull, WebshellError
from webshell.executions import Execution
from webshell.feed import Offer
from webshell.web.answers import BodyTooLarge
from webshell.web.exec.answers import failed, flag, nothing, number

INPUT_BYTES = 4 << 20
"""Of one body: it is kept in memory until the process has room for it."""


def feed(execution: Execution, request: Request) -> int:
    """Answer a POST: its body is input from an offset on, or after all that there was."""
    process = execution.process
    if execution.exit is not None:
        raise Gone("the process has ended, and takes no input", execution.exit)
    assert request.content is not None
    data = request.content.read(INPUT_BYTES + 1)
    if len(data) > INPUT_BYTES:  # in a site that is not ours
        raise BodyTooLarge(f"the body may have {INPUT_BYTES} bytes")
    offer = Offer(number(request, "off"), data, flag(request, "eof"), lambda error: _answer(execution, request, error))
    execution.session.welcome(offer)  # whoever feeds is there
    request.notifyFinish().addBoth(lambda _: _leave(execution, offer))
    try:
        process.offer(offer)
    except InputFull:
        request.setHeader(b"x-in-off", b"%d" % process.feed.accepted)
        raise
    return NOT_DONE_YET


def _leave(execution: Execution, offer: Offer) -> None:
    execution.process.feed.cancel(offer)
    execution.session.dismiss(offer)


def _answer(execution: Execution, request: Request, error: WebshellError | None) -> None:
    if request.channel is None:
        return
    accepted = execution.process.feed.accepted
    if error is None:
        nothing(request, x_in_off=accepted)
    elif execution.exit is not None:
        failed(request, Gone("the process has ended, and took no more input", execution.exit))
    else:
        request.setHeader(b"x-in-off", b"%d" % accepted)
        failed(request, error)
