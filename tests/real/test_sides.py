"""The sockets of side channels, with real programs: who they are for, bounds, whoever is stuck, what is left."""

from __future__ import annotations

import os
import resource
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from real.local_case import LocalCase, Told, child, eventually, reactor, sleep

from webshell.channels import KINDS
from webshell.command import Command, Size, Work
from webshell.errors import SpawnFailed
from webshell.target import Sides
from webshell.targets import ears, mouths
from webshell.targets.sides import FOLDER_CHARACTERS, FOLDER_VARIABLE, SideChannels

RAW = """
import os, socket, sys, time
def path(channel, name="webshell"):
    return f"{os.environ['FURTHER_LINK_TEMP_DIR']}/{name}.{channel}.sock"
def connected(channel, name="webshell"):
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(path(channel, name))
    return connection
def listening(channel, name="webshell"):
    server = socket.socket(socket.AF_UNIX)
    server.bind(path(channel, name))
    server.listen(1)
    return server
print(os.environ["FURTHER_LINK_TEMP_DIR"], flush=True)
"""


class Hearing(Told):
    """It also hears what programs say."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[tuple[str, bytes]] = []

    def said(self, channel: str, message: bytes) -> None:
        if self.exit is not None:
            self.late.append("said")
        self.heard.append((channel, message))
        self._check()


class TestSides(LocalCase):
    """Programs that use the sockets themselves."""

    def python(self, program: str, *channels: str, **options: Any) -> Hearing:
        told = Hearing()
        self.parents.append(told)
        names = channels or tuple(KINDS)
        command = Command((sys.executable, "-I", "-c", RAW + program), channels=names, **options)
        spawned = SideChannels(reactor, self.target).spawn(command, told)
        told.child = spawned  # type: ignore[assignment]
        return told

    async def folder(self, told: Told) -> Path:
        await told.seen(b"\n")
        return Path(told.output.split(b"\n")[0].decode())

    async def test_a_private_folder_that_goes_with_the_program(self) -> None:
        told = self.python("sys.stdin.read()")
        folder = await self.folder(told)
        self.assertEqual(folder.stat().st_mode & 0o777, 0o700)
        pid = child(told).pid
        names = {f"{name}.{channel}.sock" for name in ("webshell", pid) for channel in ("keylisten", "video")}
        self.assertEqual({path.name for path in folder.iterdir()}, names)
        self.assertEqual({path.stat().st_mode & 0o777 for path in folder.iterdir()}, {0o600})
        (folder / "left.keyevent.sock").touch()
        child(told).close_input()
        self.assertEqual((await told.end())[:2], (0, None))
        self.assertFalse(folder.exists())

    async def test_a_script_waits_until_its_sockets_have_all_their_names(self) -> None:
        for size in (None, Size()):
            program = "print(os.path.exists(path('video', os.getpgrp())), sys.argv, os.getpgrp() == os.getsid(0))"
            told = self.python(program, work=Work(), size=size)
            self.assertEqual((await told.end())[:2], (0, None))
            self.assertIn(b"True ['-c'] True", told.output)
        told = self.python("sys.stdin.read()", work=Work())
        child(told).stop(1)  # it may still be waiting
        self.assertEqual((await told.end())[0], None)

    async def test_only_the_channels_that_were_asked_for(self) -> None:
        told = self.python("print(sorted(os.listdir(os.environ['FURTHER_LINK_TEMP_DIR'])))", "video")
        await told.end()
        self.assertIn(b"video", told.output)
        self.assertNotIn(b"keylisten", told.output)
        told = Hearing()
        self.parents.append(told)
        command = Command((sys.executable, "-c", f"import os; print(os.environ.get('{FOLDER_VARIABLE}'))"))
        spawned = SideChannels(reactor, self.target).spawn(command, told)
        self.assertIsNone(spawned.sides)
        await told.end()
        self.assertEqual(told.output, b"None\n")

    async def test_nothing_is_left_of_what_cannot_start(self) -> None:
        before = set(os.listdir(tempfile.gettempdir()))
        with pytest.raises(SpawnFailed):
            SideChannels(reactor, self.target).spawn(Command(("/nowhere",), channels=("video",)), Hearing())
        self.assertEqual(
            {name for name in os.listdir(tempfile.gettempdir()) if name.startswith("webshell-")} - before, set()
        )

    async def test_where_folders_have_long_names_another_is_taken(self) -> None:
        long = Path(self.mktemp()).absolute() / ("x" * FOLDER_CHARACTERS)
        long.mkdir(parents=True)
        self.patch(tempfile, "tempdir", str(long))
        told = self.python("connected('video').sendall(b'x endvideo ')")
        folder = await self.folder(told)
        self.assertEqual(folder.parent, Path("/tmp"))
        await told.end()
        self.assertEqual(told.heard, [("video", b"x")])

    async def test_all_that_was_said_is_told_before_the_end(self) -> None:
        program = """
for number in range(3):
    connection = connected("video")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 22)
    connection.setblocking(False)
    connection.send(b"%d" % number * 50000 + b" endvideo half a message")
os.kill(os.getpid(), 9)
"""
        told = self.python(program)
        self.assertEqual((await told.end())[:2], (None, "KILL"))
        self.assertEqual(sorted(told.heard), [("video", b"%d" % number * 50000) for number in range(3)])

    async def test_who_is_held_back_waits_and_loses_nothing(self) -> None:
        program = """
