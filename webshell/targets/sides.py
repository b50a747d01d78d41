"""The sockets of side channels: what a program connects to, what it listens on, in a private folder of its own.

They are named as pi-top's ``further_link`` looks for them, so that programs which import it work unchanged.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import tempfile
from dataclasses import replace
from pathlib import Path

from webshell.channels import KINDS
from webshell.command import Command
from webshell.errors import SpawnFailed
from webshell.target import Child, Parent, Target
from webshell.targets.accounts import account, acting_as
from webshell.targets.ears import Ear
from webshell.targets.mouths import Mouth
from webshell.targets.reactor import IReactor

LIBRARY = Path(__file__).parent.parent / "child" / "library"
"""Our ``further_link``; it steps aside where pi-top's is installed."""

FOLDER_VARIABLE = "FURTHER_LINK_TEMP_DIR"
"""Where programs look for the sockets."""

OWN = "webshell"
"""Sockets of this name are our library's; pi-top's has the number of the process group instead."""

FOLDER_CHARACTERS = 60
"""The longest name of the folder above: a socket's whole name may have 107 (Linux) or 103 (macOS)."""


class SideChannels:
    """A target around another one: opens the sockets of commands that have side channels; all others just pass."""

    def __init__(self, reactor: IReactor, target: Target) -> None:
        self._reactor = reactor
        self._target = target

    def spawn(self, command: Command, parent: Parent) -> Child:
        """Start *command*; see :class:`webshell.target.Target`."""
        if not command.channels:
            return self._target.spawn(command, parent)
        with contextlib.ExitStack() as opened:
            try:
                sockets = Sockets(self._reactor, command, parent)
                opened.callback(sockets.close)
                sockets.open()
            except OSError as error:
                raise SpawnFailed(f"the side channels cannot be opened: {error.strerror or error}") from None
            trusted = {**command.trusted, FOLDER_VARIABLE: sockets.folder}
            trusted["PYTHONPATH"] = os.pathsep.join(filter(None, (command.trusted.get("PYTHONPATH"), str(LIBRARY))))
            child = self._target.spawn(replace(command, trusted=trusted, gate=sockets.gate), sockets)
            opened.pop_all()
        sockets.begin(child.pid)
        child.sides = sockets
        return child


class Sockets:
    """The sockets of one process; the parent of its child, and its :class:`webshell.target.Sides`."""

    def __init__(self, reactor: IReactor, command: Command, parent: Parent) -> None:
        self.folder = ""
        self.gate = ""
        """Where scripts wait for the names that have a number in them; commands are not so strict, and begin sooner."""
        self._gated = command.work is not None
        self._opener = -1  # of the gate
        self._reactor = reactor
        self._account = account(command.user)
        self._parent = parent
        self._ears = {name: Ear(reactor, name, parent) for name in command.channels if KINDS[name].from_program}
        self._mouths = {
            name: Mouth(reactor, name, self._connected) for name in command.channels if name not in self._ears
        }
        self._names: tuple[str, ...] = ()

    # ---- what the target does

    def open(self) -> None:
        """Make the folder, and listen in it; raises OSError."""
        with acting_as(self._account):
            self.folder = tempfile.mkdtemp(prefix="webshell-", dir=_folder_of_folders())
            for name, ear in self._ears.items():
                ear.open(os.path.join(self.folder, f"{OWN}.{name}.sock"))
            if self._gated:
                self.gate = os.path.join(self.folder, "gate")
                os.mkfifo(self.gate, 0o600)
                self._opener = os.open(self.gate, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)

    def begin(self, pid: int) -> None:
        """The child has started; it leads the process group *pid*, which pi-top's package looks for."""
        self._names = (OWN, str(pid))
        with contextlib.suppress(OSError), acting_as(self._account):
            for name in self._ears:
                os.symlink(f"{OWN}.{name}.sock", os.path.join(self.folder, f"{pid}.{name}.sock"))
        if self._opener >= 0:
            os.write(self._opener, b"\n")
        for ear in self._ears.values():
            ear.resume()

    def close(self) -> None:
        """Close all and remove the folder; whatever a program has left in it goes, too."""
        for ear in self._ears.values():
            ear.close()
        for mouth in self._mouths.values():
            mouth.close()
        if self._opener >= 0:
            os.close(self._opener)
            self._opener = -1
        if self.folder:
            with contextlib.suppress(OSError, SpawnFailed), acting_as(self._account):
                shutil.rmtree(self.folder, ignore_errors=True)

    # ---- what the child tells

    def wrote(self, stream: int, data: bytes) -> None:
        """Output arrived."""
        self._parent.wrote(stream, data)

    def took(self) -> None:
        """The kernel took input."""
        self._parent.took()

    def said(self, channel: str, message: bytes) -> None:
        """Something within said something."""
        self._parent.said(channel, message)

    def exited(self, exit_code: int | None, signal: str | None, survivors: tuple[int, ...]) -> None:
        """The child ended: tell what it still said, and then that."""
        for ear in self._ears.values():
            ear.drain()
        self.close()
        self._parent.exited(exit_code, signal, survivors)

    # ---- what the process does

    def tell(self, channel: str, message: bytes) -> None:
        """Say *message* to the program."""
        self._mouths[channel].tell(message)

    def pending(self, channel: str) -> int:
        """Bytes of messages that the program has not yet taken."""
        return self._mouths[channel].pending

    def hold(self, channel: str, held: bool) -> None:
        """Stop reading, or read again."""
        self._ears[channel].hold(held)

    # ---- inside

    def _connected(self, channel: str) -> tuple[socket.socket, bool] | None:
        """A connection to where the program listens, and whether it does so by our library; None: it does not.

        As the program's user: the folder is that user's, and might hold a link to a socket that is none of theirs.
        """
        for name in self._names:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connection.setblocking(False)
            try:
                with acting_as(self._account):
                    connection.connect(os.path.join(self.folder, f"{name}.{channel}.sock"))
            except OSError:
                connection.close()
            else:
                return connection, name == OWN
        return None


def _folder_of_folders() -> str:
    folder = tempfile.gettempdir()
    return folder if len(folder) <= FOLDER_CHARACTERS else "/tmp"  # noqa: S108  # mkdtemp makes a private one in it
