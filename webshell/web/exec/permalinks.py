"""``s/ID``: a session as a person sees it, or what its newest process writes; the address stays good while it lasts."""

from __future__ import annotations

from urllib.parse import quote

from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from webshell.errors import NoSuchProcess, WebshellError
from webshell.executions import Execution, Executions
from webshell.web.access import granted
from webshell.web.answers import READ, MethodRefused, SeeOther
from webshell.web.exec.accepting import Form, wanted
from webshell.web.exec.answers import failed, number
from webshell.web.exec.watching import watch


def to_page(request: Request, execution: Execution) -> int:
    """Lead whoever asked for a process to the page that shows it."""
    return _redirect(request, SeeOther("s", execution.session.id, up=1, fragment=str(execution.process.number)))


class Permalink(Resource):
    """A session by its id; what is below it are its files."""

    def __init__(self, executions: Executions, session: str) -> None:
        super().__init__()
        self._executions = executions
        self._session = session

    def render(self, request: Request) -> int:
        """The page, or what the process ``?process=N`` writes, the newest if none is named."""
        try:
            if request.method not in READ:
                raise MethodRefused("this method is not served here", {"Allow": "GET, HEAD"})
            form = wanted(request)
            if form is Form.PAGE or request.method == b"HEAD":
                # the page reads it there: relative addresses in it would be wrong below "s"
                return _redirect(request, SeeOther(up=1, query=b"s=" + quote(self._session, safe="").encode()))
            return watch(self._execution(request), request, form)
        except WebshellError as error:
            return failed(request, error)

    def _execution(self, request: Request) -> Execution:
        grant = granted(request)
        session = self._executions.sessions.find(self._session, grant)
        asked = number(request, "process")
        if asked is None and not session.processes:
            raise NoSuchProcess("there is no process in this session")
        return self._executions.find(grant, f"{session.id}.{asked or max(session.processes)}")


def _redirect(request: Request, there: SeeOther) -> int:
    there.render(request)
    request.finish()
    return NOT_DONE_YET
