"""Where all is joined: :func:`shell_resource` for a site that exists, :class:`ShellService` for one of our own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from twisted.application.service import Service
from twisted.cred.checkers import ICredentialsChecker, InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.strcred import InvalidAuthArgumentString, InvalidAuthType, makeChecker
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import IResource

from webshell.certificate import ensure_certificate
from webshell.config import DEFAULT_LISTEN, Config
from webshell.errors import WebshellError
from webshell.listening import Listener, invitation
from webshell.service_further import Joined
from webshell.targets.local import LocalTarget
from webshell.targets.precedence import Precedence
from webshell.web.access import Authorize, Gate, Policy, embedded_policy, login_policy, open_policy
from webshell.web.credentials import Credentials, Passwords, Throttle
from webshell.web.exec.routes import input_limit
from webshell.web.files.places import files_limit
from webshell.web.hosts import Rules, check_ancestors
from webshell.web.limits import LimitedSite
from webshell.web.page import static_folder
from webshell.web.tokens import Keyring, new_token, token_from_file
from webshell.web.tree import Tree
from webshell.web.websocket import Sockets, masking_is_fast

log = Logger()

CLOSE_SECONDS = 2.0
"""Clients have so long to answer the closing handshake when the server stops."""


class StartError(Exception):
    """The server cannot be started like this; the text says what to do."""


class Shell:
    """What belongs together: sessions, the target that they use, and the resource through which they are reached."""

    def __init__(self, reactor: Any, config: Config, policy: Policy) -> None:
        """:raises StartError: the page's files are missing."""
        self._config = config
        self._stopping: Deferred[None] | None = None
        self._grace = config.limits.grace
        precedence = Precedence()
        self.target = LocalTarget(reactor, os.environ, precedence=precedence)
        self.joined = Joined(reactor, config, self.target)
        self.sessions = self.joined.sessions
        self.sockets = Sockets(self.sessions, reactor, precedence)
        try:
            tree = Tree(
                self.sessions,
                self.sockets,
                static_folder(),
                policy.credentials,
                lambda: self._stopping is None,
                config.frame_ancestors,
            )
        except FileNotFoundError as error:
            raise StartError(str(error)) from None
        self._tree = tree
        self.joined.add_routes(tree)
        self.resource = Gate(tree, self.joined.policy(policy), self.joined.public)

    def body_limit(self, method: bytes, path: bytes) -> int:
        """How large a body may be, where the site is ours."""
        limit = files_limit(self.sessions, method, path) or input_limit(self._tree.executions, method, path)
        return limit or self.joined.body_limit(method, path)

    def stop(self) -> Deferred[None]:
        """Tell clients, end sessions and children, leave nothing; asked again, with no more grace."""
        if self._stopping is None:
            self._stopping = Deferred.fromCoroutine(self._stop()).addErrback(_logged)
        else:
            Deferred.fromCoroutine(self.target.shutdown(0.0)).addErrback(_logged)
        done: Deferred[None] = Deferred()
        self._stopping.addCallback(_passed_on, done)
        return done

    async def _stop(self) -> None:
        gone = self.sockets.close(CLOSE_SECONDS)
        self.sessions.close("the server is stopping")
        self._tree.arrivals.close()
        await self.target.shutdown(self._grace)
        await gone


def shell_resource(reactor: Any, config: Config, authorize: Authorize | None = None) -> IResource:
    """A resource for somebody's Site, to be hung anywhere with ``putChild``.

    It stops with the reactor: clients are told, children ended.

    :param reactor: the reactor that the site runs in.
    :param authorize: takes a request and returns a :class:`webshell.grant.Grant`, None, or an awaitable of one.
        Without it, the configuration must say who may come in: ``token_file``, ``auth`` or ``no_auth``.
    :raises StartError: the configuration cannot work.
    """
    if authorize is None and not (config.token_file or config.auth or config.no_auth):
        raise StartError("who may come in? Give shell_resource an authorize function, or a token_file in its Config")
    shell = Shell(reactor, config, policy(reactor, config, authorize))
    reactor.addSystemEventTrigger("before", "shutdown", shell.stop)
    return shell.resource


def policy(reactor: Any, config: Config, authorize: Authorize | None = None) -> Policy:
    """Who may come in, as *config* says it, or *authorize*.

    :raises StartError: a host, origin, frame ancestor, checker or token file is wrong.
    """
    try:
        check_ancestors(config.frame_ancestors)
        rules = Rules(config.hosts, config.origins, config.proxies)
        if authorize is not None:
            return embedded_policy(rules, authorize)
        if config.no_auth:
            return open_policy(rules)
        token = token_from_file(Path(config.token_file)) if config.token_file else new_token()
        keyring = Keyring(token, cross_site=config.further.cross_site)
        passwords = Passwords([_checker(text) for text in config.auth]) if config.auth else None
        return login_policy(rules, Credentials(keyring, Throttle(reactor), passwords))
    except WebshellError as error:
        raise StartError(str(error)) from None


def _checker(text: str) -> ICredentialsChecker:
    kind = text.partition(":")[0]  # what follows may be a password
    try:
        checker: ICredentialsChecker = makeChecker(text)
    except InvalidAuthType:
        raise StartError(f"--auth {kind}: there is no such checker; --help-auth lists them") from None
    except (InvalidAuthArgumentString, TypeError, ValueError) as error:
        raise StartError(f"--auth {kind}: {error}; see --help-auth-type {kind}") from None
    if isinstance(checker, InMemoryUsernamePasswordDatabaseDontUse):
        # its factory keeps text, and it is asked for bytes
        checker.users = {os.fsencode(name): os.fsencode(password) for name, password in checker.users.items()}
    if IUsernamePassword not in checker.credentialInterfaces:
        raise StartError(f"--auth {kind}: this checker does not take a name and a password")
    return checker


