"""Where what further-link's clients need is joined to the rest: runners, targets, addresses."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from webshell.config import Config
from webshell.recipes import PREFIX
from webshell.runners import Runner
from webshell.target import Target
from webshell.targets.sides import SideChannels
from webshell.targets.users import Users
from webshell.targets.workshop import Workshop
from webshell.web import access
from webshell.web.access import Policy
from webshell.web.answers import READ
from webshell.web.credentials import Throttle
from webshell.web.further import routes
from webshell.web.further.approval import Approvals, Approve
from webshell.web.further.probes import Probes
from webshell.web.page import static_folder
from webshell.web.tree import Tree


class Joined:
    """What is added when further-link's clients are served; nothing if they are not.

    :ivar target: where commands run.
    :ivar runners: by name.
    :ivar public: what may be reached without a grant.
    """

    def __init__(self, reactor: Any, config: Config, target: Target) -> None:
        self.target: Target = SideChannels(reactor, target)
        self.runners: Mapping[str, Runner] = config.runners
        self.public: Mapping[tuple[bytes, ...], Collection[bytes]] = access.PUBLIC
        self._reactor = reactor
        self._config = config
        self._approvals: Approvals | None = None
        if not config.further_link:
            return
        if config.further.approval:
            self._approvals = Approvals(reactor, Throttle(reactor), config.further.approval_seconds)
        users = Users(target, os.environ)
        workshop = Workshop(users, config.further.workplace, reactor, os.environ)
        self.target = SideChannels(reactor, workshop)
        self.runners = {**config.runners, **{PREFIX + name: recipe for name, recipe in config.recipes.items()}}
        self.public = {**access.PUBLIC, **routes.PUBLIC}
        if self._approvals is not None:
            self.public = {**self.public, (b"approve",): READ | {b"POST"}}

    def policy(self, policy: Policy) -> Policy:
        """*policy*, with what the configuration adds to everybody's grant, and one more way in if there is one."""
        more = (self._approvals.authenticate,) if self._approvals is not None else ()
        return replace(policy, users=self._config.users, authenticators=(*policy.authenticators, *more))

    def add_routes(self, tree: Tree) -> None:
        """Hang the addresses into *tree*."""
        config = self._config
        if config.further_link:
            probes = Probes(self.target, config.recipes, self._reactor)
            routes.add_routes(tree, tree.sockets, config.further, probes)
        if self._approvals is not None:
            template = (static_folder() / "approve.html").read_text("utf-8")
            tree.putChild(b"approve", Approve(self._approvals, template))
