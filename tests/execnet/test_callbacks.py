"""Callbacks of channels on a real gateway: how a channel ends is told once."""

from __future__ import annotations

import gc
import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

import execnet
import pytest
from execnet.gateway_base import Channel, RemoteError

from webshell.execnet.callbacks import setcallback

END = "the end"
PATIENCE = 20.0
"""Seconds for what takes milliseconds."""


class Listener:
    """Logs what a channel's callbacks are given; ``ended`` is set at the last of it."""

    def __init__(self, channel: Channel, *, endmarker: object = END, raises: dict[Any, BaseException] | None = None):
        self.log: list[Any] = []
        self.raises = raises or {}
        setcallback(channel, self.received, endmarker, errback=self.failed)

    def received(self, item: Any) -> None:
        self.log.append(item)
        if item in self.raises:
            raise self.raises[item]

    def failed(self, error: BaseException) -> None:
        self.log.append(error)
        if "errback" in self.raises:
            raise self.raises["errback"]


@pytest.fixture
def gateway() -> Iterator[execnet.Gateway]:
    group = execnet.Group()
    yield group.makegateway("popen")
    group.terminate(timeout=2)


@pytest.fixture
def hooked(monkeypatch: pytest.MonkeyPatch) -> list[BaseException | None]:
    """What reached ``threading.excepthook``."""
    told: list[BaseException | None] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: told.append(args.exc_value))
    return told


def alive(gateway: execnet.Gateway) -> bool:
    channel = gateway.remote_exec("channel.send(channel.receive() + 1)")
    channel.send(1)
    return bool(channel.receive(timeout=PATIENCE) == 2)


def test_case_31_a_remote_error_is_told_once(gateway: execnet.Gateway) -> None:
    channel = gateway.remote_exec("channel.send(1); raise ValueError('boom')")
    listener = Listener(channel)
    with pytest.raises(RemoteError, match="ValueError: boom"):
        channel.waitclose(PATIENCE)
    one, error = listener.log
    assert one == 1
    assert isinstance(error, RemoteError)
    assert "ValueError: boom" in error.formatted
    assert alive(gateway)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("this is no Python", "SyntaxError"),
        ("raise SystemExit(3)", "SystemExit"),
        ("channel.send(object())", "DumpError"),
    ],
)
def test_case_31_what_else_can_fail_there(gateway: execnet.Gateway, source: str, text: str) -> None:
    channel = gateway.remote_exec(source)
    listener = Listener(channel)
    with pytest.raises(RemoteError, match=text):
        channel.waitclose(PATIENCE)
    (error,) = listener.log
    assert isinstance(error, RemoteError)
    assert text in str(error)


def test_case_31_an_item_that_cannot_be_read_here(gateway: execnet.Gateway) -> None:
    channel = gateway.remote_exec("""
        channel.gateway._send(4, channel.id, b"no item")
        channel.receive()
    """)
    listener = Listener(channel)
    with pytest.raises(RemoteError, match="Error"):
        channel.waitclose(PATIENCE)
    (error,) = listener.log
    assert isinstance(error, RemoteError)
    assert alive(gateway)


def test_case_31_a_good_end_is_the_endmarker_only(gateway: execnet.Gateway) -> None:
    channel = gateway.remote_exec("for i in range(3): channel.send(i)")
    listener = Listener(channel)
    channel.waitclose(PATIENCE)
    assert listener.log == [0, 1, 2, END]


def test_case_31_without_an_endmarker_a_good_end_is_silent(gateway: execnet.Gateway) -> None:
    channel = gateway.remote_exec("channel.send(None)")
    log: list[object] = []
    setcallback(channel, log.append, errback=log.append)
    channel.waitclose(PATIENCE)
    assert log == [None]


def test_case_31_a_killed_process(gateway: execnet.Gateway) -> None:
    channel = gateway.remote_exec("import os; channel.send(os.getpid()); channel.receive()")
    other = gateway.remote_exec("channel.receive()")
    process = channel.receive(PATIENCE)
    listeners = [Listener(channel), Listener(other)]
    os.kill(process, signal.SIGKILL)
    for each in (channel, other):
        with pytest.raises(EOFError):
            each.waitclose(PATIENCE)
    assert [[type(told) for told in listener.log] for listener in listeners] == [[EOFError], [EOFError]]


