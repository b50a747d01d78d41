"""What works on this machine: each runner is tried once in a while, with a short patience."""

from __future__ import annotations

import re
from collections.abc import Mapping

from twisted.internet.defer import CancelledError, Deferred, DeferredLock
from twisted.internet.interfaces import IReactorTime

from webshell.command import Command
from webshell.errors import SpawnFailed
from webshell.recipes import Recipe
from webshell.target import Target

PATIENCE_SECONDS = 10.0
"""A runner that needs longer to tell its version is of no use; Java needs one second on a small machine."""

FRESH_SECONDS = 60.0
"""So long a result is believed."""

PROBE_BYTES = 1 << 16
"""Of what a probe says; what apt-cache says of a package is some 500 bytes."""

LINE_CHARACTERS = 200
"""Of a version."""

PACKAGE = re.compile(r"[a-z0-9][a-z0-9.+:-]{0,127}")
"""A Debian package's name (policy 5.6.1), with an architecture if need be."""


class Probes:
    """Tries the recipes' probes, and asks apt."""

    def __init__(self, target: Target, recipes: Mapping[str, Recipe], clock: IReactorTime) -> None:
        self._target = target
        self._recipes = recipes
        self._clock = clock
        self._one = DeferredLock()
        self._known: dict[str, str] = {}
        self._until = 0.0

    async def versions(self) -> dict[str, str]:
        """The recipes that work here, and what the first line of their probe says."""
        async with self._one:  # those who ask meanwhile share the answer
            if self._clock.seconds() >= self._until:
                tried = {name: await self._version(recipe) for name, recipe in sorted(self._recipes.items())}
                self._known = {name: version for name, version in tried.items() if version is not None}
                self._until = self._clock.seconds() + FRESH_SECONDS
        return self._known

    async def package(self, name: str) -> str | None:
        """The installed version of a Debian package; ``(none)``: apt knows it, but it is not installed."""
        if not PACKAGE.fullmatch(name):
            return None
        said = await self._said(("apt-cache", "policy", "--", name))
        found = re.search(r"^  Installed: (\S+)", said or "", re.MULTILINE)
        return found[1] if found else None

    async def _version(self, recipe: Recipe) -> str | None:
        if not recipe.probe:
            return ""
        said = await self._said(recipe.probe)
        return None if said is None else said.strip().partition("\n")[0][:LINE_CHARACTERS]

    async def _said(self, argv: tuple[str, ...]) -> str | None:
        """What a program prints; None: it cannot be started, fails or takes too long."""
        asked = _Asked()
        try:
            child = self._target.spawn(Command(argv, cwd="/", env={"LC_ALL": "C.UTF-8"}), asked)
        except SpawnFailed:
            return None
        child.close_input()
        late = self._clock.callLater(PATIENCE_SECONDS, child.stop, 0.0)
        try:
            return await asked.done
        except CancelledError:  # who asked has left
            child.stop(0.0)
            raise
        finally:
            if late.active():
                late.cancel()


class _Asked:
    """The parent of a probe; see :class:`webshell.target.Parent`."""

    def __init__(self) -> None:
        self.done: Deferred[str | None] = Deferred()
        self._said = b""

    def wrote(self, stream: int, data: bytes) -> None:
        """Versions are told on either stream."""
        self._said = (self._said + data)[:PROBE_BYTES]

    def took(self) -> None:
        """There is no input."""

    def said(self, channel: str, message: bytes) -> None:
        """There are no side channels."""

    def exited(self, exit_code: int | None, signal: str | None, survivors: tuple[int, ...]) -> None:
        """All has been said."""
        self.done.callback(self._said.decode("utf-8", "replace") if exit_code == 0 else None)
