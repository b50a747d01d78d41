"""The WebSockets ``run`` and ``run-py``, and what a client asks before it uses them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from twisted.web.resource import IResource, Resource
from twisted.web.server import Request

from webshell import __version__
from webshell.dialects import Dialect
from webshell.dialects.further import Further
from webshell.dialects.further_py import FurtherPython
from webshell.further import VERSION, FurtherLink
from webshell.web.access import granted
from webshell.web.answers import READ, answer
from webshell.web.further.leaf import PRIVATE_NETWORK, Leaf, argument, said, text
from webshell.web.further.probes import Probes
from webshell.web.websocket import Sockets

MESSAGE_BYTES = 4 << 20
"""The longest message; further-link's own limit."""

ASKED = frozenset({b"OPTIONS"})
PUBLIC: Mapping[tuple[bytes, ...], Collection[bytes]] = {
    (b"status",): READ | ASKED,
    (b"version",): READ | ASKED,
    (b"runners",): ASKED,
    (b"upload",): ASKED,
}
"""What may be reached without a grant, in addition to ``access.PUBLIC``: that the server is there, and its protocol."""


def add_routes(tree: Resource, sockets: Sockets, settings: FurtherLink, probes: Probes) -> None:
    """Hang everything into *tree*."""
    tree.putChild(b"run", Run(sockets, settings, _run))
    tree.putChild(b"run-py", Run(sockets, settings, _run_py))
    tree.putChild(b"status", Status())
    version = Version()
    version.putChild(b"apt", AptVersion(probes))
    tree.putChild(b"version", version)
    tree.putChild(b"runners", Runners(probes))


class Run(Leaf):
    """A WebSocket; what its client wants of all processes is in the query."""

    def __init__(
        self, sockets: Sockets, settings: FurtherLink, dialect: Callable[[Request, bool, str | None], Dialect]
    ) -> None:
        super().__init__()
        self._sockets = sockets
        self._settings = settings
        self._dialect = dialect

    def render_GET(self, request: Request) -> bytes | int:
        """Upgrade."""
        upgrade = request.getHeader("upgrade") or ""
        if upgrade.lower() != "websocket":
            request.setResponseCode(400)
            return text(request, f'No WebSocket UPGRADE hdr: {upgrade or None}\n Can "Upgrade" only to "WebSocket".')
        user = argument(request, "user")
        if user is None:
            user = self._settings.user or None
        pty = (argument(request, "pty") or "").lower() in ("1", "true")
        headers = dict([PRIVATE_NETWORK])
        return self._sockets.accept(request, self._dialect(request, pty, user), largest=MESSAGE_BYTES, headers=headers)


def _run(request: Request, pty: bool, user: str | None) -> Dialect:
    return Further(pty=pty, user=user, client=argument(request, "client") or "")


def _run_py(request: Request, pty: bool, user: str | None) -> Dialect:
    return FurtherPython(pty=pty, user=user)


class Status(Leaf):
    """``status``: the server is there. Clients compare the two letters."""

    def render_GET(self, request: Request) -> bytes:
        """OK."""
        return text(request, "OK")


class Version(Leaf):
    """``version``: of the protocol, and of the server beside it."""

    isLeaf = False

    def render_GET(self, request: Request) -> bytes:
        """Both."""
        return said(request, {"version": VERSION, "server": f"webshell {__version__}"})


class AptVersion(Leaf):
    """``version/apt/NAME``: the installed version of a Debian package."""

    def __init__(self, probes: Probes) -> None:
        super().__init__()
        self._probes = probes

    def render_GET(self, request: Request) -> int:
        """The version, or null."""
        return answer(request, self._version(request))

    async def _version(self, request: Request) -> IResource:
        granted(request)
        steps = request.postpath or []
        name = steps[0].decode("utf-8", "replace") if len(steps) == 1 else ""
        return Said({"version": await self._probes.package(name)})


class Runners(Leaf):
    """``runners``: which of the runners really work here, and their versions."""

    def __init__(self, probes: Probes) -> None:
        super().__init__()
        self._probes = probes

    def render_GET(self, request: Request) -> int:
        """All of them by name: a version, empty for what has none; missing ones are not there."""
        return answer(request, self._runners(request))

    async def _runners(self, request: Request) -> IResource:
        granted(request)
        return Said({"runners": await self._probes.versions()})


class Said(Resource):
    """A value as JSON, found out meanwhile."""

    isLeaf = True

    def __init__(self, value: object) -> None:
        super().__init__()
        self._value = value

    def render(self, request: Request) -> bytes:
        """Answer."""
        return said(request, self._value)
