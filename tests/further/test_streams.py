"""Cases 27 to 36 of the acceptance list: input and output, complete and in order."""

from __future__ import annotations

import select
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from further.links import BAD, EXCEPTION, Link
from server.daemons import until
from wire import Server


def flooded(link: Link) -> Iterator[None]:
    """Start *flood* and do not read, until everything between it and us is full; yields now and then."""
    link.start("flood", code="import os\nprint(os.getpid(), flush=True)\nwhile True: os.write(1, b'x' * 99 + b'\\n')")
    accounts = Path(f"/proc/{int(link.until_said(chr(10)).split()[0])}/io")
    written, still = "", 0
    while still < 5:  # looks at it in a row
        time.sleep(0.1)
        yield
        before, written = written, accounts.read_text()
        still = still + 1 if written == before else 0


def test_case_27_each_line_of_input_gets_its_answer(link: Link) -> None:
    link.start(code="for _ in range(3): print('got', input(), flush=True)")
    for word in ("one", "two", "three"):
        link.say("stdin", input=word + "\n")
        assert link.told() == ("stdout", {"output": f"got {word}\n"})
    assert link.told() == ("stopped", {"exitCode": 0})


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("stdin", {"input": "x"}),
        ("stop", {}),
        ("resize", {"rows": 1, "cols": 1}),
        ("keyevent", {"key": "a", "event": "keydown"}),
    ],
)
def test_case_28_unknown_names_are_bad_messages(link: Link, kind: str, data: dict[str, object]) -> None:
    link.say(kind, "nobody", **data)
    assert link.told() == BAD
    link.quiet()


def test_case_29_input_must_be_text(link: Link) -> None:
    link.start(code="print(repr(input()))")
    link.say("stdin")
    assert link.told() == BAD
    link.say("stdin", input=5)
    assert link.told() == BAD
    link.send('{"type": "stdin", "process": "1", "data": {"input": "\\ud800"}}')
    assert link.told() == EXCEPTION
    link.say("stdin", input="")
    link.quiet()
    link.say("stdin", input="\n")
    assert link.until_stopped() == ("''\n", "", 0)


def test_case_30_characters_arrive_whole_and_what_is_none_as_a_mark(link: Link) -> None:
    link.start(
        code="import sys, time\nout = sys.stdout.buffer\nline = sys.stdin.buffer.readline()\nout.write(line)\n"
        "for byte in '€'.encode():\n    out.write(bytes([byte])); out.flush(); time.sleep(0.3)\n"
        "out.write(b'\\xff|after\\n\\xe2\\x82')"
    )
    link.say("stdin", input="grüß 😀\n")
    assert link.until_stopped() == ("grüß 😀\n€\ufffd|after\n\ufffd", "", 0)


def test_case_31_both_streams_are_complete_before_the_end(link: Link) -> None:
    link.start(code="import sys\nfor n in range(20000):\n    print('out', n)\n    print('err', n, file=sys.stderr)\n")
    output, complaint, code = link.until_stopped()
    assert output.splitlines() == [f"out {number}" for number in range(20000)]
    assert complaint.splitlines() == [f"err {number}" for number in range(20000)]
    assert code == 0


@pytest.mark.parametrize("query", ["", "pty=1"])
def test_case_32_a_flood_arrives_whole(further: Server, query: str) -> None:
    with Link(further, query) as link:
        link.start(code="print('\\n'.join(map(str, range(200000))))")
        output, _, code = link.until_stopped()
    assert output.split() == [str(number) for number in range(200000)]
    assert code == 0


@pytest.mark.parametrize("query", ["", "pty=1"])
def test_case_32_a_flood_that_nobody_reads_waits_in_its_program(further: Server, query: str) -> None:
    with Link(further, query, receive_buffer=4096) as link:
        memory = further.memory()
        for _ in flooded(link):
            assert further.memory() - memory < 32 << 20


@pytest.mark.parametrize("query", ["", "pty=1"])
def test_case_33_short_programs_lose_nothing(further: Server, query: str) -> None:
    with Link(further, query) as link:
        for number in range(100):
            link.start(runner="exec", code=f"#!/bin/sh\necho line {number}")
            assert link.until_stopped()[0].strip() == f"line {number}"


def test_case_34_a_background_child_does_not_delay_the_end(link: Link) -> None:
    began = time.monotonic()
    link.start(runner="exec", code="#!/bin/sh\nsleep 30 &\necho done")
    assert link.until_stopped() == ("done\n", "", 0)
    assert time.monotonic() - began < 5


def test_case_35_input_that_nobody_reads_blocks_nothing(link: Link) -> None:
    link.start(code="import time\ntime.sleep(60)")
    link.say("stdin", input="x" * 300_000)
    link.quiet()
    link.say("stop")
    assert link.until_stopped() == ("", "", -15)


def test_case_35_input_beyond_the_bound_is_refused_and_nothing_else_is_harmed(link: Link) -> None:
    link.start(code="import time\ntime.sleep(60)")
    for _ in range(2):
        link.say("stdin", input="x" * (3 << 20))
    link.quiet()
    link.say("stdin", input="x" * (3 << 20))
    assert link.told() == EXCEPTION
    link.quiet()
    link.say("stop")
    assert link.until_stopped() == ("", "", -15)


def test_input_of_megabytes_reaches_a_program_that_reads(link: Link) -> None:
    link.start(code="import sys\nprint(len(sys.stdin.readline()))")
    link.say("stdin", input="x" * (3 << 20))
    link.say("stdin", input="\n")
    assert link.until_stopped() == (f"{(3 << 20) + 1}\n", "", 0)


def test_case_36_input_that_comes_too_late_is_no_error(link: Link) -> None:
    link.start(
        code="import os, sys\nos.close(0)\nprint('closed', flush=True)\nwhile not os.path.exists('go'): pass", path="36"
    )
    link.until_said("closed")
    link.say("stdin", input="too late\n")
    link.say("stdin", input="and again\n")
    link.quiet()
    link.start("2", "shell", path="36")
    link.say("stdin", "2", input="> go; exit\n")
    ends = [link.told() for _ in range(2)]
    assert ends == [("stopped", {"exitCode": 0})] * 2


def test_case_36_input_while_the_program_ends_is_no_error(link: Link) -> None:
    for _ in range(5):
        link.start(runner="exec", code="#!/bin/sh\nsleep 30 &")  # who holds the pipe delays the end
        while not select.select([link.socket], [], [], 0)[0]:
            link.say("stdin", input="late\n")
        assert link.told() == ("stopped", {"exitCode": 0})
        link.say("ping", None)
        while (answer := link.told()) != ("pong", None):
            assert answer == BAD  # that was too late for the end, too


def test_case_36_input_before_the_end_could_be_told_is_no_error(further: Server) -> None:
    with Link(further, receive_buffer=4096) as link:
        for _ in flooded(link):
            pass
        note = further.home / "work" / "ended" / "pid"
        link.say("start", runner="exec", code="#!/bin/sh\necho $$ | tee pid", path="ended")
        until(lambda: note.exists() and note.read_text().endswith("\n"))
        until(lambda: not Path(f"/proc/{note.read_text().strip()}").exists())
        for _ in range(20):  # from when the system knows that it has ended, until the server does
            link.say("stdin", input="late\n")
            time.sleep(0.01)
        link.say("stop", "flood")
        told = [link.heard()]
        while (told[-1]["type"], told[-1]["process"]) != ("stopped", "1"):
            told.append(link.heard())
    assert [frame["type"] for frame in told if frame["process"] != "flood"] == ["started", "stdout", "stopped"]
