"""What the page says and does when the server ends, the network is cut, the login is over; and that it comes back."""

from __future__ import annotations

import re
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from page.browsing import Arrive, Visitor, fresh_session, home_for
from playwright.sync_api import Browser, expect
from wire import Server

CUTS_OFF = True
"""Chromium's own complaints about that are no faults of the page."""


SAME_BUTTON = """(bar) => new Promise((done) => {
  let before = null;
  const look = () => {
    const [seconds] = /in \\d+ s/.exec(bar.textContent) ?? [null];
    const words = bar.textContent.replace(seconds, '');
    if (before && seconds && seconds !== before.seconds && words === before.words) {
      done(bar.querySelector('button') === before.button);
    }
    before = seconds && {seconds, words, button: bar.querySelector('button')};
  };
  look();
  new MutationObserver(look).observe(bar, {childList: true, subtree: true, characterData: true});
})"""
"""Whether the button stays while seconds are counted and nothing else changes: somebody may be about to press it."""


class Proxy:
    """Passes TCP connections on to a server, until it is cut."""

    target: tuple[str, int]

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.origin = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._sockets: list[socket.socket] = []
        self._open = True
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """The network is gone: everything is reset, and nothing new gets through."""
        self._open = False
        for one in self._sockets:
            _close(one)
        self._sockets.clear()

    def mend(self) -> None:
        """It is back."""
        self._open = True

    def close(self) -> None:
        self.cut()
        _close(self._listener)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if not self._open:
                near.close()
                continue
            far = socket.create_connection(self.target)
            self._sockets += [near, far]
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=_pass_on, args=(source, sink), daemon=True).start()


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(1 << 16):
            sink.sendall(data)
    except OSError:
        pass
    _close(source)
    _close(sink)


def _close(one: socket.socket) -> None:
    try:
        one.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    one.close()


@pytest.fixture(scope="module")
def proxy(browser: Browser) -> Iterator[Proxy]:
    proxy = Proxy()
    yield proxy
    proxy.close()


@pytest.fixture(scope="module")
def server(proxy: Proxy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """It is reached through the proxy."""
    with Server(home_for(tmp_path_factory.mktemp("home")), "--origin", proxy.origin) as running:
        parts = urlsplit(running.url)
        proxy.target = (parts.hostname or "", parts.port or 0)
        yield running


@pytest.fixture
def far_anna(arrive: Arrive, server: Server, proxy: Proxy) -> Visitor:
    """Who reaches the server through the proxy."""
    visitor = arrive()
    visitor.page.goto(f"{proxy.origin}/?token={server.token}#s={fresh_session(server)}")
    return visitor.at_prompt()


def test_a_cut_and_everything_is_there_again(far_anna: Visitor, proxy: Proxy, home: Path) -> None:
    far_anna.runs("echo before; i=0; until [ -e go ]; do sleep 0.05; done; seq -s ' ' 1000; echo af''ter").sees(
        "^before$"
    )
    rows = far_anna.terminal.locator(".xterm-rows > div")
    before = rows.count()
    proxy.cut()
    expect(far_anna.status).to_contain_text(re.compile("Trying again|Connecting"))
    assert rows.count() == before  # saying so takes no row away
    far_anna.sees("^before$")  # what was there stays readable
    far_anna.types("echo typed me''anwhile", "Enter")
    expect(far_anna.page.locator(".notice")).to_have_count(1)  # not one for each key
    home.joinpath("go").touch()
    proxy.mend()
    expect(far_anna.status).to_be_hidden()
    screen = far_anna.sees("^typed meanwhile$")
    assert " 999 1000\nafter\n" in screen
    assert screen.count("typed meanwhile") == 1
    home.joinpath("go").unlink()


def test_try_now(far_anna: Visitor, proxy: Proxy) -> None:
    proxy.cut()
    expect(far_anna.status).to_contain_text("The server cannot be reached")
    expect(far_anna.status).to_contain_text(re.compile(r"in \d+ s"))
    assert far_anna.status.evaluate(SAME_BUTTON)
    proxy.mend()
    far_anna.status.get_by_role("button", name="Try now").click()
    expect(far_anna.status).to_be_hidden()
    far_anna.runs("echo he''re").sees("^here$")


def test_the_scroll_after_a_cut(far_anna: Visitor, proxy: Proxy, home: Path) -> None:
    far_anna.in_scroll()
    block = far_anna.enters("echo one; until [ -e on ]; do sleep 0.05; done; echo two; exit 4")
    expect(block.locator(".output")).to_have_text("one\n", use_inner_text=False)
    proxy.cut()
    expect(far_anna.status).to_be_visible()
    home.joinpath("on").touch()
    proxy.mend()
    expect(block.locator(".output")).to_have_text("one\ntwo\n", use_inner_text=False)
    expect(block.locator(".result")).to_contain_text("4")
    home.joinpath("on").unlink()


def test_offline(far_anna: Visitor, proxy: Proxy) -> None:
    far_anna.page.context.set_offline(True)
    proxy.cut()
    expect(far_anna.status).to_contain_text("You are offline")
    proxy.mend()
    far_anna.page.context.set_offline(False)
    expect(far_anna.status).to_be_hidden()


def test_the_server_is_restarted(arrive: Arrive, browser: Browser, tmp_path: Path) -> None:
    token = tmp_path / "token"
    options = ("--token-file", str(token))
    # a killed daemon leaves its sockets, in folders of short names
    with tempfile.TemporaryDirectory() as left, Server(home_for(tmp_path), *options, TMPDIR=left) as first:
        address = urlsplit(first.url)
        visitor = arrive()
        visitor.page.goto(f"{first.url}?token={token.read_text().strip()}")
        visitor.runs("echo the o''ld one").sees("^the old one$")
        first.stop(signal.SIGKILL)
        expect(visitor.status).to_contain_text("Trying again")
    with Server(tmp_path, *options, listen=f"tcp:{address.port}:interface=127.0.0.1") as second:
        assert second.url == first.url
        expect(visitor.status).to_contain_text("The server was restarted; its sessions have ended.")
        visitor.sees("^the old one$")
        visitor.status.get_by_role("button", name="Start a new session").click()
        visitor.at_prompt().runs("echo the ne''w one").sees("^the new one$")
        assert "the old one" not in visitor.screen
        expect(visitor.status).to_be_hidden()


def test_the_login_is_over(arrive: Arrive, tmp_path: Path) -> None:
    with Server(home_for(tmp_path)) as first:
        address = urlsplit(first.url)
        visitor = arrive().enter(first).at_prompt()
        first.stop()
        expect(visitor.status).to_contain_text("Trying again")
    with Server(tmp_path, listen=f"tcp:{address.port}:interface=127.0.0.1") as second:
        expect(visitor.status).to_contain_text("Your login is no longer valid")
        visitor.status.get_by_role("link", name="Log in").click()
        visitor.page.get_by_label("Login token").fill("wrong")
        visitor.presses("Enter")
        expect(visitor.page.get_by_role("alert")).not_to_be_empty()
        visitor.page.get_by_label("Login token").fill(second.token)
        visitor.presses("Enter")
        visitor.at_prompt()
