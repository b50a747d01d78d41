"""A line between a program and the factory service of the same user: execnet's items over a connection of loopback.

Both ends prove that they know the token, and which port was meant, before anything else is said: a program that
somebody else has at that port learns nothing, and cannot pass on to the service what it hears.
"""

from __future__ import annotations

import hmac
import os
import secrets
import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import execnet

from webshell.execnet.trouble import Refused

LOOPBACK = "127.0.0.1"

NONCE_BYTES = 32
PROOF_BYTES = 32
"""Of SHA-256."""

PROVING = 10.0
"""Seconds for the proofs; both ends are on one machine."""

LARGEST = 1 << 20
"""Bytes of one item; pieces of output and requests are much shorter."""

_LENGTH = struct.Struct("!I")


class Place(NamedTuple):
    """What a line leads to, as far as it takes the place of a gateway: its name in messages."""

    id: str


class LocalLine:
    """One end; as much of a channel as a gateway's bytes need.

    :ivar gateway: what is at the other end.
    """

    def __init__(self, wire: socket.socket, name: str) -> None:
        self.gateway = Place(name)
        self._wire = wire
        self._input = wire.makefile("rb")
        self._turn = threading.Lock()

    def send(self, item: object) -> None:
        """Send *item*; this waits while the other end does not read.

        :raises OSError: nobody is there any more.
        """
        content = execnet.dumps(item)
        with self._turn:
            self._wire.sendall(_LENGTH.pack(len(content)) + content)

    def receive(self) -> Any:
        """The next item.

        :raises EOFError: there are no more.
        """
        try:
            (length,) = _LENGTH.unpack(self._read(_LENGTH.size))
            if length > LARGEST:
                raise EOFError(f"{self.gateway.id} sent an item of {length} bytes")
            return execnet.loads(self._read(length))
        except (OSError, ValueError, execnet.DataFormatError) as error:
            raise EOFError(f"{self.gateway.id}: {error}") from None

    def setcallback(self, callback: Callable[[Any], Any], endmarker: object) -> None:
        """Have a thread call it with each further item, and once with *endmarker*; then the line is closed."""
        threading.Thread(
            target=self._listen, args=(callback, endmarker), name=f"webshell: from {self.gateway.id}", daemon=True
        ).start()

    def end(self, how: int = socket.SHUT_RDWR) -> None:
        """Nothing more is sent, or received, or either; whoever waits for that is woken."""
        try:
            self._wire.shutdown(how)
        except OSError:
            pass  # it was gone

    def close(self) -> None:
        """Let go of it; by the thread that receives."""
        self.end()
        self._input.close()
        self._wire.close()

    def _read(self, size: int) -> bytes:
        data = self._input.read(size)
        if len(data) < size:
            raise EOFError(f"{self.gateway.id} has closed the line")
        return data

    def _listen(self, callback: Callable[[Any], Any], endmarker: object) -> None:
        try:
            while True:
                callback(self.receive())
        except EOFError:
            self.close()
            callback(endmarker)


def proven(wire: socket.socket, token: str, port: int, *, service: bool) -> None:
    """Prove to the other end that we know *token*, and have it prove the same.

    :param service: whether this is the service's end.
    :raises Refused: it does not.
    :raises OSError: it has gone, or says nothing.
    """
    wire.settimeout(PROVING)
    ours = secrets.token_bytes(NONCE_BYTES)
    wire.sendall(ours)
    theirs = _exactly(wire, NONCE_BYTES)
    nonces = ours + theirs if service else theirs + ours
    proofs = {role: _proof(token, role, port, nonces) for role in (True, False)}
    if service:
        # who does not know it is told nothing
        _check(wire, proofs[False])
        wire.sendall(proofs[True])
    else:
        wire.sendall(proofs[False])
        _check(wire, proofs[True])
    wire.settimeout(None)
    wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def token_path() -> Path:
    """Where a user's token is, unless it is said otherwise; one for all ports."""
    state = os.environ.get("XDG_STATE_HOME", "")
    return (Path(state) if state else Path.home() / ".local" / "state") / "webshell" / "factory.token"


def _proof(token: str, service: bool, port: int, nonces: bytes) -> bytes:
    return hmac.digest(token.encode(), f"webshell factory {service} {port} ".encode() + nonces, "sha256")


def _check(wire: socket.socket, proof: bytes) -> None:
    if not hmac.compare_digest(_exactly(wire, PROOF_BYTES), proof):
        raise Refused("the other end has another token, or is for another port")


def _exactly(wire: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = wire.recv(size - len(data))
        if not piece:
            raise Refused("the other end has another token, serves as many as it can, or is no such service")
        data += piece
    return data
