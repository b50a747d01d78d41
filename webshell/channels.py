"""Side channels between a running process and its clients: messages beside its input and output.

A channel has a name, a direction, a credit, and a rule for who falls behind. It knows messages, neither sockets nor
frames; what a program says and hears on its sockets is cut and joined here, too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from webshell.cursor import Listener
from webshell.errors import BadRequest, InputFull
from webshell.messages import Said
from webshell.target import Sides

EPILOGUE_BYTES = 128 << 10
"""Of a channel's messages, kept for those who come after the process has exited."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What a channel is like.

    :ivar from_program: whether the program speaks; else the clients do.
    :ivar message_bytes: the longest message of a program; a longer one is left out.
    :ivar kept: messages that are kept for who comes later or falls behind; the oldest go. 1: only the latest counts.
    :ivar kept_bytes: the same in bytes; the last message is kept whatever its size. To a program: what may wait for it.
    :ivar credit: messages that may be on their way to a client that acknowledges.
    :ivar lossless: whether the program is held back rather than that nobody gets a message.
    """

    from_program: bool
    message_bytes: int
    kept: int
    kept_bytes: int
    credit: int
    lossless: bool


KINDS: Mapping[str, Kind] = {
    # the keys that a program wants to hear of: there are some 250 names of keys
    "keylisten": Kind(True, message_bytes=1 << 10, kept=1024, kept_bytes=64 << 10, credit=64, lossless=True),
    # keys: a second of repetition is 30 of 20 bytes
    "keyevent": Kind(False, message_bytes=0, kept=0, kept_bytes=64 << 10, credit=0, lossless=True),
    # pictures: one of twelve megapixels as a JPEG in base64; three on their way are 30 a second at 100 ms
    "video": Kind(True, message_bytes=4 << 20, kept=1, kept_bytes=4 << 20, credit=3, lossless=False),
}
"""All channels by name; a new one is one line."""


class Feed:
    """A channel from the program: the messages that are kept, and how far each listener has got."""

    __slots__ = ("_bytes", "_end", "_messages", "_places", "held", "kind", "name", "process")

    def __init__(self, process: int, name: str) -> None:
        self.process = process
        self.name = name
        self.kind = KINDS[name]
        self.held = False
        """Whether the program shall wait: somebody listens, and nobody can take more."""
        self._messages: deque[bytes] = deque()
        self._bytes = 0
        self._end = 0  # the number of the next message
        self._places: dict[Listener, _Place] = {}

    def add(self, message: bytes) -> None:
        """The program said *message*."""
        self._messages.append(message)
        self._bytes += len(message)
        self._end += 1
        self._shorten(self.kind.kept, self.kind.kept_bytes)
        for listener in tuple(self._places):
            self.serve(listener)

    def attach(self, listener: Listener) -> None:
        """*listener* wants what is kept and what comes; nothing is delivered before :meth:`serve`."""
        self._places[listener] = _Place(self._end - len(self._messages))

    def detach(self, listener: Listener) -> None:
        """*listener* has left."""
        self._places.pop(listener, None)
        self._settle()

    def seen(self, listener: Listener, count: int) -> None:
        """*listener* has done with *count* messages since it attached; what it cannot have is ignored."""
        place = self._places.get(listener)
        if place is not None and place.seen < count <= place.sent:
            place.seen = count
            self.serve(listener)

    def serve(self, listener: Listener, last: bool = False) -> bool:
        """Deliver what the credit allows; returns whether nothing is left. *last*: no acknowledgement is waited for."""
        place = self._places.get(listener)
        if place is None:
            return True
        while place.next < self._end and self._may(listener, place, last):
            base = self._end - len(self._messages)
            at = max(place.next, base)  # it fell behind: the oldest that is kept
            place.next = at + 1
            place.sent += 1
            listener.deliver(Said(self.process, self.name, self._messages[at - base]))
        self._settle()
        return place.next >= self._end

    def end(self) -> None:
        """The process has exited: keep only little for those who come later, as soon as everybody here has all."""
        if all(place.next >= self._end for place in self._places.values()):
            while self._messages and self._bytes > EPILOGUE_BYTES:
                self._bytes -= len(self._messages.popleft())

    def _may(self, listener: Listener, place: _Place, last: bool) -> bool:
        return listener.writable and (last or listener.window is None or place.sent - place.seen < self.kind.credit)

    def _shorten(self, kept: int, kept_bytes: int) -> None:
        while len(self._messages) > 1 and (len(self._messages) > kept or self._bytes > kept_bytes):
            self._bytes -= len(self._messages.popleft())

    def _settle(self) -> None:
        places = self._places.items()
        self.held = self.kind.lossless and bool(places) and not any(self._may(who, at, False) for who, at in places)


@dataclass(slots=True)
class _Place:
    """How far one listener has got: the next message's number; how many it was sent, and has done with."""

    next: int
    sent: int = 0
    seen: int = 0


