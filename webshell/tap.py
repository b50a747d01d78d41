"""The options of ``twistd webshell`` and ``python -m webshell``, and what becomes of them."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any, ClassVar

from twisted.application.service import IService
from twisted.cred.strcred import AuthOptionMixin
from twisted.python import usage

from webshell import __version__
from webshell.config import Config, ConfigError, load
from webshell.service import ShellService, StartError


class Options(usage.Options, AuthOptionMixin):
    """What can be said on the command line; all of it can also be said in the environment and in a file."""

    synopsis = "[options]"
    longdesc = (
        "Serves terminals and commands of this machine to browsers. With no options it listens on 127.0.0.1:8080 "
        "and prints a URL that lets you in. Every option is also a WEBSHELL_ environment variable "
        "(WEBSHELL_LISTEN, WEBSHELL_TOKEN_FILE ...) and a key of the configuration file (listen, token_file ...); "
        "an option goes before the environment, and that before the file."
    )

    optFlags: ClassVar = [
        ["no-auth", None, "let in everybody who can reach a listener; only for loopback and unix sockets"],
    ]
    optParameters: ClassVar = [
        ["config", "c", None, "read settings from this TOML file"],
        ["token-file", None, None, "keep the login token in this file (made if missing, mode 0600)"],
        ["connections", None, None, "TCP connections at once (default 1000)"],
    ]

    def __init__(self) -> None:
        super().__init__()
        for name in ("listen", "origins", "hosts", "proxies", "auth", "frame_ancestors"):
            self[name] = []

    def opt_listen(self, endpoint: str) -> None:
        """listen on this Twisted endpoint; may be given several times
        (default tcp:8080:interface=127.0.0.1; also ssl:, unix:, systemd:, haproxy: ...)"""
        self["listen"].append(endpoint)

    def opt_origin(self, origin: str) -> None:
        """let pages of this origin connect, e.g. https://shell.example.org, and answer to its host; several times"""
        self["origins"].append(origin)

    def opt_host(self, host: str) -> None:
        """answer to this name, e.g. shell.example.org; several times"""
        self["hosts"].append(host)

    def opt_proxy(self, address: str) -> None:
        """believe X-Forwarded-For and X-Forwarded-Proto of the reverse proxy at this IP address, or "unix"; several times"""
        self["proxies"].append(address)

    def opt_frame_ancestor(self, origin: str) -> None:
        """let pages of this origin show ours in a frame; several times"""
        self["frame_ancestors"].append(origin)

    def opt_self_signed(self, file: str) -> None:
        """speak TLS on every tcp: listener, with a certificate that is made and kept in this file"""
        self["self_signed"] = file

    def opt_auth(self, description: str) -> None:
        """let in who a Twisted credential checker accepts, by HTTP Basic or a login form;
        e.g. file:/etc/webshell.passwd or memory:anna:secret; several times (see --help-auth)"""
        self["auth"].append(description)

    def opt_version(self) -> None:
        """print the version and exit"""
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


def makeService(options: Options) -> IService:  # noqa: N802  # twistd's name for it
    """What twistd runs."""
    # A daemon's terminal is gone before it listens: what is to be seen there must be printed now.
    parent = getattr(options, "parent", None) or {}
    return make_service(options, daemon=bool(parent) and not parent.get("nodaemon"))


def make_service(options: Options, *, daemon: bool, announce: Callable[[str], None] = to_terminal) -> ShellService:
    """The service; with *daemon*, what it has to announce is announced at once."""
    from twisted.internet import reactor  # noqa: PLC0415  # importing it installs it

    try:
        service = ShellService(reactor, options.configuration(), announce=announce, daemon=daemon)
    except StartError as error:
        raise usage.UsageError(str(error)) from None
    reactor.callWhenRunning(_handle_signals, reactor, service)
    return service


def _handle_signals(reactor: Any, service: ShellService) -> None:
    """The first TERM or INT stops in order, with exit code 0; the next gives children no more time."""

    def handle(number: int, frame: object) -> None:
        reactor.callFromThread(stop)

    def stop() -> None:
        if reactor.running and not service.stopping:
            reactor.stop()
        else:
            service.hasten()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handle)
