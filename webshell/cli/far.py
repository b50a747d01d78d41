"""One process on the server after another, fed and read by this program itself; a cut changes nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine, Iterator
from types import FrameType
from typing import Any

from twisted.internet.defer import CancelledError, Deferred

from webshell.cli.client import Message
from webshell.cli.conversation import status_of
from webshell.cli.link import Link
from webshell.cli.signals import DEADLY, catch
from webshell.cli.transport import Door
from webshell.cli.trouble import Failed, Stopped, Trouble

LINE_BYTES = 16 << 10
"""Of one line on the standard error; what is longer is told in parts."""


class Far:
    """A session of our own, and what runs in it.

    :ivar link: the way there.
    """

    def __init__(self, reactor: Any, door: Door, *, patience: float, told: Callable[[str], None]) -> None:
        """:param told: gets each line that a process writes to its standard error."""
        self._reactor = reactor
        self._told = told
        self._patience = patience
        self.link = Link(reactor, door, self, note=self._note, patience=patience)
        self.link.ended.addCallback(self.fail)
        self._work: Deferred[int] | None = None
        self._trouble: Trouble | None = None
        self._process = 0
        self._ended: Deferred[int] = Deferred()
        self._output: Callable[[bytes, int], None] = _dropped
        self._pieces: Iterator[bytes] | None = None
        self._pumping = False
        self._said = b""

    # ---- what a command does

    async def carry(self, name: str, work: Coroutine[Any, Any, int]) -> int:
        """Do *work* in a session of this name, which ends with it.

        :returns: its status; 128 + n after signal n.
        :raises Trouble: it failed, or the connection is gone for good, or the session.
        """
        catch(DEADLY, self._caught)
        whole = self._work = Deferred.fromCoroutine(self._whole(name, work))
        try:
            return await whole
        except (CancelledError, Trouble):
            if isinstance(self._trouble, Stopped):
                return 128 + self._trouble.number
            if self._trouble is None:
                raise
            raise self._trouble from None  # what came first

    async def start(self, name: str, argv: list[str], *, output: Callable[[bytes, int], None]) -> None:
        """Start a program.

        :param output: gets what it writes, and the offset that :meth:`consumed` wants to know when it is done with.
        """
        self._process, self._output, self._pieces, self._ended = 0, output, None, Deferred()
        started = await self.link.ask("start", runner="exec", argv=argv, name=name[:64], keep="all")
        self._process = started["process"]["process"]

    def feed(self, pieces: Iterator[bytes]) -> None:
        """Its standard input, to its end, as fast as it takes it."""
        self._pieces = pieces
        self._pump()

    def write(self, data: bytes) -> None:
        """Some of its standard input; whoever calls it bounds what waits."""
        self.link.client.write(self._process, data)

    def end_input(self) -> None:
        """It gets no input."""
        self.feed(iter(()))

    def consumed(self, offset: int, *, idle: bool = True) -> None:
        """What was given up to *offset* is done with."""
        self.link.client.consumed(self._process, offset, idle=idle)

    async def exited(self) -> int:
        """Its exit status, when all that it has written was given."""
        status = await self._ended
        if self._said:
            self._lines(b"\n")
        return status

    def fail(self, trouble: Trouble) -> None:
        """End it all: the work gets a ``CancelledError`` where it waits."""
        if self._trouble is None or isinstance(trouble, Stopped):
            self._trouble = self._trouble or trouble
            self._pieces = None
            self._reactor.callLater(0, self._stop)  # the work may be what is calling us

    def _stop(self) -> None:
        if self._work is not None:
            self._work.cancel()

    # ---- what the client tells (Listener)

    def output(self, process: int, stream: int, data: bytes) -> None:
        """A process wrote."""
        if process != self._process:
            return
        offset = self.link.client.offset(process)
        if stream == 1:
            self._output(data, offset)
        else:
            self._lines(data)
            self.consumed(offset, idle=False)

    def room(self, process: int) -> None:
        """There is room for more input."""
        if process == self._process:
            self._pump()

    def event(self, message: Message) -> None:
        """Anything else."""
        tell = _EVENTS.get(message["type"])
        if tell is None:
            return
        if message.get("process", self._process) == self._process and self._work is not None:
            tell(self, message)

    def _exited(self, message: Message) -> None:
        self._pieces = None
        if not self._ended.called:
            self._ended.callback(status_of(message))

    def _resumed(self, message: Message) -> None:
        self._note("connected again")
        records = {record["process"]: record for record in message["processes"]}
        record = records.get(self._process)
        if self._process and record is None:
            self.fail(Failed("the process is gone: the server has forgotten it"))
        elif record is not None and record["state"] == "exited":
            self._exited_meanwhile(record)

    def _exited_meanwhile(self, record: Message) -> None:
        if self.link.client.offset(record["process"]) >= record["end"]:
            self._exited(record)
        else:  # the rest of its output follows; nothing else tells when it is over
            self._reactor.callLater(0.05, self._exited_meanwhile, record)

    def _lost(self, message: Message) -> None:
        self.fail(Trouble(f"the session is gone: {message['message']}"))

    def _closed(self, message: Message) -> None:
        self.fail(Failed(f"the session was closed: {message['reason']}"))

    # ---- inside

    async def _whole(self, name: str, work: Coroutine[Any, Any, int]) -> int:
        try:
            await self.link.connect()
            await self.link.open(name=name[:64], linger=int(self._patience))
            return await work
        finally:
            work.close()
            self._pieces = self._work = None
            await self.link.close(hurried=True)

    def _pump(self) -> None:
        # a few pieces at a time: what comes in is read in between
        if self._pumping or self._pieces is None:
            return
        client = self.link.client
        try:
            piece = next(self._pieces, None)
        except Trouble as trouble:
            self.fail(trouble)
            return
        if piece is None:
            self._pieces = None
            client.eof(self._process, lambda reply: None)
        elif client.write(self._process, piece):
            self._pumping = True
            self._reactor.callLater(0, self._pump_on)

    def _pump_on(self) -> None:
        self._pumping = False
        self._pump()

    def _lines(self, data: bytes) -> None:
        *lines, self._said = (self._said + data).split(b"\n")
        if len(self._said) > LINE_BYTES:
            lines, self._said = [*lines, self._said], b""
        for line in lines:
            if line:
                self._told(line.decode("utf-8", "surrogateescape"))

    def _note(self, text: str) -> None:
        if sys.stderr.isatty():
            print(f"\r\x1b[K[webshell: {text}]", file=sys.stderr, flush=True)

    def _caught(self, number: int, frame: FrameType | None) -> None:
        self._reactor.callFromThread(self.fail, Stopped(number))


def _dropped(data: bytes, offset: int) -> None:
    """Nobody wants it."""


_EVENTS: dict[str, Callable[[Far, Message], None]] = {
    "exited": Far._exited,
    "resumed": Far._resumed,
    "lost": Far._lost,
    "closed": Far._closed,
}
