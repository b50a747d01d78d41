"""Gateways through a channel of another gateway, which has a relay at its far end.

execnet's own way (``ProxyIO``) writes to the far process in the receiver thread of the gateway in between, so that one
process that does not read stops all that goes through that gateway. Here each has queues and credit of its own.
"""

from __future__ import annotations

from contextlib import suppress

import execnet
from execnet import Gateway, Group, HostNotFound, RemoteError, XSpec
from execnet.gateway_base import ExecModel
from execnet.gateway_bootstrap import sendexec

from webshell.execnet.channel_io import ChannelIO
from webshell.execnet.far_end import Line, ending
from webshell.execnet.relays import kind_of, master_of, open_relay
from webshell.execnet.sources import for_pipes, for_socket
from webshell.execnet.start import configure
from webshell.execnet.trouble import Gone, NotStarted

SSH_FAILED = 255
"""The status with which ``ssh`` says that it was itself that failed."""


class ChannelGateway(Gateway):
    """A gateway that operates on a channel, whose far end is a relay to a fresh interpreter: ``relays.open_relay``."""

    def __init__(self, channel: Line, spec: XSpec | str = "popen", group: Group | None = None) -> None:
        """:param spec: for its ``id``, ``chdir``, ``nice`` and ``env``; what has been started does not depend on it.
        :param group: which it becomes a member of, and has its id from; that of ``execnet.makegateway`` without one.

        :raises NotStarted: what is behind *channel* could not be started, or is no interpreter.
        :raises HostNotFound: ssh cannot reach the host.
        """
        spec = spec if isinstance(spec, XSpec) else XSpec(spec)
        group = execnet.default_group if group is None else group
        name_it(spec, group)
        io = channel_io(channel, spec, group.execmodel)
        answered(io, spec)
        io.loud = True
        super().__init__(io, spec)
        group._register(self)
        try:
            configure(self, spec)
        except BaseException:
            self.exit()
            raise


def through(group: Group, spec: XSpec | str) -> Gateway:
    """A gateway through the one of *group* that ``via=`` names: ``popen``, ``ssh=``, ``vagrant_ssh=`` or ``socket=``.

    :raises NotStarted: its interpreter cannot be started, or does not answer.
    :raises HostNotFound: ssh cannot reach the host.
    :raises KeyError: there is no such gateway to go through.
    """
    spec = spec if isinstance(spec, XSpec) else XSpec(spec)
    name_it(spec, group)
    master = master_of(group, spec)
    try:
        channel = open_relay(master, spec)
    except Gone as error:
        raise NotStarted(str(error)) from None
    return ChannelGateway(channel, spec, group)


def name_it(spec: XSpec, group: Group) -> None:
    """An id for the gateway to be, and its execution model.

    :raises ValueError: another one has that id.
    """
    group.allocate_id(spec)
    if str(spec.id) in group:
        raise ValueError(f"already have gateway with id {spec.id!r}")
    if spec.execmodel is None:
        spec.execmodel = group.remote_execmodel.backend


def channel_io(channel: Line, spec: XSpec, execmodel: ExecModel) -> ChannelIO:
    """The bytes of the interpreter that *spec* asked for.

    :raises NotStarted: there is none.
    """
    kind = kind_of(spec)
    what = f"{kind}={getattr(spec, kind)}" if kind not in ("", "popen") else kind
    name = f"{spec.id} ({', '.join(filter(None, (what, f'via {channel.gateway.id}')))})"
    try:
        io = ChannelIO(channel, execmodel, name)
    except (OSError, EOFError, RemoteError) as error:
        said = getattr(error, "strerror", None) or f"{name}: {error or 'the gateway in between has ended'}"
        raise NotStarted(said) from None
    if kind not in ("", "popen"):
        io.remoteaddress = str(getattr(spec, kind))
    return io


def answered(io: ChannelIO, spec: XSpec) -> None:
    """Make a worker of execnet of the fresh interpreter behind *io*.

    :raises NotStarted: it does not answer as one.
    :raises HostNotFound: ssh cannot reach the host.
    """
    with suppress(OSError):  # it may have said something before it went
        sendexec(io, *(for_socket(spec) if spec.socket else for_pipes(spec)))
    try:
        answer = io.read(1)
    except EOFError:
        raise _early_end(io, spec) from None
    if answer != b"1":
        io.kill()
        raise NotStarted(f"{io.name} is no interpreter that execnet can use: it answered {answer!r}")


def _early_end(io: ChannelIO, spec: XSpec) -> Exception:
    status = io.wait()
    said = f":\n{io.tail.rstrip()}" if io.tail.strip() else ""
    if status == SSH_FAILED and (spec.ssh or spec.vagrant_ssh):
        return HostNotFound(f"{io.remoteaddress}{said}")
    python = f", python={spec.python}" if spec.python else ""
    return NotStarted(f"{io.name}{python} {ending(status)} before it answered{said}")
