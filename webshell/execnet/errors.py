"""What a worker says to its standard error appears on ours, as that of a local one would; and its end is tidied up."""

from __future__ import annotations

import codecs
import sys
import threading

from webshell.execnet.exchange import FAILURES
from webshell.execnet.stream import Stream
from webshell.execnet.worker import Worker

LAST_SECONDS = 2.0
"""For the last of it to arrive after the process has ended."""


class Errors:
    """The standard error of one worker, and the thread that passes it on."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._stream = Stream(worker, "err")
        self._output_ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="webshell-errors", daemon=True)
        self._begun = False

    def begin(self) -> None:
        """Pass on what there is, and what comes."""
        self._begun = True
        self._thread.start()

    def end(self) -> None:
        """The output has ended, or nobody reads it any more; does not wait."""
        self._output_ended.set()
        if self._worker.exit is None:
            self._stream.abandon()

    def finish(self) -> None:
        """Wait a moment for the last."""
        if self._begun:
            self._thread.join(LAST_SECONDS)

    def _run(self) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        try:
            while True:
                show(decoder.decode(self._stream.receive()))
        except FAILURES:
            show(decoder.decode(b"", final=True))
        self._stream.release()
        self._output_ended.wait()
        if self._worker.exit is not None:
            self._worker.forget()


def show(text: str) -> None:
    """Say it to our standard error, if there is one."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        pass  # there is none, or it is closed
