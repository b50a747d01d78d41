"""What joins a child to the daemon: a terminal, or three pipes."""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import termios
from functools import partial
from typing import Protocol

from webshell.command import Size
from webshell.target import STDERR, STDOUT, Parent
from webshell.targets.channel import Channel
from webshell.targets.floods import Floods
from webshell.targets.reactor import IReactor

DRAIN_BYTES = 1 << 21
"""Told after a child's exit: twice what a pipe holds. Only a flooding background process fills it faster."""

IUTF8 = 0x4000
"""Erase whole characters; Python's termios lacks it, Linux and macOS agree on it."""


class Ends(Protocol):
    """Both ends, until the child has started; then ours."""

    @property
    def for_child(self) -> dict[int, int]:
        """The child's descriptors by what is to become of them in the child."""

    @property
    def pending(self) -> int:
        """Bytes of input that the kernel has not yet taken."""

    def begin(self) -> None:
        """The child has started: keep only what is ours, and read."""

    def write(self, data: bytes) -> int:
        """Add to the input, and say what is pending then."""

    def close_input(self) -> None:
        """End the input after what is pending."""

    def pause(self) -> None:
        """Stop reading."""

    def resume(self) -> None:
        """Read again."""

    def resize(self, size: Size) -> None:
        """Set the terminal's size."""

    def foreground(self) -> int:
        """The terminal's foreground process group; 0 if there is none."""

    def finish(self) -> None:
        """Tell what is still there, and close."""

    def close(self) -> None:
        """Close everything."""


class Terminal:
    """A pseudo-terminal.

    We keep the child's side open too: a program that closes all three descriptors and opens ``/dev/tty`` later does not
    lose its terminal in between, and the reactor never sees a hang-up that is none.
    """

    def __init__(self, reactor: IReactor, floods: Floods, size: Size, parent: Parent) -> None:
        master, self._slave = os.openpty()
        self._master = master
        self._line = b""  # the last byte of input
        wrote = partial(parent.wrote, STDOUT)
        self._channel = Channel(reactor, master, floods, wrote=wrote, took=parent.took, pipe=False)
        self.resize(size)
        modes = termios.tcgetattr(self._slave)
        modes[0] |= IUTF8
        termios.tcsetattr(self._slave, termios.TCSANOW, modes)
        self.for_child = dict.fromkeys(range(3), self._slave)

    @property
    def pending(self) -> int:
        """Bytes of input that the kernel has not yet taken."""
        return self._channel.pending

    def begin(self) -> None:
        """Read."""
        self._channel.resume()

    def write(self, data: bytes) -> int:
        """Type *data*, and say what is pending then."""
        self._line = data[-1:] or self._line
        return self._channel.write(data)

    def close_input(self) -> None:
        """Type the end-of-file character."""
        if self._channel.closed:
            return
        flags, characters = termios.tcgetattr(self._slave)[3::3]
        end = characters[termios.VEOF]
        if end != b"\0":  # it can be switched off
            unfinished = flags & termios.ICANON and self._line not in (b"", b"\n", b"\r", end)
            self.write(end * 2 if unfinished else end)  # in a line, the first one only hands over the line

    def pause(self) -> None:
        """Stop reading."""
        self._channel.pause()

    def resume(self) -> None:
        """Read again."""
        self._channel.resume()

    def resize(self, size: Size) -> None:
        """Set its size; its foreground job hears of a change."""
        if not self._channel.closed:
            fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("4H", size.rows, size.cols, 0, 0))

    def foreground(self) -> int:
        """Its foreground process group; 0 if there is none."""
        with contextlib.suppress(OSError):  # nobody controls it yet
            return 0 if self._channel.closed else os.tcgetpgrp(self._master)
        return 0

    def finish(self) -> None:
        """Tell what is still there, and close."""
        self._channel.drain(DRAIN_BYTES)
        self.close()

    def close(self) -> None:
        """Close both sides."""
        self._channel.close()
        if self._slave >= 0:
            os.close(self._slave)
            self._slave = -1


class Pipes:
    """Standard input, output and error, each a pipe."""

    def __init__(self, reactor: IReactor, floods: Floods, parent: Parent) -> None:
        with contextlib.ExitStack() as opened:
            ours, theirs = [], []
            for number in range(3):
                ends = os.pipe()
                for descriptor in ends:
                    opened.callback(os.close, descriptor)
                theirs.append(ends[number > 0])
                ours.append(ends[number == 0])
            opened.pop_all()
        self.for_child = dict(enumerate(theirs))
        wrote = (lambda data: None, partial(parent.wrote, STDOUT), partial(parent.wrote, STDERR))
        self._stdin, *self._outputs = (
            Channel(reactor, descriptor, floods, wrote=wrote[number], took=parent.took, pipe=True)
            for number, descriptor in enumerate(ours)
        )

    @property
    def pending(self) -> int:
        """Bytes of input that the kernel has not yet taken."""
        return self._stdin.pending

    def begin(self) -> None:
        """Keep only our ends, and read."""
        self._close_theirs()
        self.resume()

    def write(self, data: bytes) -> int:
        """Write to standard input, and say what is pending then."""
        return self._stdin.write(data)

    def close_input(self) -> None:
        """Close standard input after what is pending."""
        self._stdin.close_when_written()

    def pause(self) -> None:
        """Stop reading."""
        for channel in self._outputs:
            channel.pause()

    def resume(self) -> None:
        """Read again."""
        for channel in self._outputs:
            channel.resume()

    def resize(self, size: Size) -> None:
        """Pipes have no size."""

    def foreground(self) -> int:
        """Pipes have no jobs."""
        return 0

    def finish(self) -> None:
        """Tell what is still there, and close."""
        for channel in self._outputs:
            channel.drain(DRAIN_BYTES)
        self.close()

    def close(self) -> None:
        """Close all."""
        self._close_theirs()
        for channel in (self._stdin, *self._outputs):
            channel.close()

    def _close_theirs(self) -> None:
        while self.for_child:
            os.close(self.for_child.popitem()[1])