NONE: frozenset[str] = frozenset()
"""One for all that have none: a set takes 0.2 kB."""


class Channels:
    """All side channels of one process."""

    __slots__ = ("_ended", "_feeds", "_held", "_names", "_process", "sides")

    def __init__(self, process: int, names: Iterable[str]) -> None:
        """:param names: of those in :data:`KINDS` that the process has."""
        self._process = process
        self._names = frozenset(names) or NONE
        self._feeds = {name: Feed(process, name) for name in self._names if KINDS[name].from_program}
        self._held: frozenset[str] = NONE
        self._ended = False
        self.sides: Sides | None = None
        """The running child's ends of them."""

    # ---- what the program does

    def said(self, name: str, message: bytes) -> None:
        """The program said *message* on the channel called *name*."""
        self._feeds[name].add(message)
        self._settle()

    def end(self) -> None:
        """The process has exited."""
        self._ended = True
        self.sides = None
        for feed in self._feeds.values():
            feed.end()

    # ---- what a listener does

    def attach(self, listener: Listener) -> None:
        """*listener* has attached; nothing is delivered before :meth:`serve`."""
        for feed in self._feeds.values():
            feed.attach(listener)

    def detach(self, listener: Listener) -> None:
        """*listener* has left."""
        for feed in self._feeds.values():
            feed.detach(listener)
        self._settle()

    def serve(self, listener: Listener) -> bool:
        """*listener* can take more, or less; returns whether there is nothing that its transport must take first."""
        if not self._feeds:
            return True
        done = [feed.serve(listener, self._ended) for feed in self._feeds.values()]
        self._settle()
        return all(done)

    def seen(self, listener: Listener, name: str, count: int) -> None:
        """*listener* has done with *count* messages of a channel.

        :raises BadRequest: the process has no such channel that speaks.
        """
        if name not in self._feeds:
            raise BadRequest(f"process {self._process} says nothing on a channel {name!r}")
        self._feeds[name].seen(listener, count)
        self._settle()

    def tell(self, name: str, message: bytes) -> None:
        """A client says *message* to the program.

        :raises BadRequest: the process has no such channel that listens.
        :raises InputFull: too much waits for the program already.
        """
        if name not in self._names or name in self._feeds:
            raise BadRequest(f"process {self._process} listens on no channel {name!r}")
        if self.sides is not None:
            if self.sides.pending(name) + len(message) > KINDS[name].kept_bytes:
                raise InputFull(f"the process does not read its channel {name!r}")
            self.sides.tell(name, message)

    # ---- the brake

    def _settle(self) -> None:
        if self._ended:
            for feed in self._feeds.values():
                feed.end()
            return
        held = frozenset(name for name, feed in self._feeds.items() if feed.held)
        if held != self._held and self.sides is not None:
            for name in held ^ self._held:
                self.sides.hold(name, name in held)
            self._held = held


# ---- what it looks like on a program's sockets


class Cutter:
    """Cuts what a program writes into messages: each ends with a space, ``end`` and the channel's name, a space."""

    __slots__ = ("_buffer", "_end", "_leaving", "_longest", "_searched", "_told")

    def __init__(self, name: str, told: Callable[[bytes], None]) -> None:
        """
        :param name: of the channel.
        :param told: called with each message; an empty one is none.
        """
        self._end = f" end{name} ".encode()
        self._longest = KINDS[name].message_bytes
        self._told = told
        self._buffer = bytearray()
        self._searched = 0  # so far there is no end
        self._leaving = False  # out a message that is too long

    def add(self, data: bytes) -> None:
        """*data* arrived."""
        buffer, end = self._buffer, self._end
        buffer += data
        while True:
            if buffer.startswith(end[1:]) and not self._leaving:  # nothing, not even the space
                del buffer[: len(end) - 1]
                self._searched = 0
                continue
            at = buffer.find(end, self._searched)
            if at < 0:
                break
            message = bytes(buffer[:at])
            del buffer[: at + len(end)]
            self._searched = 0
            leaving, self._leaving = self._leaving, False
            if message and not leaving and len(message) <= self._longest:
                self._told(message)
        if len(buffer) > self._longest + len(end):
            self._leaving = True
        if self._leaving:
            del buffer[: -len(end)]  # its end may have begun
        self._searched = max(0, len(buffer) - len(end) + 1)


def joined(name: str, message: bytes) -> bytes:
    """*message* as a program reads it from the channel called *name*."""
    return message + f" end{name} ".encode()
