"""One target's conversation, with a far side that answers as the test likes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from execnet import Gateway, RemoteError

from webshell.execnet import rsync_remote
from webshell.execnet.rsync import RSync
from webshell.execnet.rsync_source import read_tree
from webshell.execnet.rsync_transfer import CHUNK, WINDOW, Target, Transfer, Wishes

PATIENCE = 20.0
"""Seconds for what takes milliseconds."""

SIZE = 3 * WINDOW + 1


class Far:
    """A gateway and its channel in one: answers what is asked, and lets content pile up as long as it may."""

    id = "far"

    def __init__(self, answers: dict[str, Callable[[Far, Any], list[tuple[Any, ...]]]] | None = None) -> None:
        self.log: list[str] = []
        self.answers = {**ANSWERS, **(answers or {})}
        self.waiting: list[tuple[Any, ...]] = [("here", "there")]
        self.untaken: list[int] = []
        self.most = 0

    def remote_exec(self, module: Any) -> Far:
        assert module is rsync_remote
        return self

    def reconfigure(self, **options: bool) -> None:
        self.log.append("reconfigure")

    def send(self, message: tuple[Any, ...]) -> None:
        name = str(message[0]) if len(message) != 2 or isinstance(message[0], str) else "begin"
        self.log.append(name)
        if name == "data":
            self.untaken.append(len(message[1]))
            self.most = max(self.most, sum(self.untaken))
        self.waiting += self.answers.get(name, lambda far, message: [])(self, message)

    def receive(self) -> tuple[Any, ...]:
        if self.waiting:
            return self.waiting.pop(0)
        return ("took", self.untaken.pop(0))  # only when the sender waits for it

    def waitclose(self) -> None:
        self.log.append("waitclose")

    def close(self) -> None:
        self.log.append("close")


ANSWERS: dict[str, Callable[[Far, Any], list[tuple[Any, ...]]]] = {
    "regular": lambda far, message: [("want", message[1], None)],
    "listed": lambda far, message: [("listed",)],
    "end": lambda far, message: [*(("took", far.untaken.pop(0)) for _ in far.untaken[:]), ("written", message[1])],
    "linked": lambda far, message: [("linked",)],
}


def transfer(far: Far, source: Path, log: list[Any]) -> Transfer:
    wishes = Wishes("error", "error", lambda path: True, None, lambda gateway, name: None)
    target = Target(cast("Gateway", far), "/target", None, False)
    return Transfer(read_tree(str(source), lambda path: True), target, wishes, log.append)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    with open(tmp_path / "large", "wb") as file:
        file.truncate(SIZE)
    return tmp_path


def test_what_is_not_written_yet_is_bounded(source: Path) -> None:
    far = Far()
    one = transfer(far, source, [])
    one.run()
    assert one.failure is None
    assert far.most == WINDOW
    chunks = -(-SIZE // CHUNK)
    assert far.log == [
        *("reconfigure", "begin", "directory", "regular", "listed", "start"),
        *["data"] * chunks,
        *("end", "linked", "done", "waitclose", "close"),
    ]


def test_an_answer_that_is_none_is_told() -> None:
    far = Far({"listed": lambda far, message: [("frobnicated", 1)]})
    log: list[Any] = []
    one = transfer(far, Path(__file__), log)
    one.run()
    assert str(one.failure) == "far at there, /target: ValueError: unknown answer of an rsync: 'frobnicated'"
    assert far.log[-1] == "close"
    assert log[-1] is None


def test_a_file_that_grows_is_sent_as_it_was_listed(source: Path) -> None:
    def grow(far: Far, message: Any) -> list[tuple[Any, ...]]:
        with open(source / "large", "ab") as file:
            file.write(b"more")
        return [("listed",)]

    def take(far: Far, message: Any) -> list[tuple[Any, ...]]:
        sent.append(len(message[1]))
        return []

    far = Far({"listed": grow, "data": take})
    sent: list[int] = []
    one = transfer(far, source, [])
    one.run()
    assert one.failure is None
    assert sum(sent) == SIZE


def test_closed_before_it_began(source: Path) -> None:
    far = Far()
    one = transfer(far, source, [])
    one.close()
    one.run()
    assert far.log == ["close"]


class Silent(Far):
    """Says nothing more after the list, until the channel is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.closed = threading.Event()

    def receive(self) -> tuple[Any, ...]:
        if self.waiting:
            return super().receive()
        assert self.closed.wait(PATIENCE)
        raise EOFError("closed")

    def close(self) -> None:
        super().close()
        self.closed.set()


def test_a_callback_that_raises_ends_what_waits(source: Path) -> None:
    def told(event: str, size: int, channel: Any) -> None:
        raise KeyError(event)

    far = Silent()
    rsync = RSync(source, told, verbose=False)
    rsync.add_target(cast("Gateway", far), "/target")
    with pytest.raises(KeyError, match="list"):
        rsync.send()
    assert far.closed.is_set()
    for thread in threading.enumerate():
        if thread.name == "rsync to far":
            thread.join(PATIENCE)
            assert not thread.is_alive()


class Failing(Far):
    """Fails before all is listed: the channel is closed, and the reason is in it."""

    def send(self, message: tuple[Any, ...]) -> None:
        if message[0] == "regular":
            raise OSError("cannot send to <Channel id=1 closed>")
        super().send(message)

    def isclosed(self) -> bool:
        return True

    def waitclose(self) -> None:
        raise RemoteError("Traceback ...\nNotADirectoryError: there")


def test_the_reason_of_a_channel_that_is_closed(source: Path) -> None:
    far = Failing()
    one = transfer(far, source, [])
    one.run()
    assert str(one.failure) == "far at there, /target: NotADirectoryError: there"
