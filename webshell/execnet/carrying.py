"""Gateways that bring what goes through them to others, and threads that hold them up while they call a callback.

Such a thread must not wait for what that gateway would bring, and it is not always easy to say what that is: there may
be gateways through gateways, and connections through both. So it waits for nothing.
"""

from __future__ import annotations

import threading
from typing import Any
from weakref import ref

_carriers: tuple[ref[Any], ...] = ()  # another one for each change: any thread may be looking at the last one
_change = threading.Lock()


def carry(gateway: Any) -> None:
    """From now on, something depends on *gateway*'s receiving."""
    global _carriers
    if hasattr(gateway, "_receivelock"):
        with _change:
            others = [one for one in _carriers if one() not in (None, gateway)]
            _carriers = (*others, ref(gateway))


def carries() -> bool:
    """Whether this thread holds up one of them.

    Callbacks are called with the gateway's lock: by its receiver thread, or by ``setcallback`` for what is there.
    """
    gateways = (one() for one in _carriers)
    return any(gateway is not None and gateway._receivelock._is_owned() for gateway in gateways)
