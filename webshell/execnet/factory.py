"""The local factory service, as programs use it: who asks it for a gateway by ssh shares its connection to the host."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

from execnet import Gateway, Group, HostNotFound, XSpec

from webshell.errors import WebshellError
from webshell.execnet.local_line import LOOPBACK, LocalLine, proven, token_path
from webshell.execnet.trouble import NotStarted, Refused
from webshell.execnet.via import ChannelGateway, name_it
from webshell.web.tokens import token_from_file

KEYS = ("ssh", "ssh_config", "python")
"""Of a spec, what the service has to know."""

REFUSALS: dict[str, type[Exception]] = {"host": HostNotFound, "start": NotStarted}
"""What its refusals mean here."""


class NoFactory(ConnectionRefusedError):
    """No service listens there."""


class LocalFactory:
    """The service at a port of loopback.

    :ivar port: its port.
    """

    def __init__(self, port: int, token_file: str | Path | None = None) -> None:
        """:param token_file: that the service made; None: where it makes it by itself."""
        self.port = port
        self._token_file = Path(token_file) if token_file else token_path()

    def makegateway(self, group: Group, spec: XSpec) -> Gateway:
        """A gateway to the host that ``ssh=`` names, through the service's connection.

        :raises NoFactory: no service listens there.
        :raises Refused: what listens there does not know the token, or this program does not.
        :raises HostNotFound: ssh cannot reach the host.
        :raises NotStarted: the interpreter cannot be started, or is none.
        """
        name_it(spec, group)
        line = self._line()
        try:
            line.send(_request(spec))
            verdict, text = line.receive()
        except (OSError, EOFError) as error:
            line.close()
            raise NotStarted(f"{spec.id} (ssh={spec.ssh}): {error}") from None
        if verdict in REFUSALS:
            line.close()
            raise REFUSALS[verdict](text)
        return ChannelGateway(line, spec, group)

    def _line(self) -> LocalLine:
        name = f"the factory service at {LOOPBACK}:{self.port}"
        try:
            wire = socket.create_connection((LOOPBACK, self.port))
        except ConnectionRefusedError:
            raise NoFactory(
                f"{name} is not running; python -m webshell.execnet.service --port {self.port} starts it"
            ) from None
        try:
            if not self._token_file.exists():
                raise Refused(f"there is no token of it in {self._token_file}; is it another user's?")
            proven(wire, token_from_file(self._token_file), self.port, service=False)
        except (OSError, WebshellError) as error:
            wire.close()
            raise Refused(f"{name}: {error}") from None
        return LocalLine(wire, name)


def _request(spec: XSpec) -> dict[str, Any]:
    request = {key: str(getattr(spec, key)) for key in KEYS if getattr(spec, key) is not None}
    if spec.ssh_config is not None:
        request["ssh_config"] = os.path.abspath(str(spec.ssh_config))  # it is somewhere else
    return request
