"""Wheels and projects that pip can install without a network."""

from __future__ import annotations

import zipfile
from pathlib import Path

BACKEND = """
import zipfile

def build_wheel(directory, settings=None, metadata=None):
    name = "probe-1.0-py3-none-any.whl"
    with zipfile.ZipFile(f"{directory}/{name}", "w") as archive:
        archive.write("probe.py")
        told = "probe-1.0.dist-info"
        archive.writestr(f"{told}/METADATA", "Metadata-Version: 2.1\\nName: probe\\nVersion: 1.0\\n")
        archive.writestr(f"{told}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        archive.writestr(f"{told}/RECORD", "")
    return name
"""
"""What builds the project there: it needs nothing from a network."""


SETUP = "from setuptools import setup\nsetup(name='probe', version='1.0', py_modules=['probe'])\n"

PYPROJECT = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'


def make_wheel(directory: Path, name: str, version: str) -> None:
    """A wheel of one module, which knows its version."""
    told = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(directory / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        archive.writestr(f"{name}.py", f"__version__ = {version!r}\n")
        archive.writestr(f"{told}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(f"{told}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{told}/RECORD", f"{name}.py,,\n{told}/METADATA,,\n{told}/WHEEL,,\n{told}/RECORD,,\n")


def make_project(directory: Path) -> None:
    """A project of one module, ``probe``."""
    for name, text in (
        ("setup.py", SETUP),
        ("pyproject.toml", PYPROJECT),
        ("MANIFEST.in", "include backend.py\n"),
        ("backend.py", BACKEND),
        ("probe.py", "where = __file__\n"),
    ):
        (directory / name).write_text(text)
