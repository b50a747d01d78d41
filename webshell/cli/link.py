"""One client's connection: made, made again when it is lost, and requests over it that can be waited for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.task import deferLater

from webshell.cli.client import Client, Listener, Message
from webshell.cli.transport import Door, Socket
from webshell.cli.trouble import Failed, NotStarted, Refused, Trouble

PAUSES = (0.1, 0.3, 1.0, 2.0, 5.0)
"""Seconds before each attempt to come back; the last one is repeated."""

CLOSE_SECONDS = 3.0
"""For the answer to the request that ends the session: who has pressed Ctrl-C waits no longer."""

ERRORS = {"spawn-failed": NotStarted, "disconnected": Trouble}


class Link:
    """The way to a server.

    :ivar client: what is known about the session.
    """

    def __init__(
        self, reactor: Any, door: Door, listener: Listener, *, note: Callable[[str], None], patience: float
    ) -> None:
        """:param note: is told in words when the connection is lost and when it is back.
        :param patience: seconds for which it is tried to come back.
        """
        self._reactor = reactor
        self._door = door
        self._note = note
        self._patience = patience
        self._socket: Socket | None = None
        self._leaving: Deferred[None] | None = None
        self._coming: Deferred[None] | None = None
        self._closing: Deferred[Message] | None = None
        self.client = Client(listener)
        self.ended: Deferred[Trouble] = Deferred()
        """Fires when it is given up."""

    async def connect(self) -> None:
        """The first connection.

        :raises Trouble: there is none.
        """
        self._socket = await self._door.connect(self.client, self._lost)

    async def ask(self, kind: str, **members: Any) -> Message:
        """A request and its reply.

        :raises Trouble: it failed.
        """
        replied: Deferred[Message] = Deferred()
        self.client.ask(kind, replied.callback, **members)
        return answered(await replied)

    async def open(self, **members: Any) -> Message:
        """Make a session and attach to it."""
        replied: Deferred[Message] = Deferred()
        self.client.open(replied.callback, **members)
        return answered(await replied)

    async def attach(self, session: str) -> Message:
        """Attach to a session."""
        replied: Deferred[Message] = Deferred()
        self.client.attach(session, replied.callback)
        return answered(await replied)

    async def find(self, wanted: str) -> Message:
        """The session that has this id, or this name if only one has.

        :raises Failed: there is none, or several.
        """
        sessions = (await self.ask("list"))["sessions"]
        found = [one for one in sessions if one["session"] == wanted] or [
            one for one in sessions if one["name"] == wanted
        ]
        if len(found) == 1:
            return dict(found[0])
        if found:
            raise Failed(f"{len(found)} sessions are called {wanted}; take an id instead: webshell ls shows them")
        raise Failed(f"there is no session {wanted}; webshell ls shows those that there are")

    async def close(self, *, hurried: bool) -> None:
        """End the session, and leave.

        :param hurried: somebody waits.
        """
        if self.client.ready and self.client.session:
            self._closing = Deferred.fromCoroutine(self.ask("close"))
            if hurried:
                self._closing.addTimeout(CLOSE_SECONDS, self._reactor)
            try:
                await self._closing
            except (Trouble, TimeoutError, CancelledError):  # Twisted's, which are not Python's
                pass  # it is gone already, or ends when its time to linger is over
        await self.leave()

    def hurry(self) -> None:
        """Nobody waits for the end of the session any more."""
        if self._closing is not None:
            self._closing.cancel()

    async def leave(self) -> None:
        """Close the connection, or stop looking for one."""
        if self._coming is not None:
            self._coming.cancel()
        if self._socket is not None:
            self._leaving = Deferred()
            self._socket.leave()
            await self._leaving

    # ---- inside

    def _lost(self) -> None:
        self._socket = None
        if self._leaving is not None:
            self._leaving.callback(None)
            return
        self._note("the connection was lost; trying to come back …")
        self._coming = Deferred.fromCoroutine(self._return())
        self._coming.addErrback(self._given_up)

    def _given_up(self, failure: Any) -> None:
        trouble = failure.value
        if self._leaving is None and not self.ended.called and isinstance(trouble, Trouble):
            self.ended.callback(trouble)

    async def _return(self) -> None:
        until = self._reactor.seconds() + self._patience
        number = 0
        while True:
            pause = PAUSES[min(number, len(PAUSES) - 1)]
            number += 1
            if self._reactor.seconds() + pause > until:
                raise Trouble(f"the connection was lost, and did not come back within {self._patience:.0f} seconds")
            await deferLater(self._reactor, pause, lambda: None)
            try:
                await self.connect()
            except Refused:
                raise
            except Trouble:
                continue
            self._coming = None
            return


def answered(reply: Message) -> Message:
    """The reply, if it is no error.

    :raises Trouble: it is one.
    """
    if reply["type"] == "error":
        raise ERRORS.get(reply["code"], Failed)(reply["message"])
    return reply
