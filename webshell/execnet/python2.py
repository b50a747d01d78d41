"""Gateways to a Python 2.7, such as Jython, which execnet itself left behind with its version 2."""

from __future__ import annotations

import inspect

from execnet import Gateway, Group, HostNotFound, XSpec
from execnet.gateway_base import IO
from execnet.gateway_bootstrap import sendexec
from execnet.gateway_io import create_io

from webshell.execnet import python2_items, python2_worker
from webshell.execnet.trouble import NotStarted

SSH_FAILED = 255
"""The exit status of ``ssh`` if it is its own and not the command's."""


def to_python2(group: Group, spec: XSpec | str) -> Gateway:
    """Make a gateway and register it with *group*; *spec* has ``python2=``, the interpreter, and ``popen`` or ``ssh=``.

    ``popen//python2=jython`` is one. The other keys are execnet's, without ``via=`` and ``execmodel=``. Text of this
    side is ``unicode`` there; a ``str`` of that side is text here, as if it were Latin-1.

    :raises ValueError: *spec* cannot be meant so.
    :raises NotStarted: what was started is no Python 2.7, or nothing could be started.
    :raises HostNotFound: ssh says so.
    """
    spec = XSpec(spec) if isinstance(spec, str) else spec
    if not isinstance(spec.python2, str) or not (spec.popen or spec.ssh) or spec.via:
        raise ValueError(f"{spec}: popen//python2=INTERPRETER or ssh=HOST//python2=INTERPRETER is meant")
    group.allocate_id(spec)
    spec.python = spec.python2
    try:
        io = create_io(spec, group.execmodel)
    except OSError as error:
        raise NotStarted(f"{spec}: {spec.python} cannot be started: {error.strerror}") from error
    gateway = bootstrap(io, spec)
    group._register(gateway)
    if spec.chdir or spec.nice or spec.env:
        channel = gateway.remote_exec(_SET)
        channel.send((spec.chdir, int(spec.nice or 0), spec.env))
        channel.waitclose()
    return gateway


def bootstrap(io: IO, spec: XSpec) -> Gateway:
    """Make an interpreter that waits behind *io*, as execnet starts it, the other end of a gateway.

    :raises NotStarted: it is none, or of a version that cannot.
    :raises HostNotFound: ssh says so.
    """
    try:
        sendexec(io, inspect.getsource(python2_items), inspect.getsource(python2_worker), "serve()")
        answer = io.read(1)
    except (EOFError, OSError):
        answer = b""
    if answer == b"1":
        return Gateway(io, spec)
    if answer:  # it speaks, and may go on
        io.kill()
    status = io.wait()
    for close in (io.close_read, io.close_write):
        try:
            close()
        except OSError:
            pass  # what it did not read cannot be sent any more
    if status == SSH_FAILED and spec.ssh:
        raise HostNotFound(spec.ssh)
    said = f"it answered {answer!r}" if answer else f"it ended with status {status} before it answered"
    raise NotStarted(f"{spec}: {spec.python} is no Python 2.7: {said}")


_SET = """
import os
folder, nice, environment = channel.receive()
if folder:
    if not os.path.isdir(folder):
        os.makedirs(folder)
    os.chdir(folder)
if nice and hasattr(os, "nice"):
    os.nice(nice)
for name, value in environment.items():
    os.environ[str(name)] = value
"""
"""The working directory, the priority and the environment, as execnet itself sets them."""
