"""A session: a named set of processes and the clients attached to them.

This is the state that outlives a connection. It is independent of how messages travel and of where commands run.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from webshell.cursor import Attendant
from webshell.ended import End, exit_number
from webshell.errors import BadRequest, LimitReached, NoSuchProcess, NoSuchSession, WebshellError, WrongState
from webshell.house import House
from webshell.limits import Timer
from webshell.messages import Closed, Event, Failed, Presence, Removed, Renamed, Resize, Resized, Start, Started, Stop
from webshell.process import Process
from webshell.records import ClientRecord, ProcessRecord, SessionRecord, new_id
from webshell.scrollback import Scrollback
from webshell.target import Child

REMAINS = 256
"""Removed processes of a session that left something running: as many as a session may have; the oldest are let go."""

NAME_CHARACTERS = 256
"""The longest name of a session or process; a command line is cut to it."""


@dataclass(slots=True)
class _Waiting:
    """A start whose turn has not come."""

    start: Start
    attendant: Attendant | None


@dataclass(slots=True)
class _Queue:
    """Starts that run one after another; it is there while one of them runs."""

    running: int  # the process number
    waiting: deque[_Waiting] = field(default_factory=deque)


class Session:
    """A named set of processes, and who attends it."""

    def __init__(self, name: str, owner: str, linger: float, grace: float, house: House) -> None:
        self.id = new_id()
        self.name = name
        self.owner = owner
        self.linger = linger
        self.grace = grace
        self.processes: dict[int, Process] = {}
        self.closed = False
        self._house = house
        self._attendants: dict[Attendant, None] = {}
        self._guests: frozenset[object] = frozenset()  # an empty set would be 0.2 kB
        self._queues: dict[str, _Queue] = {}
        self._numbers = 0
        self._remains: list[Child] = []  # of removed processes: they left something running
        self._leaving: Timer | None = None

    # ---- what a client does

    def check_seat(self) -> None:
        """Raise :class:`LimitReached` if nobody more may attach."""
        if len(self._attendants) >= self._house.limits.attached:
            raise LimitReached(f"the session has {len(self._attendants)} clients already, the limit")

    def attach(self, attendant: Attendant, offsets: Mapping[int, int]) -> tuple[ProcessRecord, ...]:
        """*attendant* listens from now on; :meth:`resume` begins to tell it. Returns what there is."""
        self._stay()
        self._attendants[attendant] = None
        for number, process in self.processes.items():
            process.attach(attendant, offsets.get(number, 0))
        return tuple(process.record(attendant) for process in self.processes.values())

    def arrived(self, attendant: Attendant) -> None:
        """*attendant* has been told what there is: serve it what it missed, and tell everybody that it is here."""
        self.resume(attendant)
        self._presence()

    def detach(self, attendant: Attendant) -> None:
        """*attendant* has left. With the last one, the linger time begins."""
        self._part(attendant)
        if self._attendants:
            self._presence()
        self.leave()

    def welcome(self, guest: object) -> None:
        """*guest* listens to a process only: it is not told of, but the session does not end while it is here."""
        self._stay()
        self._guests |= {guest}

    def dismiss(self, guest: object) -> None:
        """*guest* has left."""
        self._guests -= {guest}
        self.leave()

    @property
    def deserted(self) -> bool:
        """Whether nobody is here."""
        return not self._attendants and not self._guests

    def leave(self) -> None:
        """If nobody is here, the session ends when nobody comes for its linger time."""
        if not self.deserted or self.closed:
            return
        self._stay()
        if self.linger:
            self._leaving = self._house.clock.callLater(self.linger, self._abandoned)
        else:
            self.close("the last client has left")

    def resume(self, attendant: Attendant) -> None:
        """*attendant* can take more, or less, than before."""
        for process in tuple(self.processes.values()):
            process.resume(attendant)

    def process(self, number: int) -> Process:
        """The process of that *number*.

        :raises NoSuchProcess: there is none.
        """
        try:
            return self.processes[number]
        except KeyError:
            raise NoSuchProcess(f"there is no process {number} in this session") from None

    def start(self, start: Start, attendant: Attendant | None = None) -> Process | None:
        """Start a process, or let it wait in its queue: None; everybody attached is told when it starts."""
        queue = self._queues.get(start.queue)
        if queue is None:
            return self._spawn(start, attendant)
        if sum(len(other.waiting) for other in self._queues.values()) >= self._house.limits.queued:
            raise LimitReached(f"{self._house.limits.queued} commands are waiting already, the limit")
        queue.waiting.append(_Waiting(start, attendant))
        return None

    def stop(self, stop: Stop) -> None:
        """End a process and all that it started, or what is left of one that has exited."""
        process = self.process(stop.process)
        child = process.child or process.remains
        if child is None:
            raise WrongState(f"process {stop.process} has exited, and nothing of it is left")
        child.stop(self.grace if stop.grace is None else stop.grace, stop.hangup)

    def resize(self, resize: Resize, attendant: Attendant | None = None) -> None:
        """Set a terminal's size; the others are told."""
        process = self.process(resize.process)
        child = process.living()
        if process.size is None or process.size == resize.size:
            return
        process.size = resize.size
        child.resize(resize.size)
        self._tell(Resized(process.number, resize.size.rows, resize.size.cols), attendant)

    def rename(self, number: int | None, name: str) -> None:
        """Name a process, or the session."""
        if not name:
            raise BadRequest("the name is empty")
        if number is None:
            self.name = name[:NAME_CHARACTERS]
        else:
            self.process(number).name = name[:NAME_CHARACTERS]
        self._tell(Renamed(number, name[:NAME_CHARACTERS]))

    def remove(self, number: int) -> None:
        """Forget an exited process."""
        process = self.process(number)
        if process.running:
            raise WrongState(f"process {number} is still running: stop it first")
        del self.processes[number]
        self._house.removed(process)
        if process.remains is not None:
            self._remains = [*self._remains, process.remains][-REMAINS:]
        self._tell(Removed(number))

    def close(self, reason: str) -> None:
        """End everything; whoever is attached is told *reason* and detached."""
        if self.closed:
            return
        self.closed = True
        self._stay()
        unanswered = [one for queue in self._queues.values() for one in queue.waiting if one.start.id is not None]
        self._queues.clear()
        self._house.forget(self)
        for number, process in self.processes.items():
            if process.running:
                self._house.ended.note(self.id, number, End(self.owner, None))
            self._house.removed(process)
        for child in (*(process.child or process.remains for process in self.processes.values()), *self._remains):
            if child is not None:
                child.stop(self.grace)
        for one in unanswered:
            self._refuse(one, NoSuchSession("the session has ended"))
        for attendant in tuple(self._attendants):
            self._part(attendant)
            attendant.deliver(Closed(reason))

    # ---- what a process does

    def _ended(self, process: Process) -> None:
        self._house.running -= 1
        record = process.record()
        self._house.ended.note(self.id, process.number, End(self.owner, exit_number(record.exit_code, record.signal)))
        for name, queue in tuple(self._queues.items()):
            if queue.running == process.number:
                self._next(name, queue)

    # ---- inside

    def _abandoned(self) -> None:
        self._leaving = None
        self.close(f"nobody was here for {self.linger:g} seconds")

    def _stay(self) -> None:
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None

    def _part(self, attendant: Attendant) -> None:
        self._attendants.pop(attendant, None)
        for process in self.processes.values():
            process.detach(attendant)

    def _spawn(self, start: Start, attendant: Attendant | None) -> Process:
        house = self._house
        if self.closed:
            raise NoSuchSession("the session has ended")
        command = house.runner(start.runner)(start)
        self._make_room()
        line = start.line or " ".join(start.argv)
        process = Process(
            self._numbers + 1,
            start.runner,
            start.line,
            (start.name or line or start.runner)[:NAME_CHARACTERS],
            command.size,
            Scrollback(house.limits.scrollback, terminal=command.size is not None, keep=start.keep == "all"),
            house.now,
            self._ended,
            start.channels,
        )
        if command.channels != start.channels:
            command = replace(command, channels=start.channels)
        process.child = house.target.spawn(command, process)
        process.channels.sides = process.child.sides
        self._numbers += 1
        self.processes[process.number] = process
        house.kept += 1
        house.running += 1
        if start.queue:
            self._queues.setdefault(start.queue, _Queue(process.number)).running = process.number
        for other in self._attendants:
            process.attach(other, 0)
        for other in tuple(self._attendants):
            other.deliver(Started(process.record(other), start.id if other is attendant else None))
        for other in tuple(self._attendants):
            process.resume(other)
        return process

    def _make_room(self) -> None:
        limits = self._house.limits
        self._house.check_room()
        while len(self.processes) >= limits.processes:
            exited = next((number for number, process in self.processes.items() if not process.running), None)
            if exited is None:
                raise LimitReached(f"the session runs {limits.processes} processes already, the limit")
            self.remove(exited)

    def _next(self, name: str, queue: _Queue) -> None:
        while queue.waiting:
            waiting = queue.waiting.popleft()
            try:
                self._spawn(waiting.start, waiting.attendant)
            except WebshellError as error:
                self._refuse(waiting, error)
            else:
                return
        self._queues.pop(name, None)  # not there if the session has ended

    def _refuse(self, waiting: _Waiting, error: WebshellError) -> None:
        if waiting.attendant is not None and waiting.attendant in self._attendants:
            waiting.attendant.deliver(Failed(error.code, str(error), waiting.start.id))

    def _tell(self, event: Event, but: Attendant | None = None) -> None:
        for attendant in tuple(self._attendants):
            if attendant is not but:
                attendant.deliver(event)

    def _presence(self) -> None:
        for you in tuple(self._attendants):
            you.deliver(Presence(tuple(_client(who, who is you) for who in self._attendants)))

    def record(self) -> SessionRecord:
        """The session as a list shows it."""
        processes = tuple(process.record() for process in self.processes.values())
        return SessionRecord(self.id, self.name, self.owner, len(self._attendants), self.linger, processes)


def _client(who: Attendant, you: bool) -> ClientRecord:
    return ClientRecord(who.grant.identity, tuple(sorted(who.grant.rights)), you)
