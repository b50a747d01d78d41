"""What the README and docs/embedding.rst show works as it stands."""

from __future__ import annotations

import http.client
import re
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from wire import PATIENCE, Refused, Server, WireClient

ROOT = Path(__file__).parents[2]


def examples(name: str) -> list[str]:
    """The Python blocks of a document."""
    text = (ROOT / name).read_text("utf-8")
    blocks = re.findall(r"\.\. code-block:: python\n\n((?:    .*\n|\n)+)", text)
    return [textwrap.dedent(block) for block in blocks]


def test_the_client_of_the_readme_prints_42(server: Server, tmp_path: Path) -> None:
    source = f"URL = {server.url.replace('http', 'ws') + 'ws'!r}\nTOKEN = {server.token!r}\n{examples('README.rst')[0]}"
    (tmp_path / "client.py").write_text(source)
    done = subprocess.run(
        [sys.executable, "client.py"], cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    assert done.stdout == "42\n\n"


class Site:
    """An embedding site in a process of its own: what an example makes, listening on a free port of the loopback."""

    def __init__(self, source: str, home: Path) -> None:
        run = """
            import sys
            from twisted.internet import reactor
            port = reactor.listenTCP(0, make_site(reactor), interface="127.0.0.1")
            print(port.getHost().port, flush=True)
            reactor.run()
        """
        (home / "site.py").write_text(source + textwrap.dedent(run))
        # not named site.py in the import path: Python has one
        self.process = subprocess.Popen([sys.executable, str(home / "site.py")], cwd=home, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())
        self.url = f"http://127.0.0.1:{self.port}/shell/"

    def get(self, path: str, cookie: str = "") -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        connection.request("GET", path, headers={"Cookie": cookie} if cookie else {})
        response = connection.getresponse()
        body = response.read()
        connection.close()
        return response.status, body

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(PATIENCE)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


@pytest.mark.parametrize("document", ["README.rst", "docs/embedding.rst"])
def test_the_embedding_example_keeps_the_sites_own_login(document: str, tmp_path: Path) -> None:
    source = next(block for block in examples(document) if "def make_site" in block)
    site = Site(source, tmp_path)
    try:
        assert site.get("/") == (200, b"<h1>My site</h1>")
        assert site.get("/shell/")[0] == 401
        assert site.get("/shell/healthz")[0] == 200
        status, page = site.get("/shell/", "mine=anna")
        assert (status, b"js/app.js" in page) == (200, True)
        assert site.get("/shell/js/app.js", "mine=anna")[0] == 200
        origin = f"http://127.0.0.1:{site.port}"
        for headers in (
            [("Origin", origin)],
            [("Cookie", "mine=anna")],
            [("Cookie", "mine=anna"), ("Origin", "https://evil.example")],
        ):
            with pytest.raises(Refused) as refused:
                WireClient(site.url, headers=headers)
            assert refused.value.status in (401, 403)
        with WireClient(site.url, headers=[("Cookie", "mine=anna"), ("Origin", origin)]) as client:
            assert client.expect("hello")["identity"] == "anna"
            client.send({"type": "open", "id": 1})
            client.expect("attached")
            client.send({"type": "start", "id": 2, "runner": "sh", "line": "echo $$; exec sleep 1000"})
            pid = int(client.until(lambda output: output.endswith(b"\n")))
            code = site.stop()
            assert client.gone() == 1001
            assert not Path(f"/proc/{pid}").exists()
            assert code in (0, -signal.SIGTERM)  # Twisted's own reactor.run ends by the signal
    finally:
        if site.process.poll() is None:
            site.stop()
