"""Doubles for the core: a place, children, listeners, clients and a clock, all of which write to one list.

The test compares that list. Children are numbered in the order in which the target started them. No Twisted here.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from webshell.command import Command, Size
from webshell.connection import Connection
from webshell.dialects import Dialect, Frame
from webshell.dialects.native import Native
from webshell.errors import SpawnFailed, WebshellError
from webshell.grant import Grant
from webshell.limits import Limits
from webshell.messages import Event
from webshell.runners import RUNNERS
from webshell.sessions import Sessions
from webshell.target import Parent, Sides
from webshell.uploads import Parcel

Log = list[Any]

NOON = 1_000_000.0
"""When the tests begin, in seconds since 1970."""


class FakeTimer:
    """A call that has not yet happened."""

    def __init__(self, clock: FakeClock, time: float, call: Callable[[], object]) -> None:
        self.time = time
        self.call = call
        self._clock = clock

    def cancel(self) -> None:
        self._clock.timers.remove(self)


class FakeClock:
    """Time passes when the test says so."""

    def __init__(self) -> None:
        self.time = NOON
        self.timers: list[FakeTimer] = []

    def seconds(self) -> float:
        return self.time

    def callLater(self, delay: float, callable: Callable[[], object]) -> FakeTimer:
        timer = FakeTimer(self, self.time + delay, callable)
        self.timers.append(timer)
        return timer

    def advance(self, seconds: float) -> None:
        until = self.time + seconds
        while due := [timer for timer in self.timers if timer.time <= until]:
            timer = min(due, key=lambda one: one.time)
            self.timers.remove(timer)
            self.time = timer.time
            timer.call()
        self.time = until


class FakeChild:
    """A child that does what the test says: drive ``parent.wrote`` and ``parent.exited``, and :meth:`take` its input.

    :ivar room: bytes of input that it takes at once; None: all.
    """

    def __init__(self, log: Log, number: int, command: Command, parent: Parent) -> None:
        self.pid = 1000 + number
        self.command = command
        self.parent = parent
        self.pending = 0
        self.room: int | None = None
        self.paused = False
        self.sides: Sides | None = FakeSides(log, number) if command.channels else None
        self.received = b""
        self._log = log
        self._number = number

    def write(self, data: bytes) -> int:
        self._note("write", data)
        self.received += data
        self.pending += len(data)
        taken = self.pending if self.room is None else min(self.room, self.pending)
        self.pending -= taken
        if self.room is not None:
            self.room -= taken
        return self.pending

    def take(self, size: int) -> None:
        """The kernel takes up to *size* pending bytes."""
        self.pending -= min(size, self.pending)
        self.parent.took()

    def close_input(self) -> None:
        self._note("close input")

    def pause(self) -> None:
        self.paused = True
        self._note("pause")

    def resume(self) -> None:
        self.paused = False
        self._note("resume")

    def resize(self, size: Size) -> None:
        self._note("resize", size)

    def redraw(self) -> None:
        self._note("redraw")

    def signal(self, name: str) -> None:
        self._note("signal", name)

    def stop(self, grace: float, hangup: bool = True) -> None:
        self._note("stop", grace, *([] if hangup else ["no hangup"]))

    def _note(self, *what: object) -> None:
        self._log.append((self._number, *what))


class FakeSides:
    """A child's side channels. What is said to the program waits until the test says that it was taken.

    :ivar waiting: bytes.
    """

    def __init__(self, log: Log, number: int) -> None:
        self.waiting = 0
        self._log = log
        self._number = number

    def tell(self, channel: str, message: bytes) -> None:
        self._log.append((self._number, "tell", channel, message))
        self.waiting += len(message)

    def pending(self, channel: str) -> int:
        return self.waiting

    def hold(self, channel: str, held: bool) -> None:
        self._log.append((self._number, "hold" if held else "release", channel))


class FakeTarget:
    """A place where nothing runs. A program of the name ``missing`` cannot be started."""

    def __init__(self, log: Log) -> None:
        self.children: list[FakeChild] = []
        self._log = log

    def spawn(self, command: Command, parent: Parent) -> FakeChild:
        if "missing" in command.argv:
            raise SpawnFailed("missing: command not found")
        child = FakeChild(self._log, len(self.children) + 1, command, parent)
        self._log.append(("spawn", command.argv))
        self.children.append(child)
        return child


class FakeListener:
    """Somebody attached, without a connection: notes each event with its name.

    :ivar on_event: is called with each event after it was noted.
    """

    def __init__(
        self, log: Log, name: str = "ada", window: int | None = None, client: str = "", *, may_type: bool = True
    ) -> None:
        self.name = name
        self.writable = True
        self.window = window
        self.client = client
        self.may_type = may_type
        self.grant = Grant(name)
        self.on_event: Callable[[Event], None] = lambda event: None
        self._log = log

    def deliver(self, event: Event) -> None:
        self._log.append((self.name, event))
        self.on_event(event)


class FakeClient:
    """A client of a real :class:`Connection`: notes each frame with its name, and ``end`` when it is to be closed.

    A text frame of the native dialect is noted as a dict, a binary one as stream, process and payload.
    """

    def __init__(self, log: Log, sessions: Sessions, name: str, grant: Grant, dialect: Dialect | None = None) -> None:
        self.name = name
        self.frames: list[Frame] = []
        self.on_frame: Callable[[], None] = lambda: None
        self._native = dialect is None
        self._log = log
        self.connection = Connection(dialect or Native(), sessions, grant, self._send, self._end)

    def ask(self, type_: str, **members: object) -> None:
        """Send a request."""
        self.connection.receive(json.dumps({"type": type_, **members}))

    def send(self, kind: int, process: int, payload: bytes) -> None:
        """Send input."""
        self.connection.receive(bytes([kind]) + process.to_bytes(4, "big") + payload)

    def _send(self, frame: Frame) -> None:
        self.frames.append(frame)
        if not self._native:
            self._log.append((self.name, frame))
        elif isinstance(frame, bytes):
            self._log.append((self.name, frame[0], int.from_bytes(frame[1:5], "big"), frame[5:]))
        else:
            self._log.append((self.name, json.loads(frame)))
        self.on_frame()

    def _end(self) -> None:
        self._log.append((self.name, "end"))


class FakeUploads:
    """Takes every upload, and throws it away."""

    def place(self, parcel: Parcel, user: str, placed: Callable[[WebshellError | None], None]) -> None:
        placed(None)


class World:
    """A directory of sessions, with everything around it doubled, and the one log."""

    def __init__(self, **limits: Any) -> None:
        self.log: Log = []
        self.clock = FakeClock()
        self.target = FakeTarget(self.log)
        self.sessions = Sessions(self.target, RUNNERS, Limits(**limits), self.clock, self.clock.seconds)

    @property
    def children(self) -> list[FakeChild]:
        return self.target.children

    def client(self, name: str = "ada", grant: Grant | None = None, dialect: Dialect | None = None) -> FakeClient:
        """A client that is connected and has been greeted; the greeting is not in the log."""
        client = FakeClient(self.log, self.sessions, name, grant or Grant(name), dialect)
        client.connection.opened()
        self.log.clear()
        return client

    def opened(self, name: str = "ada", /, grant: Grant | None = None, **members: object) -> tuple[FakeClient, str]:
        """A client with a session of its own, and the session's id; the log is empty."""
        client = self.client(name, grant)
        client.ask("open", client=name, **members)
        attached = self.take()[0][1]
        return client, attached["session"]

    def take(self) -> Log:
        """The log so far, which is empty then."""
        taken = self.log[:]
        self.log.clear()
        return taken

    def heard(self, name: str) -> Log:
        """What the client or listener *name* was told, out of :meth:`take`."""
        return [entry[1] if len(entry) == 2 else entry[1:] for entry in self.take() if entry[0] == name]
