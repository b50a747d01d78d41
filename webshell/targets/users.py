"""Starts commands as another system user, by rewriting them: a small program becomes that user, then the command."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from webshell.command import Command
from webshell.errors import SpawnFailed
from webshell.target import Child, Parent, Target
from webshell.targets.accounts import account, environment
from webshell.targets.environment import PATH, directory, executable

BECOME = Path(__file__).parent.parent / "child" / "become.py"


class Users:
    """A target that wraps the one that starts processes; commands of the daemon's own user just pass."""

    def __init__(self, target: Target, daemon: Mapping[str, str]) -> None:
        """
        :param target: starts what was rewritten.
        :param daemon: the daemon's own environment.
        """
        self._target = target
        self._path = daemon.get("PATH", PATH)

    def spawn(self, command: Command, parent: Parent) -> Child:
        """Start *command*; see :class:`webshell.target.Target`."""
        if not command.user:
            return self._target.spawn(command, parent)
        who = account(command.user)
        cwd = directory(command.cwd, who.home)
        trusted = {**environment(who), "PWD": cwd, **command.trusted}
        if not who.foreign:
            return self._target.spawn(replace(command, trusted=trusted, user=""), parent)
        if os.geteuid() != 0:
            raise SpawnFailed(f"only a server that runs as root can start programs as {who.name}")
        program = executable(command.argv[0], trusted.get("PATH", self._path), cwd)
        become = (sys.executable, "-I", "-S", str(BECOME), who.name, str(who.uid), str(who.gid), cwd)
        argv = (*become, command.arg0 or command.argv[0], program, *command.argv[1:])
        return self._target.spawn(replace(command, argv=argv, arg0="", cwd="/", trusted=trusted, user=""), parent)
