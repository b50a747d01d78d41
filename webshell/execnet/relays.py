"""Relays beside a far interpreter, to what a gateway's spec asks for: their source is sent, ``child/relay.py``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from execnet import Gateway, Group, RemoteError, XSpec
from execnet.gateway_base import Channel
from execnet.gateway_io import popen_args, ssh_args, vagrant_ssh_args

from webshell.execnet.trouble import Gone

CHILD = Path(__file__).parent.parent / "child"
FUTURE = "from __future__ import annotations\n"


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
    :raises Gone: *master* has ended, or executes nothing more.
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
        raise Gone(f"the gateway {master.id}, to go through, has ended ({error or 'EOF'})") from None
    except RemoteError as error:
        raise Gone(f"the gateway {master.id}, to go through, does not do that: {error}") from None
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
