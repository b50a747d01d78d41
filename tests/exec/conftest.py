"""A daemon under test, and a client of its process API."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from exec.asking import Api, api_of
from wire import Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One for a module: its tests must not depend on each other's processes."""
    with Server(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture
def api(server: Server) -> Api:
    """Asks it, with the token."""
    return api_of(server)
