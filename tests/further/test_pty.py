"""Cases 47 to 51 of the acceptance list: terminals."""

from __future__ import annotations

import pytest
from further.links import BAD, EXCEPTION, Link
from wire import Server


@pytest.mark.parametrize("query", ["pty=1", "pty=true", "pty=TRUE"])
def test_case_47_a_terminal_echoes_first(further: Server, query: str) -> None:
    with Link(further, query) as link:
        link.start(code="print('got', input())")
        link.say("stdin", input="hello\r")
        assert link.until_stopped() == ("hello\r\ngot hello\r\n", "", 0)


def test_case_47_an_answer_comes_with_the_echo_of_its_line(terminal: Link) -> None:
    terminal.start(code="while True: print('got', input())")
    together = 0
    for number in range(20):
        terminal.say("stdin", input=f"{number}\r")
        expected, said = f"{number}\r\ngot {number}\r\n", ""
        while said != expected:
            kind, data = terminal.told()
            together += data["output"] == expected
            said += data["output"]
            assert (kind, expected.startswith(said)) == ("stdout", True)
    assert together > 2  # every time, unless the machine does much else


def test_case_47_a_terminal_has_one_stream(terminal: Link) -> None:
    terminal.start(code="import sys\nprint('oops', file=sys.stderr)")
    assert terminal.until_stopped() == ("oops\r\n", "", 0)


@pytest.mark.parametrize("query", ["", "pty=yes", "pty=on", "pty=0", "pty="])
def test_case_47_everything_else_is_no_terminal(further: Server, query: str) -> None:
    with Link(further, query) as link:
        link.start(code="import sys\nprint(sys.stdin.isatty())")
        assert link.until_stopped() == ("False\n", "", 0)


def test_case_48_the_size_is_4_by_60_until_it_is_changed(terminal: Link) -> None:
    terminal.start(code="import os\nwhile True: input(); print(*reversed(os.get_terminal_size()))")
    for sizes in ((), (33, 99)):
        if sizes:
            terminal.say("resize", rows=sizes[0], cols=sizes[1])
        terminal.say("stdin", input="\n")
        terminal.until_said("33 99" if sizes else "4 60")


def test_case_49_a_resize_must_make_sense(further: Server, terminal: Link, link: Link) -> None:
    link.start(code="input()")
    link.say("resize", rows=33, cols=99)
    assert link.told() == BAD
    terminal.start(code="print(input())")
    for rows, expected in (("33", BAD), (None, BAD), (1.5, BAD), (-1, EXCEPTION), (70000, EXCEPTION)):
        terminal.say("resize", rows=rows, cols=80)
        assert terminal.told() == expected
    terminal.say("resize", rows=True, cols=65535)
    terminal.say("stdin", input="alive\n")
    assert terminal.until_stopped() == ("alive\r\nalive\r\n", "", 0)


def test_case_50_end_of_file_and_interrupt_by_key(terminal: Link) -> None:
    terminal.start(code="input()")
    terminal.say("stdin", input="\x04")
    output, _, code = terminal.until_stopped()
    assert code == 1
    assert "EOFError" in output
    terminal.start(code="import time\nprint('ready')\ntime.sleep(60)")
    terminal.until_said("ready")
    terminal.say("stdin", input="\x03")
    output, _, code = terminal.until_stopped()
    assert code == -2
    assert "KeyboardInterrupt" in output


def test_case_51_an_interactive_shell_ignores_term(tmp_path_factory: pytest.TempPathFactory, terminal: Link) -> None:
    terminal.start(runner="shell")
    terminal.say("stdin", input="PS1=; echo rea''dy\r")
    terminal.until_said("ready")
    terminal.say("stop")
    frame = terminal.told()
    while frame[0] != "stopped":
        frame = terminal.told()
    assert frame == ("stopped", {"exitCode": -9})
    terminal.start(runner="shell")
    terminal.say("stdin", input="exit 4\r")
    assert terminal.until_stopped()[2] == 4
