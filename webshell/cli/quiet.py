"""Commands that ask and show: nobody listens to output."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from webshell.cli.client import Message
from webshell.cli.link import Link
from webshell.cli.transport import Door


class Deaf:
    """A listener that does not."""

    def output(self, process: int, stream: int, data: bytes) -> None:
        """Nothing."""

    def event(self, message: Message) -> None:
        """Nothing."""

    def room(self, process: int) -> None:
        """Nothing."""


def quiet_link(reactor: Any, door: Door, note: Callable[[str], None] = lambda text: None) -> Link:
    """A connection for requests; it is not made again when it is lost."""
    return Link(reactor, door, Deaf(), note=note, patience=0)
