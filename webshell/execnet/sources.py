"""What a fresh interpreter is sent to make it the far end of a gateway, in its own language."""

from __future__ import annotations

import inspect

from execnet import XSpec, gateway_base, gateway_socket

from webshell.execnet import python2_items, python2_worker


def for_pipes(spec: XSpec) -> tuple[str, ...]:
    """It is spoken with over its standard streams."""
    if spec.python2:
        return inspect.getsource(python2_items), inspect.getsource(python2_worker), "serve()"
    return (
        inspect.getsource(gateway_base),
        f"execmodel = get_execmodel({spec.execmodel or 'thread'!r})",
        "io = init_popen_io(execmodel)",
        "io.write(b'1')",
        f"serve(io, id={f'{spec.id}-worker'!r})",
    )


def for_socket(spec: XSpec) -> tuple[str, ...]:
    """It has a socket, under the name that execnet's socketserver gives it."""
    return (
        inspect.getsource(gateway_base),
        "import socket",
        inspect.getsource(gateway_socket.SocketIO),
        f"execmodel = get_execmodel({spec.execmodel or 'thread'!r})",
        "io = SocketIO(clientsock, execmodel)",
        "io.write(b'1')",
        f"serve(io, id={f'{spec.id}-worker'!r})",
    )
