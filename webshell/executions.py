"""Processes by an id that stands for nothing else: started, found, and read by one at a time; rights are enforced here.

An id is a session's and the process's number in it. What is read and fed by it is the process that everybody else sees.
"""

from __future__ import annotations

from dataclasses import dataclass

from webshell.ended import exit_number
from webshell.errors import Gone, LimitReached, NoSuchProcess, NoSuchSession, Occupied, OutOfRange
from webshell.grant import Grant, Right
from webshell.limits import Timer
from webshell.messages import Start, Stop
from webshell.process import Process
from webshell.readers import Reader, Sink
from webshell.session import Session
from webshell.sessions import Sessions
from webshell.target import STDERR, STDOUT

GRACE_SECONDS = 60.0
"""A reader that is away for so long has given up: a laptop's lid, a network that changes, are back in less."""

LEAST_GRACE = 0.1
"""Or nobody could come between the start and the first question."""

STOP_SECONDS = 1.0
"""Between TERM and KILL when nobody came back: such a program has nobody to say farewell to."""

_DIGITS = 10


@dataclass(frozen=True, slots=True)
class Execution:
    """A process and where it stands."""

    session: Session
    process: Process

    @property
    def id(self) -> str:
        """What it is found by."""
        return f"{self.session.id}.{self.process.number}"

    @property
    def exit(self) -> int | None:
        """How it ended, as :func:`webshell.ended.exit_number` says it; None: it runs."""
        if self.process.running:
            return None
        record = self.process.record()
        return exit_number(record.exit_code, record.signal)


@dataclass(slots=True, eq=False)
class _Seat:
    """The one place from which a stream of a process is read; it is kept for a while when its reader has left."""

    session: Session
    process: Process
    stream: int
    grace: float
    reader: Reader | None = None
    leaving: Timer | None = None


