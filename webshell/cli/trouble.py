"""What a command can fail from: each says what to do, and with which status the command ends."""

from __future__ import annotations

from typing import ClassVar


class Trouble(Exception):
    """The server cannot be reached, or does not do what was asked; ``str(trouble)`` is for people."""

    status: ClassVar[int] = 255
    """As ``ssh`` has it: no program ends with it by itself."""


class Refused(Trouble):
    """It is of no use to try again: the server, or who pretends to be it, said no."""


class Asked(Trouble):
    """What was asked cannot be: it is for the user to ask otherwise."""

    status: ClassVar[int] = 2


class NotStarted(Trouble):
    """The program could not be started; shells have that number for it."""

    status: ClassVar[int] = 127


class Failed(Trouble):
    """The server was reached, and answered a request with an error."""

    status: ClassVar[int] = 1


class Stopped(Trouble):
    """A signal has ended the command."""

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by signal {number}")
        self.number = number
