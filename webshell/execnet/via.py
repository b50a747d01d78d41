"""Gateways through a channel of another gateway; at the far end of the channel is ``child/relay.py``.

execnet's own way (``ProxyIO``) writes to the far process in the receiver thread of the gateway in between, so that one
process that does not read stops all that goes through that gateway. Here each has queues and credit of its own.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import execnet
from execnet import Gateway, Group, HostNotFound, RemoteError, XSpec, gateway_base, gateway_socket
from execnet.gateway_base import Channel, ExecModel
from execnet.gateway_bootstrap import sendexec
from execnet.gateway_io import popen_args, ssh_args, vagrant_ssh_args

from webshell.execnet.channel_io import ChannelIO, Line, ending

CHILD = Path(__file__).parent.parent / "child"
FUTURE = "from __future__ import annotations\n"

SSH_FAILED = 255
"""The status with which ``ssh`` says that it was itself that failed."""


class NotStarted(OSError):
    """A gateway's interpreter cannot be started, or ended before it answered; the text says why."""


class ChannelGateway(Gateway):
    """A gateway that operates on a channel, whose far end is a relay to a fresh interpreter: :func:`open_relay`."""

    def __init__(self, channel: Line, spec: XSpec | str = "popen", group: Group | None = None) -> None:
        """:param spec: its ``id``, ``chdir``, ``nice`` and ``env`` are for this gateway; what was started is not asked
        to be something else.
        :param group: which it becomes a member of, and has its id from; that of ``execnet.makegateway`` without one.

        :raises NotStarted: what is behind *channel* could not be started, or is no interpreter.
        :raises HostNotFound: ssh cannot reach the host.
        """
        spec = spec if isinstance(spec, XSpec) else XSpec(spec)
        group = execnet.default_group if group is None else group
        name_it(spec, group)
        io = channel_io(channel, spec, group.execmodel)
        answered(io, spec)
        super().__init__(io, spec)
        group._register(self)
        configure(self, spec)


def makegateway(group: Group, spec: XSpec | str) -> Gateway:
    """A gateway through the one of *group* that ``via=`` names: ``popen``, ``ssh=``, ``vagrant_ssh=`` or ``socket=``.

    :raises NotStarted: its interpreter cannot be started, or does not answer.
    :raises HostNotFound: ssh cannot reach the host.
    :raises KeyError: there is no such gateway to go through.
    """
    spec = spec if isinstance(spec, XSpec) else XSpec(spec)
    name_it(spec, group)
    return ChannelGateway(open_relay(master_of(group, spec), spec), spec, group)


def master_of(group: Group, spec: XSpec) -> Gateway:
    """The gateway that ``via=`` names.

    :raises KeyError: *group* has none of that name.
    """
    if str(spec.via) not in group:
        raise KeyError(f"via={spec.via}: there is no such gateway in {group!r}")
    return group[str(spec.via)]


def open_relay(master: Gateway, wanted: XSpec | str | dict[str, Any]) -> Channel:
    """A new channel of *master*, whose far end is a relay to what is *wanted*, beside *master* or reached from there.

    :param wanted: a spec, or a request of ``child/relay.py``.
    :raises NotStarted: *master* has ended, or executes nothing more.
    """
    if isinstance(wanted, str):
        wanted = XSpec(wanted)
    request = wanted if isinstance(wanted, dict) else request_for(wanted)
    # one source: what the second one asks of the compiler, the first has asked
    ends, relay = ((CHILD / f"{name}.py").read_text("utf-8") for name in ("relay_ends", "relay"))
    try:
        asking = master.remote_exec(ends + relay.replace(FUTURE, ""))
        asking.send(request)
        channel: Channel = asking.receive()
    except (OSError, EOFError) as error:
        raise NotStarted(f"the gateway {master.id}, to go through, has ended ({error or 'EOF'})") from None
    except RemoteError as error:
        raise NotStarted(f"the gateway {master.id}, to go through, does not do that: {error}") from None
    return channel


