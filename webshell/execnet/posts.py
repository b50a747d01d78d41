"""Input of a process in POST requests, several under way on one connection, each with the offset of its bytes."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from http.client import HTTPResponse
from queue import SimpleQueue

from webshell.execnet.exchange import FAILURES, Exchange, count
from webshell.execnet.lines import Accepted, Broken, Piece
from webshell.execnet.patience import FIRST_PAUSE
from webshell.execnet.sender import Sender
from webshell.execnet.trouble import PASSING
from webshell.execnet.worker import Worker, stated

ANSWER_SECONDS = 45.0
"""For a request and its answer. A process that does not read keeps the answer back for longer: then it is asked again,
before what lies between (60 s) cuts the connection."""


REQUESTS = 24
"""Under way at once: enough for the window where they are large; the server keeps 64 for a process."""


class Posts:
    """The connections that carry what is written; made by the sender, read by a thread of their own.

    :ivar sender: who is told what is accepted; to be set before the first connection is made.
    """

    def __init__(self, worker: Worker) -> None:
        self.sender: Sender
        self._worker = worker
        self._posts: SimpleQueue[Post | None] = SimpleQueue()
        # it has to be there before the interpreter shuts down: no thread can be started then
        threading.Thread(target=self._read, name="webshell-answers", daemon=True).start()

    def line(self) -> Posted:
        """A new connection.

        :raises OSError: there is none now. All of ``FAILURES`` may be raised.
        """
        return Posted(self._worker, Exchange(self._worker.dialer, ANSWER_SECONDS), self._posts)

    def close(self) -> None:
        """There will be no more."""
        self._posts.put(None)

    # ---- the thread that reads answers

    def _read(self) -> None:
        while (post := self._posts.get()) is not None:
            if post.last:
                post.line.exchange.close()  # here, as nobody else reads from it
            elif not post.line.broken:
                self._read_answer(post)

    def _read_answer(self, post: Post) -> None:
        line = post.line
        try:
            answer = line.exchange.answer("POST")
            if answer.status == 204:
                answer.read()
                line.fresh = False
                self.sender.tell(Accepted(count(answer, "X-In-Off") or 0, post.end))
                if not line.exchange.usable:
                    self._lose(line, None)
            else:
                self._judge(line, answer)
        except TimeoutError:
            self._lose(line, None)
        except FAILURES as error:
            # a connection that has carried something may end at any time
            self._lose(line, error if line.fresh else None)

    def _judge(self, line: Posted, answer: HTTPResponse) -> None:
        accepted = count(answer, "X-In-Off")
        if answer.status in (404, 410):
            self.sender.fail(str(stated(answer, self._worker.id)))
        elif accepted is not None and (answer.status == 503 or (answer.status == 409 and not line.fresh)):
            # on a new connection there is no order that could be wrong: somebody else writes, too
            self.sender.tell(Accepted(accepted))
            self._lose(line, None, max(count(answer, "Retry-After") or 0, FIRST_PAUSE))
        else:
            error = self._worker.refused(answer)
            if answer.status in PASSING:
                self._lose(line, error, count(answer, "Retry-After") or 0)
            else:
                self.sender.give_up(str(error))

    def _lose(self, line: Posted, error: BaseException | None, least: float = 0.0) -> None:
        line.broken = True
        self.sender.tell(Broken(line, error, least))


class Posted:
    """One connection; see :class:`webshell.execnet.lines.Line`.

    :ivar broken: no answer will be read from it any more.
    :ivar fresh: nothing has been accepted on it so far.
    """

    accepted: int | None = None
    pieces = REQUESTS

    def __init__(self, worker: Worker, exchange: Exchange, posts: SimpleQueue[Post | None]) -> None:
        self.exchange = exchange
        self.broken = False
        self.fresh = True
        self._path = worker.path
        self._posts = posts

    def send(self, piece: Piece) -> None:
        """Send it; its answer will be told."""
        # first, as an answer may come before all of the request is sent, and says why it cannot be
        self._posts.put(Post(self, piece.end))
        path = f"{self._path}?off={piece.offset}{'&eof=1' * piece.end}"
        self.exchange.ask("POST", path, piece.data, {"Content-Type": "application/octet-stream"})

    def cut(self) -> None:
        """End it."""
        self.broken = True
        self.exchange.cut()
        self._posts.put(Post(self, last=True))

    def rest(self) -> bool:
        """End it before the server does, maybe while a request is on its way."""
        self.cut()
        return False

    def leave(self) -> None:
        """Nothing will be sent any more."""
        self.cut()


@dataclass(frozen=True, slots=True)
class Post:
    """A request that has no answer yet; *last*: none will come any more."""

    line: Posted
    end: bool = False
    last: bool = False
