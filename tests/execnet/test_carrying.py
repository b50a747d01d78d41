"""Who is known to hold up a gateway, while gateways come and go in other threads."""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Iterator

import pytest

from webshell.execnet import carrying


class Gateway:
    """What is asked of one."""

    def __init__(self) -> None:
        self._receivelock = threading.RLock()


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carrying, "_carriers", ())


@pytest.fixture
def restless() -> Iterator[None]:
    """Threads that take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_who_holds_it_and_for_how_long_it_is_known() -> None:
    gateway, other = Gateway(), Gateway()
    for one in (gateway, other, gateway, object()):
        carrying.carry(one)
    assert len(carrying._carriers) == 2
    assert not carrying.carries()
    with gateway._receivelock:
        assert carrying.carries()
        elsewhere: list[bool] = []
        thread = threading.Thread(target=lambda: elsewhere.append(carrying.carries()))
        thread.start()
        thread.join()
        assert elsewhere == [False]
    del gateway
    gc.collect()
    assert not carrying.carries()
    carrying.carry(other)
    assert len(carrying._carriers) == 1


def test_it_is_asked_while_others_begin(restless: None) -> None:
    kept = [Gateway() for _ in range(20)]
    for gateway in kept:
        carrying.carry(gateway)
    failed: list[BaseException] = []
    over = threading.Event()

    def ask() -> None:
        try:
            while not over.is_set():
                carrying.carries()
        except RuntimeError as error:
            failed.append(error)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(5000):
        carrying.carry(Gateway())
    over.set()
    for thread in threads:
        thread.join()
    assert failed == []
