"""A daemon under test, a wire to it that can be cut, and groups of gateways at it."""

from __future__ import annotations

from collections.abc import Iterator

import execnet
import pytest
from cli.commands import Wire
from gateways import TRANSPORTS, site
from wire import Server

from webshell.execnet import Group


@pytest.fixture(scope="module")
def relay() -> Iterator[Wire]:
    """The wire's end that the server has to know before it starts."""
    with Wire() as made:
        yield made


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, relay: Wire) -> Iterator[Server]:
    """One for a module: its tests must not depend on each other's processes."""
    with Server(tmp_path_factory.mktemp("home"), "--host", relay.host) as running:
        relay.lead_to(running)
        yield running


@pytest.fixture
def wire(server: Server, relay: Wire) -> Iterator[Wire]:
    """The wire, whole."""
    yield relay
    relay.mend()


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Group]:
    """A group, ended after the test; no token is in its environment."""
    for name in ("WEBSHELL_TOKEN", "WEBSHELL_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    group = Group()
    yield group
    group.terminate(timeout=5)


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> str:
    """What carries the bytes."""
    return str(request.param)


@pytest.fixture
def spec(server: Server, transport: str, monkeypatch: pytest.MonkeyPatch, web: Group) -> str:
    """The spec of a gateway at the server; the token is in the environment."""
    monkeypatch.setenv("WEBSHELL_TOKEN", server.token)
    return f"{transport}={site(server)}"


@pytest.fixture
def gateway(web: Group, spec: str) -> execnet.Gateway:
    """A gateway at the server."""
    return web.makegateway(spec)


@pytest.fixture
def cuttable(wire: Wire, transport: str, spec: str) -> str:
    """The spec of a gateway at the server, through the wire."""
    return f"{transport}={wire.host}"
