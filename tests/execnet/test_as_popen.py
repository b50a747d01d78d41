"""Case 21: what execnet does over pipes it does over the web: each scenario is played on both, and ends alike."""

from __future__ import annotations

import gc
import keyword
import os
import queue
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import execnet
import pytest
from execnet import Gateway, RSync
from gateways import eventually
from wire import PATIENCE

from webshell.execnet import Group

Scenario = Callable[[Gateway], Any]

VALUES: list[Any] = [
    None,
    True,
    -1,
    2**31,
    2**100,
    1.5,
    complex(1, 2),
    "tëxt\n" * 100,
    b"\0\n\xff" * 100,
    (),
    (1, (2, [3])),
    [],
    {"a": {1: [None]}},
    {1, 2},
    frozenset({"x"}),
]


def refusal(function: Callable[[], object], *kinds: type[BaseException]) -> str:
    """The kind and the first words of what *function* raises."""
    try:
        function()
    except kinds as error:
        return f"{type(error).__name__} {str(error).strip().splitlines()[-1] if str(error).strip() else ''}"
    raise AssertionError("nothing was raised")


# ---- channels


def values(gateway: Gateway) -> Any:
    channel = gateway.remote_exec("for item in channel: channel.send(item)")
    for value in VALUES:
        channel.send(value)
    received = [channel.receive(PATIENCE) for _ in VALUES]
    assert received == VALUES
    assert [type(value) for value in received] == [type(value) for value in VALUES]
    channel.close()
    return channel.isclosed()


def what_cannot_be_sent(gateway: Gateway) -> Any:
    channel = gateway.remote_exec("channel.send(channel.receive())")
    said = refusal(lambda: channel.send(object()), execnet.DumpError)
    channel.send(1)
    assert channel.receive(PATIENCE) == 1
    return said.partition(" object")[0]


def a_time_out(gateway: Gateway) -> Any:
    channel = gateway.remote_exec("channel.receive()")
    said = (
        refusal(lambda: channel.receive(0.01), channel.TimeoutError),
        refusal(lambda: channel.waitclose(0.01), channel.TimeoutError),
    )
    channel.send(None)
    channel.waitclose(PATIENCE)
    return said


def remote_errors(gateway: Gateway) -> Any:
    said = []
    for source in ("raise ValueError('boom')", "syntax error", "raise SystemExit(3)", "import nowhere"):
        channel = gateway.remote_exec(source)
        said.append(refusal(lambda: channel.receive(PATIENCE), execnet.RemoteError))  # noqa: B023
    return said


def the_end_of_a_channel(gateway: Gateway) -> Any:
    channel = gateway.remote_exec("channel.send(1); channel.send(2)")
    items = list(channel)
    channel.waitclose(PATIENCE)
    said = refusal(channel.receive, EOFError), refusal(lambda: channel.send(1), OSError)
    return items, said, channel.isclosed()


def closed_here(gateway: Gateway) -> Any:
    channel = gateway.remote_exec("channel.send(1); channel.receive()")
    channel.receive(PATIENCE)  # a channel that is closed before its program begins keeps the worker for 5 seconds
    channel.close()
    return channel.isclosed(), refusal(channel.receive, EOFError), refusal(lambda: channel.send(1), OSError)


def closed_with_an_error(gateway: Gateway) -> Any:
    channel = gateway.remote_exec("""
        other = channel.receive()
        try:
            channel.receive()
        except channel.RemoteError as error:
            other.send(str(error))
        except EOFError:
            other.send("EOFError")
    """)
    other = gateway.newchannel()
    channel.send(other)
    channel.close("for a reason")
    return other.receive(PATIENCE)


def channels_over_channels(gateway: Gateway) -> Any:
    channel = gateway.remote_exec("""
        first, second = channel.receive()
        second.send(first.receive() * 2)
        channel.send(channel.gateway.newchannel())
        channel.receive()
    """)
    first, second = gateway.newchannel(), gateway.newchannel()
    channel.send((first, second))
    first.send(21)
    theirs = channel.receive(PATIENCE)
    channel.send(None)
    return second.receive(PATIENCE), type(theirs).__name__


