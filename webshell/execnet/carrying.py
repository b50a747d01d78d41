"""Threads that bring what goes through a gateway to others: its receiver thread, which also calls its callbacks.

Such a thread must not wait for news that it would bring itself, and what it does bring is not always easy to say: there
may be gateways through gateways, and connections through both. So it waits for none of them.
"""

from __future__ import annotations

import threading

_here = threading.local()


def carry() -> None:
    """This is such a thread."""
    _here.carries = True


def carries() -> bool:
    """Whether this is such a thread."""
    return getattr(_here, "carries", False)
