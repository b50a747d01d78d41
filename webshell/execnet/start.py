"""A fresh interpreter behind an IO becomes a gateway, or it is said why not."""

from __future__ import annotations

import threading
from contextlib import suppress
from functools import partial

from execnet import Gateway, Group, XSpec
from execnet.gateway_bootstrap import sendexec

from webshell.execnet.carrying import carry
from webshell.execnet.reach import reach
from webshell.execnet.relays import master_of
from webshell.execnet.sources import for_pipes
from webshell.execnet.spec import read_spec
from webshell.execnet.trouble import Gone, NotStarted
from webshell.execnet.web_io import MODELS, WebIO
from webshell.execnet.worker import Worker, ending

ANSWER_SECONDS = 60.0
"""For an interpreter to say that it is there; what says nothing for so long is none."""


def over_web(group: Group, spec: XSpec) -> Gateway:
    """A gateway to an interpreter that a server starts; with ``via=``, all connections to that are made from there.

    :raises ValueError: *spec* cannot be meant so.
    :raises OSError: there is no connection, or no interpreter; its text says why.
    :raises execnet.HostNotFound: there is no such machine.
    :raises KeyError: there is no such gateway to go through.
    """
    if group.execmodel.backend not in MODELS:
        raise ValueError(
            f"{spec}: not with the execution model {group.execmodel.backend!r}: one of {', '.join(MODELS)}"
        )
    if any(gateway.id == spec.id for gateway in group):
        raise ValueError(f"already have gateway with id {spec.id!r}")
    wanted = read_spec(spec)
    road = partial(reach, master_of(group, spec)) if spec.via else None
    try:
        worker = Worker(wanted.dialer(road), wanted)
    except Gone as error:
        raise NotStarted(str(error)) from None
    io = WebIO(worker, wanted, group.execmodel)
    try:
        _begin(io, spec)
    except BaseException:
        io.kill()
        io.close_read()
        raise
    io.show_errors()
    gateway = Gateway(io, spec)
    carry(gateway)
    group._register(gateway)
    try:
        configure(gateway, spec)
    except BaseException:
        gateway.exit()
        raise
    return gateway


def _begin(io: WebIO, spec: XSpec) -> None:
    late = threading.Timer(ANSWER_SECONDS, io.kill)
    late.daemon = True
    late.start()
    try:
        with suppress(OSError):  # it has ended already; it may have said something
            sendexec(io, *for_pipes(spec))
        answer = io.read(1)
    except (EOFError, OSError) as error:
        raise NotStarted(_early_end(io, spec, str(error))) from None
    finally:
        late.cancel()
    if answer != b"1":
        raise NotStarted(f"{_python(spec)} is no Python that execnet can use: it answered {answer!r}")


def _early_end(io: WebIO, spec: XSpec, why: str) -> str:
    status, said = io.worker.last_words()
    if status is not None:
        why = f"it ended {ending(status)} before it answered"
    return f"{_python(spec)} cannot be used: {why}{f', and said:{chr(10)}{said}' if said else ''}"


def _python(spec: XSpec) -> str:
    return f"python={spec.python}" if spec.python else "the server's python3"


def configure(gateway: Gateway, spec: XSpec) -> None:
    """Working directory, priority and environment, as execnet itself sets them."""
    if spec.chdir or spec.nice or spec.env:
        channel = gateway.remote_exec(_set)
        channel.send((spec.chdir, int(spec.nice or 0), spec.env))
        channel.waitclose()


def _set(channel):  # type: ignore[no-untyped-def]  # its source is sent; it may be a Python 2.7 that executes it
    import os

    folder, nice, environment = channel.receive()
    if folder:
        if not os.path.isdir(folder):
            os.makedirs(folder)
        os.chdir(folder)
    if nice and hasattr(os, "nice"):
        niceness = os.nice(nice)
        # Linux does that for one thread; what follows may be executed in others
        for thread in os.listdir("/proc/self/task") if os.path.isdir("/proc/self/task") else ():
            os.setpriority(os.PRIO_PROCESS, int(thread), niceness)
    for name, value in environment.items():
        # text is unicode in Python 2, and its environment is not
        os.environ[str(name)] = value if isinstance(value, str) else value.encode("utf-8")
