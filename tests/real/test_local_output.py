"""What a local child writes: all of it, in order, before its exit; and not faster than it is wanted."""

from __future__ import annotations

import resource
import sys
from functools import partial

from real.local_case import LocalCase, child, eventually, gone, reactor, sleep

from webshell.command import Size

BURST = 300_000
MEGABYTE = 1 << 20

# Writes numbers, 8 bytes each, as fast as it is read: what is missing or doubled shows.
COUNTER = """
import os, sys
number = 0
while True:
    block = b"".join(b"%07d\\n" % (n % 10000000) for n in range(number, number + 8192))
    number += 8192
    while block:
        block = block[os.write(1, block):]
"""
RAW = "import tty; tty.setraw(0)\n"


class Output(LocalCase):
    async def bursts(self, size: Size | None) -> None:
        for _ in range(200):
            told = self.sh(f"head -c {BURST} /dev/zero | tr '\\0' x; exit 3", size=size)
            self.assertEqual(await told.end(), (3, None, ()))
            self.assertEqual(told.output, b"x" * BURST)
            self.parents.remove(told)
            assert not told.late

    async def test_bursts_in_a_terminal(self) -> None:
        await self.bursts(Size())

    async def test_bursts_in_pipes(self) -> None:
        await self.bursts(None)

    async def test_a_burst_while_paused_is_told_at_the_exit(self) -> None:
        for size, count in ((Size(), 4000), (None, 60000)):
            told = self.sh(f"head -c {count} /dev/zero | tr '\\0' x", size=size)
            child(told).pause()
            self.assertEqual(await told.end(), (0, None, ()))
            self.assertEqual(told.output, b"x" * count)

    async def test_exit_while_a_background_child_is_silent(self) -> None:
        for size in (Size(), None):
            told = self.sh("trap '' HUP; sleep 1000 & echo $!; exit 5", size=size)
            before = reactor.seconds()
            code, signal, survivors = await told.end()
            self.assertEqual((code, signal), (5, None))
            self.assertLess(reactor.seconds() - before, 1)
            self.assertEqual(survivors, (int(told.output),))
            child(told).stop(0)
            await eventually(partial(gone, survivors[0]))

    async def test_exit_while_a_background_child_floods(self) -> None:
        for size in (Size(), None):
            told = self.sh("trap '' HUP PIPE; yes 2>/dev/null & exit 5", size=size, keep=False)
            before = reactor.seconds()
            self.assertEqual((await told.end())[:2], (5, None))
            self.assertLess(reactor.seconds() - before, 1)

    async def test_pause_holds_a_flood_and_nothing_is_lost(self) -> None:
        for size in (Size(), None):
            told = self.spawn(sys.executable, "-c", (RAW if size else "") + COUNTER, size=size)
            await told.more_than(MEGABYTE)
            for _ in range(3):
                child(told).pause()
                held = told.received
                memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
                await sleep(0.2)  # the time in which it would have sent megabytes
                self.assertEqual(told.received, held)
                self.assertLess(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory, 1000)
                child(told).resume()
                await told.more_than(held + 3 * MEGABYTE)
            child(told).stop(0)
            await told.end()
            whole = len(told.output) // 8
            self.assertEqual(told.output[: whole * 8], b"".join(b"%07d\n" % n for n in range(whole)))

    async def test_pause_from_within_what_is_told(self) -> None:
        for size in (Size(), None):
            told = self.spawn("yes", size=size)
            told.on_output = child(told).pause
            await told.more_than(0)
            held = told.received
            await sleep(0.05)
            self.assertEqual(told.received, held)
            self.assertLessEqual(held, 400_000)

    async def test_a_flood_leaves_turns_to_others(self) -> None:
        flood = self.spawn("yes", keep=False)
        await flood.more_than(MEGABYTE)
        quiet = self.spawn("cat")
        child(quiet).write(b"here\n")
        await quiet.seen(b"here\r\nhere")

    async def test_output_that_is_closed_early(self) -> None:
        told = self.sh("echo last; exec >&- 2>&-; read line; exit 4", size=None)
        await told.seen(b"last")
        child(told).write(b"\n")
        self.assertEqual(await told.end(), (4, None, ()))
