"""execnet's group of gateways, which knows more kinds of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import monotonic

import execnet
from execnet import Gateway, XSpec

from webshell.execnet.factory import LocalFactory
from webshell.execnet.python2 import take_interpreter, to_python2
from webshell.execnet.spec import TRANSPORTS
from webshell.execnet.start import over_web
from webshell.execnet.via import through

Maker = Callable[[execnet.Group, XSpec], Gateway]
"""Makes a gateway, registers it with the group, and sets what ``chdir=``, ``nice=`` and ``env:`` say."""

MAKERS: dict[str, Maker] = {**dict.fromkeys(TRANSPORTS, over_web), "via": through, "python2": to_python2}
"""Who makes a gateway, by the first of these keys that its spec has; without one execnet does it."""

EXIT_SECONDS = 1.0
"""So long gateways may take to end when their program does, all together, before they are killed; as in execnet."""


class Group(execnet.Group):
    """A group whose gateways may be anywhere that a server of ours is.

    :ivar makers: who makes a gateway, in this group.
    """

    makers: Mapping[str, Maker] = MAKERS

    def setlocalfactory(self, port: int, token_file: str | None = None) -> None:
        """From now on, have ``ssh=`` go through the factory service at this *port* of loopback.

        All programs of a user share its one connection to each host.

        :param token_file: the service's; None: where the service makes it by itself.
        """
        self.makers = {**self.makers, "ssh": LocalFactory(port, token_file).makegateway}

    def makegateway(self, spec: XSpec | str | None = None) -> Gateway:
        """Make a gateway as ``execnet.Group`` does, or one of ours: ``http=HOST[:PORT]//path=/shell//python=python3``.

        :raises ValueError: *spec* cannot be meant so.
        :raises OSError: there is no connection, or no interpreter; its text says why.
        :raises execnet.HostNotFound: there is no such machine.
        """
        spec = spec or self.defaultspec
        if not isinstance(spec, XSpec):
            spec = XSpec(spec)
        maker = next((maker for key, maker in self.makers.items() if getattr(spec, key) is not None), None)
        if maker is None:
            return super().makegateway(spec)
        self.allocate_id(spec)
        if spec.execmodel is None:
            spec.execmodel = self.remote_execmodel.backend
        if spec.python2 is not None:
            take_interpreter(spec)
        return maker(self, spec)

    def _cleanup_atexit(self) -> None:
        """End what is left; without the threads that execnet starts for it, which Python 3.12 refuses by then."""
        while self:
            between = {gateway.spec.via for gateway in self}
            for gateway in tuple(self):
                if gateway.id not in between:
                    gateway.exit()
            deadline = monotonic() + EXIT_SECONDS
            for gateway in self._gateways_to_join:
                if gateway._receivepool.waitall(max(0.0, deadline - monotonic())):
                    gateway._io.wait()
                else:
                    gateway._io.kill()
            self._gateways_to_join.clear()


def install() -> None:
    """Let ``execnet.makegateway`` and ``execnet.Group`` of this process be ours; once is enough.

    It is for programs that call these, like pytest-xdist; what they imported before by name stays what it was.
    """
    if execnet.Group is Group:
        return
    group = Group()
    for module in (execnet, execnet.multi):
        vars(module).update(
            Group=Group, default_group=group, makegateway=group.makegateway, set_execmodel=group.set_execmodel
        )