class Executions:
    """All processes, by their ids, and who reads them."""

    def __init__(self, sessions: Sessions) -> None:
        self.sessions = sessions
        sessions.on_removed = self._drop
        self._seats: dict[tuple[Process, int], _Seat] = {}
        self._reading: dict[Reader, _Seat] = {}
        self._own: list[Session] = []  # made here for one process, the oldest first

    def start(self, grant: Grant, start: Start, session_id: str = "", grace: float = GRACE_SECONDS) -> Execution:
        """Start a process, in a session of its own if none is named.

        :param grace: seconds that a session of its own outlives its last reader.
        :raises WebshellError: it cannot be started; then no session is left behind.
        """
        grant.require(Right.VIEW, Right.RUN)
        if start.user is not None:
            grant.require_user(start.user)
        grace = max(LEAST_GRACE, grace)
        own = not session_id
        if not own:
            session = self.sessions.find(session_id, grant)
        elif self.sessions.limits.linger < LEAST_GRACE:
            raise LimitReached("sessions do not outlive their clients here ('linger'): name one that is there")
        else:
            session = self._open(grant, grace)
        try:
            process = session.start(start)
        finally:
            if own and not session.processes:
                session.close("nothing could be started in it")
        assert process is not None  # no queue was named
        execution = Execution(session, process)
        process.mark(STDOUT, 0)
        self._leave(self._seat(execution, STDOUT, grace))
        session.leave()
        return execution

    def find(self, grant: Grant, name: str) -> Execution:
        """The process of that id.

        :raises Gone: it was there.
        :raises NoSuchProcess: it never was, or that is forgotten, or it is not the grant's business.
        """
        grant.require(Right.VIEW)
        session_id, number = _parts(name)
        try:
            session = self.sessions.find(session_id, grant)
            return Execution(session, session.process(number))
        except (NoSuchSession, NoSuchProcess):
            end = self.sessions.ended.find(session_id, number)
            if end is not None and grant.may_see(end.owner):
                raise Gone(f"the process {name} has ended and was cleaned up", end.exit) from None
            raise NoSuchProcess(f"there is no process {name}") from None

    def known(self, name: str) -> bool:
        """Whether there is or was a process of that id: only who was told such an id knows it."""
        session_id, number = _parts(name)
        session = self.sessions.known(session_id)
        here = session is not None and number in session.processes
        return here or self.sessions.ended.find(session_id, number) is not None

    def read(
        self,
        grant: Grant,
        execution: Execution,
        stream: int,
        offset: int,
        limit: int,
        sink: Sink,
        *,
        alone: bool = False,
    ) -> Reader:
        """Read from *offset* on, instead of who did so far; everything below has been consumed.

        Nothing is handed on before :meth:`Reader.begin`, and :meth:`leave` must be called at last.

        :param limit: bytes that may be on their way unacknowledged.
        :param alone: not if somebody reads already.
        :raises Occupied: somebody does.
        :raises OutOfRange: there is no such offset.
        """
        grant.require(Right.VIEW, Right.TYPE)  # what is acknowledged is gone
        process = execution.process
        base, end = process.scrollback.span(stream)
        if not base <= offset <= end:
            raise OutOfRange(base, end)
        seat = self._seat(execution, stream)
        before = seat.reader
        if before is not None and alone:
            raise Occupied("somebody else reads this already")
        if seat.leaving is not None:
            seat.leaving.cancel()
            seat.leaving = None
        reader = Reader(process, stream, offset, limit, sink)
        seat.reader = reader
        self._reading[reader] = seat
        seat.session.welcome(reader)
        if before is not None:
            self.leave(before)
            before.yield_to_another()
        process.mark(stream, offset)
        return reader

    def leave(self, reader: Reader) -> None:
        """*reader* has left, or another one has come; it may be told again."""
        seat = self._reading.pop(reader, None)
        if seat is None:
            return
        reader.process.detach(reader)
        if seat.reader is reader:
            seat.reader = None
            if (seat.process, seat.stream) in self._seats:
                self._leave(seat)
        seat.session.dismiss(reader)

    def end(self, execution: Execution, *, kill: bool = False) -> None:
        """Stop it, and what it left; at once if *kill*. One that has ended is forgotten, with what nobody has read."""
        session, number = execution.session, execution.process.number
        if execution.process.child or execution.process.remains:
            # who has no terminal is told by TERM alone, so that its end says so
            session.stop(Stop(number, 0.0 if kill else None, hangup=execution.process.size is not None))
        if not execution.process.running:
            session.remove(number)
            if session in self._own and session.deserted and not session.processes:
                session.close("its process was forgotten")

    def reading(self, process: Process, stream: int) -> bool:
        """Whether somebody reads that stream now."""
        seat = self._seats.get((process, stream))
        return seat is not None and seat.reader is not None

    # ---- inside

    def _open(self, grant: Grant, grace: float) -> Session:
        """A session for one process; where there are too many, the oldest in which all is over makes room."""
        self._own = [session for session in self._own if not session.closed]
        try:
            session = self.sessions.open("popen", grant.identity, grace, STOP_SECONDS)
        except LimitReached:
            for old in self._own:
                if old.deserted and not any(process.running for process in old.processes.values()):
                    old.close("another one needed its place")
                    break
            session = self.sessions.open("popen", grant.identity, grace, STOP_SECONDS)
        self._own.append(session)
        return session

    def _seat(self, execution: Execution, stream: int, grace: float = GRACE_SECONDS) -> _Seat:
        key = execution.process, stream
        if key not in self._seats:
            self._seats[key] = _Seat(execution.session, execution.process, stream, grace)
        return self._seats[key]

    def _drop(self, process: Process) -> None:
        """*process* can be read by nobody new; whoever reads it may go on to the end."""
        for stream in (STDOUT, STDERR):
            seat = self._seats.pop((process, stream), None)
            if seat is not None and seat.leaving is not None:
                seat.leaving.cancel()

    def _leave(self, seat: _Seat) -> None:
        seat.leaving = self.sessions.clock.callLater(seat.grace, lambda: self._abandon(seat))

    def _abandon(self, seat: _Seat) -> None:
        """Nobody came back: what others have read is reason enough to go on."""
        del self._seats[seat.process, seat.stream]
        seat.process.mark(seat.stream, None)


def _parts(name: str) -> tuple[str, int]:
    """The session and the number in an id; 0: it has none."""
    session_id, _, digits = name.rpartition(".")
    return session_id, int(digits) if digits.isascii() and digits.isdecimal() and len(digits) <= _DIGITS else 0
