"""One ssh connection to one host, for all who want an interpreter there; made when wanted, ended when idle."""

from __future__ import annotations

import threading
from contextlib import suppress

from execnet import Gateway, XSpec
from execnet.gateway_base import Channel
from execnet.gateway_io import ssh_args

from webshell.execnet.group import Group
from webshell.execnet.relays import open_relay
from webshell.execnet.trouble import Gone
from webshell.execnet.via import ChannelGateway

ENDING = 5.0
"""Seconds for ssh to end when it is told to; then it is killed."""

ALIVE = ("-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=3")
"""A host that is gone is noticed within a minute: else all who share the connection would wait for ever."""

HOST = "host"
"""The gateway at the other end of the connection; ssh is started by another one, the hub, which has what ssh says."""


class SshHost:
    """What is at the other end of ``ssh=`` with one ``ssh_config=``."""

    def __init__(self, idle: float) -> None:
        """:param idle: seconds that the connection stays when nobody uses it."""
        self._idle = idle
        # whoever comes while the first one connects waits for that connection
        self._turn = threading.Lock()
        self._group = Group()
        self._counting = threading.Lock()
        self._users = 0
        self._timer: threading.Timer | None = None
        self._connecting: Channel | None = None

    def expect(self) -> None:
        """Somebody comes, who says :meth:`left` when done, whether there was a channel or not."""
        with self._counting:
            self._users += 1

    def relay(self, spec: XSpec) -> Channel:
        """A channel to a relay beside a fresh interpreter there.

        :raises HostNotFound: ssh cannot reach the host.
        :raises NotStarted: there is no Python.
        """
        # a shell, as ssh has it, reads the command line; it need not be that user's
        request = {"run": ["/bin/sh", "-c", ssh_args(spec)[-1]], "errors": True}
        with self._turn:
            if HOST in self._group and self._group[HOST].hasreceiver():
                try:
                    return open_relay(self._group[HOST], request)
                except Gone:
                    pass  # it has ended just now
            self._group.terminate(ENDING)
            try:
                return open_relay(self._connected(spec), request)
            except BaseException:
                self._group.terminate(ENDING)
                raise

    def left(self) -> None:
        """Somebody has gone."""
        with self._turn, self._counting:
            self._users -= 1
            if not self._users and len(self._group):
                if self._timer is not None:
                    self._timer.cancel()
                self._timer = threading.Timer(self._idle, self._expired)
                self._timer.daemon = True
                self._timer.start()

    def is_free(self) -> bool:
        """Whether there is neither a connection nor anybody who wants one."""
        return not self._users and not len(self._group)

    def close(self) -> None:
        """End the connection, whoever uses it."""
        connecting = self._connecting
        if connecting is not None:
            with suppress(OSError):
                connecting.send("kill")
        with self._turn:
            self._group.terminate(ENDING)

    # ---- inside

    def _expired(self) -> None:
        with self._turn:
            # somebody may have come since, or come and gone: then there is another timer
            if not self._users and self._timer is threading.current_thread():
                self._group.terminate(ENDING)

    def _connected(self, spec: XSpec) -> Gateway:
        hub = self._group.makegateway("popen//id=hub")
        ssh, *arguments = ssh_args(spec)
        channel = open_relay(hub, {"run": [ssh, *ALIVE, *arguments]})
        there = XSpec(f"via=hub//id={HOST}")
        there.ssh = spec.ssh
        self._connecting = channel
        try:
            return ChannelGateway(channel, there, self._group)
        finally:
            self._connecting = None
