"""One process or connection beside a far interpreter, its bytes relayed over a channel of execnet, within credit.

``webshell/execnet/relays.py`` sends this source through a gateway, behind that of ``relay_ends.py``, so both need the
standard library of Python 3.8 only. The execution ends at once and leaves threads behind: it occupies neither the
interpreter's main thread nor, whatever the process does, its receiver thread, so one process that is stopped holds up
no other.

What goes over the channel: from here ``("started", pid)`` or ``("failed", errno, text, resolving)`` first, then
``bytes`` of output, ``None`` for its end, ``("exit", status, tail of standard error)`` and the channel's end; in
between, if the request wants ``errors``, ``("err", bytes)`` of standard error. From there ``bytes`` of input, ``None``
for its end, ``"kill"``. An ``int``, both ways: so many bytes more may be sent, after the :data:`WINDOW` that may be
without asking.
"""

from __future__ import annotations

import atexit
import queue
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # one source with this one, where it runs
    from webshell.child.relay_ends import PIECE, Connection, Process

WINDOW = 1 << 20
"""Bytes, each way, that may be sent before the other side has handed them on: what a stopped process can cost here."""

GRACE = 2.0
"""Seconds that a process has to end by itself when nobody is there any more; then it is killed."""

QUIET = 0.5
"""Seconds without output after which an exited process has none: what it left behind may hold its pipe for ever."""

GONE = object()


class Relay:
    """Joins one *end* and one channel."""

    def __init__(self, channel: Any, end: Process | Connection) -> None:
        self._channel = channel
        self._end = end
        self._input: Any = queue.SimpleQueue()
        self._room = threading.Condition()
        self._credit = WINDOW
        self._read_all = threading.Event()
        self._reading_since: float | None = None
        self._gone = False
        self._abandoned = threading.Event()

    def start(self, errors: bool) -> None:
        """Tell that it has begun, and begin.

        :param errors: standard error is wanted, too.
        """
        atexit.register(self._leave)
        self._say(("started", self._end.pid))
        self._end.listen(self._pass_error if errors else None)
        # all of them now: an interpreter that ends starts no thread any more
        for task in (self._feed, self._forward, self._conclude, self._guard):
            threading.Thread(target=task, daemon=True).start()
        self._channel.setcallback(self._told, endmarker=GONE)

    # called in the gateway's receiver thread: it must never wait for the process

    def _told(self, item: Any) -> None:
        if isinstance(item, int):
            with self._room:
                self._credit += item
                self._room.notify_all()
        elif item == "kill":
            self._end.kill()
            self._unheard()
        elif item is GONE:
            self._unheard()
            self._input.put(None)
            self._abandoned.set()
        else:
            self._input.put(item)

    def _unheard(self) -> None:
        """Nobody asks for the rest of the output, which must not hold up the end."""
        with self._room:
            self._gone = True
            self._room.notify_all()

    # threads

    def _feed(self) -> None:
        """Input, from the channel to the end."""
        owed = 0
        heard = True
        while True:
            data = self._input.get()
            if data is None:
                break
            try:
                if heard:
                    self._end.write(data)
            except OSError:
                heard = False  # it reads no more; its end is told when it ends
            owed += len(data)
            if owed >= WINDOW // 4:
                self._say(owed)
                owed = 0
        try:
            self._end.close_write()
        except OSError:
            pass

    def _forward(self) -> None:
        """Output, from the end to the channel; when nobody is there, to nowhere, so that the end can finish."""
        while True:
            size = min(self._wait_for_credit(), PIECE)
            self._reading_since = time.monotonic()
            data = self._end.read(size)
            self._reading_since = None
            if not data:
                break
            with self._room:
                self._credit -= len(data)
            self._say(data)
        self._say(None)
        self._read_all.set()

    def _pass_error(self, data: bytes) -> None:
        """Standard error, as output."""
        self._wait_for_credit()
        with self._room:
            self._credit -= len(data)
        self._say(("err", data))

    def _wait_for_credit(self) -> int:
        """How much may be sent, as soon as that is something; when nobody is there, anything."""
        with self._room:
            while self._credit <= 0 and not self._gone:
                self._room.wait()
            return self._credit if not self._gone else PIECE

    def _conclude(self) -> None:
        """The end's end, told after its last output."""
        self._end.wait()
        while not self._read_all.wait(QUIET / 2):
            since = self._reading_since
            if since is not None and time.monotonic() - since > QUIET:
                break
        atexit.unregister(self._leave)
        self._abandoned.set()
        self._say(("exit", *self._end.result()))
        try:
            self._channel.close()
        except OSError:
            pass
        if self._read_all.is_set():
            self._end.close()

    def _guard(self) -> None:
        """Nobody is there any more: the end may finish what it does, but not for ever."""
        self._abandoned.wait()
        if not self._end.wait(GRACE):
            self._end.kill()

    def _leave(self) -> None:
        """The interpreter ends, and nothing may be left."""
        self._input.put(None)
        if not self._end.wait(GRACE):
            self._end.kill()

    def _say(self, item: Any) -> None:
        try:
            self._channel.send(item)
        except OSError:
            self._unheard()


def serve(channel: Any) -> None:
    """Answer the request on *channel* with a new channel, which is the relay's.

    The request: ``{"run": argv}``, ``{"connect": [host, port]}`` or ``{"connect": path of a socket}``; and ``errors``.
    """
    request = channel.receive()
    own = channel.gateway.newchannel()
    channel.send(own)
    # in a thread: a name may take long to be resolved, and a main thread may be the only one
    threading.Thread(target=begin, args=(own, request), daemon=True).start()


def begin(channel: Any, request: dict[str, Any]) -> None:
    """Start what the *request* names, or say on *channel* why not."""
    try:
        if "run" in request:
            end: Process | Connection = Process(request["run"])
        else:
            end = Connection(request["connect"])
    except OSError as error:
        text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror or str(error)
        channel.send(("failed", error.errno or 0, text, isinstance(error, socket.gaierror)))
        channel.close()
    except Exception as error:
        channel.close(f"{type(error).__name__}: {error}")
    else:
        Relay(channel, end).start(request.get("errors", False))


if __name__ == "__channelexec__":
    serve(globals()["channel"])
