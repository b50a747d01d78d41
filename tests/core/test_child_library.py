"""The ``further_link`` that programs find: without a server, below pi-top's, in old Pythons, what it refuses."""

from __future__ import annotations

import ast
import os
import socket
import subprocess
import sys
from pathlib import Path

import webshell

LIBRARY = Path(webshell.__file__).parent / "child" / "library"
PATIENCE = 30


def run(program: str, folder: Path) -> subprocess.Popen[str]:
    """Start *program* as the leader of a process group, as a server does."""
    environment = {**os.environ, "PYTHONPATH": str(LIBRARY), "FURTHER_LINK_TEMP_DIR": str(folder)}
    return subprocess.Popen(
        [sys.executable, "-c", program],
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def listening(path: Path) -> socket.socket:
    server = socket.socket(socket.AF_UNIX)
    server.settimeout(PATIENCE)
    server.bind(str(path))
    server.listen(1)
    return server


def received(server: socket.socket, end: bytes) -> bytes:
    connection = server.accept()[0]
    connection.settimeout(PATIENCE)
    data = b""
    with connection:
        while not data.endswith(end):
            piece = connection.recv(4096)
            assert piece, data
            data += piece
    return data


def test_where_there_is_no_server_it_says_so_once_and_goes_on(tmp_path: Path) -> None:
    program = """
import further_link
further_link.CONNECT_SECONDS = 0.01
button = further_link.KeyboardButton("a")
for _ in range(3):
    further_link.send_image(b"picture")
print(button.is_pressed, further_link.__version__)
"""
    said, complaints = run(program, tmp_path / "nowhere").communicate(timeout=PATIENCE)
    assert said == "False 5.11.2\n"
    names = [line.split("'")[1] for line in complaints.splitlines()]
    assert sorted(names) == ["keyevent", "keylisten", "video"]


def test_below_pi_tops_server_whose_sockets_come_late_and_have_numbers(tmp_path: Path) -> None:
    program = """
import further_link
button = further_link.KeyboardButton("a")
button.when_pressed = lambda: print("pressed", flush=True)
further_link.send_image(b"picture")
print("ready", flush=True)
"""
    process = run(program, tmp_path)
    try:
        assert process.stdout is not None
        with (
            listening(tmp_path / f"{process.pid}.keylisten.sock") as keys,
            listening(tmp_path / f"{process.pid}.video.sock") as video,
        ):
            assert received(keys, b" endkeylisten ") == b"a endkeylisten "
            assert received(video, b" endvideo ") == b"cGljdHVyZQ== endvideo "
        assert process.stdout.readline() == "ready\n"
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(tmp_path / f"{process.pid}.keyevent.sock"))
            connection.sendall(b"b keydown endkeyevent a key")
            connection.sendall(b"down endkeyevent ")
            assert process.stdout.readline() == "pressed\n"
        assert process.poll() is None  # it goes on: it wants to be called
    finally:
        process.kill()
        process.communicate()


def test_a_call_that_raises_is_shown_and_the_next_comes(tmp_path: Path) -> None:
    program = """
import further_link
further_link.CONNECT_SECONDS = 0.0
button = further_link.KeyboardButton("a")
def pressed():
    raise ValueError("mine")
button.when_pressed = pressed
button.when_released = lambda: print("released", flush=True)
print("ready", flush=True)
"""
    process = run(program, tmp_path)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(tmp_path / f"{process.pid}.keyevent.sock"))
            connection.sendall(b"a keydown endkeyevent a keyup endkeyevent ")
            assert process.stdout.readline() == "released\n"
    finally:
        process.kill()
        _, complaints = process.communicate()
    assert "ValueError: mine" in complaints


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    program = """
import further_link
class Array:
    shape = (2, 2, 2)
for wrong in ("picture.jpg", None, 5, [], Array()):
    try:
        further_link.send_image(wrong)
    except TypeError as error:
        print(error)
"""
    said, _ = run(program, tmp_path).communicate(timeout=PATIENCE)
    assert said.count("send_image takes an image of Pillow") == 5


def test_it_is_written_for_old_pythons_too() -> None:
    source = (LIBRARY / "further_link" / "__init__.py").read_text("utf-8")
    ast.parse(source, feature_version=(3, 8))
