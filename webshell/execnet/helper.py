"""A program that looks like a Python interpreter on pipes, and is one at a server: for ``popen//python=``.

Whoever can only start interpreters, like pytest-xdist, gets one there by ``popen//python=webshell-python http=HOST``.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from itertools import takewhile
from typing import NoReturn

from execnet import XSpec
from execnet.gateway_base import get_execmodel

from webshell.execnet.exchange import FAILURES
from webshell.execnet.spec import TRANSPORTS, read_spec, scheme_of
from webshell.execnet.web_io import WebIO
from webshell.execnet.worker import Worker

USAGE = f"""\
usage: webshell-python http=HOST[:PORT] [KEY=VALUE...]

A Python interpreter at a server, with our standard input, output and error. One of
{", ".join(f"{key}=" for key in TRANSPORTS)} says where; path=, python=, cwd= (a dot: the folder
of that name there, in which we are), token_file=, ca_file=, pin=, grace= and others
are as in the spec of a gateway. The first argument that begins with a dash, and what
follows it, is for the interpreter that we stand for, and left out.
"""

READ_BYTES = 1 << 18
"""From our standard input at a time."""

GRACE_SECONDS = 10.0
"""That the interpreter outlives us: whoever kills us would not come back to ask for it."""

UNREACHED = 255
"""The status with which ``ssh`` says that there is no connection."""

SIGNALLED = 128
"""What a shell adds to the number of the signal that ended a program."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it. Returns the status of the interpreter."""
    words = [*takewhile(lambda word: not word.startswith("-"), sys.argv[1:] if arguments is None else arguments)]
    if not words:
        sys.stderr.write(USAGE)
        return 2
    try:
        io = _started(words)
    except (*FAILURES, ValueError) as trouble:
        return _failed(trouble)
    signal.signal(signal.SIGTERM, lambda *_: _end(io))
    signal.signal(signal.SIGINT, lambda *_: _pass_on(io))
    io.show_errors()
    threading.Thread(target=_feed, args=(io,), name="webshell-input", daemon=True).start()
    return _drain(io)


def _started(words: Sequence[str]) -> WebIO:
    spec = XSpec("//".join(words))
    if not scheme_of(spec) or spec.via:
        raise ValueError(
            f"{' '.join(words)}: one of {', '.join(f'{key}=' for key in TRANSPORTS)} is needed, and no via="
        )
    wanted = read_spec(spec)
    if wanted.grace is None:
        wanted = replace(wanted, grace=GRACE_SECONDS)
    if wanted.cwd == ".":
        wanted = replace(wanted, cwd=os.getcwd())
    worker = Worker(wanted.dialer(), wanted)
    return WebIO(worker, wanted, get_execmodel("thread"))


def _feed(io: WebIO) -> None:
    try:
        while data := os.read(0, READ_BYTES):
            io.write(data)
    except OSError:
        pass  # one of both ends is gone, and who reads the output learns of it
    io.close_write()


def _drain(io: WebIO) -> int:
    try:
        while True:
            view = memoryview(io.read_some())
            while view:
                view = view[os.write(1, view) :]
    except EOFError as why:
        status = io.wait()
        if status is None:
            return _failed(why)
        return SIGNALLED - status if status < 0 else status
    except OSError:  # nobody wants to know
        io.kill()
        return SIGNALLED + signal.SIGPIPE


def _failed(why: BaseException) -> int:
    sys.stderr.write(f"webshell-python: {why}\n")
    return UNREACHED


def _end(io: WebIO) -> NoReturn:
    io.kill()
    raise SystemExit(SIGNALLED + signal.SIGTERM)


def _pass_on(io: WebIO) -> None:
    # not here, where an answer may be waited for: only this thread receives signals
    threading.Thread(target=io.worker.interrupt, daemon=True).start()


if __name__ == "__main__":
    raise SystemExit(main())