class ShellService(Service):
    """The daemon: listeners, a site, and the shell in it."""

    def __init__(self, reactor: Any, config: Config, *, announce: Callable[[str], None], daemon: bool = False) -> None:
        """
        :param announce: prints a line where the operator sees it and no log keeps it.
        :param daemon: announce the URL now: later there is no terminal any more.
        :raises StartError: the configuration cannot work.
        """
        self.failed = False
        self.stopping = False
        self._listening = False
        self._reactor = reactor
        self._config = config
        self._announce = announce
        self._daemon = daemon
        self._policy = policy(reactor, config)
        self._listeners = [Listener.parse(text) for text in config.listen]
        self._refuse_strangers()
        if config.self_signed:
            certificate = self._certificate()
            self._listeners = [listener.with_certificate(certificate) for listener in self._listeners]
        try:
            self._endpoints = [listener.endpoint(reactor) for listener in self._listeners]
        except ValueError as error:
            raise StartError(str(error)) from None
        self.shell = Shell(reactor, config, self._policy)
        self._site = LimitedSite(
            self.shell.resource,
            reactor,
            body_limit=self.shell.body_limit,
            connections=config.connections,
            connections_per_address=config.connections_of_address,
            exempt=config.proxies,
        )
        self._ports: list[IListeningPort] = []
        if daemon:
            self._tell([listener.place() for listener in self._listeners])

    # ---- what twistd calls

    def privilegedStartService(self) -> None:
        """Listen, while ports under 1024 may still be bound."""
        self._listening = True
        at_once: list[Failure] = []
        starting = gatherResults([self._listen(endpoint) for endpoint in self._endpoints], consumeErrors=True)
        starting.addCallbacks(lambda _: self._up(), self._broken if self._reactor.running else at_once.append)
        starting.addErrback(_logged)
        for failure in at_once:  # not in a callback: a Deferred would swallow what this raises
            self._broken(failure)

    def startService(self) -> None:
        """Listen now, if nobody asked for it before; ``twist`` does not."""
        super().startService()
        if not self._listening:
            self.privilegedStartService()

    def stopService(self) -> Deferred[None]:
        """Stop listening, then everything."""
        super().stopService()
        self.stopping = True
        return Deferred.fromCoroutine(self._stop())

    # ---- what a signal does

    def hasten(self) -> None:
        """Give children no more time to end."""
        self.shell.stop().addErrback(_logged)

    # ---- inside

    async def _stop(self) -> None:
        ports, self._ports = self._ports, []
        for port in ports:  # of a unix socket it fails if somebody has removed the file
            await maybeDeferred(port.stopListening).addErrback(_logged)
        await self.shell.stop()

    def _refuse_strangers(self) -> None:
        if not self._config.no_auth:
            return
        for listener in self._listeners:
            if not listener.local:
                raise StartError(
                    f"--no-auth with --listen {listener.description}: whoever reaches this would own the machine. "
                    f"Listen on a loopback address ({DEFAULT_LISTEN[0]}) or a unix socket, or leave --no-auth out"
                )

    def _certificate(self) -> str:
        path = Path(self._config.self_signed).absolute()
        try:
            fingerprint = ensure_certificate(path, self._names())
        except (OSError, ValueError) as error:
            raise StartError(f"the certificate {path} cannot be used: {error}") from None
        self._announce(f"The certificate's SHA-256 fingerprint: {fingerprint}")
        return str(path)

    def _names(self) -> list[str]:
        texts = [*self._config.hosts, *self._config.origins]
        names = [urlsplit(text if "//" in text else f"//{text}").hostname for text in texts]
        return [name for name in [*names, *(listener.name for listener in self._listeners)] if name]

    def _listen(self, endpoint: IStreamServerEndpoint) -> Deferred[None]:
        listening: Deferred[Any] = endpoint.listen(self._site)
        return listening.addCallback(self._ports.append)

    def _broken(self, failure: Failure) -> None:
        self.failed = True
        error, listener = failure.value.subFailure.value, self._listeners[failure.value.index]  # type: ignore[union-attr]
        text = f"--listen {listener.description}: {str(error).rstrip('.')}"
        if self._reactor.running:
            log.error("{text}", text=text)
            self._reactor.stop()
            return
        if self._daemon:
            raise StartError(str(error))  # twistd tells it the terminal that we have left, a hundred characters of it
        raise SystemExit(f"webshell: {text}. Choose another address, for example --listen tcp:8081:interface=127.0.0.1")

    def _up(self) -> None:
        if not masking_is_fast():
            log.warn("Autobahn's C extension is not in use here: large pastes are slow")
        if not self._daemon:
            hosts = [port.getHost() for port in self._ports]
            self._tell(
                listener.place(host.host, host.port)
                if isinstance(host, IPv4Address | IPv6Address)
                else listener.place()
                for listener, host in zip(self._listeners, hosts, strict=True)
            )

    def _tell(self, places: Iterable[str]) -> None:
        config, credentials = self._config, self._policy.credentials
        lines = [f"    {place}" for place in places]
        if credentials is None:
            lines.append("WITHOUT A LOGIN (--no-auth): every user and program of this machine may use it.")
        elif config.auth:
            lines.append("Log in with a name and password.")
        elif config.token_file:
            lines.append(f"Log in with the token in {config.token_file}.")
        else:
            keyring = credentials.keyring
            lines = invitation([line.strip() for line in lines], keyring.token, keyring.view_token)
        for line in ["webshell is at", *lines]:
            self._announce(line)


def _passed_on(result: Any, done: Deferred[None]) -> Any:
    done.callback(None)
    return result


def _logged(failure: Failure) -> None:
    log.failure("stopping failed", failure)
