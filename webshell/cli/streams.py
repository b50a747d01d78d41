"""Standard input, output and error of the command itself, with a brake on both sides.

Descriptors keep the mode that they have: who shares a terminal or a pipe with us would be surprised by ``O_NONBLOCK``.
"""

from __future__ import annotations

import errno
import os
import select
import signal
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

from twisted.internet.interfaces import IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from webshell.cli.trouble import Failed

READ_BYTES = 64 << 10
"""At once: what a pipe holds."""

BACKGROUND_SECONDS = 0.5
"""Between two looks whether a terminal that another program has is ours again; nothing else tells."""

BROKEN_PIPE = 128 + signal.SIGPIPE
"""As shells tell that a program wrote where nobody reads."""

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""Somebody misses what could not be written; other errors mean that nobody is there."""


@implementer(IReadDescriptor)
class Source:
    """Reads a descriptor while there is room for more."""

    def __init__(self, reactor: Any, descriptor: int, came: Callable[[bytes], None]) -> None:
        """:param came: gets what was read, nothing at the end."""
        self._reactor = reactor
        self._descriptor = descriptor
        self._came = came
        self._terminal = os.isatty(descriptor)
        self._ended = False

    def resume(self) -> None:
        """There is room."""
        if not self._ended:
            self._reactor.addReader(self)

    def pause(self) -> None:
        """There is none."""
        self._reactor.removeReader(self)

    def stop(self) -> None:
        """Read no more."""
        self._ended = True
        self.pause()

    # ---- what the reactor calls

    def fileno(self) -> int:
        """The descriptor."""
        return self._descriptor

    def logPrefix(self) -> str:
        """Its name in the log."""
        return "stdin"

    def doRead(self) -> None:
        """There is something to read, so that it does not block."""
        if self._terminal and self._elsewhere():
            self.pause()
            self._reactor.callLater(BACKGROUND_SECONDS, self.resume)
            return
        try:
            data = os.read(self._descriptor, READ_BYTES)
        except BlockingIOError:
            return
        except OSError:  # its terminal has gone away
            data = b""
        if not data:
            self.stop()
        self._came(data)

    def connectionLost(self, reason: Failure) -> None:
        """Nothing will come any more."""
        if not self._ended:
            self.stop()
            self._came(b"")

    # ---- inside

    def _elsewhere(self) -> bool:
        # what runs in the background would be stopped for reading what is typed to others
        try:
            return os.tcgetpgrp(self._descriptor) != os.getpgrp()
        except OSError:
            return False  # it is not the terminal of our session, or gone


class Sink:
    """Writes in a thread, in order: a pipe that nobody reads stops neither signals nor the connection."""

    def __init__(self, reactor: Any, written: Callable[[int, bool], None], broken: Callable[[OSError], None]) -> None:
        """:param written: is told which offset was written, and whether nothing more waits.
        :param broken: nobody reads what the process writes, or there is no room for its standard output.
        """
        self._reactor = reactor
        self._written = written
        self._broken = broken
        self._pieces: SimpleQueue[tuple[int, bytes, int] | Callable[[], None]] = SimpleQueue()
        self._closed: set[int] = set()
        threading.Thread(target=self._work, name="output", daemon=True).start()

    def write(self, descriptor: int, data: bytes, offset: int = 0) -> None:
        """Write; the server's window bounds what waits.

        :param offset: is reported when it is done; 0: nothing is.
        """
        self._pieces.put((descriptor, data, offset))

    def flushed(self, call: Callable[[], None]) -> None:
        """Call it in the reactor when everything so far has been written."""
        self._pieces.put(call)

    def _work(self) -> None:
        while True:
            piece = self._pieces.get()
            if not isinstance(piece, tuple):
                self._reactor.callFromThread(piece)
                continue
            descriptor, data, offset = piece
            if descriptor not in self._closed:
                try:
                    write_all(descriptor, data)
                except OSError as error:
                    self._closed.add(descriptor)
                    if descriptor == 1 or (offset and error.errno == errno.EPIPE):
                        self._reactor.callFromThread(self._broken, error)
            if offset:
                self._reactor.callFromThread(self._written, offset, self._pieces.empty())


def shown_all(text: str) -> int:
    """Write it to the standard output. Returns the status to end with.

    :raises Failed: it cannot be written.
    """
    try:
        write_all(1, text.encode("utf-8", "surrogateescape"))
    except OSError as error:
        if error.errno in FULL:
            raise unwritten(error) from None
        return BROKEN_PIPE
    return 0


def unwritten(error: OSError) -> Failed:
    """Output was lost."""
    return Failed(f"the output cannot be written: {error.strerror}")


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of it, however long that takes.

    :raises OSError: nobody reads it.
    """
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except BlockingIOError:
            select.select([], [descriptor], [])
