"""The bytes of a gateway over the web: what execnet calls an IO."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from execnet.gateway_base import ExecModel

from webshell.execnet.conversation import Conversation
from webshell.execnet.errors import Errors
from webshell.execnet.exchange import FAILURES
from webshell.execnet.posts import Posts
from webshell.execnet.sender import Sender
from webshell.execnet.spec import Wanted
from webshell.execnet.stream import Stream
from webshell.execnet.trouble import Gone
from webshell.execnet.worker import Worker

MODELS = ("thread", "main_thread_only")
"""The execution models that have threads; under others, what waits here would stop everything."""


class Incoming(Protocol):
    """Where the bytes come from."""

    def receive(self) -> bytes:
        """The next ones.

        :raises Gone: there will be none; its text says why. All of ``FAILURES`` may be raised.
        """

    def abandon(self) -> None:
        """There will be no more bytes; who waits for them is woken."""

    def release(self) -> None:
        """Nobody will ask any more."""


class WebIO:
    """What ``execnet.Gateway`` reads and writes.

    :ivar remoteaddress: the server's.
    """

    def __init__(self, worker: Worker, wanted: Wanted, execmodel: ExecModel) -> None:
        self.execmodel = execmodel
        self.remoteaddress = str(wanted.address)
        self.worker = worker
        self._chunk = b""
        self._at = 0
        self._over = self._lost = ""
        self._incoming, self._sender = TRANSPORTS[wanted.transport](worker, wanted, self._give_up)
        self._errors = Errors(worker)

    # ---- what a gateway does

    def read(self, size: int) -> bytes:
        """Exactly *size* bytes.

        :raises EOFError: there are no more; its text says why.
        """
        self._sender.reads()
        end = self._at + size
        if end <= len(self._chunk):
            data, self._at = self._chunk[self._at : end], end
            return data
        parts = [self._chunk[self._at :]]
        missing = size - len(parts[0])
        while missing > 0:
            self._chunk = self._receive()
            self._at = min(missing, len(self._chunk))
            parts.append(self._chunk[: self._at])
            missing -= self._at
        return b"".join(parts)

    def read_some(self) -> bytes:
        """What has arrived, as soon as there is something.

        :raises EOFError: as :meth:`read`.
        """
        data, self._chunk, self._at = self._chunk[self._at :], b"", 0
        return data or self._receive()

    def write(self, data: bytes) -> None:
        """All of *data*, in one piece among other writers'; waits while very much is under way.

        :raises OSError: nobody is there any more.
        """
        self._sender.write(data)

    def close_read(self) -> None:
        """Nothing is read any more."""
        self._finish("it was closed here")
        self._incoming.release()

    def close_write(self) -> None:
        """Nothing is written any more; what was written is still sent."""
        self._sender.close()

    def wait(self) -> int | None:
        """The status of the process, negative for a signal, when it has ended; None: nobody knows."""
        status = self.worker.wait()
        self._errors.finish()
        return status

    def kill(self) -> None:
        """End the process and what it has started, at once. A lost connection is not waited for any more."""
        heard = self.worker.kill()
        self.worker.over.set()
        if not heard:
            self._incoming.abandon()

    # ---- what the start does

    def show_errors(self) -> None:
        """From now on, pass on what the process says to its standard error."""
        self._errors.begin()

    # ---- inside

    def _receive(self) -> bytes:
        if self._over:
            raise Gone(self._over)
        try:
            return self._incoming.receive()
        except FAILURES as error:
            self._finish(self._lost or str(error) or repr(error))
            raise Gone(self._over) from None

    def _give_up(self, why: str) -> None:
        self._lost = why
        self._incoming.abandon()

    def _finish(self, why: str) -> None:
        if not self._over:
            self._over = why
            self._sender.fail(why)
            self._errors.end()


GivenUp = Callable[[str], None]
"""Is told why nothing can be sent any more."""


def _over_http(worker: Worker, wanted: Wanted, given_up: GivenUp) -> tuple[Incoming, Sender]:
    posts = Posts(worker)
    sender = Sender(worker.patience(), posts, given_up)
    posts.sender = sender
    return Stream(worker, poll=wanted.poll), sender


def _over_socket(worker: Worker, wanted: Wanted, given_up: GivenUp) -> tuple[Incoming, Sender]:
    conversation = Conversation(worker)
    sender = Sender(worker.patience(), conversation, given_up)
    conversation.sender = sender
    conversation.begin()
    return conversation, sender


TRANSPORTS = {"http": _over_http, "ws": _over_socket}
"""What carries the bytes, by its name in the spec."""
