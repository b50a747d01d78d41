"""Who somebody is and what they may do: the one value that access control produces and everything else asks."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from webshell.errors import NotAllowed


class Right(StrEnum):
    """One thing that a client may be allowed to do; each is checked in the server."""

    VIEW = "view"
    """See one's own sessions and their output."""
    TYPE = "type"
    """Send input, signals and sizes."""
    RUN = "run"
    """Make and end sessions and processes."""
    MANAGE = "manage"
    """All of this in everybody's sessions, not only one's own."""


ALL_RIGHTS = frozenset(Right)


@dataclass(frozen=True, slots=True)
class Grant:
    """What access control decided about one client.

    :ivar identity: the name that sessions are owned by and that others see.
    :ivar rights: what the client may do.
    :ivar owners: whose sessions besides its own the client may see, by identity.
    :ivar users: the system users that the client may run programs as, besides the daemon's own.
    """

    identity: str
    rights: frozenset[Right] = ALL_RIGHTS
    owners: frozenset[str] = frozenset()
    users: frozenset[str] = frozenset()

    def require(self, *rights: Right) -> None:
        """Raise :class:`NotAllowed` unless all *rights* are granted."""
        for right in rights:
            if right not in self.rights:
                raise NotAllowed(f"you may not do this: it needs the right '{right}'")

    def require_user(self, user: str) -> None:
        """Raise :class:`NotAllowed` unless programs may run as the system user *user*; which exist is not told."""
        if user not in self.users:
            raise NotAllowed(f"you may not run programs as the user {user!r}")

    def may_see(self, owner: str) -> bool:
        """Whether sessions of *owner* are this client's business."""
        return owner == self.identity or owner in self.owners or Right.MANAGE in self.rights
