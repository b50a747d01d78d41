"""The walk of docs/http.rst, as it stands, and what protocol.rst says in figures."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from textwrap import dedent

from exec.asking import Api
from needs import need
from wire import PATIENCE, Server

from webshell.connection import FRAME_BYTES
from webshell.ended import REMEMBERED
from webshell.executions import GRACE_SECONDS, STOP_SECONDS
from webshell.feed import OFFERS, WAITING_BYTES
from webshell.web.exec import input, output, state, talk
from webshell.web.exec.routes import ACTS
from webshell.web.limits import HELD_BODIES, POST_BYTES

DOCS = Path(__file__).parents[2] / "docs"
MARK = "--- what comes next is the output of"


def steps() -> list[tuple[str, str]]:
    """Each command of the page, and what it prints, with ``…`` for anything."""
    found = []
    text = (DOCS / "http.rst").read_text("utf-8")
    for block in re.findall(r"^\.\. code-block:: console\n\n((?:    .*\n|\n)+)", text, re.MULTILINE):
        for step in re.split(r"^\$ ", dedent(block).strip("\n") + "\n", flags=re.MULTILINE)[1:]:
            lines = step.splitlines(keepends=True)
            more = next((at for at, line in enumerate(lines[1:], 1) if not line.startswith("> ")), len(lines))
            command = lines[0] + "".join(line[2:] for line in lines[1:more])
            found.append((command, "".join(lines[more:])))
    return found


def test_the_walk(server: Server, api: Api, tmp_path: Path) -> None:
    need("curl")
    script = "".join(f"echo '{MARK} {number}'\n{command}" for number, (command, _) in enumerate(steps()))
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "URL": api.url.rstrip("/"), "TOKEN": api.token},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
        check=False,
    )
    assert done.stderr == ""
    told = re.split(rf"{MARK} \d+\n", done.stdout)[1:]
    assert len(told) == len(steps()) > 20
    for (command, expected), printed in zip(steps(), told, strict=True):
        pattern = re.escape(expected.strip()).replace("…", ".*")
        assert re.fullmatch(pattern, printed.replace("\r\n", "\n").strip()), (command, expected, printed)


def section() -> str:
    """Of protocol.rst."""
    text = (DOCS / "protocol.rst").read_text("utf-8")
    return text.partition("\nProcesses over HTTP\n=====")[2].partition("\nFiles\n=====\n")[0]


def test_the_documented_figures_are_those_of_the_code() -> None:
    assert input.INPUT_BYTES == talk.INPUT_BYTES
    assert output.POLL_SECONDS == state.WAIT_SECONDS
    rows = dict(re.findall(r"^([a-z][^`\n]*?)  +(\d[^\n]*)$", section(), re.MULTILINE))
    assert rows == {
        "input in one body; on a WebSocket, not yet accepted": f"{input.INPUT_BYTES >> 20} MiB",
        "input that waits for one process": f"{WAITING_BYTES >> 20} MiB, {OFFERS}",
        "input bodies under way from one address": f"{HELD_BODIES}",
        "a message on a WebSocket": f"{FRAME_BYTES >> 20} MiB",
        "ends that are remembered for 410": f"{REMEMBERED}",
        "a question that waits": f"{output.POLL_SECONDS:g} s",
    }
    assert f"{GRACE_SECONDS:g} by default" in section()
    assert f"for {input.FEED_SECONDS:g} seconds, then it is 503" in section()
    assert f"(at most {output.POLL_SECONDS:g})" in section()
    assert f"the last {state.TAIL_BYTES >> 10} KiB" in section()
    assert f"({POST_BYTES >> 10} KiB if there is no such process)" in section()
    assert STOP_SECONDS == 1  # "a second later"


def test_all_addresses_and_close_codes_are_documented() -> None:
    told = set(re.findall(r"^``([A-Z]+) exec/ID(\S*?)``", section(), re.MULTILINE))
    served = {(method, steps) for steps, acts in ACTS.items() for method in acts}
    assert told == {(method.decode(), "".join(f"/{step.decode()}" for step in steps)) for method, steps in served}
    codes = {int(code) for code in re.findall(r"^(4\d{3}) ", section(), re.MULTILINE)}
    assert codes == {talk.ENDED, talk.TAKEN, talk.MALFORMED, *talk.CODES.values()}
