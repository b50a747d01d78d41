"""The local factory service: it keeps one ssh connection for each host, for all programs of its user on this machine.

``python -m webshell.execnet.service --port 8888``; programs say ``group.setlocalfactory(port=8888)``.
"""

from __future__ import annotations

import argparse
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from execnet import HostNotFound, XSpec
from execnet.gateway_base import Channel

from webshell.errors import WebshellError
from webshell.execnet.factory import KEYS
from webshell.execnet.local_line import LOOPBACK, LocalLine, proven, token_path
from webshell.execnet.ssh_host import SshHost
from webshell.execnet.trouble import NotStarted
from webshell.web.tokens import token_from_file

IDLE = 600.0
"""Seconds that a connection nobody uses is kept."""

MOST_CLIENTS = 256
"""Gateways at a time; each costs two threads. Who comes later is sent away."""

MOST_HOSTS = 64
"""Connections of ssh at a time; each costs two processes and some threads."""

PAUSE = 0.1
"""Seconds before it is tried again to accept somebody."""

CLOSING = 8.0
"""Seconds for all connections to end in good order."""

_GONE = object()


class Factory:
    """Serves connections of loopback."""

    def __init__(self, listener: socket.socket, token: str, idle: float = IDLE) -> None:
        """:param idle: seconds that an ssh connection stays when nobody uses it."""
        self._listener = listener
        self._port = listener.getsockname()[1]
        self._token = token
        self._idle = idle
        self._hosts: dict[tuple[str, str], SshHost] = {}
        self._lines: set[LocalLine] = set()
        self._closed = threading.Event()
        self._state = threading.Lock()
        self._clients = threading.BoundedSemaphore(MOST_CLIENTS)

    def serve(self) -> None:
        """Until :meth:`close`."""
        while True:
            try:
                wire, _ = self._listener.accept()
            except OSError:
                if self._closed.wait(PAUSE):
                    return
                continue  # there is no descriptor for it, or it has gone again
            if self._clients.acquire(blocking=False):
                threading.Thread(target=self._client, args=(wire,), daemon=True).start()
            else:
                wire.close()

    def close(self) -> None:
        """End all that goes through it, and each ssh; who still connects then ends with this process."""
        self._closed.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # Linux wakes who accepts by that alone
        self._listener.close()
        with self._state:
            lines, hosts = list(self._lines), list(self._hosts.values())
        for line in lines:
            line.end()
        closing = [threading.Thread(target=host.close, daemon=True) for host in hosts]
        for thread in closing:
            thread.start()
        end = time.monotonic() + CLOSING
        for thread in closing:
            thread.join(max(0.0, end - time.monotonic()))

    # ---- one client; a thread for each way

    def _client(self, wire: socket.socket) -> None:
        try:
            try:
                proven(wire, self._token, self._port, service=True)
            except OSError:
                wire.close()
                return
            line = LocalLine(wire, "a program")
            with self._state:
                self._lines.add(line)
            try:
                self._answer(line)
            except (OSError, EOFError):
                pass  # it has gone
            finally:
                with self._state:
                    self._lines.discard(line)
                line.close()
        finally:
            self._clients.release()

    def _answer(self, line: LocalLine) -> None:
        spec = XSpec("ssh")
        for key, text in line.receive().items():
            if key in KEYS:
                setattr(spec, key, text)
        try:
            host = self._host(spec)
        except NotStarted as error:
            line.send(("start", str(error)))
            return
        try:
            channel = host.relay(spec)
        except Exception as error:
            host.left()
            line.send(("host" if isinstance(error, HostNotFound) else "start", str(error) or repr(error)))
            return
        try:
            line.send(("ready", ""))
            _join(line, channel)
        finally:
            host.left()

    def _host(self, spec: XSpec) -> SshHost:
        """Which expects somebody.

        :raises NotStarted: there are too many.
        """
        key = (str(spec.ssh), str(spec.ssh_config or ""))
        with self._state:
            if key not in self._hosts:
                if len(self._hosts) >= MOST_HOSTS:
                    self._hosts = {key: host for key, host in self._hosts.items() if not host.is_free()}
                if len(self._hosts) >= MOST_HOSTS:
                    raise NotStarted(f"the factory service has connections to {MOST_HOSTS} hosts, and makes no more")
                self._hosts[key] = SshHost(self._idle)
            self._hosts[key].expect()
            return self._hosts[key]


def _join(line: LocalLine, channel: Channel) -> None:
    """Pass on what comes, both ways, until one of them ends. How much is under way, both ends have agreed upon."""
    waiting: SimpleQueue[Any] = SimpleQueue()
    outward = threading.Thread(target=_pass_on, args=(waiting, line, channel.gateway), daemon=True)
    outward.start()
    channel.setcallback(waiting.put, endmarker=_GONE)
    try:
        while True:
            item = line.receive()
            with suppress(OSError):  # it has ended; what comes is read all the same, as who is not read may not read
                channel.send(item)
    finally:
        channel.close()
        waiting.put(_GONE)
        outward.join()


def _pass_on(waiting: SimpleQueue[Any], line: LocalLine, gateway: Any) -> None:
    try:
        while (item := waiting.get()) is not _GONE:
            line.send(item)
        if not gateway.hasreceiver():
            line.send(("lost", f"the connection to {gateway.spec.ssh} has ended"))
        line.end(socket.SHUT_WR)
    except OSError:
        line.end()  # nobody is there any more


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until a signal ends it. Returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m webshell.execnet.service", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--port", type=int, required=True, metavar="PORT", help="of loopback; 0: any that is free")
    parser.add_argument(
        "--idle", type=float, default=IDLE, metavar="SECONDS", help=f"a connection nobody uses is kept; {IDLE:g}"
    )
    parser.add_argument(
        "--token-file", type=Path, metavar="FILE", help=f"is made for your eyes only if there is none; {token_path()}"
    )
    options = parser.parse_args(arguments)
    token_file = options.token_file or token_path()
    try:
        if options.token_file is None:
            token_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        token = token_from_file(token_file)
        listener = socket.create_server((LOOPBACK, options.port))
    except (OSError, OverflowError, WebshellError) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 1
    factory = Factory(listener, token, options.idle)
    with _ends() as ended:
        print(f"factory service at {LOOPBACK}:{listener.getsockname()[1]}, token in {token_file}", flush=True)
        threading.Thread(target=factory.serve, daemon=True).start()
        ended.recv(1)
    factory.close()
    return 0


@contextmanager
def _ends() -> Iterator[socket.socket]:
    """What can be read from when a signal says that it is enough; whichever thread the system gives the signal to."""
    ended, end = socket.socketpair()
    end.setblocking(False)
    signal.set_wakeup_fd(end.fileno(), warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: None)
    with ended, end:
        yield ended
        signal.set_wakeup_fd(-1)


if __name__ == "__main__":
    sys.exit(main())
