"""Code and commands of the documentation, to be run as they stand."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).parents[2]


def python_of(name: str) -> list[str]:
    """The Python blocks of a page of the documentation, in order."""
    text = (ROOT / name).read_text("utf-8")
    blocks = re.findall(r"^\.\. code-block:: python\n\n((?:    .*\n|\n)+)", text, re.MULTILINE)
    return [dedent(block) for block in blocks]


def documented(page: str, beginning: str) -> str:
    """The literal block of a page whose first lines begin like this."""
    text = (ROOT / page).read_text("utf-8")
    found = re.search(rf"^    {re.escape(beginning)}.*\n(?:    .*\n|\n)*", text, re.MULTILINE)
    assert found, beginning
    return dedent(found[0])
