"""A server that does nothing but write frames: what the client itself can take."""

from __future__ import annotations

import multiprocessing
import socket
import struct
import time

from benchmarks.rounds import Figures
from benchmarks.terminals import Terminal
from benchmarks.websocket import Closed

FORK = multiprocessing.get_context("fork")
BLOCK_BYTES = 1 << 18
"""Written at once."""


def null(megabytes: int, frame_bytes: int) -> Figures:
    """Receive *megabytes* in frames of *frame_bytes* from it.

    :raises SystemExit: the client has miscounted.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        size = struct.pack("!BH", 126, frame_bytes) if frame_bytes < 1 << 16 else struct.pack("!BQ", 127, frame_bytes)
        frame = b"\x82" + size + b"x" * frame_bytes
        block = frame * max(1, BLOCK_BYTES // len(frame))
        blocks = megabytes * 1_000_000 // len(block) + 1
        writer = FORK.Process(target=_write, args=(listener, block, blocks), daemon=True)
        writer.start()
        terminal = Terminal(listener.getsockname()[1], [])
        expected = blocks * (len(block) // len(frame)) * frame_bytes
        terminal.skim(expected + (8 << 20))
        begin, spent = time.perf_counter(), time.process_time()
        try:
            while True:
                terminal.turn()
        except Closed:
            took, spent = time.perf_counter() - begin, time.process_time() - spent
        terminal.close()
        writer.join()
    if terminal.output_bytes != expected:
        raise SystemExit(f"the client counted {terminal.output_bytes} bytes of {expected}")
    return {"MB/s": expected / took / 1e6, "client CPU s/GB": spent / expected * 1e9}


def _write(listener: socket.socket, block: bytes, blocks: int) -> None:
    client, _ = listener.accept()
    while b"\r\n\r\n" not in client.recv(1 << 16):
        pass
    client.sendall(b"HTTP/1.1 101 -\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
    for _ in range(blocks):
        client.sendall(block)
    client.close()
