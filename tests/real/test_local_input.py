"""What is typed and pasted into a local child: it arrives, or it waits, and nobody else waits for it."""

from __future__ import annotations

import hashlib
import sys
import time

from real.local_case import LocalCase, Told, child, sleep

from webshell.command import Size

MEGABYTE = 1 << 20
DIGEST = """
import hashlib, sys, tty
{raw}
print("ready", flush=True)
print(hashlib.md5(sys.stdin.buffer.read({n})).hexdigest())
"""


class Input(LocalCase):
    async def test_ten_megabytes_through_a_raw_terminal(self) -> None:
        pasted = bytes(range(256)) * (10 * MEGABYTE // 256)
        told = self.spawn("/bin/sh", "-c", "stty raw -echo; echo ready; exec cat")
        await told.seen(b"ready\n")
        del told.streams[1][:]
        child(told).write(pasted)
        await told.until(lambda: len(told.streams[1]) >= len(pasted))
        self.assertEqual(hashlib.md5(told.output).hexdigest(), hashlib.md5(pasted).hexdigest())
        self.assertEqual(child(told).pending, 0)
        self.assertGreater(told.taken, 1)

    async def test_fifty_megabytes_through_a_pipe(self) -> None:
        told = self.spawn("wc", "-c", size=None)
        pending = child(told).write(b"x" * (50 * MEGABYTE))
        self.assertGreater(pending, 49 * MEGABYTE)
        self.assertEqual(child(told).pending, pending)
        child(told).close_input()
        self.assertEqual(await told.end(), (0, None, ()))
        self.assertEqual(int(told.output), 50 * MEGABYTE)

    async def test_a_child_that_never_reads(self) -> None:
        for size in (Size(), None):
            told = self.sh(("stty raw -echo; " if size else "") + "echo ready; exec sleep 1000", size=size)
            await told.seen(b"ready")
            child(told).write(b"x" * MEGABYTE)
            await sleep(0.1)
            waiting = child(told).pending
            self.assertGreater(waiting, MEGABYTE - 200_000)
            taken = told.taken
            self.assertEqual(child(told).write(b"y" * MEGABYTE), waiting + MEGABYTE)
            self.assertEqual(child(told).pending, waiting + MEGABYTE)
            other = self.spawn("cat", size=None)
            child(other).write(b"served")
            await other.seen(b"served")
            await sleep(0.5)
            self.assertEqual(told.taken, taken)
            child(told).stop(0)
            await told.end()
            self.assertEqual(child(told).pending, 0)

    async def test_waiting_for_room_costs_nothing(self) -> None:
        for size in (Size(), None):
            told = self.sh(("stty raw -echo; " if size else "") + "echo ready; exec sleep 1000", size=size)
            await told.seen(b"ready")
            child(told).write(b"x" * MEGABYTE)
            await sleep(0.05)
            used = time.process_time()
            await sleep(0.5)
            self.assertLess(time.process_time() - used, 0.2)

    async def test_a_terminal_by_lines_does_not_block(self) -> None:
        told = self.sh("stty -echo; echo ready; exec sleep 1000")
        await told.seen(b"ready")
        child(told).write(b"x" * MEGABYTE + b"\n" * MEGABYTE)
        used = time.process_time()
        await sleep(0.5)
        self.assertLess(time.process_time() - used, 0.3)

    async def test_took_is_told_for_a_backlog_only(self) -> None:
        told = self.spawn("cat", size=None)
        self.assertEqual(child(told).write(b"x"), 0)
        await told.seen(b"x")
        self.assertEqual((told.taken, child(told).pending), (0, 0))

    async def test_input_that_nobody_can_read_is_dropped(self) -> None:
        told = self.sh("exec <&-; echo closed; sleep 1000", size=None)
        await told.seen(b"closed")
        self.assertEqual(child(told).write(b"x" * MEGABYTE), 0)
        self.assertEqual(child(told).pending, 0)

    async def test_a_backlog_that_nobody_can_read_any_more_is_dropped(self) -> None:
        told = self.sh("echo ready; head -c 100000 >/dev/null; exec <&-; sleep 1000", size=None)
        await told.seen(b"ready")
        child(told).write(b"x" * MEGABYTE)
        await told.until(lambda: child(told).pending == 0)
        self.assertGreater(told.taken, 0)

    async def test_the_end_of_input(self) -> None:
        for size in (Size(), None):
            told = self.spawn("cat", size=size)
            child(told).write(b"text\n")
            child(told).close_input()
            self.assertEqual(await told.end(), (0, None, ()))

    async def test_the_end_of_input_in_a_line(self) -> None:
        told = self.sh("stty -echo; echo ready; cat; echo over")
        await told.seen(b"ready\r\n")
        child(told).write(b"no newline")
        child(told).close_input()
        self.assertEqual(await told.end(), (0, None, ()))
        self.assertEqual(told.output, b"ready\r\nno newlineover\r\n")

    async def test_the_end_of_input_by_another_character(self) -> None:
        told = self.sh("stty -echo eof '^A'; echo ready; cat")
        await told.seen(b"ready\r\n")
        child(told).write(b"line\n")
        child(told).close_input()
        self.assertEqual(await told.end(), (0, None, ()))

    async def test_nothing_is_written_after_the_end_of_input(self) -> None:
        told = self.spawn("cat", size=None)
        child(told).write(b"x" * MEGABYTE)
        child(told).close_input()
        child(told).write(b"y")
        await told.end()
        self.assertEqual(told.output, b"x" * MEGABYTE)

    async def test_many_small_writes_stay_in_order(self) -> None:
        expected = b"".join(b"%05d" % n for n in range(40000))
        told = self.digest(len(expected), Size())
        await told.seen(b"ready")
        for n in range(40000):
            child(told).write(b"%05d" % n)
        await told.end()
        self.assertIn(hashlib.md5(expected).hexdigest().encode(), told.output)

    def digest(self, count: int, size: Size | None) -> Told:
        code = DIGEST.format(raw="tty.setraw(0)" if size else "", n=count)
        return self.spawn(sys.executable, "-c", code, size=size)
