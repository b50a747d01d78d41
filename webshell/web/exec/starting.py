"""What a POST to ``/popen`` asks to be started."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from webshell.dialects.native import read_start
from webshell.errors import BadRequest
from webshell.executions import GRACE_SECONDS
from webshell.messages import Start
from webshell.web.exec.answers import object_of

PYTHON = "python3"
"""The interpreter unless another one is named."""

WORKER = ("-u", "-c", "import sys;exec(eval(sys.stdin.readline()))")
"""Its arguments: the first line of its input is the program. What execnet's gateways begin with."""

MOST_GRACE = 1e9
"""Seconds; the server's configuration has the last word."""


def asked(body: bytes) -> tuple[Start, float]:
    """The start that *body*, JSON or nothing, describes, and the grace in seconds.

    :raises BadRequest: it is not JSON, or a member is of the wrong kind.
    """
    members = object_of(body) if body.strip() else {}
    if members.get("target", "local") not in ("", "local"):
        raise BadRequest(f"there is no target {members['target']!r}; there are: local")
    python = members.pop("python", None)
    members.setdefault("keep", "all")
    members.pop("queue", None)  # whoever asks wants to know the id now
    if "runner" not in members:
        members["runner"] = "sh" if members.get("line") else "exec"
        if not members.get("line") and not members.get("argv"):
            members["argv"] = [*_words(python), *WORKER]
    return read_start(members), _grace(members)


def _words(python: object) -> list[str]:
    if python is None:
        return [PYTHON]
    if not isinstance(python, str):
        raise BadRequest("'python' must be a string")
    try:
        return shlex.split(python) or [PYTHON]
    except ValueError as error:
        raise BadRequest(f"'python' cannot be split into words: {error}") from None


def _grace(members: Mapping[str, Any]) -> float:
    grace = members.get("grace")
    if grace is None:
        return GRACE_SECONDS
    if type(grace) not in (int, float) or not grace >= 0:  # NaN compares false
        raise BadRequest("'grace' must be a number of seconds")
    return float(min(grace, MOST_GRACE))
