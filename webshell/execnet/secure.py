"""TLS over a socket that one thread reads while another writes; OpenSSL allows that to one at a time."""

from __future__ import annotations

import socket
import ssl
import threading

READ_BYTES = 1 << 18
"""Asked of the kernel at a time."""

RECORDS_BYTES = 1 << 18
"""Encrypted at a time: what waits for it has to wait no longer than a fraction of a millisecond."""


class Secure:
    """As much of a socket as is needed."""

    def __init__(self, wire: socket.socket, context: ssl.SSLContext, host: str) -> None:
        """Shake hands.

        :raises ssl.SSLError: that failed.
        :raises EOFError: the other end closed the connection.
        """
        self._wire = wire
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        self._state = threading.Lock()
        self._sending = threading.Lock()
        while True:
            try:
                self._tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                wire.sendall(self._outgoing.read())
                data = wire.recv(READ_BYTES)
                if not data:
                    raise EOFError("closed during the handshake") from None
                self._incoming.write(data)
            except ssl.SSLError:
                self._say_why()
                raise
        wire.sendall(self._outgoing.read())

    def _say_why(self) -> None:
        try:
            self._wire.sendall(self._outgoing.read())
        except OSError:
            pass  # it does not matter to who has gone

    @property
    def certificate(self) -> bytes:
        """The server's, in DER."""
        return self._tls.getpeercert(binary_form=True) or b""

    def recv(self, size: int) -> bytes:
        """Up to *size* bytes; empty: the end."""
        while True:
            with self._state:
                try:
                    return self._tls.read(size)
                except ssl.SSLWantReadError:
                    pass
                except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                    return b""
            data = self._wire.recv(READ_BYTES)
            with self._state:
                if data:
                    self._incoming.write(data)
                else:
                    self._incoming.write_eof()

    def recv_into(self, buffer: memoryview) -> int:
        """As much as is there; returns how much; 0: the end."""
        data = self.recv(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def sendall(self, data: bytes | bytearray | memoryview) -> None:
        """All of *data*."""
        view = memoryview(data)
        with self._sending:
            for at in range(0, len(view), RECORDS_BYTES):
                with self._state:
                    self._tls.write(view[at : at + RECORDS_BYTES])
                    records = self._outgoing.read()
                self._wire.sendall(records)

    def settimeout(self, seconds: float | None) -> None:
        """For each call from now on."""
        self._wire.settimeout(seconds)

    def gettimeout(self) -> float | None:
        """What was set."""
        return self._wire.gettimeout()

    def fileno(self) -> int:
        """The descriptor."""
        return self._wire.fileno()

    def shutdown(self, how: int) -> None:
        """End it, and wake who reads."""
        self._wire.shutdown(how)

    def close(self) -> None:
        """Let go of it."""
        self._wire.close()
