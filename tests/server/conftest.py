"""Daemons under test."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from wire import Server

# "benchmarks" is in the checkout only; at the end, for "webshell" is there, too, and the installed one is meant
sys.path.append(str(Path(__file__).parents[2]))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One daemon for a module: its tests must not depend on each other's sessions."""
    with Server(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home directory for a daemon of a test's own."""
    return tmp_path