def request_for(spec: XSpec) -> dict[str, Any]:
    """What is asked of a relay to have what *spec* says.

    :raises ValueError: no gateway goes through another one so.
    """
    kind = kind_of(spec)
    if not kind:
        raise ValueError(f"no gateway goes through another one by {spec}: it needs one of {', '.join(REQUESTS)}")
    return REQUESTS[kind](spec)


def kind_of(spec: XSpec) -> str:
    """The key that says what kind of gateway it is; empty: none of ours."""
    return next((kind for kind in REQUESTS if getattr(spec, kind)), "")


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
        sendexec(io, *(_serve_socket(spec) if spec.socket else _serve_pipes(spec)))
    try:
        answer = io.read(1)
    except EOFError:
        raise _early_end(io, spec) from None
    if answer != b"1":
        io.kill()
        raise NotStarted(f"{io.name} is no interpreter that execnet can use: it answered {answer!r}")


def configure(gateway: Gateway, spec: XSpec) -> None:
    """Working directory, priority and environment of the interpreter, as ``chdir=``, ``nice=`` and ``env:`` say."""
    if spec.chdir or spec.nice or spec.env:
        channel = gateway.remote_exec(_configure)
        channel.send((spec.chdir, int(spec.nice or 0), spec.env))
        channel.waitclose()


def _configure(channel):  # type: ignore[no-untyped-def]  # its source is sent
    import os

    chdir, nice, environment = channel.receive()
    if chdir:
        os.makedirs(chdir, exist_ok=True)
        os.chdir(chdir)
    if nice and hasattr(os, "nice"):
        niceness = os.nice(nice)
        # Linux does that for one thread; what follows may be executed in others
        for thread in os.listdir("/proc/self/task") if os.path.isdir("/proc/self/task") else ():
            os.setpriority(os.PRIO_PROCESS, int(thread), niceness)
    os.environ.update(environment)


def _run_popen(spec: XSpec) -> dict[str, Any]:
    argv = popen_args(spec)
    return {"run": argv if spec.python else ["", *argv[1:]]}


def _connect_socket(spec: XSpec) -> dict[str, Any]:
    host, _, port = str(spec.socket).rpartition(":")
    if not port.isdecimal():
        raise ValueError(f"socket={spec.socket}: HOST:PORT is meant")
    return {"connect": [host, int(port)]}


REQUESTS: dict[str, Callable[[XSpec], dict[str, Any]]] = {
    "popen": _run_popen,
    "ssh": lambda spec: {"run": ssh_args(spec)},
    "vagrant_ssh": lambda spec: {"run": vagrant_ssh_args(spec)},
    "socket": _connect_socket,
}
"""What is asked of the relay, by the key of the spec that says what kind of gateway it is."""


def _serve_pipes(spec: XSpec) -> tuple[str, ...]:
    return (
        inspect.getsource(gateway_base),
        f"execmodel = get_execmodel({spec.execmodel or 'thread'!r})",
        "io = init_popen_io(execmodel)",
        "io.write(b'1')",
        f"serve(io, id='{spec.id}-worker')",
    )


def _serve_socket(spec: XSpec) -> tuple[str, ...]:
    return (
        inspect.getsource(gateway_base),
        "import socket",
        inspect.getsource(gateway_socket.SocketIO),
        f"execmodel = get_execmodel({spec.execmodel or 'thread'!r})",
        "io = SocketIO(clientsock, execmodel)",  # the name that execnet's socketserver gives
        "io.write(b'1')",
        f"serve(io, id='{spec.id}-worker')",
    )


def _early_end(io: ChannelIO, spec: XSpec) -> Exception:
    status = io.wait()
    said = f":\n{io.tail.rstrip()}" if io.tail.strip() else ""
    if status == SSH_FAILED and (spec.ssh or spec.vagrant_ssh):
        return HostNotFound(f"{io.remoteaddress}{said}")
    python = f", python={spec.python}" if spec.python else ""
    return NotStarted(f"{io.name}{python} {ending(status)} before it answered{said}")
