"""What a client sees of a process, a session and another client: frozen snapshots that events carry."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

SESSION_ID_BYTES = 16
"""128 random bits: it cannot be guessed (RFC 4122 uses 122)."""


@dataclass(frozen=True, slots=True)
class ProcessRecord:
    """A process as a client sees it. *offset*: the next byte it gets; *taken*: its input bytes that were accepted."""

    process: int
    name: str
    runner: str
    line: str
    pty: bool
    rows: int
    cols: int
    state: str
    exit_code: int | None
    signal: str | None
    survivors: tuple[int, ...]
    started: float
    duration: float | None
    offset: int
    end: int
    taken: int


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """A session as a list shows it; *linger* in seconds, *clients* their number."""

    session: str
    name: str
    owner: str
    clients: int
    linger: float
    processes: tuple[ProcessRecord, ...]


@dataclass(frozen=True, slots=True)
class ClientRecord:
    """One attached client, to one of them; *you*: it is the one that is told."""

    identity: str
    rights: tuple[str, ...]
    you: bool


def new_id() -> str:
    """An id for a session. None begins with a dash: it may stand in a command line, where that is an option."""
    while (text := secrets.token_urlsafe(SESSION_ID_BYTES)).startswith("-"):
        pass
    return text
