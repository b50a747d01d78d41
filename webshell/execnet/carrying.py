"""Gateways that bring what goes through them to others, and threads that hold them up while they call a callback.

Such a thread must not wait for what that gateway would bring, and it is not always easy to say what that is: there may
be gateways through gateways, and connections through both. So it waits for nothing.
"""

from __future__ import annotations

from typing import Any
from weakref import WeakSet

_carriers: WeakSet[Any] = WeakSet()


def carry(gateway: Any) -> None:
    """From now on, something depends on *gateway*'s receiving."""
    if hasattr(gateway, "_receivelock"):
        _carriers.add(gateway)


def carries() -> bool:
    """Whether this thread holds up one of them.

    Callbacks are called with the gateway's lock: by its receiver thread, or by ``setcallback`` for what is there.
    """
    return any(gateway._receivelock._is_owned() for gateway in list(_carriers))
