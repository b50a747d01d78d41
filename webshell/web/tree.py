"""The resource tree: what hangs where. What is added here is behind the gate; ``access.PUBLIC`` names what is not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from twisted.web.http import Request
from twisted.web.resource import Resource

from webshell.executions import Executions
from webshell.sessions import Sessions
from webshell.web.credentials import Credentials
from webshell.web.endpoint import Endpoint
from webshell.web.exec.routes import Popen, Processes
from webshell.web.files.arrivals import Arrivals
from webshell.web.files.places import Places
from webshell.web.login import LoginPage, Logout, Share, WhoAmI
from webshell.web.page import Page, add_files
from webshell.web.websocket import Sockets


class Tree(Resource):
    """Everything that webshell serves, without the gate.

    :ivar sockets: what upgrades become.
    :ivar arrivals: files on their way in.
    :ivar executions: processes by their ids.
    """

    def __init__(
        self,
        sessions: Sessions,
        sockets: Sockets,
        folder: Path,
        credentials: Credentials | None,
        ready: Callable[[], bool],
        frame_ancestors: Sequence[str] = (),
    ) -> None:
        """
        :param folder: the page's files.
        :param credentials: None: somebody else's login.
        :param ready: whether new clients are welcome; False while stopping.
        """
        super().__init__()
        self.sockets = sockets
        self.putChild(b"", Page(folder, add_files(self, folder), frame_ancestors))
        self.putChild(b"ws", Endpoint(sessions, sockets))
        self.arrivals = Arrivals(sessions.clock)
        self.executions = Executions(sessions)
        self.putChild(b"s", Places(sessions, self.arrivals, self.executions))
        self.putChild(b"popen", Popen(self.executions))
        self.putChild(b"exec", Processes(self.executions, sockets))
        self.putChild(b"healthz", Health(lambda: True))
        self.putChild(b"readyz", Health(ready))
        self.putChild(b"whoami", WhoAmI(sessions.instance))
        if credentials is not None:
            login = "login-password.html" if credentials.passwords is not None else "login-token.html"
            self.putChild(b"login", LoginPage(credentials, (folder / login).read_text("utf-8")))
            self.putChild(b"logout", Logout(credentials.keyring))
            self.putChild(b"share", Share(credentials.keyring))


class Health(Resource):
    """``healthz`` and ``readyz``: for whoever watches the server; says nothing about it."""

    isLeaf = True

    def __init__(self, good: Callable[[], bool]) -> None:
        super().__init__()
        self._good = good

    def render_GET(self, request: Request) -> bytes:
        """``ok``, or 503."""
        request.setHeader(b"content-type", b"text/plain; charset=utf-8")
        if self._good():
            return b"ok\n"
        request.setResponseCode(503)
        return b"stopping\n"