connection = connected("keylisten")
for number in range(50000):
    connection.sendall(b"%d endkeylisten " % number)
print("all", flush=True)
"""
        told = self.python(program)
        sides = self.sides(told)
        sides.hold("keylisten", True)
        await self.folder(told)
        await sleep(0.2)
        before = len(told.heard)
        self.assertLess(before, 50000)
        self.assertNotIn(b"all", told.output)
        sides.hold("keylisten", False)
        await told.end()
        self.assertEqual([int(message) for _, message in told.heard], list(range(50000)))

    def sides(self, told: Told) -> Sides:
        sides = child(told).sides
        assert sides is not None
        return sides

    async def test_too_many_connections_are_closed(self) -> None:
        program = f"""
connections = [connected("video") for _ in range({ears.CONNECTIONS})]
for connection in connections:
    connection.sendall(b"x endvideo ")
last = connected("video")
print("closed" if last.recv(1) == b"" else "open", flush=True)
connections.pop().close()
while True:
    last = connected("video")
    last.settimeout(0.2)
    try:
        if last.recv(1) == b"":
            continue
    except TimeoutError:
        break
last.sendall(b"again endvideo ")
"""
        told = self.python(program)
        await told.end()
        self.assertIn(b"closed", told.output)
        self.assertEqual(told.heard, [("video", b"x")] * ears.CONNECTIONS + [("video", b"again")])

    async def test_with_too_many_open_files_a_connection_waits_and_nothing_spins(self) -> None:
        self.patch(ears, "REST_SECONDS", 0.05)
        accepted = ears.Ear._accepted
        tries: list[bool] = []

        def accept(ear: ears.Ear) -> bool:
            tries.append(accepted(ear))
            return tries[-1]

        self.patch(ears.Ear, "_accepted", accept)
        program = "sys.stdin.readline(); c = connected('video'); c.sendall(b'x endvideo '); print('said', flush=True)"
        told = self.python(program + "; c.recv(1)")
        await self.folder(told)
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
        try:
            child(told).write(b"\n")
            await told.seen(b"said")
            await eventually(lambda: len(tries) >= 2)
            self.assertLess(len(tries), 20)
            self.assertEqual((set(tries), told.heard), ({False}, []))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        await told.until(lambda: told.heard == [("video", b"x")])
        child(told).stop(0)
        await told.end()

    async def test_a_program_that_listens_and_never_reads(self) -> None:
        told = self.python("server = listening('keyevent'); print('ready', flush=True); time.sleep(1000)")
        await told.seen(b"ready")
        sides = self.sides(told)
        count = 0
        while sides.pending("keyevent") < KINDS["keyevent"].kept_bytes:  # as far as the core lets it go
            sides.tell("keyevent", b"a keydown" * 100)
            count += 1
        self.assertGreater(count, 50)
        child(told).stop(0)
        await told.end()
        self.assertEqual(sides.pending("keyevent"), 0)

    async def test_what_nobody_listens_to_is_dropped_after_a_while(self) -> None:
        self.patch(mouths, "RETRY_SECONDS", 0.01)
        told = self.python("sys.stdin.readline(); s = listening('keyevent'); print(s.accept()[0].recv(99), flush=True)")
        await self.folder(told)
        sides = self.sides(told)
        sides.tell("keyevent", b"a keydown")
        sides.tell("keyevent", b"b keydown")
        self.assertEqual(sides.pending("keyevent"), 18)
        await eventually(lambda: sides.pending("keyevent") == 0)
        sides.tell("keyevent", b"c keydown")
        child(told).write(b"\n")
        await told.end()
        self.assertIn(b"b'c keydown endkeyevent '", told.output)

    async def test_who_listens_again_hears_again(self) -> None:
        program = """
for _ in range(2):
    server = listening("keyevent")
    print("ready", flush=True)
    connection = server.accept()[0]
    print(connection.recv(99), flush=True)
    connection.close()
    server.close()
    os.unlink(path("keyevent"))
    print("gone", flush=True)
"""
        told = self.python(program)
        for number, key in enumerate((b"a", b"b"), 1):
            await told.until(partial(lambda number: told.output.count(b"ready") == number, number))
            self.sides(told).tell("keyevent", key + b" keydown")
            await told.seen(key + b" keydown endkeyevent")
        await told.end()

    async def test_our_own_library_is_preferred_and_a_space_is_no_key_for_pi_tops(self) -> None:
        program = """
theirs = listening("keyevent", os.getpgrp())
print("ready", flush=True)
connection = theirs.accept()[0]
data = b""
while b"b keydown" not in data:
    data += connection.recv(99)
print(data, flush=True)
connection.close()
ours = listening("keyevent")
print("ours", flush=True)
print(ours.accept()[0].recv(99), flush=True)
"""
        told = self.python(program)
        sides = self.sides(told)
        await told.seen(b"ready")
        for event in (b"a keydown", b"  keydown", b"nonsense", b"b keydown"):
            sides.tell("keyevent", event)
        await told.seen(b"ours")
        self.assertIn(b"b'a keydown endkeyevent nonsense endkeyevent b keydown endkeyevent '", told.output)
        sides.tell("keyevent", b"  keydown")
        await told.end()
        self.assertIn(b"b'  keydown endkeyevent '", told.output)
