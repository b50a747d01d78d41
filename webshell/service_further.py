"""Where what further-link's clients need is joined to the rest: runners, targets, addresses."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from webshell.config import Config
from webshell.recipes import PREFIX
from webshell.runners import Runner
from webshell.sessions import Sessions
from webshell.target import Target
from webshell.targets.sides import SideChannels
from webshell.targets.users import Users
from webshell.targets.warehouse import Warehouse
from webshell.targets.workshop import Workshop
from webshell.web import access
from webshell.web.access import Policy
from webshell.web.answers import READ
from webshell.web.credentials import Throttle
from webshell.web.further import routes, upload
from webshell.web.further.approval import Approvals, Approve
from webshell.web.further.fetch import Fetcher
from webshell.web.further.probes import Probes
from webshell.web.limits import BodyLimit, body_limit
from webshell.web.page import static_folder
from webshell.web.tree import Tree


class Joined:
    """What is added when further-link's clients are served; nothing if they are not.

    :ivar sessions: all sessions, with the places and runners that there are.
    :ivar public: what may be reached without a grant.
    :ivar body_limit: of a site of our own.
    """

    def __init__(self, reactor: Any, config: Config, target: Target) -> None:
        self._reactor = reactor
        self._config = config
        self._approvals: Approvals | None = None
        self._warehouse: Warehouse | None = None
        self.public: Mapping[tuple[bytes, ...], Collection[bytes]] = access.PUBLIC
        self.body_limit: BodyLimit = body_limit
        runners: Mapping[str, Runner] = config.runners
        if config.further_link:
            target = Workshop(Users(target, os.environ), config.further.workplace, reactor, os.environ)
            runners = {**runners, **{PREFIX + name: recipe for name, recipe in config.recipes.items()}}
            self._serve()
        self.sessions = Sessions(SideChannels(reactor, target), runners, config.limits, reactor, time.time)
        self.sessions.uploads = self._warehouse

    def _serve(self) -> None:
        settings, reactor = self._config.further, self._reactor
        fetch = Fetcher(reactor, settings.url_hosts) if settings.url_files else None
        self._warehouse = Warehouse(settings.workplace, fetch, reactor.seconds)
        self.body_limit = lambda method, path: upload.body_limit(method, path) or body_limit(method, path)
        self.public = {**access.PUBLIC, **routes.PUBLIC}
        if settings.approval:
            self._approvals = Approvals(reactor, Throttle(reactor), settings.approval_seconds)
            self.public = {**self.public, (b"approve",): READ | {b"POST"}}

    def policy(self, policy: Policy) -> Policy:
        """*policy*, with what the configuration adds to everybody's grant, and one more way in if there is one."""
        more = (self._approvals.authenticate,) if self._approvals is not None else ()
        return replace(policy, users=self._config.users, authenticators=(*policy.authenticators, *more))

    def add_routes(self, tree: Tree) -> None:
        """Hang the addresses into *tree*."""
        settings = self._config.further
        if self._warehouse is not None:
            probes = Probes(self.sessions.target, self._config.recipes, self._reactor)
            routes.add_routes(tree, tree.sockets, settings, probes)
            tree.putChild(b"upload", upload.Upload(self._warehouse, settings.user))
        if self._approvals is not None:
            template = (static_folder() / "approve.html").read_text("utf-8")
            tree.putChild(b"approve", Approve(self._approvals, template))
