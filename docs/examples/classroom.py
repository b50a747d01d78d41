"""A site with one page of its own, on which students run Python: ``python classroom.py``, then open what it prints.

Whoever reaches its port may run programs, so it listens on this machine only; embedding.rst shows a site with a login.
"""

from pathlib import Path

from twisted.internet import endpoints, reactor
from twisted.web.resource import Resource
from twisted.web.server import Site
from twisted.web.static import File

from webshell.config import Config
from webshell.grant import Grant
from webshell.service import shell_resource

root = Resource()
root.putChild(b"", File(str(Path(__file__).with_name("classroom.html"))))
root.putChild(b"square.py", File(str(Path(__file__).with_name("square.py")), "text/plain; charset=utf-8"))
root.putChild(b"shell", shell_resource(reactor, Config(further_link=True), lambda request: Grant("student")))

listening = endpoints.serverFromString(reactor, "tcp:8000:interface=127.0.0.1").listen(Site(root))
listening.addCallback(lambda port: print(f"http://127.0.0.1:{port.getHost().port}/", flush=True))
reactor.run()
