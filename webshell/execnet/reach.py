"""Connections that are made from where another gateway runs; names are resolved and addresses reached there."""

from __future__ import annotations

import contextlib
import socket
import threading

from execnet import Gateway

from webshell.execnet.channel_io import PIECE, ChannelIO
from webshell.execnet.relays import open_relay
from webshell.execnet.trouble import Gone


def reach(master: Gateway, place: tuple[str, int] | str) -> socket.socket:
    """A connection to *place*: host and port, or the path of a socket there.

    What it is used for (TLS, a token) remains between the two ends; *master* sees what any router would.

    :raises OSError: as ``socket.create_connection`` does, ``ConnectionRefusedError`` and ``gaierror`` among them.
    :raises Gone: *master* has ended, or executes nothing more.
    """
    name = place if isinstance(place, str) else f"{place[0]}:{place[1]}"
    channel = open_relay(master, {"connect": place if isinstance(place, str) else list(place)})
    try:
        io = ChannelIO(channel, master.execmodel, f"{name} via {master.id}")
    except EOFError:
        raise Gone(f"{name}: the gateway {master.id}, to go through, has ended") from None
    ours, theirs = socket.socketpair()
    threading.Thread(target=_pump, args=(io, theirs), daemon=True).start()
    return ours


def _pump(io: ChannelIO, theirs: socket.socket) -> None:
    """Bytes both ways between a connection and whoever asked for it."""
    inward = threading.Thread(target=_pump_in, args=(io, theirs), daemon=True)
    inward.start()
    try:
        while data := theirs.recv(PIECE):
            io.write(data)
        io.close_write()
    except OSError:
        io.kill()  # whoever asked has hung up, or the connection is gone
    inward.join()
    theirs.close()


def _pump_in(io: ChannelIO, theirs: socket.socket) -> None:
    try:
        while True:
            theirs.sendall(io.read_some())
    except EOFError:
        with contextlib.suppress(OSError):  # nobody is there any more to be told
            theirs.shutdown(socket.SHUT_WR)
    except OSError:
        io.kill()