def callbacks(gateway: Gateway) -> Any:
    log: queue.Queue[Any] = queue.Queue()
    channel = gateway.remote_exec("for number in range(100): channel.send(number)")
    channel.setcallback(log.put, endmarker="end")
    return [log.get(timeout=PATIENCE) for _ in range(101)]


def files(gateway: Gateway) -> Any:
    channel = gateway.remote_exec("""
        file = channel.makefile("w")
        print("one", file=file)
        print("two", file=file)
        file.close()
    """)
    file = channel.makefile("r")
    return file.readline(), file.read(2), file.readline(), file.readline()


def channels_that_nobody_holds(gateway: Gateway) -> Any:
    for _ in range(50):
        gateway.remote_exec("channel.receive()")
    gc.collect()
    return eventually(lambda: gateway.remote_status().numexecuting == 0)


# ---- gateways


def sources(gateway: Gateway) -> Any:
    def function(channel, number, text):  # type: ignore[no-untyped-def]  # names of types are not there
        channel.send((number, text))

    gateway.remote_exec(keyword).waitclose(PATIENCE)
    given = gateway.remote_exec(function, number=1, text="two").receive(PATIENCE)
    said = refusal(lambda: gateway.remote_exec("pass", number=1), TypeError)
    return given, said


def what_is_told_of_it(gateway: Gateway) -> Any:
    told = gateway._rinfo()
    assert told.pid != os.getpid()
    assert eventually(lambda: gateway.remote_status().numexecuting == 0)
    return told.version_info, told.platform, gateway.remote_status().execmodel


def strings_of_other_kinds(gateway: Gateway) -> Any:
    channel = gateway.remote_exec("channel.reconfigure(False, True); channel.send(channel.receive())")
    channel.send("text")
    return channel.receive(PATIENCE)


def what_it_looks_like(gateway: Gateway) -> Any:
    return repr(gateway), gateway.hasreceiver(), gateway.remoteaddress is not None if not gateway.spec.popen else True


def several_at_once(gateway: Gateway) -> Any:
    channels = [gateway.remote_exec("import time; channel.send(channel.receive() ** 2)") for _ in range(10)]
    for number, channel in enumerate(channels):
        channel.send(number)
    return [channel.receive(PATIENCE) for channel in reversed(channels)]


# ---- ends


def ended_here(gateway: Gateway) -> Any:
    channel = gateway.remote_exec("channel.send(1); channel.receive()")
    assert channel.receive(PATIENCE) == 1
    gateway.exit()
    gateway.exit()
    gateway.join(PATIENCE)
    said = refusal(lambda: gateway.remote_exec("pass"), OSError)
    return said, gateway.hasreceiver(), refusal(lambda: channel.receive(PATIENCE), EOFError).split()[0]


def ended_there(gateway: Gateway) -> Any:
    channel = gateway.remote_exec("import os; os._exit(3)")
    said = refusal(lambda: channel.waitclose(PATIENCE), EOFError).split()[0]
    gateway.join(PATIENCE)
    return said, gateway._io.wait()


def an_end_reaches_callbacks(gateway: Gateway) -> Any:
    log: queue.Queue[Any] = queue.Queue()
    channel = gateway.remote_exec("import os; channel.send(1); channel.receive(); os._exit(0)")
    channel.setcallback(log.put, endmarker="end")
    first = log.get(timeout=PATIENCE)
    channel.send(None)
    return first, log.get(timeout=PATIENCE)


def a_fault_in_a_callback(gateway: Gateway) -> Any:
    raised: queue.Queue[Any] = queue.Queue()

    def fail(item: object) -> None:
        raised.put(item)
        raise ValueError("here")

    channel = gateway.remote_exec("""
        other = channel.receive()
        channel.receive()
        channel.send(1)
        try:
            channel.waitclose(10)
        except channel.RemoteError as error:
            other.send("ValueError: here" in str(error))
    """)
    other = gateway.newchannel()
    channel.send(other)
    channel.setcallback(fail)
    channel.send("now")  # what came before would be raised here
    told = other.receive(PATIENCE)
    channel._remoteerrors.clear()  # of the released execnet: a text, which its own warning cannot show
    return raised.get(timeout=PATIENCE), told


