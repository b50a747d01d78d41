"""What the core asks of a place that runs commands, and what it tells back; it knows no such place."""

from __future__ import annotations

from typing import Protocol

from webshell.command import Command, Size

STDOUT = 1
"""The stream number of standard output, and of everything that a terminal shows."""
STDERR = 2


class Sides(Protocol):
    """The side channels of a running child as its process sees them; ``channels.py`` knows their names."""

    def tell(self, channel: str, message: bytes) -> None:
        """Say *message* to the program; it is dropped if nobody listens there within moments."""

    def pending(self, channel: str) -> int:
        """Bytes of messages that the program has not yet taken."""

    def hold(self, channel: str, held: bool) -> None:
        """Stop reading what the program says, so that it blocks; or read again."""


class Child(Protocol):
    """One running child as its process sees it. No method blocks, none raises because the child is gone."""

    sides: Sides | None
    """Its side channels; None: it has none."""

    @property
    def pid(self) -> int:
        """The child's process id where it runs; it leads a process session of its own."""

    @property
    def pending(self) -> int:
        """Bytes of input that were written and that the kernel has not yet taken."""

    def write(self, data: bytes) -> int:
        """Add to the child's input, and say what is pending then. The caller bounds it."""

    def close_input(self) -> None:
        """End the input after what is pending; in a terminal, by its end-of-file character."""

    def pause(self) -> None:
        """Stop reading output, so that the child blocks when the kernel's buffer is full."""

    def resume(self) -> None:
        """Read output again."""

    def resize(self, size: Size) -> None:
        """Set the terminal's size; nothing without a terminal."""

    def redraw(self) -> None:
        """Tell the terminal's foreground job that its window changed, so that it draws itself anew."""

    def signal(self, name: str) -> None:
        """Send the signal ``SIG`` + *name* to the terminal's foreground job, or to the child's process group."""

    def stop(self, grace: float, hangup: bool = True) -> None:
        """End everything that the child started: TERM, and HUP unless not *hangup*, now, KILL after *grace* seconds.

        A second call with a smaller grace hastens it. ``exited`` is told when the child has ended; processes that even
        KILL has not ended by then are reported there as survivors. After ``exited``, ends what survived.
        """


class Parent(Protocol):
    """What a child tells: the straight line from the kernel to the listeners starts with :meth:`wrote`."""

    def wrote(self, stream: int, data: bytes) -> None:
        """Output arrived on *stream*, :data:`STDOUT` or :data:`STDERR`."""

    def took(self) -> None:
        """The kernel took input, and fewer bytes are pending than before."""

    def said(self, channel: str, message: bytes) -> None:
        """The program said *message* on a side channel of its command."""

    def exited(self, exit_code: int | None, signal: str | None, survivors: tuple[int, ...]) -> None:
        """The child ended, and all that it wrote has been told; nothing is told after this.

        Exactly one of *exit_code* and *signal* (a name without ``SIG``) is not None. *survivors*: process ids of what
        it started and left running.
        """


class Target(Protocol):
    """A place where commands run."""

    def spawn(self, command: Command, parent: Parent) -> Child:
        """Start *command* and tell *parent* about it; nothing is told before this returns.

        :raises webshell.errors.SpawnFailed: it could not be started; nothing is left behind.
        """