@pytest.mark.parametrize("raised", [KeyError("mine"), SystemExit(3)])
def test_case_31_what_the_callback_raises(gateway: execnet.Gateway, raised: BaseException) -> None:
    channel = gateway.remote_exec("""
        channel.send(1)
        channel.receive()
        channel.send(2)
        channel.send(3)
        channel.send(4)
    """)
    listener = Listener(channel, raises={2: raised})
    channel.send("go on")
    with pytest.raises(RemoteError, match=type(raised).__name__) as caught:
        channel.waitclose(PATIENCE)
    assert caught.value.__cause__ is raised
    assert listener.log == [1, 2, raised]
    assert channel.isclosed()
    assert alive(gateway)
    assert listener.log == [1, 2, raised]


def test_case_31_the_other_side_receives_what_the_callback_raised(gateway: execnet.Gateway) -> None:
    witness = gateway.remote_exec(
        "other = channel.receive(); channel.send(1)\ntry: other.receive()\n"
        "except other.RemoteError as error: channel.send(str(error))"
    )
    inner = gateway.newchannel()
    Listener(inner, raises={"item": KeyError("mine")})
    witness.send(inner)
    assert witness.receive(PATIENCE) == 1
    gateway.remote_exec("channel.receive().send('item')").send(inner)
    assert "KeyError: 'mine'" in witness.receive(PATIENCE)


def test_case_31_without_an_errback_waitclose_raises_it(gateway: execnet.Gateway) -> None:
    channel = gateway.remote_exec("channel.send(1)")
    log: list[object] = []

    def received(item: object) -> None:
        log.append(item)
        raise KeyError(item)

    setcallback(channel, received, END)
    with pytest.raises(RemoteError, match="KeyError: 1"):
        channel.waitclose(PATIENCE)
    assert log == [1]
    assert alive(gateway)


def test_case_31_without_an_errback_the_end_is_as_ever(gateway: execnet.Gateway) -> None:
    channel = gateway.remote_exec("raise ValueError('boom')")
    log: list[object] = []
    setcallback(channel, log.append, END)
    with pytest.raises(RemoteError, match="boom"):
        channel.waitclose(PATIENCE)
    assert log == [END]


def test_case_31_the_endmarkers_callback_raises(gateway: execnet.Gateway, hooked: list[BaseException | None]) -> None:
    raised = KeyError("at the end")
    channel = gateway.remote_exec("channel.send(1)")
    listener = Listener(channel, raises={END: raised})
    channel.waitclose(PATIENCE)
    assert listener.log == [1, END, raised]
    assert alive(gateway)
    assert hooked == []


def test_case_31_and_nobody_wants_its_error(gateway: execnet.Gateway, hooked: list[BaseException | None]) -> None:
    raised = KeyError("at the end")

    def received(item: object) -> None:
        raise raised

    channel = gateway.remote_exec("")
    setcallback(channel, received, END)
    channel.waitclose(PATIENCE)
    assert hooked == [raised]
    assert alive(gateway)


@pytest.mark.parametrize("raises", [{}, {1: KeyError("mine")}])
def test_case_31_the_errback_raises(
    gateway: execnet.Gateway, hooked: list[BaseException | None], raises: dict[Any, BaseException]
) -> None:
    raised = OSError("no more")
    channel = gateway.remote_exec("channel.send(1); raise ValueError('boom')")
    listener = Listener(channel, raises={**raises, "errback": raised})
    with pytest.raises(RemoteError):
        channel.waitclose(PATIENCE)
    assert len(listener.log) == 2
    assert hooked == [raised]
    assert alive(gateway)


def test_case_31_other_channels_go_on(gateway: execnet.Gateway) -> None:
    other = gateway.remote_exec("""
        for item in channel:
            channel.send(item)
            if item == 9:
                break
    """)
    listener = Listener(other)
    for number in range(10):
        failing = gateway.remote_exec("channel.send(1)" if number % 2 else "raise ValueError")
        Listener(failing, raises={1: KeyError(number)})
        other.send(number)
        with pytest.raises(RemoteError):
            failing.waitclose(PATIENCE)
    other.waitclose(PATIENCE)
    assert listener.log == [*range(10), END]


