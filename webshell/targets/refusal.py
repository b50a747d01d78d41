"""Why the system could not start anything, in words that do not mislead."""

from __future__ import annotations

import errno
from typing import NoReturn

from webshell.command import Command
from webshell.errors import SpawnFailed

REASONS = {
    errno.E2BIG: "the argument list is too long",
    errno.EAGAIN: "the system allows no more processes",
    errno.EMFILE: "the server has too many open files",
    errno.ENFILE: "the system has too many open files",
    errno.ENOENT: "the system has no terminal left",  # what openpty says at last
    errno.ENOMEM: "the system is out of memory",
    errno.ENOSPC: "the system has no terminal left",
}
"""Where the system's own words would mislead."""


def refuse(command: Command, error: OSError) -> NoReturn:
    """Say why *command* was not started.

    :raises SpawnFailed: always.
    """
    reason = REASONS.get(error.errno or 0) or (error.strerror or str(error)).lower()
    raise SpawnFailed(f"{command.argv[0]}: {reason}") from None
