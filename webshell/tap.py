"""The options of ``twistd webshell`` and ``python -m webshell``, and what becomes of them."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

from twisted.application.service import IService
from twisted.cred.strcred import AuthOptionMixin
from twisted.python import usage

from webshell import __version__
from webshell.config import Config, ConfigError, load
from webshell.service import ShellService, StartError
from webshell.targets.adoption import adopt


class Options(usage.Options, AuthOptionMixin):
    """What can be said on the command line; all of it can also be said in the environment and in a file."""

    synopsis = "[options]"
    longdesc = (
        "Serves terminals and commands of this machine to browsers. With no options it listens on 127.0.0.1:8080 "
        "and prints a link that lets you in. Each option can also be a WEBSHELL_ environment variable "
        "(WEBSHELL_LISTEN, WEBSHELL_TOKEN_FILE ...) and a key of the file that --config names (listen, token_file "
        "...). What may be given several times is a list there; some have the plural for it: origins, hosts, "
        "proxies, frame_ancestors. An option goes before the environment, and that before the file."
    )

    optFlags: ClassVar = [
        ["no-auth", None, "Let in everybody who reaches a listener; only for loopback and unix sockets."],
        ["further-link", None, "Serve further-link's clients, too: /run, /run-py, /upload, /status, /version."],
    ]
    optParameters: ClassVar = [
        ["config", "c", None, "Read settings from this TOML file; more can be set there: limits, runners."],
        ["token-file", None, None, "Keep the login token in this file (made if missing, mode 0600)."],
        ["self-signed", None, None, "Speak TLS on every tcp: listener, with a certificate made and kept in this file."],
        ["connections", None, None, "TCP connections at once. [default: 1000]"],
    ]

    def __init__(self) -> None:
        super().__init__()
        for name in ("listen", "origins", "hosts", "proxies", "auth", "frame_ancestors"):
            self[name] = []
        # --help shows docstrings as they stand, indentation and all
        self.docs = {name: " ".join((text or "").split()) for name, text in self.docs.items()}

    def opt_listen(self, endpoint: str) -> None:
        """Listen on this Twisted endpoint: tcp:, ssl:, unix:, systemd:, haproxy: ... Several times.
        [default: tcp:8080:interface=127.0.0.1]"""
        self["listen"].append(endpoint)

    def opt_origin(self, origin: str) -> None:
        """Let pages of this origin connect, for example https://shell.example.org, and answer to its host.
        Several times."""
        self["origins"].append(origin)

    def opt_host(self, host: str) -> None:
        """Answer to this name, for example shell.example.org. Several times."""
        self["hosts"].append(host)

    def opt_proxy(self, address: str) -> None:
        """Believe X-Forwarded-For and -Proto of the reverse proxy at this IP address, or "unix". Several times."""
        self["proxies"].append(address)

    def opt_frame_ancestor(self, origin: str) -> None:
        """Let pages of this origin, for example https://shell.example.org, show ours in a frame. Several times."""
        self["frame_ancestors"].append(origin)

    def opt_auth(self, description: str) -> None:
        """Let in whom a Twisted credential checker accepts, by HTTP Basic or a login form, for example
        file:/etc/webshell.passwd; see --help-auth. Several times."""
        self["auth"].append(description)

    def opt_version(self) -> None:
        """Print the version and exit."""
        print(f"webshell {__version__}")
        sys.exit(0)

    opt_l = opt_listen

    def configuration(self) -> Config:
        """The settings.

        :raises usage.UsageError: something is wrong with them.
        """
        given = {name.replace("-", "_"): value for name, value in self.items()}
        try:
            return load(given, os.environ, given.get("config") or "")
        except ConfigError as error:
            raise usage.UsageError(str(error)) from None


def to_terminal(text: str) -> None:
    """Print where the operator sees it: twistd has replaced ``sys.stdout`` by the log, which must not hold secrets."""
    stream = sys.__stdout__
    if stream is not None:
        print(text, file=stream, flush=True)


def makeService(options: Options) -> IService:  # twistd's name for it
    """What twistd runs."""
    # A daemon's terminal is gone before it listens: what is to be seen there must be printed now.
    parent: Mapping[str, object] = options.parent or {}
    try:
        return make_service(options, daemon=not parent.get("nodaemon", True))
    except usage.UsageError as error:  # twistd would print a traceback
        raise SystemExit(f"webshell: {error}") from None


def make_service(options: Options, *, daemon: bool, announce: Callable[[str], None] = to_terminal) -> ShellService:
    """The service; with *daemon*, what it has to announce is announced at once."""
    from twisted.internet import reactor  # importing it installs it

    configuration = options.configuration()
    with _signals_wait():  # while files are made; from then on there is something to tidy up: a socket, a pid file
        try:
            service = ShellService(reactor, configuration, announce=announce, daemon=daemon)
        except StartError as error:
            raise usage.UsageError(str(error)) from None
        _handle_signals(reactor, service)
    reactor.callWhenRunning(_handle_signals, reactor, service)  # again: the reactor has put its own in their place
    reactor.callWhenRunning(adopt)  # not before twistd has become a daemon: a fork does not inherit it
    lean_poll(reactor)
    reactor.callWhenRunning(gc.freeze)  # what is there now stays: looking through it takes 15 ms, at times in an echo
    return service


def lean_poll(reactor: Any) -> None:
    """Let an epoll reactor call descriptors directly, without a context for Twisted's old log around each call.

    That takes half of a reactor's own time for an event (measured: 8 µs of 16). Other reactors are left as they are.
    """
    from twisted.internet.epollreactor import EPollReactor  # importing it is what installing it has done already

    if type(reactor) is not EPollReactor or not vars(reactor).keys() >= _NAMES:
        return
    poll, selectables, act = reactor._poller.poll, reactor._selectables, reactor._doReadOrWrite

    def do_iteration(timeout: float | None) -> None:
        for descriptor, event in poll(-1 if timeout is None else timeout, len(selectables)):
            selectable = selectables.get(descriptor)
            if selectable is not None:  # else what was called before it has closed it
                act(selectable, descriptor, event)

    reactor.doIteration = do_iteration  # type: ignore[method-assign]  # of this one reactor


_NAMES = frozenset({"_poller", "_selectables"})
"""What :func:`lean_poll` needs of a reactor and is not public."""


STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@contextmanager
def _signals_wait() -> Iterator[None]:
    """Let what stops us wait meanwhile, so that nothing is left half made."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _handle_signals(reactor: Any, service: ShellService) -> None:
    """The first TERM, INT or HUP stops in order, with exit code 0; the next gives children no more time.

    What comes before the reactor runs is the first thing that it does.
    """

    def handle(number: int, frame: object) -> None:
        reactor.callFromThread(stop)

    def stop() -> None:
        if reactor.running and not service.stopping:
            reactor.stop()
        else:
            service.hasten()

    for number in STOPPING:
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # nohup
            signal.signal(number, handle)
