"""Tools that a test cannot do without."""

from __future__ import annotations

import os
import shutil

import pytest


def need(tool: str) -> str:
    """The path of *tool*. If it is missing the test is skipped, or fails where ``WEBSHELL_TEST_ALL=1`` forbids that."""
    path = shutil.which(tool)
    if path is not None:
        return path
    if os.environ.get("WEBSHELL_TEST_ALL") == "1":
        pytest.fail(f"{tool} is not installed, and WEBSHELL_TEST_ALL=1", pytrace=False)
    pytest.skip(f"{tool} is not installed")
