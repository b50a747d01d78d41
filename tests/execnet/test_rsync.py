"""rsync to real gateways: links, special files, targets that fail."""

from __future__ import annotations

import os
import signal
import socket
import stat
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import execnet
import pytest

from webshell.execnet import rsync_remote
from webshell.execnet.rsync import RSync, RSyncFailed, Skipped, SpecialFiles

PATIENCE = 20.0
"""Seconds for what takes milliseconds."""

HOST = socket.gethostname()

NO_SYMLINK = {
    "missing": "del os.symlink",
    "1314": "def f(*args, **named): raise OSError(1314, 'A required privilege is not held')\nos.symlink = f",
    "not implemented": "def f(*args, **named): raise NotImplementedError('symlink: not here')\nos.symlink = f",
}
"""What stands for a Windows: kinds of links that cannot be made, as a target that has them."""

REASON = {"missing": "AttributeError", "1314": "OSError: [Errno 1314]", "not implemented": "NotImplementedError"}


@pytest.fixture
def group() -> Iterator[execnet.Group]:
    group = execnet.Group()
    yield group
    group.terminate(timeout=2)


@pytest.fixture
def gateway(group: execnet.Group) -> execnet.Gateway:
    return group.makegateway("popen//id=here")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    source = tmp_path / "source"
    (source / "sub" / "deep").mkdir(parents=True)
    (source / "a").write_text("a")
    (source / "sub" / "b").write_bytes(bytes(range(256)))
    (source / "sub" / "deep" / "empty").touch()
    return source


def run(gateway: execnet.Gateway, code: str) -> None:
    gateway.remote_exec(f"import os\n{code}").waitclose(PATIENCE)


def idle(gateway: execnet.Gateway) -> bool:
    """Whether nothing runs there any more: one that has ended is gone as soon as its thread is."""
    for _ in range(1000):
        if gateway.remote_status().numexecuting == 0:
            return True
        run(gateway, "import time; time.sleep(0.01)")
    return False


def send(source: Path, *targets: tuple[execnet.Gateway, Path], delete: bool = False, **options: Any) -> list[str]:
    """The names of the files whose content was sent."""
    sent = []

    class Listening(RSync):
        def _report_send_file(self, gateway: execnet.Gateway, modified_rel_path: str) -> None:
            sent.append(modified_rel_path)

    rsync = Listening(source, **options)
    for gateway, destination in targets:
        rsync.add_target(gateway, destination, delete=delete)
    rsync.send()
    return sent


def listing(root: Path) -> dict[str, object]:
    """Everything below *root*: the text of links, the content, mode and time of files."""
    found: dict[str, object] = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        name = str(path.relative_to(root))
        if stat.S_ISLNK(status.st_mode):
            found[name] = os.readlink(path)
        elif stat.S_ISREG(status.st_mode):
            found[name] = (path.read_bytes(), status.st_mode, status.st_mtime_ns)
        else:
            found[name] = stat.S_IFMT(status.st_mode)
    return found


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("rsync")]


# what execnet's does


def test_a_directory_arrives_and_then_nothing_is_sent(gateway: execnet.Gateway, source: Path, tmp_path: Path) -> None:
    (source / "a").chmod(0o640)
    os.utime(source / "a", ns=(10**18, 10**18 + 123_456_789))
    target = tmp_path / "target"
    assert send(source, (gateway, target)) == ["a", "sub/b", "sub/deep/empty"]
    assert listing(target) == listing(source)
    assert send(source, (gateway, target)) == []
    assert idle(gateway)


