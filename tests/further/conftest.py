"""A daemon that serves further-link's clients, and such clients."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from further.links import PAGE, Link, configured
from server.daemons import FOREGROUND
from wire import Server


@pytest.fixture(scope="module")
def further(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One daemon for a module, run by twistd; ``work`` and ``temp`` are in its home."""
    home = tmp_path_factory.mktemp("home")
    with Server(home, "--config", configured(home), "--origin", PAGE, argv=FOREGROUND) as running:
        yield running


@pytest.fixture
def link(further: Server) -> Iterator[Link]:
    """A client on ``/run``."""
    with Link(further) as client:
        yield client


@pytest.fixture
def terminal(further: Server) -> Iterator[Link]:
    """A client on ``/run?pty=1``."""
    with Link(further, "pty=1") as client:
        yield client


@pytest.fixture
def python(further: Server) -> Iterator[Link]:
    """A client on ``/run-py``."""
    with Link(further, path="run-py") as client:
        yield client
