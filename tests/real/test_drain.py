"""When a process has ended, what is there is told; of what others go on writing, no more than a bound."""

from __future__ import annotations

import os
import socket
from typing import cast

from twisted.internet.testing import MemoryReactorClock

from webshell.targets import ears
from webshell.targets.channel import Channel
from webshell.targets.ends import DRAIN_BYTES
from webshell.targets.floods import Floods
from webshell.targets.precedence import Precedence
from webshell.targets.reactor import IReactor
from webshell.targets.wire import READ_BYTES, Wire


def test_output_that_never_ends() -> None:
    reactor = cast("IReactor", MemoryReactorClock())
    told: list[int] = []
    endless = os.open("/dev/zero", os.O_RDONLY)
    channel = Channel(
        reactor,
        endless,
        Floods(reactor, Precedence()),
        wrote=lambda data: told.append(len(data)),
        took=lambda: None,
        pipe=True,
    )
    channel.drain(DRAIN_BYTES)
    assert DRAIN_BYTES <= sum(told) < DRAIN_BYTES + max(told)
    channel.close()


def test_messages_that_do_not_end() -> None:
    told: list[int] = []
    ours, theirs = socket.socketpair()
    wire = Wire(cast("IReactor", MemoryReactorClock()), ours, lambda data: told.append(len(data)))
    with theirs:
        theirs.setblocking(False)
        sent = 0
        try:
            while True:
                sent += theirs.send(b"x" * 4096)
        except BlockingIOError:
            pass
        wire.drain(READ_BYTES)
        assert READ_BYTES <= sum(told) < min(sent, 2 * READ_BYTES)
        wire.drain(ears.DRAIN_BYTES)
        assert sum(told) == sent < ears.DRAIN_BYTES
        wire.close()
