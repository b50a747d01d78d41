"""What is written goes out from a thread of its own: joined, cut, numbered, and again after a cut, until accepted.

execnet writes from any thread, and from within the garbage collector, which may run in the middle of anything. So a
writer puts what it has into a :class:`queue.SimpleQueue`, which is made for that; everything else is known to the
sender's thread alone, and told to it by the same queue.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue

from webshell.execnet.carrying import carries
from webshell.execnet.exchange import FAILURES
from webshell.execnet.lines import Accepted, Broken, Data, Line, Lines, Piece
from webshell.execnet.patience import Patience

PIECE_BYTES = 1 << 18
"""Sent at once: the server takes 4 MiB, and what lies between may take less."""

WINDOW_BYTES = 4 << 20
"""Under way unaccepted: the server keeps no more; 80 MiB/s with 50 ms from here to there and back."""

ROOM_BYTES = 16 << 20
"""Written and unaccepted; who writes more waits. One write may be larger."""

REST_SECONDS = 50.0
"""Without anything to send; servers close connections that are silent for a minute."""

SMALL_BYTES = 9
"""Of a message without content, like the close that the garbage collector may send: it never waits, or the thread
that would make room might wait for itself."""


class _Close:
    """News: nothing will be written any more."""


class _Stop:
    """News: nothing can be sent any more."""


Mail = bytes | Accepted | Broken | _Close | _Stop


class Sender:
    """All that is written to one process."""

    def __init__(self, patience: Patience, lines: Lines, given_up: Callable[[str], None]) -> None:
        """:param given_up: is told why, by any thread, when nothing can be sent although the process may go on."""
        self._given_up = given_up
        self._patience = patience
        self._lines = lines
        self._mail: SimpleQueue[Mail] = SimpleQueue()
        self._room = threading.Condition()  # of an RLock: the garbage collector may come in between
        self._held = 0
        self._closed = self._failed = ""
        self._reader = 0
        # what only its thread knows
        self._fresh: deque[Data] = deque()
        self._pieces: deque[Piece] = deque()
        self._sent = 0  # of the pieces
        self._under_way = 0  # bytes of these
        self._accepted = self._cut_until = 0
        self._line: Line | None = None
        self._ending = self._over = False
        # it has to be there before the interpreter shuts down: no thread can be started then
        self._thread = threading.Thread(target=self._run, name="webshell-send", daemon=True)
        self._thread.start()

    # ---- what a writer does

    def write(self, data: bytes) -> None:
        """Send *data*, whole and not mixed with others'. Waits for room, except in the thread that reads, or carries.

        :raises OSError: nothing can be written any more.
        """
        size = len(data)
        with self._room:
            while self._held and self._held + size > ROOM_BYTES and not self._closed:
                if size <= SMALL_BYTES or threading.get_ident() == self._reader or carries():
                    break
                self._room.wait()
            if self._closed:
                raise OSError(self._closed)
            self._held += size
            self._mail.put(data)

    def close(self) -> None:
        """Nothing will be written any more; what was goes out first."""
        with self._room:
            if self._closed:
                return
            self._closed = "it was closed here"
            self._room.notify_all()
            self._mail.put(_Close())

    # ---- what its connections and the reader tell

    def reads(self) -> None:
        """This is the thread that reads: it must not wait for room, or nobody might read what makes some."""
        self._reader = threading.get_ident()

    def tell(self, news: Accepted | Broken) -> None:
        """Something has happened."""
        self._mail.put(news)

    def fail(self, why: str) -> None:
        """Nothing can be written any more; who tries is told *why*."""
        with self._room:
            self._closed = self._failed = self._failed or why
            self._room.notify_all()
        self._mail.put(_Stop())

    def give_up(self, why: str) -> None:
        """The same, but nobody else has noticed: a process that we cannot send to may wait for us for ever."""
        self.fail(why)
        self._given_up(why)

    # ---- the thread

    def _run(self) -> None:
        while not self._over:
            if not self._sendable():
                self._wait()
            else:
                self._take(None)
                if self._sendable() and not self._over:
                    self._send()
        if self._line is not None:
            self._line.leave()
        self._lines.close()

    def _wait(self) -> None:
        try:
            mail = self._mail.get(timeout=None if self._line is None or self._sent else REST_SECONDS)
        except Empty:
            if self._line is not None and not self._line.rest():
                self._line = None
        else:
            self._take(mail)

    def _take(self, mail: Mail | None) -> None:
        """Deal with *mail* and all that has come since."""
        while not self._over:
            if isinstance(mail, bytes):
                self._fresh.append(mail if len(mail) <= PIECE_BYTES else memoryview(mail))
            elif isinstance(mail, Accepted):
                self._accept(mail)
            elif isinstance(mail, Broken):
                self._lose(mail.line, mail.error, mail.least)
            elif mail is not None:
                self._ending = True
                self._over = isinstance(mail, _Stop)
            try:
                mail = self._mail.get_nowait()
            except Empty:
                return

    def _sendable(self) -> bool:
        waiting = self._sent < len(self._pieces) or bool(self._fresh) or (self._ending and not self._told_end())
        most = self._line.pieces if self._line is not None else 1
        return waiting and self._under_way + PIECE_BYTES <= WINDOW_BYTES and self._sent < most

    def _told_end(self) -> bool:
        return bool(self._pieces) and self._pieces[-1].end

    def _send(self) -> None:
        try:
            if self._line is None:
                self._line = self._lines.line()
                if self._line is None:
                    self._over = True
                    return
                if self._line.accepted is not None:
                    self._accept(Accepted(self._line.accepted))
            if self._sent == len(self._pieces):
                self._cut()
            if self._sent < len(self._pieces):
                piece = self._pieces[self._sent]
                self._sent += 1
                self._under_way += len(piece.data)
                self._line.send(piece)
        except FAILURES as error:
            # an established line that takes nothing: the process does not read, and nobody is to blame
            blamed = None if isinstance(error, TimeoutError) and self._line is not None else error
            self._lose(self._line, blamed)

    def _cut(self) -> None:
        """Make the next piece."""
        if not self._fresh:
            if self._ending and not self._told_end():
                self._pieces.append(Piece(self._cut_until, b"", end=True))
            return
        data = self._fresh.popleft()
        if len(data) > PIECE_BYTES:
            self._fresh.appendleft(data[PIECE_BYTES:])
            data = data[:PIECE_BYTES]
        else:
            parts, size = [data], len(data)
            while self._fresh and size + len(self._fresh[0]) <= PIECE_BYTES:
                parts.append(self._fresh.popleft())
                size += len(parts[-1])
            data = b"".join(parts) if len(parts) > 1 else data
        self._pieces.append(Piece(self._cut_until, data))
        self._cut_until += len(data)

    def _accept(self, news: Accepted) -> None:
        self._patience.worked()
        if news.offset > self._cut_until:
            self._over = True
            self.give_up("somebody else writes to the process, too")
            return
        done = news.offset - self._accepted
        if done > 0:
            self._accepted += done
            with self._room:
                self._held -= done
                self._room.notify_all()
        while self._pieces:
            piece = self._pieces[0]
            size = len(piece.data)
            if piece.offset + size > self._accepted or (piece.end and not news.end):
                break
            self._pieces.popleft()
            if self._sent:
                self._sent -= 1
                self._under_way -= size
        self._over = self._over or news.end

    def _lose(self, line: Line | None, error: BaseException | None, least: float = 0.0) -> None:
        """What was under way on a line that is broken goes again by another one."""
        if line is not self._line:
            return
        if line is not None:
            line.cut()
        self._line = None
        self._sent = self._under_way = 0
        try:
            if error is not None:
                self._patience.fail(error, least)
            else:
                self._patience.worked()
                self._patience.pause(least)
        except FAILURES:
            self._over = True
            self.give_up(f"the connection is lost: {error}")