def test_what_has_changed_is_sent(gateway: execnet.Gateway, source: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    send(source, (gateway, target))
    (source / "a").write_text("A")
    (source / "sub" / "b").chmod(0o400)
    os.utime(source / "sub" / "deep" / "empty", (1, 1))
    assert send(source, (gateway, target)) == ["a"]
    assert listing(target) == listing(source)
    (target / "a").write_text("another length")
    assert send(source, (gateway, target)) == ["a"]
    assert listing(target) == listing(source)


def test_what_is_in_the_way_is_replaced(gateway: execnet.Gateway, source: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").touch()
    (target / "a" / "full").mkdir(parents=True)
    (target / "sub").symlink_to(elsewhere)
    os.link(elsewhere / "kept", target / "link")
    (source / "link").symlink_to("a")
    send(source, (gateway, target))
    assert listing(target) == listing(source)
    assert [path.name for path in elsewhere.iterdir()] == ["kept"]


def test_other_names_of_a_file_keep_their_content(gateway: execnet.Gateway, source: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    send(source, (gateway, target))
    os.link(target / "a", tmp_path / "other")
    (source / "a").write_text("new")
    send(source, (gateway, target))
    assert (target / "a").read_text() == "new"
    assert (tmp_path / "other").read_text() == "a"


def test_deletes_if_asked(gateway: execnet.Gateway, source: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    (target / "sub" / "more").mkdir(parents=True)
    (target / "sub" / "more" / "file").touch()
    (target / "dangling").symlink_to("nowhere")
    before = listing(target)
    send(source, (gateway, target))
    assert listing(target) == {**before, **listing(source)}
    send(source, (gateway, target), delete=True)
    assert listing(target) == listing(source)


def test_directories_can_be_written_there(gateway: execnet.Gateway, source: Path, tmp_path: Path) -> None:
    (source / "sub").chmod(0o555)
    send(source, (gateway, tmp_path / "target"))
    assert stat.S_IMODE((tmp_path / "target" / "sub").stat().st_mode) == 0o755
    (source / "sub").chmod(0o750)
    send(source, (gateway, tmp_path / "target"))
    assert stat.S_IMODE((tmp_path / "target" / "sub").stat().st_mode) == 0o750


def test_what_goes_while_it_is_listed(gateway: execnet.Gateway, source: Path, tmp_path: Path) -> None:
    class Late(RSync):
        def filter(self, path: str) -> bool:
            if path.endswith("sub"):
                (source / "a").unlink()
            return True

    rsync = Late(source, verbose=False)
    rsync.add_target(gateway, tmp_path / "target")
    rsync.send()
    assert tuple(listing(tmp_path / "target")) == FILES[1:]


@pytest.mark.parametrize("nanoseconds", [10**18 + 2_468_000, 2 * 10**18 + 999_999_000, 10**18 + 1_700])
def test_times_of_an_interpreter_that_cuts_them_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nanoseconds: int
) -> None:
    real = os.utime

    def cutting(path: str, times: tuple[float, float]) -> None:
        real(path, ns=(int(times[0] * 1e6) * 1000, int(times[1] * 1e6) * 1000))

    (tmp_path / "file").touch()
    monkeypatch.setattr(os, "utime", cutting)
    rsync_remote.set_time(tmp_path / "file", nanoseconds)
    written = (tmp_path / "file").stat().st_mtime_ns
    assert abs(written - nanoseconds) <= 500
    if not nanoseconds % 1000:
        assert written == nanoseconds


def test_a_single_file(gateway: execnet.Gateway, source: Path, tmp_path: Path) -> None:
    target = tmp_path / "new" / "name"
    assert send(source / "a", (gateway, target)) == [""]
    assert target.read_text() == "a"
    assert send(source / "a", (gateway, target)) == []


def test_the_filter_decides(gateway: execnet.Gateway, source: Path, tmp_path: Path) -> None:
    class Some(RSync):
        def filter(self, path: str) -> bool:
            return Path(path).name != "deep"

    rsync = Some(source, verbose=False)
    rsync.add_target(gateway, tmp_path / "target")
    rsync.send()
    assert list(listing(tmp_path / "target")) == ["a", "sub", "sub/b"]


def test_callbacks_run_in_the_callers_thread(gateway: execnet.Gateway, source: Path, tmp_path: Path) -> None:
    log: list[object] = []

    def told(event: str, size: int, channel: execnet.Channel) -> None:
        log.append((event, size, channel.gateway.id, threading.current_thread() is threading.main_thread()))

    rsync = RSync(source, told, verbose=False)
    rsync.add_target(gateway, tmp_path / "target", lambda: log.append("finished"))
    rsync.send()
    assert log == [
        ("list", 257, "here", True),
        ("ack", 1, "here", True),
        ("ack", 256, "here", True),
        ("ack", 0, "here", True),
        "finished",
    ]


def test_says_what_is_sent(
    gateway: execnet.Gateway, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rsync = RSync(source)
    rsync.add_target(gateway, tmp_path / "target")
    rsync.send()
    assert [line.partition(" <= ")[2] for line in capsys.readouterr().out.splitlines()] == [
        *("a", "sub/b", "sub/deep/empty")
    ]


def test_without_targets(source: Path) -> None:
    rsync = RSync(source)
    with pytest.raises(OSError, match="no targets"):
        rsync.send()
    rsync.send(raises=False)


@pytest.mark.parametrize("wrong", [{"links": "follow"}, {"special": "copy"}])
def test_options_are_checked(source: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"it is one of 'error', .*'skip'"):
        RSync(source, **wrong)
    with pytest.raises(TypeError):
        RSync(source).add_target(None, "there", delte=True)  # type: ignore[arg-type, call-arg]


def test_a_source_that_is_not_there(gateway: execnet.Gateway, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        send(tmp_path / "none", (gateway, tmp_path / "target"))
    assert not (tmp_path / "target").exists()


def test_names_of_any_bytes(gateway: execnet.Gateway, source: Path, tmp_path: Path) -> None:
    for name in (b"\xff\xfe", b"new\nline", "ü".encode(), b"-"):
        Path(source, os.fsdecode(name)).write_bytes(name)
    send(source, (gateway, tmp_path / "target"))
    assert listing(tmp_path / "target") == listing(source)


def test_a_large_file_is_never_in_memory(gateway: execnet.Gateway, source: Path, tmp_path: Path) -> None:
    size = 64 << 20
    with open(source / "large", "wb") as file:
        file.truncate(size)
    peak = "import resource; channel.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    before = gateway.remote_exec(peak).receive(PATIENCE)
    tracemalloc.start()
    send(source, (gateway, tmp_path / "target"))
    here = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    there = 1024 * (gateway.remote_exec(peak).receive(PATIENCE) - before)
    assert (tmp_path / "target" / "large").stat().st_size == size
    assert here < size / 4
    assert there < size / 2


def test_a_callback_that_raises_ends_it(gateway: execnet.Gateway, source: Path, tmp_path: Path) -> None:
    def told(event: str, size: int, channel: execnet.Channel) -> None:
        raise KeyError(event)

    rsync = RSync(source, told, verbose=False)
    rsync.add_target(gateway, tmp_path / "target")
    with pytest.raises(KeyError, match="list"):
        rsync.send()
    assert idle(gateway)
    for thread in threading.enumerate():
        if thread.name.startswith("rsync"):
            thread.join(PATIENCE)
    assert threads() == []


# links


def test_case_32_links_keep_their_text_for_every_working_directory(
    group: execnet.Group, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (source / "sub" / "relative").symlink_to("../a")
    (source / "sub" / "beside").symlink_to("b")
    (source / "sub" / "out").symlink_to("../../elsewhere")
    (source / "dangling").symlink_to("nowhere")
    (source / "external").symlink_to("/nowhere/at/all")
    (source / "directory").symlink_to("sub")
    (source / "absolute").symlink_to(source / "sub" / "b")
    target = tmp_path / "target"
    expected = {**listing(source), "absolute": str(target / "sub" / "b")}
    for number, directory in enumerate((source, source / "sub", tmp_path, Path("/"))):
        monkeypatch.chdir(directory)
        gateway = group.makegateway("popen")
        one = target if number == 0 else tmp_path / f"target{number}"
        send(source, (gateway, one))
        assert listing(one) == {**expected, "absolute": str(one / "sub" / "b")}
        send(Path(os.path.relpath(source)), (gateway, one))
        assert listing(one) == {**expected, "absolute": str(one / "sub" / "b")}


def test_case_32_the_source_may_be_a_link(gateway: execnet.Gateway, source: Path, tmp_path: Path) -> None:
    (source / "by name").symlink_to(source / "a")
    (source / "by link").symlink_to(tmp_path / "link" / "sub" / "b")
    (tmp_path / "link").symlink_to(source)
    target = tmp_path / "target"
    send(tmp_path / "link", (gateway, target))
    assert listing(target) == {**listing(source), "by name": f"{target}/a", "by link": f"{target}/sub/b"}


def test_the_source_is_what_its_name_meant_at_first(
    gateway: execnet.Gateway, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(source)
    rsync = RSync("sub", verbose=False)
    monkeypatch.chdir(tmp_path)
    rsync.add_target(gateway, tmp_path / "target")
    rsync.send()
    assert list(listing(tmp_path / "target")) == ["b", "deep", "deep/empty"]


def test_case_32_a_link_that_changes(gateway: execnet.Gateway, source: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    (source / "link").symlink_to("a")
    send(source, (gateway, target))
    (source / "link").unlink()
    (source / "link").symlink_to("sub")
    send(source, (gateway, target))
    assert listing(target) == listing(source)


@pytest.fixture
def linked(source: Path, tmp_path: Path) -> Path:
    (source / "sub" / "relative").symlink_to("../a")
    (tmp_path / "outside").write_text("outside")
    (source / "external").symlink_to(tmp_path / "outside")
    return source


FILES = ("a", "sub", "sub/b", "sub/deep", "sub/deep/empty")


@pytest.mark.parametrize("kind", NO_SYMLINK)
def test_case_32_error_names_link_target_and_host(
    gateway: execnet.Gateway, linked: Path, tmp_path: Path, kind: str
) -> None:
    run(gateway, NO_SYMLINK[kind])
    target = tmp_path / "target"
    with pytest.raises(RSyncFailed) as caught:
        send(linked, (gateway, target))
    message = str(caught.value)
    assert f"here at {HOST}, {target}: " in message
    assert f"cannot make link sub/relative -> ../a: {REASON[kind]}" in message
    assert f"cannot make link external -> {tmp_path / 'outside'}: {REASON[kind]}" in message
    assert tuple(listing(target)) == FILES
    (failure,) = caught.value.failures
    assert (failure.gateway, failure.destination, failure.host) == (gateway, str(target), HOST)
    assert idle(gateway)


@pytest.mark.parametrize("kind", NO_SYMLINK)
def test_case_32_copy_makes_files(gateway: execnet.Gateway, linked: Path, tmp_path: Path, kind: str) -> None:
    run(gateway, NO_SYMLINK[kind])
    target = tmp_path / "target"
    files = ["a", "sub/b", "sub/deep/empty"]
    assert send(linked, (gateway, target), links="copy") == [*files, "external", "sub/relative"]
    found = listing(target)
    assert found["sub/relative"] == found["a"]
    assert (target / "external").read_text() == "outside"
    assert send(linked, (gateway, target), links="copy", delete=True) == []
    assert listing(target) == found


@pytest.mark.parametrize("kind", NO_SYMLINK)
def test_case_32_skip_warns(gateway: execnet.Gateway, linked: Path, tmp_path: Path, kind: str) -> None:
    run(gateway, NO_SYMLINK[kind])
    target = tmp_path / "target"
    with pytest.warns(Skipped) as caught:
        send(linked, (gateway, target), links="skip")
    place = f"here at {HOST}, {target}: left out: link"
    for warning, link in zip(caught, (f"external -> {tmp_path / 'outside'}", "sub/relative -> ../a"), strict=True):
        assert str(warning.message).startswith(f"{place} {link}: {REASON[kind]}")
    assert caught[0].filename == __file__
    assert tuple(listing(target)) == FILES


def test_case_32_copies_of_directories(gateway: execnet.Gateway, source: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (outside / "below").mkdir(parents=True)
    (outside / "below" / "file").write_text("file")
    (outside / "round").symlink_to(outside)
    (outside / "gone").symlink_to("nowhere")
    os.mkfifo(outside / "pipe")
    (source / "directory").symlink_to(outside)
    (source / "dangling").symlink_to("nowhere")
    run(gateway, NO_SYMLINK["missing"])
    target = tmp_path / "target"
    with pytest.raises(RSyncFailed) as caught:
        send(source, (gateway, target), links="copy")
    assert str(caught.value.failures[0].error).splitlines() == [
        "cannot copy what link dangling -> nowhere leads to: No such file or directory",
        f"cannot copy {source}/directory/gone: No such file or directory",
        f"cannot copy {source}/directory/round: it leads to a directory that it lies in",
        f"{source}/directory/pipe is a FIFO",
    ]
    assert (target / "directory" / "below" / "file").read_text() == "file"
    (outside / "round").unlink()
    (outside / "gone").unlink()
    (source / "dangling").unlink()
    with pytest.warns(Skipped, match=r"directory/pipe is a FIFO"):
        assert send(source, (gateway, target), links="copy", special="skip") == []


# special files


@pytest.fixture
def special(source: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    os.mkfifo(source / "sub" / "pipe")
    monkeypatch.chdir(source)  # the name of a socket is short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        yield source


def test_case_33_special_files_are_named_before_anything_begins(
    gateway: execnet.Gateway, special: Path, tmp_path: Path
) -> None:
    with pytest.raises(SpecialFiles) as caught:
        send(special, (gateway, tmp_path / "target"))
    assert f"{special}/socket is a socket" in str(caught.value)
    assert f"{special}/sub/pipe is a FIFO" in str(caught.value)
    assert "special='skip'" in str(caught.value)
    assert caught.value.found == ((f"{special}/socket", "a socket"), (f"{special}/sub/pipe", "a FIFO"))
    assert not (tmp_path / "target").exists()
    assert gateway.remote_status().numexecuting == 0
    assert threads() == []


def test_case_33_or_are_left_out(gateway: execnet.Gateway, special: Path, tmp_path: Path) -> None:
    with pytest.warns(Skipped) as caught:
        send(special, (gateway, tmp_path / "target"), special="skip")
    assert [str(warning.message) for warning in caught] == [
        f"left out: {special}/socket is a socket",
        f"left out: {special}/sub/pipe is a FIFO",
    ]
    assert tuple(listing(tmp_path / "target")) == FILES
    assert idle(gateway)


def test_case_33_many_special_files_are_counted() -> None:
    assert "/9 is a FIFO, and 2 more; " in str(SpecialFiles([(f"/{number}", "a FIFO") for number in range(12)]))


@pytest.mark.parametrize("replace", [os.mkfifo, os.mkdir])
def test_case_33_what_becomes_one_later_holds_up_nothing(
    gateway: execnet.Gateway, source: Path, tmp_path: Path, replace: Callable[[Path], None]
) -> None:
    class Late(RSync):
        def filter(self, path: str) -> bool:
            if path.endswith("empty"):  # it comes last
                (source / "a").unlink()
                replace(source / "a")
            return True

    rsync = Late(source, verbose=False)
    rsync.add_target(gateway, tmp_path / "target")
    with pytest.raises(RSyncFailed, match=f": cannot read {source}/a: it is no regular file any more$"):
        rsync.send()
    assert tuple(listing(tmp_path / "target")) == FILES[1:]
    assert idle(gateway)


# targets that fail


def test_case_33_one_failing_target_of_two(group: execnet.Group, source: Path, tmp_path: Path) -> None:
    good, bad = group.makegateway("popen//id=good"), group.makegateway("popen//id=bad")
    (tmp_path / "file").touch()
    wrong = tmp_path / "file" / "below"
    with pytest.raises(RSyncFailed) as caught:
        send(source, (bad, wrong), (good, tmp_path / "target"))
    assert str(caught.value).startswith(f"bad at {HOST}, {wrong}: NotADirectoryError: ")
    assert [failure.gateway for failure in caught.value.failures] == [bad]
    assert isinstance(caught.value.__cause__, execnet.RemoteError)
    assert listing(tmp_path / "target") == listing(source)
    assert idle(good)
    assert idle(bad)


def test_case_33_a_target_that_dies(group: execnet.Group, source: Path, tmp_path: Path) -> None:
    good, bad = group.makegateway("popen//id=good"), group.makegateway("popen//id=bad")
    process = bad.remote_exec("import os; channel.send(os.getpid())").receive(PATIENCE)
    with open(source / "large", "wb") as file:
        file.truncate(16 << 20)

    def told(event: str, size: int, channel: execnet.Channel) -> None:
        if event == "list" and channel.gateway is bad:
            os.kill(process, signal.SIGKILL)

    rsync = RSync(source, told, verbose=False)
    rsync.add_target(bad, tmp_path / "bad")
    rsync.add_target(good, tmp_path / "good")
    with pytest.raises(RSyncFailed, match=r"^bad at .*/bad: (EOFError|OSError): ") as caught:
        rsync.send()
    assert len(caught.value.failures) == 1
    assert listing(tmp_path / "good") == listing(source)


def test_case_33_a_gateway_that_is_gone(group: execnet.Group, source: Path, tmp_path: Path) -> None:
    good, bad = group.makegateway("popen//id=good"), group.makegateway("popen//id=bad")
    bad.exit()
    bad.join(PATIENCE)
    with pytest.raises(RSyncFailed, match=r"^bad, .*/bad: OSError: "):
        send(source, (bad, tmp_path / "bad"), (good, tmp_path / "good"))
    assert listing(tmp_path / "good") == listing(source)


def test_case_33_a_file_that_cannot_be_written_there(gateway: execnet.Gateway, source: Path, tmp_path: Path) -> None:
    gateway.remote_exec("""
        import builtins
        real = builtins.open
        def full(path, mode="r", *rest, **named):
            if mode == "wb":
                raise OSError(28, "No space left on device", path)
            return real(path, mode, *rest, **named)
        builtins.open = full
    """).waitclose(PATIENCE)
    with pytest.raises(RSyncFailed, match=rf"^here at {HOST}, .*: OSError: \[Errno 28\] No space left .*/a'"):
        send(source, (gateway, tmp_path / "target"))
    assert idle(gateway)


def test_case_33_a_file_that_cannot_be_read_here(gateway: execnet.Gateway, source: Path, tmp_path: Path) -> None:
    real = os.open

    def refuse(path: Any, flags: int, *rest: Any, **named: Any) -> int:
        if str(path).endswith("/a"):
            raise PermissionError(13, "Permission denied", path)
        if str(path).endswith("/b"):
            raise FileNotFoundError(2, "No such file or directory", path)
        return real(path, flags, *rest, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "open", refuse)
        with pytest.raises(RSyncFailed) as caught:
            send(source, (gateway, tmp_path / "target"))
    assert str(caught.value) == f"here at {HOST}, {tmp_path / 'target'}: cannot read {source}/a: Permission denied"
    assert tuple(listing(tmp_path / "target")) == ("sub", "sub/deep", "sub/deep/empty")


# the receiver itself


def test_case_34_an_unknown_command_raises(gateway: execnet.Gateway, tmp_path: Path) -> None:
    channel = gateway.remote_exec(rsync_remote)
    channel.send((os.fsencode(tmp_path / "target"), False))
    assert channel.receive(PATIENCE) == ("here", HOST)
    channel.send(("frobnicate", 1))
    with pytest.raises(execnet.RemoteError, match="ValueError: unknown rsync command: 'frobnicate'"):
        channel.receive(PATIENCE)
    assert idle(gateway)


@pytest.mark.parametrize("name", [b"..", b".", b"", b"a/b"])
def test_names_that_lead_elsewhere_are_refused(gateway: execnet.Gateway, tmp_path: Path, name: bytes) -> None:
    channel = gateway.remote_exec(rsync_remote)
    channel.send((os.fsencode(tmp_path / "target"), False))
    assert channel.receive(PATIENCE) == ("here", HOST)
    channel.send(("regular", 0, [name], 0o644, 0, 0))
    with pytest.raises(execnet.RemoteError, match="no name for a file here"):
        channel.receive(PATIENCE)
