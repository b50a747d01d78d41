"""The relay beside a far interpreter: what it does when nobody is there, and what may be under way."""

from __future__ import annotations

import ast
import os
import queue
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import execnet
import pytest
from execnet.gateway_base import Channel

from webshell.child.relay import WINDOW
from webshell.child.relay_ends import PIECE, TAIL_BYTES
from webshell.execnet.relays import CHILD, open_relay

PATIENCE = 20.0
"""Seconds for what takes less than three."""

END = object()


@pytest.fixture
def master() -> Iterator[execnet.Gateway]:
    group = execnet.Group()
    yield group.makegateway("popen")
    group.terminate(timeout=5)


class Far:
    """A relay's channel, and what has come over it."""

    def __init__(self, master: execnet.Gateway, source: str, *, errors: bool = False) -> None:
        request = {"run": [sys.executable, "-c", source], "errors": errors}
        self.channel: Channel = open_relay(master, request)
        self._items: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.channel.setcallback(self._items.put, endmarker=END)
        kind, self.pid = self.next()
        assert kind == "started"

    def next(self) -> Any:
        return self._items.get(timeout=PATIENCE)

    def until(self, enough: Callable[[Any], bool]) -> list[Any]:
        """The items up to the first that is enough."""
        items = [self.next()]
        while not enough(items[-1]):
            items.append(self.next())
        return items

    def exists(self) -> bool:
        try:
            return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except OSError:
            return False

    def ends(self) -> bool:
        end = time.monotonic() + PATIENCE
        while self.exists():
            if time.monotonic() > end:
                return False
            time.sleep(0.01)
        return True


def is_exit(item: Any) -> bool:
    return isinstance(item, tuple)


def test_output_its_end_and_the_exit_come_in_order(master: execnet.Gateway) -> None:
    far = Far(master, "import sys; print('out', end=''); print('err', end='', file=sys.stderr); sys.exit(3)")
    assert far.until(lambda item: item is END) == [b"out", None, ("exit", 3, "err"), END]


def test_output_waits_for_credit(master: execnet.Gateway) -> None:
    far = Far(master, f"import os\nfor _ in range(64): os.write(1, bytes({PIECE}))\nos.read(0, 1)")
    received = 0
    while received < WINDOW:
        item = far.next()
        assert len(item) <= PIECE
        received += len(item)
    assert received == WINDOW
    # nothing more comes, or it would come before the answer to this
    answer = master.remote_exec("channel.send(1)")
    assert answer.receive(PATIENCE) == 1
    assert far._items.empty()
    far.channel.send(1000)
    assert sum(len(item) for item in far.until(lambda _: True)) == 1000
    far.channel.send(64 * PIECE)
    far.channel.send(None)
    rest = far.until(is_exit)
    assert sum(len(item or b"") for item in rest[:-1]) == 64 * PIECE - WINDOW - 1000
    assert rest[-1] == ("exit", 0, "")


def test_input_is_credited_as_it_is_taken(master: execnet.Gateway) -> None:
    """As much as pipes hold is taken from a process that reads nothing; what is taken is credited in large steps."""
    far = Far(master, "import sys; sys.exit(len(sys.stdin.buffer.read()) // 65536)")
    for _ in range(64):
        far.channel.send(bytes(PIECE))
    far.channel.send(None)
    *credits, end, exited = far.until(is_exit)
    assert end is None
    assert exited == ("exit", 64, "")
    assert sum(credits) == 64 * PIECE
    assert min(credits) >= WINDOW // 4


def test_only_the_last_of_standard_error_is_kept(master: execnet.Gateway) -> None:
    far = Far(master, f"import sys; sys.stderr.write('x' * {2 * TAIL_BYTES} + 'last')")
    assert far.until(is_exit)[-1] == ("exit", 0, "x" * (TAIL_BYTES - 4) + "last")


def test_what_a_process_leaves_behind_does_not_hold_up_its_exit(master: execnet.Gateway) -> None:
    """A grandchild has its output and its standard error, and lives on."""
    source = "import subprocess; print(subprocess.Popen(['sleep', '600']).pid, flush=True)"
    far = Far(master, source)
    items = far.until(is_exit)
    os.kill(int(items[0]), signal.SIGKILL)
    assert items[-1] == ("exit", 0, "")


def test_when_nobody_is_there_its_input_ends(master: execnet.Gateway) -> None:
    far = Far(master, "import sys; sys.stdin.read()")
    far.channel.close()
    assert far.ends()


def test_what_does_not_end_then_is_killed_with_what_it_started(master: execnet.Gateway) -> None:
    far = Far(
        master,
        "import subprocess, time; print(subprocess.Popen(['sleep', '600']).pid, flush=True); time.sleep(600)",
    )
    grandchild = int(far.next())
    far.channel.close()
    assert far.ends()
    far.pid = grandchild
    assert far.ends()


def test_a_flood_that_nobody_reads_any_more_is_let_run_out(master: execnet.Gateway, tmp_path: Path) -> None:
    """It could not end in good order if nobody took the rest."""
    mark = tmp_path / "mark"
    source = f"import os\nfor _ in range(100): os.write(1, bytes({PIECE}))\nopen({str(mark)!r}, 'w')"
    far = Far(master, source)
    assert far.next()  # it is there: what is left takes a fraction of its grace
    far.channel.close()
    assert far.ends()
    assert mark.exists()


def test_the_master_ends_and_nothing_is_left(master: execnet.Gateway) -> None:
    far = Far(master, "import time; time.sleep(600)")
    master.exit()
    assert far.ends()


def test_standard_error_comes_if_it_is_wanted_within_the_same_credit(master: execnet.Gateway) -> None:
    far = Far(master, f"import os\nfor _ in range(64): os.write(2, bytes({PIECE}))", errors=True)
    received = 0
    while received < WINDOW:
        kind, data = far.next()
        assert kind == "err"
        received += len(data)
    assert received <= WINDOW + PIECE
    far.channel.send(64 * PIECE)
    *rest, exited = far.until(lambda item: isinstance(item, tuple) and item[0] == "exit")
    assert received + sum(len(item[1]) for item in rest if item is not None) == 64 * PIECE
    assert exited == ("exit", 0, "\0" * TAIL_BYTES)


def test_the_source_is_understood_by_python_3_8() -> None:
    for name in ("relay", "relay_ends"):
        ast.parse((CHILD / f"{name}.py").read_text("utf-8"), feature_version=(3, 8))


def test_a_request_that_means_nothing(master: execnet.Gateway) -> None:
    channel = open_relay(master, {"run": ["a\0b"]})
    with pytest.raises(channel.RemoteError, match="null byte"):
        channel.receive(PATIENCE)
