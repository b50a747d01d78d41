"""The directory of all sessions of this server: the one object through which they are made and found."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping

from webshell.ended import Ended
from webshell.errors import BadRequest, LimitReached, NoSuchSession
from webshell.grant import Grant
from webshell.limits import Clock, Limits
from webshell.process import Process
from webshell.records import SessionRecord
from webshell.runners import Runner
from webshell.session import NAME_CHARACTERS, Session
from webshell.target import Target
from webshell.uploads import Uploads


class Sessions:
    """The directory of all sessions of this server: the one object through which they are found."""

    def __init__(
        self,
        target: Target,
        runners: Mapping[str, Runner],
        limits: Limits,
        clock: Clock,
        now: Callable[[], float],
    ) -> None:
        """
        :param clock: for linger times.
        :param now: tells the time, in seconds since 1970.
        """
        self.target = target
        self.runners = runners
        self.limits = limits
        self.clock = clock
        self.now = now
        self.instance = secrets.token_urlsafe(8)
        """Different after each restart, so that a client knows why its session is gone."""
        self.uploads: Uploads | None = None
        """Who takes uploads, if anybody does."""
        self.ended = Ended()
        self.on_removed: Callable[[Process], None] | None = None
        """Who wants to know that a process is no session's any more."""
        self.kept = 0
        self.running = 0
        self._sessions: dict[str, Session] = {}

    def open(self, name: str, owner: str, linger: float | None, grace: float | None = None) -> Session:
        """Make a session. *linger* and *grace* are in seconds, at most the configured; None: the configured."""
        if len(self._sessions) >= self.limits.sessions:
            raise LimitReached(f"there are {self.limits.sessions} sessions already, the limit: end one first")
        limit = self.limits.linger
        linger = limit if linger is None else max(0.0, min(linger, limit))
        grace = self.limits.grace if grace is None else min(grace, self.limits.grace)
        session = Session(name[:NAME_CHARACTERS] or self._free_name(), owner, linger, grace, self)
        self._sessions[session.id] = session
        return session

    def find(self, session_id: str, grant: Grant) -> Session:
        """The session of that id, if it is the grant's business.

        :raises NoSuchSession: there is none, or it is not; which of both is not told.
        """
        session = self._sessions.get(session_id)
        if session is None or not grant.may_see(session.owner):
            raise NoSuchSession("there is no such session: it has ended, or the server was restarted")
        return session

    def known(self, session_id: str) -> Session | None:
        """The session of that id, whoever asks."""
        return self._sessions.get(session_id)

    def visible(self, grant: Grant) -> tuple[SessionRecord, ...]:
        """The sessions that are the grant's business."""
        return tuple(session.record() for session in self._sessions.values() if grant.may_see(session.owner))

    def runner(self, name: str) -> Runner:
        """The runner of that *name*.

        :raises BadRequest: there is none.
        """
        try:
            return self.runners[name]
        except KeyError:
            raise BadRequest(f"there is no runner {name!r}; there are: {', '.join(sorted(self.runners))}") from None

    def check_room(self) -> None:
        """Raise :class:`LimitReached` if no process may be added in all sessions together."""
        if self.kept >= self.limits.all_processes:
            raise LimitReached(f"{self.limits.all_processes} processes are kept already, the limit: remove some")
        if self.running >= self.limits.running:
            raise LimitReached(f"{self.limits.running} processes are running already, the limit: stop one first")

    def removed(self, process: Process) -> None:
        """*process* is no session's any more."""
        self.kept -= 1
        if self.on_removed is not None:
            self.on_removed(process)

    def forget(self, session: Session) -> None:
        """*session* has ended."""
        del self._sessions[session.id]

    def close(self, reason: str) -> None:
        """End all sessions."""
        for session in tuple(self._sessions.values()):
            session.close(reason)

    def _free_name(self) -> str:
        taken = {session.name for session in self._sessions.values()}
        number = 1
        while f"session {number}" in taken:
            number += 1
        return f"session {number}"
