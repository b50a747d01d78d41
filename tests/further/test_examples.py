"""The examples of ``docs/side-channels.rst``, run as they stand."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from pathlib import Path

from wire import PATIENCE, Server

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


def press(client: subprocess.Popen[bytes], key: bytes) -> None:
    """Type a key, and give it some time: on a busy machine a program that looks now and then may miss it."""
    assert client.stdin is not None
    with contextlib.suppress(BrokenPipeError):  # it has ended already
        client.stdin.write(key + b"\n")
        client.stdin.flush()
    time.sleep(0.3)


def test_the_client_runs_a_program_and_presses_its_keys(further: Server, tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"
    command = [sys.executable, EXAMPLES / "client.py", further.url, further.token, EXAMPLES / "square.py", picture]
    with (tmp_path / "output").open("wb") as output:
        client = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT)
    try:
        assert client.stdin is not None
        deadline = time.monotonic() + PATIENCE
        while "' '" not in (said := (tmp_path / "output").read_text()) or not picture.exists():
            assert time.monotonic() < deadline, said
            assert client.poll() is None, said
            time.sleep(0.02)
        first = picture.read_bytes()
        assert first.startswith(b"\x89PNG")
        while picture.read_bytes() == first:
            press(client, b"a")
            assert time.monotonic() < deadline
        while client.poll() is None:
            press(client, b"")
            assert time.monotonic() < deadline
        assert client.returncode == 0, (tmp_path / "output").read_text()
    finally:
        client.kill()
        with contextlib.suppress(BrokenPipeError):
            client.stdin.close()  # type: ignore[union-attr]
        client.wait()
    said = (tmp_path / "output").read_text()
    assert "[it listens for 'ArrowLeft']" in said
    assert "pictures, the square is at" in said
    assert "[it ended with 0]" in said


def test_the_client_says_what_went_wrong(further: Server, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text("import sys\nprint('out')\nsys.exit('err')\n")
    for token, code, said in ((further.token, 1, "out\nerr\n[it ended with 1]\n"), ("wrong", 1, "[no connection")):
        command = [sys.executable, EXAMPLES / "client.py", further.url, token, program]
        typed = "w\n"  # before anybody listens
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE, input=typed)
        assert done.returncode == code
        assert said in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