def test_case_31_what_came_before_the_callback(gateway: execnet.Gateway) -> None:
    channel = gateway.remote_exec("channel.send(1); channel.send(2); raise ValueError('boom')")
    with pytest.raises(RemoteError):
        channel.waitclose(PATIENCE)
    listener = Listener(channel)
    # that waitclose() has had the error; what is left of it is a closed channel
    assert listener.log == [1, 2, END]

    channel = gateway.remote_exec("channel.send(1); raise ValueError('boom')")
    assert channel._receiveclosed.wait(PATIENCE)
    one, error = Listener(channel).log
    assert one == 1
    assert isinstance(error, RemoteError)

    channel = gateway.remote_exec("channel.send(1); channel.send(2); channel.send(3)")
    channel.waitclose(PATIENCE)
    raised = KeyError("mine")
    assert Listener(channel, raises={2: raised}).log == [1, 2, raised]


def test_case_31_closed_here(gateway: execnet.Gateway) -> None:
    channel = gateway.remote_exec("channel.receive()")
    listener = Listener(channel)
    channel.close()
    assert listener.log == [END]


def test_case_31_a_good_end_stays_good_when_the_gateway_goes(gateway: execnet.Gateway) -> None:
    channel = gateway.remote_exec("channel.send(1)")
    channel.waitclose(PATIENCE)
    gateway.exit()
    gateway.join(PATIENCE)
    assert Listener(channel).log == [1, END]


def test_case_31_registered_after_the_connection_ended(gateway: execnet.Gateway) -> None:
    channel = gateway.remote_exec("import os; channel.send(1); channel.receive(); os._exit(1)")
    channel.send("go")
    gateway.join(PATIENCE)
    one, error = Listener(channel).log
    assert one == 1
    assert isinstance(error, EOFError)
    # execnet knows no reason where a message could not be read; it is no good end all the same
    del gateway._error
    unread = execnet.gateway_base.Channel(gateway, 99)
    unread._receiveclosed.set()
    unread._items.put(execnet.gateway_base.ENDMARKER)
    (error,) = Listener(unread).log
    assert isinstance(error, EOFError)
    assert str(gateway) in str(error)


def test_case_31_the_callback_raises_and_the_connection_is_gone(gateway: execnet.Gateway) -> None:
    channel = gateway.remote_exec("import os; channel.send(1); channel.receive(); os._exit(1)")
    channel.send("go")
    gateway.join(PATIENCE)
    raised = KeyError("mine")
    assert Listener(channel, raises={1: raised}).log == [1, raised]


def test_case_31_nobody_keeps_the_channel(gateway: execnet.Gateway, capfd: pytest.CaptureFixture[str]) -> None:
    ended = threading.Event()
    log: list[object] = []

    def failed(error: BaseException) -> None:
        log.append(error)
        ended.set()

    def start() -> Channel:
        channel = gateway.remote_exec("inner = channel.receive(); inner.receive(); raise ValueError('boom')")
        inner = gateway.newchannel()
        channel.send(inner)
        setcallback(channel, log.append, END, errback=failed)
        return inner

    inner = start()
    gc.collect()
    inner.send("go")
    assert ended.wait(PATIENCE)
    (error,) = log
    assert isinstance(error, RemoteError)
    del inner
    assert alive(gateway)
    gc.collect()
    assert "unhandled" not in capfd.readouterr().err  # it was told


def test_case_31_one_callback_a_channel(gateway: execnet.Gateway) -> None:
    channel = gateway.remote_exec("channel.receive()")
    first = Listener(channel)
    with pytest.raises(OSError, match="already registered"):
        Listener(channel)
    channel.send("go")
    channel.waitclose(PATIENCE)
    assert first.log == [END]


def test_case_31_a_close_and_an_error_at_once_are_one_end(gateway: execnet.Gateway) -> None:
    """A close() here while the callback raises in the receiver's thread: the first of them is told, and no other."""
    channel = gateway.remote_exec("channel.send(1); channel.receive()")
    log: list[object] = []
    raised = KeyError("mine")

    def received(item: object) -> None:
        log.append(item)
        if item == 1:
            channel.close()
            raise raised

    setcallback(channel, received, END, errback=log.append)
    channel.waitclose(PATIENCE)
    assert log == [1, END]
    assert alive(gateway)


def test_case_31_the_names_of_execnets_that_it_uses(gateway: execnet.Gateway) -> None:
    channel = gateway.remote_exec("")
    channel.waitclose(PATIENCE)
    assert channel._remoteerrors == []
    assert gateway._channelfactory.finished is False
    assert not hasattr(gateway, "_error")
    gateway.exit()
    gateway.join(PATIENCE)
    assert isinstance(gateway._error, EOFError)
    assert gateway._channelfactory.finished is True
