"""What cannot be started is refused in plain words, and leaves nothing: every test checks that at its end."""

from __future__ import annotations

import errno
import os
import resource
import tempfile
from pathlib import Path
from typing import Any

from real.local_case import LocalCase, reactor

from webshell.command import Size
from webshell.errors import SpawnFailed
from webshell.targets.chain import by_python
from webshell.targets.local import LocalTarget
from webshell.targets.start import Start, by_chain


class Refusal(LocalCase):
    def refused(self, expected: str, *argv: str, **options: Any) -> None:
        for size in (Size(), None):
            with self.assertRaises(SpawnFailed) as caught:
                self.spawn(*argv, **{"size": size, **options})
            self.assertIn(expected, str(caught.exception))
            del self.parents[-1]

    async def test_no_program(self) -> None:
        self.refused("argument list is empty")
        self.refused("argument list is empty", "")

    async def test_nul_characters(self) -> None:
        self.refused("NUL", "echo", "a\0b")
        self.refused("NUL", "ec\0ho")
        self.refused("NUL", "echo", arg0="a\0")
        self.refused("NUL", "echo", cwd="/tmp\0")
        self.refused("NUL", "echo", env={"A": "\0"})

    async def test_characters_that_are_none(self) -> None:
        for options in ({"env": {"A": "\ud800"}}, {"env": {"\ud800": "A"}}, {"cwd": "/\ud800"}, {"arg0": "\ud800"}):
            self.refused("half a character", "echo", **options)
        self.refused("half a character", "echo", "\ud800")
        self.refused("half a character", "\ud800/x")

    async def test_programs_that_are_none(self) -> None:
        with tempfile.TemporaryDirectory() as path:
            plain = Path(path, "plain")
            plain.write_text("text")
            self.refused("nonexistent-program: command not found", "nonexistent-program")
            self.refused("no such file", "/nonexistent/program")
            self.refused("no such file", "./program", cwd=path)
            self.refused("permission denied", str(plain))
            self.refused("permission denied", "./plain", cwd=path)
            self.refused("no such file", f"{plain}/x")
            self.refused("is a directory", path)
            self.refused("is a directory", "./")
            self.refused("command not found", "..")

    async def test_directories_that_are_none(self) -> None:
        with tempfile.NamedTemporaryFile() as file:
            self.refused("/nonexistent: no such directory", "true", cwd="/nonexistent")
            self.refused("is no directory", "true", cwd=file.name)
        self.refused("no such directory", "true", cwd="~/nonexistent")

    async def test_two_megabytes_of_arguments(self) -> None:
        self.refused("argument list is too long", "echo", "x" * (2 << 20))
        self.refused("argument list is too long", "echo", *["x" * 1000] * 10000)
        self.refused("argument list is too long", "echo", env={"A": "x" * (2 << 20)})

    async def test_no_descriptors(self) -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        used = max(int(name) for name in os.listdir("/proc/self/fd")) + 1
        try:
            for free in range(7):
                resource.setrlimit(resource.RLIMIT_NOFILE, (used + free, hard))
                for size in (Size(), None):
                    try:
                        told = self.spawn("true", size=size)
                    except SpawnFailed as error:
                        self.assertEqual(str(error), "true: the server has too many open files")
                    else:
                        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
                        await told.end()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    async def test_no_processes_and_no_memory(self) -> None:
        for number, expected in ((errno.EAGAIN, "allows no more processes"), (errno.ENOMEM, "out of memory")):
            self.target = LocalTarget(reactor, os.environ, start=full(number))
            self.refused(expected, "true")

    async def test_variables_that_may_not_be_set(self) -> None:
        for name in ("LD_PRELOAD", "PATH", "BASH_ENV", "PYTHONSTARTUP", "A=B", "", "WEBSHELL_PROCESS"):
            self.refused("environment", "true", env={name: "x"})


class RefusalByPython(Refusal):
    def make(self, **options: Any) -> LocalTarget:
        return super().make(start=by_chain(by_python), **options)


def full(number: int) -> Start:
    """How everything starts on a system that allows no more processes."""

    def start(*words: Any) -> None:
        raise OSError(number, os.strerror(number))

    return start
