"""One process and us: its output is ours, our input its, and so are signals and the size of the terminal."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType
from typing import Any

from twisted.internet.defer import Deferred

from webshell.cli import terminal
from webshell.cli.client import Message
from webshell.cli.link import Link
from webshell.cli.signals import DEADLY, catch
from webshell.cli.streams import BROKEN_PIPE, FULL, Sink, Source, unwritten
from webshell.cli.transport import Door
from webshell.cli.trouble import Failed, Trouble

FORWARDED = ("INT", "TERM", "HUP", "QUIT", "USR1", "USR2", "TSTP", "CONT")
"""Signals that are passed on; what the process does with them decides how we end, or, after TSTP, stop."""

LATE_SECONDS = 1.0
"""After old output has been shown again, the terminal's answers to the questions in it come so late at most."""


class Conversation:
    """Talks with one process until it has exited.

    :ivar terminal: whose keys go there, while it is raw.
    :ivar hurried: a signal is for us.
    :ivar ended: fires with the exit status, or None when the user has left.
    """

    def __init__(
        self,
        reactor: Any,
        door: Door,
        *,
        raw: bool,
        key: bytes = b"",
        patience: float,
        quiet: bool,
        passes: bool = True,
    ) -> None:
        """:param raw: keys go there one by one, as bytes. *key* leaves.
        :param quiet: a lost connection is not told unless it stays so.
        :param passes: signals are for the process; else they are for us, and it goes on.
        """
        self._reactor = reactor
        self._raw = raw
        self._key = key
        self._quiet = quiet
        self._passes = passes
        self.terminal = terminal.Raw()
        self.link = Link(reactor, door, self, note=self.note, patience=patience)
        self.link.ended.addCallback(self._fail)
        self.ended: Deferred[int | None] = Deferred()
        self._process = 0
        self._source: Source | None = None
        self._sink = Sink(reactor, self._written, self._broken)
        self._signalled = 0  # signals that the server has not confirmed
        self.hurried = False
        self._stopping = False  # the process is being stopped, and we are next
        self._watching = False  # our token is not one to type with
        self._early: list[Message] = []
        self._lost_output: Trouble | None = None
        self._old = 0
        self._shown_at = float("inf")  # when what was old had been written

    # ---- what a command does

    def note(self, text: str) -> None:
        """Something for people, in the terminal, not in the output."""
        if not self._quiet:
            end = "\r\n" if self._raw else "\n"
            self._sink.write(2, f"{end if self._raw else ''}[webshell: {text}]{end}".encode())

    def talk(self, process: int, old: int = 0) -> None:
        """Begin with this process, whose output up to *old* is shown once more: nobody waits for answers to it."""
        self._process = process
        self._old = old
        self._watching = self._raw and "type" not in self.link.client.hello["rights"]
        if self._watching:
            self.note("this token may only watch: no key arrives there")
        for message in self._early:
            self.event(message)
        self._source = Source(self._reactor, 0, self._came)
        self._source.resume()
        catch((getattr(signal, f"SIG{name}") for name in FORWARDED), self._caught)
        if self._raw:
            signal.signal(signal.SIGWINCH, self._caught)
            self._resized()

    async def finish(self) -> int | None:
        """The exit status, when everything has been written.

        :raises Trouble: the connection is gone for good, or the session.
        """
        status = await self.ended
        if self._source is not None:
            self._source.stop()
        flushed: Deferred[None] = Deferred()
        if status != BROKEN_PIPE:
            self._sink.flushed(lambda: flushed.callback(None))
            await flushed
        if self._lost_output is not None:
            raise self._lost_output
        return status

    # ---- what the client tells (Listener)

    def output(self, process: int, stream: int, data: bytes) -> None:
        """A process wrote."""
        if self._process in (0, process):
            self._sink.write(stream, data, self.link.client.offset(process))

    def room(self, process: int) -> None:
        """There is room for more input."""
        if process == self._process and self._source is not None:
            self._source.resume()

    def event(self, message: Message) -> None:
        """Anything else."""
        tell = _EVENTS.get(message["type"])
        if tell is None:
            return
        if not self._process:
            self._early.append(message)
        elif message.get("process", self._process) == self._process:
            tell(self, message)

    def _exited(self, message: Message) -> None:
        self._end(status_of(message))

    def _gap(self, message: Message) -> None:
        if self._raw:
            self._sink.write(1, terminal.RESET)  # which clears the screen
        if message["lost"]:
            self.note(f"{message['lost']} bytes of output are not kept any more")
        if self._raw:
            self._sink.write(1, message["restore"].encode())

    def _resumed(self, message: Message) -> None:
        self.note("connected again")
        self._signalled = 0
        records = {record["process"]: record for record in message["processes"]}
        record = records.get(self._process)
        if record is None:
            self._fail(Failed("the process is gone: the server has forgotten it"))
        elif record["state"] == "exited":
            self._exited_meanwhile(record)
        elif self._raw:
            self._resized()

    def _exited_meanwhile(self, record: Message) -> None:
        if self.link.client.offset(self._process) >= record["end"]:
            self._end(status_of(record))
        else:  # the rest of its output follows; nothing else tells when it is over
            self._reactor.callLater(0.05, self._exited_meanwhile, record)

    def _lost(self, message: Message) -> None:
        self._fail(Trouble(f"the session is gone: {message['message']}"))

    def _closed(self, message: Message) -> None:
        self._fail(Failed(f"the session was closed: {message['reason']}"))

    def _failed(self, message: Message) -> None:
        self._fail(Failed(message["message"]))

    # ---- what the terminal, the pipes and the system do

    def _came(self, data: bytes) -> None:
        client = self.link.client
        if not data and not self._passes:
            self._end(128 + signal.SIGHUP)  # our terminal is gone, and that is no key
            return
        if not data:
            client.eof(self._process, lambda reply: None)
            return
        if not self._raw:
            self._typed(data)
            return
        keys = data.partition(self._key)[0] if self._key else data
        for answer, piece in terminal.typed_and_answered(b"" if self._watching else keys):
            if answer and (not self._old or self._reactor.seconds() > self._shown_at + LATE_SECONDS):
                client.answer(self._process, piece)
            elif not answer:
                self._typed(piece)
        if self._key and self._key in data:
            self._end(None)

    def _typed(self, data: bytes) -> None:
        if not self.link.client.write(self._process, data) and self._source is not None and not self._raw:
            self._source.pause()

    def _written(self, offset: int, idle: bool) -> None:
        if self._old and offset >= self._old and self._shown_at == float("inf"):
            self._shown_at = self._reactor.seconds()
        self.link.client.consumed(self._process, offset, idle=idle)

    def _broken(self, error: OSError) -> None:
        if error.errno in FULL:
            self._lost_output = unwritten(error)
            self._fail(self._lost_output)
        self._end(BROKEN_PIPE)

    def _caught(self, number: int, frame: FrameType | None) -> None:
        self._reactor.callFromThread(self._signal, number)

    def _signal(self, number: int) -> None:
        client = self.link.client
        deadly = number in DEADLY
        if number == signal.SIGWINCH:
            self._resized()
        elif number == signal.SIGTSTP:
            self._suspend()
        elif number == signal.SIGCONT:
            self._go_on()
        elif not self._passes or (deadly and (self._signalled or self.ended.called or not client.ready)):
            self.hurried = True  # nobody there to tell
            self._end(128 + number)
            self.link.hurry()
        elif client.ready:
            self._signalled += deadly
            client.ask(
                "signal",
                self._confirmed if deadly else lambda reply: None,
                process=self._process,
                signal=signal.Signals(number).name.removeprefix("SIG"),
            )

    def _suspend(self) -> None:
        client = self.link.client
        if self._stopping or not self._passes or not client.ready:
            self._stop()
            return
        self._stopping = True

        def stop(reply: Message) -> None:
            # the kernel spares what has no shell above it the TSTP, which nobody could undo
            client.ask("signal", stopped, process=self._process, signal="STOP")

        def stopped(reply: Message) -> None:
            if self._stopping:
                self._stop()

        client.ask("signal", stop, process=self._process, signal="TSTP")

    def _stop(self) -> None:
        self._stopping = False
        self.terminal.stop()
        if self._raw:
            self._resized()

    def _go_on(self, reply: Message | None = None) -> None:
        if self._passes and (reply is None or reply.get("code") == "disconnected"):
            self.link.client.ask("signal", self._go_on, process=self._process, signal="CONT")

    def _confirmed(self, reply: Message) -> None:
        self._signalled = max(0, self._signalled - 1)

    def _resized(self) -> None:
        rows, columns = terminal.size()
        if self.link.client.ready:
            self.link.client.ask("resize", lambda reply: None, process=self._process, rows=rows, cols=columns)

    def _end(self, status: int | None) -> None:
        if not self.ended.called:
            self.ended.callback(status)

    def _fail(self, trouble: Trouble) -> None:
        if not self.ended.called:
            self.ended.errback(trouble)


def status_of(record: Message) -> int:
    """The exit status of a process, as a shell has it."""
    if record["signal"]:
        number = getattr(signal, f"SIG{record['signal']}", signal.SIGKILL)
        return 128 + int(number)
    return int(record["exit_code"] or 0)


_EVENTS: dict[str, Callable[[Conversation, Message], None]] = {
    "exited": Conversation._exited,
    "gap": Conversation._gap,
    "resumed": Conversation._resumed,
    "lost": Conversation._lost,
    "closed": Conversation._closed,
    "error": Conversation._failed,
}
