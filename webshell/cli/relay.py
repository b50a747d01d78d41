"""The far end of ``webshell forward``: connections that travel as frames over standard input and output.

It is sent there as source and run by any Python from 3.8 on, so it imports the standard library only. The near end
(``forward.py``) takes frames and bounds from here. A frame is its kind, the number of the connection, its size, and so
many bytes; each side sends at most ``WINDOW_BYTES`` of a connection beyond what the other says it has taken.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import sys
from collections.abc import Callable

HEADER = struct.Struct("!BII")
COUNT = struct.Struct("!I")

READY, OPEN, DATA, END, ROOM, GONE = range(6)
"""``READY``: the relay runs. ``OPEN``: ``PORT HOST``. ``END``: no more data this way. ``ROOM``: so much was taken.
``GONE``: it is over, and why; nothing of it follows either way."""

PIECE_BYTES = 64 << 10
"""Of data in one frame: others get their turn after it."""

WINDOW_BYTES = 256 << 10
"""Of one connection, each way: what the server has under way with one process, so more is no faster."""

CONNECT_SECONDS = 20.0
"""For one address; some systems try for minutes."""

NO_LINGER = struct.pack("ii", 1, 0)
"""With it a closed socket sends a reset, as it was at the other end."""


class Out(asyncio.Protocol):
    """Standard output.

    :ivar free: it can take more.
    """

    def __init__(self) -> None:
        self.free = asyncio.Event()
        self.free.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is open."""
        assert isinstance(transport, asyncio.WriteTransport)
        self.transport = transport

    def pause_writing(self) -> None:
        """Nobody reads."""
        self.free.clear()

    def resume_writing(self) -> None:
        """They do."""
        self.free.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody will."""
        os._exit(0)

    def say(self, kind: int, number: int, data: bytes = b"") -> None:
        """Send a frame."""
        self.transport.write(HEADER.pack(kind, number, len(data)) + data)


class Line:
    """One connection to where it is asked for."""

    def __init__(self, relay: Relay, number: int, host: str, port: int) -> None:
        self._relay = relay
        self._number = number
        self._name = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._waiting: asyncio.Queue[bytes] = asyncio.Queue()  # bounded by the window
        self._room = WINDOW_BYTES
        self._more = asyncio.Event()
        self._gone = False
        self._task = asyncio.ensure_future(self._carry(host, port))

    # ---- what the near end says

    def data(self, data: bytes) -> None:
        """More to send; nothing: that was all."""
        self._waiting.put_nowait(data)

    def room(self, count: int) -> None:
        """The near end has taken so much."""
        self._room += count
        self._more.set()

    def stop(self) -> None:
        """It is gone at the near end."""
        self._gone = True
        self._task.cancel()

    # ---- inside

    async def _carry(self, host: str, port: int) -> None:
        writer: asyncio.StreamWriter | None = None
        why = ""
        try:
            reader, writer = await connected(host, port)
            ways = [asyncio.ensure_future(self._there(writer)), asyncio.ensure_future(self._back(reader))]
            try:
                await asyncio.gather(*ways)
            finally:
                for way in ways:
                    way.cancel()
            writer.close()
            self._gone = True  # both have said END
        except asyncio.CancelledError:
            pass
        except (OSError, UnicodeError, OverflowError) as error:
            why = f"{self._name}: {reason(error)}"
        finally:
            self._relay.lines.pop(self._number, None)
            if not self._gone:
                self._relay.out.say(GONE, self._number, why.encode("utf-8", "replace"))
            if writer is not None and not writer.transport.is_closing():
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
                writer.transport.abort()

    async def _there(self, writer: asyncio.StreamWriter) -> None:
        while True:
            data = await self._waiting.get()
            if not data:
                writer.write_eof()
                return
            writer.write(data)
            await writer.drain()
            self._relay.out.say(ROOM, self._number, COUNT.pack(len(data)))

    async def _back(self, reader: asyncio.StreamReader) -> None:
        out = self._relay.out
        while True:
            while self._room <= 0:
                self._more.clear()
                await self._more.wait()
            await out.free.wait()
            data = await reader.read(min(PIECE_BYTES, self._room))
            if not data:
                out.say(END, self._number)
                return
            self._room -= len(data)
            out.say(DATA, self._number, data)


class Relay:
    """All of them.

    :ivar lines: by number.
    """

    def __init__(self, out: Out) -> None:
        self.out = out
        self.lines: dict[int, Line] = {}

    def told(self, kind: int, number: int, data: bytes) -> None:
        """The near end has said something; of a connection that is gone perhaps."""
        if kind == OPEN:
            port, _, host = data.decode().partition(" ")
            self.lines[number] = Line(self, number, host, int(port))
        elif number in self.lines:
            TOLD[kind](self.lines[number], data)


TOLD: dict[int, Callable[[Line, bytes], None]] = {
    DATA: Line.data,
    END: Line.data,
    ROOM: lambda line, data: line.room(*COUNT.unpack(data)),
    GONE: lambda line, data: line.stop(),
}


async def connected(host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to the first address of *host* that takes it.

    :raises OSError: why the last one did not.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    trouble: OSError = OSError("it has no address")
    for family, _, _, _, address in found:
        try:
            return await asyncio.wait_for(
                asyncio.open_connection(str(address[0]), port, family=family), CONNECT_SECONDS
            )
        except asyncio.TimeoutError:  # noqa: UP041 - the same only since 3.11
            trouble = OSError(f"no answer within {CONNECT_SECONDS:.0f} seconds")
        except OSError as error:
            trouble = error
    raise trouble


def reason(error: Exception) -> str:
    """Why, in the system's words."""
    number = getattr(error, "errno", None) or 0
    return os.strerror(number) if number > 0 else getattr(error, "strerror", "") or str(error)


async def main() -> None:
    """Until the standard input ends."""
    loop = asyncio.get_running_loop()
    source = asyncio.StreamReader(limit=WINDOW_BYTES)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(source), sys.stdin.buffer)
    _, out = await loop.connect_write_pipe(Out, sys.stdout.buffer)
    relay = Relay(out)
    out.say(READY, 0)
    try:
        while True:
            kind, number, size = HEADER.unpack(await source.readexactly(HEADER.size))
            relay.told(kind, number, await source.readexactly(size))
    except asyncio.IncompleteReadError:
        os._exit(0)  # what is open is of no use to anybody


if __name__ == "__main__":
    asyncio.run(main())
