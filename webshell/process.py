"""One process of a session: its child, its scrollback, and a cursor for each listener. The hot path runs through here.

It knows bytes, offsets and credit; it knows neither how they travel nor where the child runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from webshell.channels import Channels
from webshell.command import Size
from webshell.cursor import Cursor, Listener
from webshell.errors import WrongState
from webshell.feed import Feed, Offer
from webshell.intake import Intake
from webshell.messages import Exited, Gap, Kind, Output, Taken
from webshell.records import ProcessRecord
from webshell.scrollback import Scrollback
from webshell.target import Child

SERVE_BYTES = 65536
"""Handed out at a time from the scrollback: one frame of the size that the hot path makes."""

ANSWER_BYTES = 4096
"""The longest thing a terminal emulator says by itself is a DECRQSS or OSC 52 reply; more is no answer."""

ANSWERS_PENDING = 1 << 16
"""Answers are dropped while this much input waits: a program that asks and does not read gets no more."""


class Process:
    """A child in its session. It is the child's :class:`webshell.target.Parent`."""

    __slots__ = (
        "_braked", "_cursors", "_feed", "_flowing", "_intake", "_marks", "_on_exit", "_result", "_typist", "channels",
        "child", "line", "name", "now", "number", "remains", "runner", "scrollback", "size", "started",
    )  # fmt: skip

    def __init__(
        self,
        number: int,
        runner: str,
        line: str,
        name: str,
        size: Size | None,
        scrollback: Scrollback,
        now: Callable[[], float],
        on_exit: Callable[[Process], None],
        channels: Iterable[str] = (),
    ) -> None:
        """
        :param size: the terminal's size; None: no terminal.
        :param now: tells the time, in seconds since 1970.
        :param on_exit: called once when the child has ended, after the listeners have been told.
        :param channels: the names of its side channels.
        """
        self.number = number
        self.runner = runner
        self.line = line
        self.name = name
        self.size = size
        self.scrollback = scrollback
        self.now = now
        self.started = now()
        self.channels = Channels(number, channels)
        self.child: Child | None = None
        """The running child; None before it starts and after it has ended."""
        self.remains: Child | None = None
        """The exited child, if it left something running."""
        self._feed: Feed | None = None  # most have none: 0.1 kB
        self._marks: tuple[tuple[int, int], ...] = ()  # a stream, and what its reader by offset has acknowledged
        self._on_exit = on_exit
        self._result: Exited | None = None
        self._intake = Intake()
        self._cursors: dict[Listener, Cursor] = {}
        self._flowing: tuple[Cursor, ...] = ()  # those that have everything and can take more
        self._braked = False
        self._typist: Listener | None = None  # who typed last

    # ---- what the child tells

    def wrote(self, stream: int, data: bytes) -> None:
        """Output arrived: keep it, and pass it on at once to everybody who can take it."""
        scrollback = self.scrollback
        scrollback.add(stream, data)
        end = scrollback.end
        flowing = self._flowing
        unsettled = scrollback.floor is not None
        for cursor in flowing:
            credit = cursor.credit
            if end <= credit:
                cursor.offset = end
                cursor.listener.deliver(Output(self.number, stream, data))
            else:
                self._serve(cursor)
            if end >= credit:
                unsettled = True
        if unsettled or flowing is not self._flowing:  # somebody is full, or was paused by what it was told
            self._settle()

    def took(self) -> None:
        """The kernel took input: report it to those who wait for room."""
        child = self.child
        if child is None:
            return
        self._intake.advance(child)  # whether or not the one that it was from is here
        if self._feed is not None:
            self._feed.pour(child, self._intake.write)
        listeners = tuple(self._cursors)
        counts = {client: self._intake.due(client) for client in {one.client for one in listeners} - {""}}
        for listener in listeners:
            count = counts.get(listener.client)  # a client that reconnected may be here twice for a while
            if count is not None:
                listener.deliver(Taken(self.number, count))

    def said(self, channel: str, message: bytes) -> None:
        """The program said something on a side channel."""
        self.channels.said(channel, message)

    def exited(self, exit_code: int | None, signal: str | None, survivors: tuple[int, ...]) -> None:
        """The child ended: tell every listener as soon as it has all the output."""
        self.remains = self.child if survivors else None
        self.child = None
        self._result = Exited(self.number, exit_code, signal, survivors, max(0.0, self.now() - self.started))
        self.channels.end()
        if self._feed is not None:
            self._feed.close(WrongState(f"process {self.number} has exited"))
        for cursor in tuple(self._cursors.values()):
            self._serve(cursor)
        self._settle()
        self._on_exit(self)

    # ---- what a session does

    @property
    def running(self) -> bool:
        """Whether it has not exited."""
        return self._result is None

    def attach(self, listener: Listener, offset: int, *, told_exit: bool = True) -> None:
        """*listener* wants the output from *offset* on, from :meth:`resume` on; *told_exit*: it knows of an exit."""
        end = self.scrollback.end
        cursor = Cursor(listener, max(0, min(offset, end)), end)
        cursor.told_exit = told_exit and not self.running
        self._cursors[listener] = cursor
        self.channels.attach(listener)
        self._intake.begin(listener.client)

    def detach(self, listener: Listener) -> None:
        """*listener* has left."""
        self._cursors.pop(listener, None)
        self.channels.detach(listener)
        if self._typist is listener:
            self._typist = None
        self._settle()

    def record(self, listener: Listener | None = None) -> ProcessRecord:
        """The process as *listener* sees it."""
        result = self._result
        cursor = self._cursors.get(listener) if listener is not None else None
        size = self.size or Size()
        return ProcessRecord(
            process=self.number,
            name=self.name,
            runner=self.runner,
            line=self.line,
            pty=self.size is not None,
            rows=size.rows,
            cols=size.cols,
            state="running" if result is None else "exited",
            exit_code=None if result is None else result.exit_code,
            signal=None if result is None else result.signal,
            survivors=() if result is None else result.survivors,
            started=self.started,
            duration=None if result is None else result.duration,
            offset=self.scrollback.base if cursor is None else cursor.offset,
            end=self.scrollback.end,
            taken=self._intake.accepted(listener.client) if listener is not None else 0,
        )

    def living(self) -> Child:
        """The child, for what can only be done while it runs.

        :raises WrongState: it has exited.
        """
        if self.child is None:
            raise WrongState(f"process {self.number} has exited")
        return self.child

    # ---- what a listener does

    def acknowledge(self, listener: Listener, offset: int) -> None:
        """*listener* has consumed everything below *offset*; what it cannot have is ignored."""
        cursor = self._cursors.get(listener)
        if cursor is None or not cursor.acknowledged < offset <= cursor.offset:
            return
        cursor.acknowledged = offset
        if self._braked or cursor.offset != self.scrollback.end or self.scrollback.floor is not None:
            self.resume(listener)  # else it flows: there is nothing that it has not had, and nobody is held back

    def resume(self, listener: Listener) -> None:
        """*listener* can take more, or less: serve it what it has not had, and brake or release the child."""
        cursor = self._cursors.get(listener)
        if cursor is not None:
            self.channels.serve(listener)
            self._serve(cursor)
            self._settle()

    def input(self, listener: Listener, kind: Kind, data: bytes) -> None:
        """Input of *listener*; an answer only if it is the one whose answers count.

        :raises InputFull: too much is under way already.
        :raises WrongState: the process has exited.
        """
        child = self.living()
        if kind is Kind.ANSWER:
            if self._answers(listener) and len(data) <= ANSWER_BYTES and child.pending < ANSWERS_PENDING:
                self._intake.write("", data, child)
            return
        self._typist = listener
        count = self._intake.write(listener.client, data, child)
        if count is not None and listener.client:
            listener.deliver(Taken(self.number, count))

    def taken(self, listener: Listener) -> int:
        """How many bytes of *listener*'s input the child has taken."""
        return self._intake.taken(listener.client)

    @property
    def feed(self) -> Feed:
        """Its input by offset."""
        self._feed = self._feed or Feed()
        return self._feed

    def offer(self, offer: Offer) -> None:
        """Input by offset: accept it as there is room, and answer then; raises InputFull and WrongState."""
        child = self.living()
        self.feed.add(offer)
        self.feed.pour(child, self._intake.write)

    def mark(self, stream: int, offset: int | None) -> None:
        """A reader by offset has consumed *stream* up to *offset*, and wants the rest; None: nobody does any more."""
        others = tuple(mark for mark in self._marks if mark[0] != stream)
        self._marks = others if offset is None else (*others, (stream, offset))
        self._settle()

    # ---- the brake

    def _answers(self, listener: Listener) -> bool:
        elected = self._typist
        if elected is None:
            elected = next((candidate for candidate in self._cursors if candidate.may_type), None)
        cursor = self._cursors.get(listener)
        return elected is listener and cursor is not None and cursor.acknowledged >= cursor.old

    def _serve(self, cursor: Cursor) -> None:
        """Deliver from the scrollback what the credit allows; then, if that was all, the end."""
        scrollback = self.scrollback
        listener = cursor.listener
        while cursor.offset < scrollback.end:
            room = cursor.credit - cursor.offset
            if room <= 0:
                return
            if cursor.offset < scrollback.base:
                self._gap(cursor)
                continue
            stream, data = scrollback.read(cursor.offset, min(room, SERVE_BYTES))
            cursor.offset += len(data)
            listener.deliver(Output(self.number, stream, data))
        if self._result is not None and not cursor.told_exit and self.channels.serve(listener):
            cursor.told_exit = True
            listener.deliver(self._result)

    def _gap(self, cursor: Cursor) -> None:
        offset, restore = self.scrollback.after_gap()
        lost = offset - cursor.offset
        cursor.offset = cursor.acknowledged = offset
        cursor.listener.deliver(Gap(self.number, lost, offset, restore))
        if self.child is not None:
            self.child.redraw()

    def _release(self) -> None:
        """With keep="all", drop what at least one listener has consumed: it would rather be paused than lose more."""
        if self.scrollback.floor is None:
            return
        marked = (self.scrollback.place(*mark) for mark in self._marks)
        consumed = (c.offset if c.listener.window is None else c.acknowledged for c in self._cursors.values())
        self.scrollback.release(min(marked) if self._marks else max(consumed, default=0))

    def _settle(self) -> None:
        """Note who flows, and hold the child back exactly while nobody who listens can take more."""
        self._release()
        end = self.scrollback.end
        cursors = self._cursors.values()
        self._flowing = tuple(cursor for cursor in cursors if cursor.offset == end)
        braked = self.scrollback.full or (
            bool(self._cursors) and not any(cursor.credit > cursor.offset for cursor in cursors)
        )
        if braked is not self._braked:
            self._braked = braked
            if self.child is not None:
                if braked:
                    self.child.pause()
                else:
                    self.child.resume()
