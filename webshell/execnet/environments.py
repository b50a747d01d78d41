"""Virtual environments at the far side of a gateway: made on the fly, with a gateway into each."""

from __future__ import annotations

import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from execnet import Gateway, XSpec
from execnet.gateway_base import Channel

from webshell.execnet import environments_remote
from webshell.execnet.rsync import RSync

HERE = "here"
"""Where a step was that no gateway has a name for."""

SOURCE_DISTRIBUTION = "making the source distribution"


class StepFailed(OSError):
    """A step that could not be done.

    :ivar place: the gateway's id, or ``here``.
    :ivar step: what it was.
    :ivar status: the exit status of its tool; ``None``: it was none, or it could not be started.
    :ivar output: the last lines that were said.
    """

    def __init__(self, place: str, step: str, status: int | None, output: str) -> None:
        how = "" if status is None else f" with status {status}"
        super().__init__(f"{place}: {step} failed{how}: {output}")
        self.place = place
        self.step = step
        self.status = status
        self.output = output


def create_venv_gateway(gateway: Gateway, name: str, *requirements: str, pip_options: Iterable[str] = ()) -> Gateway:
    """Make a virtual environment where *gateway* leads to, and a gateway through it into that environment.

    :param name: its directory, from the working directory there; ``~`` is the home directory. An environment that this
        has made before is used again, and gets what it lacks; one that is half made, or was made by another version of
        Python, is made anew. Whoever wants it at the same time waits.
    :param requirements: what is installed, each as pip understands it: ``six==1.16.0``.
    :param pip_options: for ``pip install``: ``("--no-index", "--find-links", "/wheels")``. pip also heeds the variables
        ``PIP_*`` there.
    :returns: a gateway whose working directory is the environment.
    :raises StepFailed: it could not be made, or something could not be installed. The next call starts as this one did.
    """
    for requirement in requirements:
        if requirement.lstrip()[:1] in ("", "-"):
            raise ValueError(f"{requirement!r} is no requirement; options go into pip_options")
    channel = gateway.remote_exec(environments_remote)
    channel.send(("environment", list(pip_options), name, list(requirements)))
    path, python = _result(gateway, channel)
    spec = XSpec(f"popen//via={gateway.id}")
    # rather than in its text, where they would end at a double slash
    spec.python = shlex.quote(python)
    spec.chdir = path
    return gateway._group.makegateway(spec)


class SetupFile:
    """A project that has a ``setup.py``."""

    def __init__(self, path: str | Path = "setup.py") -> None:
        self._path = Path(path).absolute()

    def sdist_remote_install(self, gateway: Gateway, *, pip_options: Iterable[str] = ()) -> None:
        """Make a source distribution here, and install it into the interpreter that *gateway* leads to.

        Here it takes setuptools, which leaves its ``.egg-info`` beside the project as ever.

        :param pip_options: for ``pip install`` there: without a network, ``("--no-index", "--find-links", "/wheels")``,
            where pip looks for what builds the project, too.
        :raises StepFailed: it could not be made here or installed there.
        """
        with tempfile.TemporaryDirectory() as directory:
            archive = self._source_distribution(directory)
            channel = gateway.remote_exec(environments_remote)
            channel.send(("install", list(pip_options)))
            rsync = RSync(archive, verbose=False)
            rsync.add_target(gateway, f"{channel.receive()}/{archive.name}")
            try:
                rsync.send()
                channel.send(archive.name)
                _result(gateway, channel)
            finally:
                channel.close()

    def _source_distribution(self, directory: str) -> Path:
        command = [sys.executable, self._path.name, "-q", "sdist", "--formats=gztar", "--dist-dir", directory]
        try:
            ended = subprocess.run(
                command,
                cwd=self._path.parent,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                check=False,
            )
        except OSError as error:
            raise StepFailed(HERE, SOURCE_DISTRIBUTION, None, str(error)) from error
        archives = list(Path(directory).iterdir())
        if ended.returncode or len(archives) != 1:
            said = ended.stdout.splitlines()[-environments_remote.TAIL_LINES :]
            raise StepFailed(HERE, SOURCE_DISTRIBUTION, ended.returncode, "\n".join(said))
        return archives[0]


def _result(gateway: Gateway, channel: Channel) -> tuple[Any, ...]:
    """What the far side has done, at its end.

    :raises StepFailed: it could not.
    """
    outcome, *content = channel.receive()
    channel.waitclose()
    if outcome == "failed":
        raise StepFailed(gateway.id, *content)
    return tuple(content)
