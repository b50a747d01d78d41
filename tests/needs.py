"""Tools that a test cannot do without."""

from __future__ import annotations

import importlib.util
import os
import shutil
from typing import NoReturn

import pytest


def need(tool: str) -> str:
    """The path of *tool*. If it is missing the test is skipped, or fails where ``WEBSHELL_TEST_ALL=1`` forbids that."""
    path = shutil.which(tool)
    if path is None:
        _lacks(tool)
    return path


def need_module(name: str) -> None:
    """The same for a module of Python."""
    if importlib.util.find_spec(name) is None:
        _lacks(name)


def _lacks(tool: str) -> NoReturn:
    if os.environ.get("WEBSHELL_TEST_ALL") == "1":
        pytest.fail(f"{tool} is not installed, and WEBSHELL_TEST_ALL=1", pytrace=False)
    pytest.skip(f"{tool} is not installed")