SCENARIOS: list[Scenario] = [
    values,
    what_cannot_be_sent,
    a_time_out,
    remote_errors,
    the_end_of_a_channel,
    closed_here,
    closed_with_an_error,
    channels_over_channels,
    callbacks,
    files,
    channels_that_nobody_holds,
    sources,
    what_is_told_of_it,
    strings_of_other_kinds,
    what_it_looks_like,
    several_at_once,
    ended_here,
    ended_there,
    an_end_reaches_callbacks,
    a_fault_in_a_callback,
]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_case_21(scenario: Scenario, web: Group, spec: str) -> None:
    outcome = scenario(web.makegateway(f"{spec}//id=gw"))
    web.terminate(5)
    assert outcome == scenario(web.makegateway("popen//id=gw"))


def test_case_21_a_model_with_one_thread(web: Group, spec: str) -> None:
    gateway = web.makegateway(f"{spec}//execmodel=main_thread_only")
    source = "import threading; channel.send(threading.current_thread() is threading.main_thread())"
    for _ in range(3):
        channel = gateway.remote_exec(source)
        assert channel.receive(PATIENCE) is True
        channel.waitclose(PATIENCE)
    assert gateway.remote_status().execmodel == "main_thread_only"


def test_case_21_many_of_them(web: Group, spec: str) -> None:
    for one in (spec, "popen", spec):
        web.makegateway(one)
    assert [gateway.id for gateway in web] == ["gw0", "gw1", "gw2"]
    assert web["gw2"] is web[2]
    channels = web.remote_exec("channel.send(channel.receive() + 1)")
    channels.send_each(1)
    assert channels.receive_each() == [2, 2, 2]
    channels.waitclose()
    channels = web.remote_exec("channel.send(1); raise ValueError('each')")
    received = channels.make_receive_queue(endmarker=None)
    assert sorted(str(received.get(timeout=PATIENCE)[1]) for _ in range(6)) == ["1", "1", "1", "None", "None", "None"]
    with pytest.raises(execnet.RemoteError, match="each"):
        channels.waitclose()
    web["gw0"].exit()
    assert [gateway.id for gateway in web] == ["gw1", "gw2"]
    web.terminate(5)
    assert not web


def test_case_21_rsync(web: Group, spec: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "folder").mkdir(parents=True)
    (source / "folder" / "large").write_bytes(os.urandom(3_000_000))
    (source / "small").write_text("x")
    (source / "small").chmod(0o640)
    (source / "link").symlink_to("small")
    targets = [tmp_path / "one", tmp_path / "two"]
    for round in range(2):
        rsync = RSync(source, verbose=False)
        for target in targets:
            rsync.add_target(web.makegateway(spec), target, delete=True)
        rsync.send()
        for target in targets:
            assert sorted(path.name for path in target.rglob("*")) == ["folder", "large", "link", "small"]
            assert (target / "folder" / "large").read_bytes() == (source / "folder" / "large").read_bytes()
            assert (target / "small").stat().st_mode & 0o777 == 0o640
            if not round:
                (target / "gone").touch()


def test_case_21_termination_of_what_does_not_end(web: Group, spec: str) -> None:
    for one in (spec, "popen"):
        gateway = web.makegateway(one)
        channel = gateway.remote_exec(
            textwrap.dedent("""
            import signal, time
            channel.send(1)
            while True:
                try:
                    time.sleep(1)
                except BaseException:
                    pass
        """)
        )
        assert channel.receive(PATIENCE) == 1
    begin = time.monotonic()
    web.terminate(0.2)
    assert time.monotonic() - begin < PATIENCE / 2
    assert not web
