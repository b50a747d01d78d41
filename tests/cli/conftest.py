"""A daemon under test, for the command, and a wire to it that can be cut."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from cli.commands import Wire
from wire import Server


@pytest.fixture(scope="module")
def relay() -> Iterator[Wire]:
    """The wire's end that the server has to know before it starts."""
    with Wire() as made:
        yield made


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, relay: Wire) -> Iterator[Server]:
    """One for a module: its tests must not depend on each other's sessions."""
    with Server(tmp_path_factory.mktemp("home"), "--host", relay.host) as running:
        relay.lead_to(running)
        yield running


@pytest.fixture
def wire(server: Server, relay: Wire) -> Iterator[Wire]:
    """The wire, whole."""
    yield relay
    relay.mend()
