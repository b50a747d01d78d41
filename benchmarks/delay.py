"""A wire that takes its time: what is sent through it arrives later, however much it is.

    python benchmarks/delay.py MILLISECONDS

Prints the port of loopback on which it listens, and reads the one that it leads to; half of the time is spent in each
direction.
"""

from __future__ import annotations

import queue
import socket
import sys
import threading
import time

PIECE_BYTES = 1 << 18

UNDER_WAY = 256
"""Pieces in each direction of a connection: more than any window has in the time."""

Pieces = queue.Queue[tuple[float, bytes]]


def carry(source: socket.socket, target: socket.socket, seconds: float) -> None:
    """All that comes from *source*, until its end."""
    pieces: Pieces = queue.Queue(UNDER_WAY)
    threading.Thread(target=deliver, args=(pieces, target), daemon=True).start()
    data = b"."
    while data:
        try:
            data = source.recv(PIECE_BYTES)
        except OSError:
            data = b""
        pieces.put((time.perf_counter() + seconds, data))


def deliver(pieces: Pieces, target: socket.socket) -> None:
    """Each piece when its time has come; an empty one is the end."""
    while True:
        due, data = pieces.get()
        time.sleep(max(0.0, due - time.perf_counter()))
        try:
            if not data:
                target.shutdown(socket.SHUT_WR)
                return
            target.sendall(data)
        except OSError:
            return


def main() -> None:
    """Listen until nobody needs it any more."""
    seconds = float(sys.argv[1]) / 2000
    with socket.create_server(("127.0.0.1", 0)) as listening:
        print(listening.getsockname()[1], flush=True)
        port = int(input())
        while True:
            near, _ = listening.accept()
            far = socket.create_connection(("127.0.0.1", port))
            for end in (near, far):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for source, target in ((near, far), (far, near)):
                threading.Thread(target=carry, args=(source, target, seconds), daemon=True).start()


if __name__ == "__main__":
    main()
