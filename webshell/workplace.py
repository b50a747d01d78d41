"""Where scripts, uploads and their work are kept: paths only, nothing is made or looked at."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Workplace:
    """The folders of those who run scripts.

    :ivar work: what relative paths are relative to; ``~`` is the home directory of the user.
    :ivar temp: where scripts without a place of their own run.
    :ivar venv: a virtual environment for Python: relative to the script's folder, or absolute; empty: none.
    :ivar make_venv: make it if it is missing, except for scripts without a place of their own.
    """

    work: str = "~/further"
    temp: str = "/tmp"  # noqa: S108  # clients of further-link rely on it
    venv: str = ""
    make_venv: bool = False

    def work_folder(self, home: str) -> str:
        """The absolute path of the folder for work of a user whose home directory is *home*."""
        if self.work == "~" or self.work.startswith("~/"):
            return os.path.normpath(home + self.work[1:])
        return os.path.normpath(os.path.join("/", home, self.work))

    def path(self, wanted: str, home: str) -> str:
        """The absolute path of what a client calls *wanted*; empty: the folder for what has no place."""
        return os.path.join(self.work_folder(home), wanted) if wanted else self.temp
