"""One client's end, without any I/O: requests come in, events go out, and what a client may do is enforced here.

Everything that a client does passes :meth:`Connection.receive`; everything that it is told, :meth:`Connection.deliver`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from webshell import __version__
from webshell import messages as m
from webshell.dialects import Dialect, Frame
from webshell.errors import NoSuchSession, UploadFailed, WebshellError
from webshell.grant import Grant, Right
from webshell.intake import CLIENT_BYTES
from webshell.session import Session
from webshell.sessions import Sessions

FRAME_BYTES = 1 << 20
"""The largest frame or message that a client may send: four times its input limit."""


class Connection:
    """A dialect, a grant and the session that the client is attached to; an :class:`webshell.cursor.Attendant`."""

    __slots__ = (
        "_dialect",
        "_end",
        "_send",
        "_session",
        "_sessions",
        "client",
        "grant",
        "may_type",
        "window",
        "writable",
    )

    def __init__(
        self,
        dialect: Dialect,
        sessions: Sessions,
        grant: Grant,
        send: Callable[[Frame], None],
        end: Callable[[], None],
    ) -> None:
        """
        :param send: sends one frame; may call :meth:`pause` before it returns.
        :param end: closes the connection, normally.
        """
        self.grant = grant
        self.writable = True
        self.window: int | None = sessions.limits.window if dialect.acknowledges else None
        self.client = ""
        self.may_type = Right.TYPE in grant.rights
        self._dialect = dialect
        self._sessions = sessions
        self._send = send
        self._end = end
        self._session: Session | None = None

    # ---- what a transport does

    def opened(self) -> None:
        """The connection is up: say who we are, and do what the client asked for by connecting."""
        limits = self._sessions.limits
        self.deliver(
            m.Hello(
                protocol="webshell.v1",
                server=f"webshell {__version__}",
                instance=self._sessions.instance,
                identity=self.grant.identity,
                rights=tuple(sorted(self.grant.rights)),
                limits={
                    "window": limits.window,
                    "input": CLIENT_BYTES,
                    "frame": FRAME_BYTES,
                    "scrollback": limits.scrollback,
                    "linger": limits.linger,
                    "processes": limits.processes,
                },
                runners=tuple(sorted(self._sessions.runners)),
            )
        )
        for request in self._dialect.opening():
            if not self._dialect.finished:  # what went before may have failed for good
                self._do(request)

    def receive(self, frame: Frame) -> None:
        """A frame arrived from the client. Everything that a client does passes here."""
        for request in self._dialect.decode(frame):
            self._do(request)

    def pause(self) -> None:
        """The transport is full."""
        self._writable(False)

    def resume(self) -> None:
        """The transport has room again."""
        self._writable(True)

    def closed(self) -> None:
        """The connection is gone."""
        self.writable = False
        self._send = self._end = _nothing  # it may go while something is being delivered
        self._leave()

    # ---- what a session does

    def deliver(self, event: m.Event) -> None:
        """Tell the client *event*. Everything that a client is told passes here."""
        if type(event) is m.Closed:
            self._session = None
        for frame in self._dialect.encode(event):
            self._send(frame)
        if self._dialect.finished:
            self._end()

    # ---- requests

    def _do(self, request: m.Request) -> None:
        rights, act = _ACTS[type(request)]
        try:
            self.grant.require(*rights)
            act(self, request)
        except WebshellError as error:
            self.deliver(m.Failed(error.code, str(error), request.id))

    def _writable(self, writable: bool) -> None:
        self.writable = writable
        if self._session is not None:
            self._session.resume(self)

    def _attached(self) -> Session:
        if self._session is None:
            raise NoSuchSession("no session is attached: open or attach one first")
        return self._session

    def _leave(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.detach(self)

    def _done(self, request: m.Request) -> None:
        if request.id is not None:
            self.deliver(m.Done(request.id))

    def _malformed(self, request: m.Malformed) -> None:
        raise request.error

    def _list(self, request: m.ListSessions) -> None:
        self.deliver(m.SessionList(self._sessions.visible(self.grant), request.id))

    def _open(self, request: m.Open) -> None:
        session = self._sessions.open(request.name, self.grant.identity, request.linger, request.grace)
        self._enter(session, m.Attach(session.id, {}, request.client, request.id))

    def _attach(self, request: m.Attach) -> None:
        session = self._sessions.find(request.session, self.grant)
        if session is not self._session:
            session.check_seat()
        self._enter(session, request)

    def _enter(self, session: Session, request: m.Attach) -> None:
        if session is not self._session:  # attaching again must not end a session that does not linger
            self._leave()
        self.client = request.client
        records = session.attach(self, request.offsets)
        self._session = session
        self.deliver(m.Attached(session.id, session.name, session.owner, session.linger, records, request.id))
        session.arrived(self)

    def _detach(self, request: m.Detach) -> None:
        self._attached()
        self._leave()
        self._done(request)

    def _start(self, request: m.Start) -> None:
        if request.user is not None:
            self.grant.require_user(request.user)
        self._attached().start(request, self)

    def _input(self, request: m.Input) -> None:
        self._attached().process(request.process).input(self, request.kind, request.data)
        self._done(request)

    def _end_input(self, request: m.EndInput) -> None:
        self._attached().process(request.process).living().close_input()
        self._done(request)

    def _resize(self, request: m.Resize) -> None:
        self._attached().resize(request, self)
        self._done(request)

    def _signal(self, request: m.Signal) -> None:
        self._attached().process(request.process).living().signal(request.signal)
        self._done(request)

    def _stop(self, request: m.Stop) -> None:
        self._attached().stop(request)
        self._done(request)

    def _ack(self, request: m.Ack) -> None:
        self._attached().process(request.process).acknowledge(self, request.offset)
        self._done(request)

    def _tell(self, request: m.Tell) -> None:
        process = self._attached().process(request.process)
        process.living()
        process.channels.tell(request.channel, request.message)
        self._done(request)

    def _seen(self, request: m.Seen) -> None:
        self._attached().process(request.process).channels.seen(self, request.channel, request.count)
        self._done(request)

    def _rename(self, request: m.Rename) -> None:
        self._attached().rename(request.process, request.name)
        self._done(request)

    def _remove(self, request: m.Remove) -> None:
        self._attached().remove(request.process)
        self._done(request)

    def _close(self, request: m.Close) -> None:
        session = self._attached()
        self._done(request)
        session.close("it was ended by a client")

    def _upload(self, request: m.Upload) -> None:
        if request.user is not None:
            self.grant.require_user(request.user)
        uploads = self._sessions.uploads
        if uploads is None:
            raise UploadFailed("this server takes no uploads")
        uploads.place(request.parcel, request.user or "", lambda error: self._uploaded(request, error))

    def _uploaded(self, request: m.Upload, error: WebshellError | None) -> None:
        failed = None if error is None else m.Failed(error.code, str(error), request.id)
        self.deliver(failed or m.Uploaded(request.id))  # if the client is gone, to nobody

    def _ping(self, request: m.Ping) -> None:
        processes = self._session.processes if self._session is not None else {}
        taken = {number: process.taken(self) for number, process in processes.items() if self.client}
        self.deliver(m.Pong({number: count for number, count in taken.items() if count}, request.id))


def _nothing(*_: object) -> None:
    pass


_ACTS: Mapping[type[m.Request], tuple[tuple[Right, ...], Callable[[Connection, Any], None]]] = {
    m.Ack: ((Right.VIEW,), Connection._ack),
    m.Attach: ((Right.VIEW,), Connection._attach),
    m.Close: ((Right.RUN,), Connection._close),
    m.Detach: ((Right.VIEW,), Connection._detach),
    m.EndInput: ((Right.TYPE,), Connection._end_input),
    m.Input: ((Right.TYPE,), Connection._input),
    m.ListSessions: ((Right.VIEW,), Connection._list),
    m.Malformed: ((Right.VIEW,), Connection._malformed),
    m.Open: ((Right.VIEW, Right.RUN), Connection._open),
    m.Ping: ((Right.VIEW,), Connection._ping),
    m.Remove: ((Right.RUN,), Connection._remove),
    m.Rename: ((Right.RUN,), Connection._rename),
    m.Resize: ((Right.TYPE,), Connection._resize),
    m.Seen: ((Right.VIEW,), Connection._seen),
    m.Signal: ((Right.TYPE,), Connection._signal),
    m.Start: ((Right.RUN,), Connection._start),
    m.Upload: ((Right.RUN,), Connection._upload),
    m.Stop: ((Right.RUN,), Connection._stop),
    m.Tell: ((Right.TYPE,), Connection._tell),
}
