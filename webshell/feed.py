"""Input of one process by offset, whoever sends it: each byte goes in once, in order, when there is room for it.

Who sends says where it begins in all that was ever sent. So what was sent twice is dropped, and a gap is noticed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from webshell.errors import InputFull, OutOfOrder, WebshellError, WrongState
from webshell.target import Child

ROOM_BYTES = 1 << 20
"""Handed to a child before the kernel has taken it: what all clients of a WebSocket may have under way together."""

OFFERS = 64
"""Pieces that wait for room: more requests under way than any client makes to one process."""

WAITING_BYTES = 16 << 20
"""In all of them: what a process that does not read costs. Four of the longest bodies, on their way together."""


@dataclass(slots=True, eq=False)
class Offer:
    """A piece of input.

    :ivar offset: of its first byte; None: after all that is there.
    :ivar data: the bytes.
    :ivar end: nothing comes after it.
    :ivar answer: called once: with None when all of it was accepted, else with the reason.
    """

    offset: int | None
    data: bytes
    end: bool
    answer: Callable[[WebshellError | None], None]


class Feed:
    """All input of one process that is counted by offset.

    :ivar accepted: how many bytes have been given to the child so far.
    :ivar ended: whether the end of the input has been said.
    """

    __slots__ = ("_offers", "accepted", "ended")

    def __init__(self) -> None:
        self.accepted = 0
        self.ended = False
        self._offers: list[Offer] = []  # short: no deque, 0.7 kB

    @property
    def waiting(self) -> int:
        """How many offers wait for room."""
        return len(self._offers)

    def add(self, offer: Offer) -> None:
        """Put *offer* behind those that wait; :meth:`pour` deals with it.

        :raises InputFull: too many wait already.
        """
        waiting = sum(len(other.data) for other in self._offers)
        if len(self._offers) >= OFFERS or waiting + len(offer.data) > WAITING_BYTES:
            raise InputFull(f"the process does not read its input: {waiting} bytes are waiting")
        self._offers.append(offer)

    def cancel(self, offer: Offer) -> None:
        """Whoever made *offer* is gone: what was not yet accepted of it is dropped."""
        if offer in self._offers:
            self._offers.remove(offer)

    def pour(self, child: Child, write: Callable[[str, bytes, Child], object]) -> None:
        """Accept what there is room for, and give it to *child* by *write*, :meth:`webshell.intake.Intake.write`."""
        while self._offers:
            offer = self._offers[0]
            if offer.offset is None:
                offer.offset = self.accepted
            at = self.accepted - offer.offset
            if 0 <= at < len(offer.data) and not self.ended:
                room = ROOM_BYTES - child.pending
                if room <= 0:
                    return
                piece = offer.data[at : at + room]
                self.accepted += len(piece)
                write("", piece, child)
                if at + len(piece) < len(offer.data):
                    continue
                at = len(offer.data)
            self._offers.pop(0)
            offer.answer(self._finish(offer, at, child))

    def close(self, error: WebshellError) -> None:
        """The child has ended: nothing that waits will be accepted."""
        while self._offers:
            self._offers.pop(0).answer(error)

    def _finish(self, offer: Offer, at: int, child: Child) -> WebshellError | None:
        """Deal with the end of *offer*, of which *at* bytes were accepted: is it where the input is?"""
        if at < 0:
            return OutOfOrder(f"input up to {self.accepted} was accepted: what begins later is out of order")
        if at < len(offer.data):
            return WrongState("the input has ended already")
        if offer.end and not self.ended:
            if at > len(offer.data):
                return OutOfOrder(f"input up to {self.accepted} was accepted: it cannot end before that")
            self.ended = True
            child.close_input()
        return None
