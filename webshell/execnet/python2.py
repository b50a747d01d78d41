"""Gateways to a Python 2.7, such as Jython, which execnet itself left behind with its version 2."""

from __future__ import annotations

from contextlib import suppress

from execnet import Gateway, Group, HostNotFound, XSpec
from execnet.gateway_base import IO
from execnet.gateway_bootstrap import sendexec
from execnet.gateway_io import create_io

from webshell.execnet.sources import for_pipes
from webshell.execnet.start import configure
from webshell.execnet.trouble import NotStarted
from webshell.execnet.via import SSH_FAILED, name_it


def to_python2(group: Group, spec: XSpec | str) -> Gateway:
    """Make a gateway and register it with *group*; *spec* has ``python2=``, the interpreter, and ``popen`` or ``ssh=``.

    ``popen//python2=jython`` is one. Text of this side is ``unicode`` there; a ``str`` of that side is text here, as if
    it were Latin-1.

    :raises ValueError: *spec* cannot be meant so.
    :raises NotStarted: what was started is no Python 2.7, or nothing could be started.
    :raises HostNotFound: ssh says so.
    """
    spec = spec if isinstance(spec, XSpec) else XSpec(spec)
    name_it(spec, group)
    take_interpreter(spec)
    if not (spec.popen or spec.ssh or spec.vagrant_ssh):
        raise ValueError(f"{spec}: popen//python2=INTERPRETER or ssh=HOST//python2=INTERPRETER is meant")
    try:
        io = create_io(spec, group.execmodel)
    except OSError as error:
        raise NotStarted(f"{spec}: {spec.python} cannot be started: {error.strerror}") from error
    gateway = bootstrap(io, spec)
    group._register(gateway)
    try:
        configure(gateway, spec)
    except BaseException:
        gateway.exit()
        raise
    return gateway


def take_interpreter(spec: XSpec) -> None:
    """What ``python2=`` names is what is started; ``python=`` is who starts it for all kinds of gateways.

    :raises ValueError: it names none.
    """
    if not isinstance(spec.python2, str) or not spec.python2:
        raise ValueError(f"{spec}: python2= needs an interpreter")
    spec.python = spec.python2


def bootstrap(io: IO, spec: XSpec) -> Gateway:
    """Make an interpreter that waits behind *io*, as execnet starts it, the other end of a gateway.

    :raises NotStarted: it is none, or of a version that cannot.
    :raises HostNotFound: ssh says so.
    """
    with suppress(OSError):  # it may have said something before it went
        sendexec(io, *for_pipes(spec))
    try:
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
    if status == SSH_FAILED and not spec.popen:
        raise HostNotFound(str(spec.ssh or spec.vagrant_ssh))
    said = f"it answered {answer!r}" if answer else f"it ended with status {status} before it answered"
    raise NotStarted(f"{spec}: {spec.python} is no Python 2.7: {said}")
