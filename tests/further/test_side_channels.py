"""Cases 52 to 58 of the acceptance list: keyboard and video, by our library and by sockets as pi-top's uses them."""

from __future__ import annotations

import base64
import io
import signal
import sys
import time
from pathlib import Path

import pytest
from further.links import BAD, Link, configured
from needs import need_module
from wire import PATIENCE, Server

PICTURE = b"\xff\xd8\xff" + bytes(range(256)) * 8 + b"\xff\xd9"

RAW = """
import os, socket, sys, time
folder = os.environ["FURTHER_LINK_TEMP_DIR"]
group = os.getpgid(os.getpid())
def connected(channel):
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(f"{folder}/{group}.{channel}.sock")
    return connection
def listening(channel):
    server = socket.socket(socket.AF_UNIX)
    server.bind(f"{folder}/{group}.{channel}.sock")
    server.listen(1)
    return server
"""
"""How pi-top's package finds its sockets."""

BUTTON = """
from further_link import KeyboardButton
button = KeyboardButton("a")
button.when_pressed = lambda: print("pressed", button.is_pressed, flush=True)
button.when_released = lambda: print("released", button.is_pressed, flush=True)
"""


def picture(link: Link) -> bytes:
    """The next frame, which must be a picture."""
    kind, data = link.told()
    assert kind == "video", (kind, data)
    return base64.b64decode(data["output"], validate=True)


def stops(link: Link) -> None:
    """Stop it; which of the two signals it was is another test's business."""
    link.say("stop")
    said, complaints, code = link.until_stopped()
    assert (said, complaints) == ("", "")
    assert code in (-signal.SIGTERM, -signal.SIGKILL)


def press(link: Link, key: str, event: str = "keydown") -> None:
    link.say("keyevent", key=key, event=event)


def test_case_52_a_key_is_listened_to_and_pressed(link: Link) -> None:
    link.start(code=BUTTON)
    assert link.told() == ("keylisten", {"output": "a"})
    press(link, "a")
    link.until_said("pressed True\n")
    press(link, "b")  # nobody's
    press(link, "a", "keyup")
    assert link.until_said("released False\n") == "released False\n"
    stops(link)


def test_case_53_two_keys_registered_back_to_back(link: Link) -> None:
    link.start(code=BUTTON + 'KeyboardButton(" "); KeyboardButton("ArrowUp"); KeyboardButton("é")')
    assert [link.told() for _ in range(4)] == [("keylisten", {"output": key}) for key in ("a", " ", "ArrowUp", "é")]
    stops(link)


def test_a_space_is_a_key_and_many_come_in_order(link: Link) -> None:
    code = """
from further_link import KeyboardButton
pressed = []
def note(key):
    pressed.append(key)
    if key == "Enter":
        print("".join(pressed[:-1]), flush=True)
for key in ("x", " ", "Enter"):
    KeyboardButton(key).when_pressed = lambda key=key: note(key)
"""
    link.start(code=code)
    for _ in range(3):
        assert link.told()[0] == "keylisten"
    text = "x xx   x" * 40
    for key in text:
        press(link, key)
    press(link, "Enter")
    assert link.until_said("\n") == text + "\n"


def test_case_54_nobody_listens_and_nobody_waits(further: Server, link: Link) -> None:
    link.start(code="input(); print('read', flush=True)")
    with Link(further) as other:
        began = time.monotonic()
        for _ in range(200):
            press(link, "a")
        link.quiet()
        other.quiet()
        assert time.monotonic() - began < 10  # two hundred times further-link's pause were 20 s
    link.say("stdin", input="\n")
    assert link.until_stopped() == ("read\n", "", 0)


def test_case_55_a_key_is_a_string(link: Link) -> None:
    link.start(code="input()")
    link.say("keyevent", key=5, event="keydown")
    assert link.told() == BAD
    link.say("keyevent", key="a")
    assert link.told() == BAD
    link.say("keyevent", "2", key="a", event="keydown")
    assert link.told() == BAD
    stops(link)


def test_case_56_a_picture_comes_before_the_end(link: Link) -> None:
    code = f"import further_link; further_link.send_image({PICTURE!r})"
    for _ in range(5):
        link.start(code=code)
        assert picture(link) == PICTURE
        assert link.until_stopped() == ("", "", 0)


def test_case_56_by_sockets_as_pi_tops_library(link: Link) -> None:
    text = base64.b64encode(PICTURE).decode()
    link.start(code=RAW + f'connected("video").sendall(b"{text} endvideo ")')
    assert picture(link) == PICTURE
    assert link.until_stopped() == ("", "", 0)


def test_case_52_by_sockets_as_pi_tops_library(link: Link) -> None:
    code = """
server = listening("keyevent")
connected("keylisten").sendall(b"ArrowUp endkeylisten ")
connection = server.accept()[0]
connection.settimeout(20)
data = b""
while data.count(b"endkeyevent") < 2:
    data += connection.recv(4096)
print(data)
"""
    link.start(code=RAW + code)
    assert link.told() == ("keylisten", {"output": "ArrowUp"})
    press(link, "ArrowUp")
    press(link, " ")  # it would end the thread of pi-top's that listens
    press(link, "ArrowUp", "keyup")
    assert link.until_stopped() == ("b'ArrowUp keydown endkeyevent ArrowUp keyup endkeyevent '\n", "", 0)


def test_the_sockets_are_there_before_the_programs_first_line(link: Link) -> None:
    code = '#!/bin/sh\ntest -S "$FURTHER_LINK_TEMP_DIR/$$.video.sock" && echo there'
    for _ in range(50):  # without a gate, half of them are too early on a machine that is busy
        link.start(runner="exec", code=code)
        assert link.until_stopped() == ("there\n", "", 0)


def test_case_57_large_and_cut_anywhere(link: Link) -> None:
    code = """
connection = connected("video")
for part in (b"x" * 100000, b" endvi", b"deo ", b"y", b" ", b"e", b"ndvideo ", b"endvideo  endvideo ", b"z endvideo "):
    connection.sendall(part)
    time.sleep(0.05)
"""
    link.start(code=RAW + code)
    outputs = [link.told()[1]["output"] for _ in range(3)]
    assert outputs == ["x" * 100000, "y", "z"]
    assert link.until_stopped() == ("", "", 0)


@pytest.mark.parametrize("killed", [False, True])
def test_case_58_nothing_is_left(link: Link, killed: bool) -> None:
    link.start(
        code=BUTTON
        + "import os; print(os.environ['FURTHER_LINK_TEMP_DIR'], flush=True)"
        + "\nos._exit(3)" * (not killed)
    )
    told = [link.told(), link.told()]  # by two ways: which of them is the faster is not promised
    assert sorted(kind for kind, _ in told) == ["keylisten", "stdout"]
    folder = next(data["output"] for kind, data in told if kind == "stdout").strip()
    if killed:
        assert Path(folder).stat().st_mode & 0o777 == 0o700
        press(link, "a")
        link.until_said("pressed True\n")
        assert {path.name for path in Path(folder).iterdir()} >= {"webshell.keyevent.sock", "webshell.video.sock"}
        assert {path.stat().st_mode & 0o777 for path in Path(folder).glob("webshell.[kv]*n.sock")} <= {0o600}
        link.say("stop")
        link.until_stopped()
    else:
        assert link.until_stopped() == ("", "", 3)
    assert not Path(folder).exists()


def test_nothing_is_left_when_the_client_goes(further: Server) -> None:
    with Link(further) as link:
        link.start(code=BUTTON + "import os; print(os.environ['FURTHER_LINK_TEMP_DIR'], flush=True)")
        assert link.told()[0] == "keylisten"
        folder = Path(link.until_said("\n").strip())
        assert folder.is_dir()
    deadline = time.monotonic() + PATIENCE
    while folder.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not folder.exists()


def test_a_program_that_floods_and_a_client_that_does_not_read(further: Server, tmp_path: Path) -> None:
    done = tmp_path / "done"
    code = f"""
import further_link, os
picture = os.urandom(150000)
for number in range(3000):
    further_link.send_image(number.to_bytes(4, "big") + picture)
open({str(done)!r}, "w").close()
"""
    with Link(further, receive_buffer=4096) as slow, Link(further) as fast:
        memory = further.memory()
        slow.start(code=code)
        fast.start(code="import further_link\nfor n in range(200): further_link.send_image(bytes([n]))")
        numbers = []
        while (told := fast.told())[0] == "video":
            numbers.append(base64.b64decode(told[1]["output"])[0])
        assert told == ("stopped", {"exitCode": 0})
        assert numbers == sorted(numbers)
        assert numbers[-1] == 199  # the last always comes
        deadline = time.monotonic() + PATIENCE
        while not done.exists():  # nobody has read, and it is not held up
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert further.memory() - memory < 40 << 20  # of 600 MB
        numbers = []
        while (told := slow.told())[0] == "video":
            numbers.append(int.from_bytes(base64.b64decode(told[1]["output"])[:4], "big"))
        assert told == ("stopped", {"exitCode": 0})
        assert numbers == sorted(set(numbers))
        assert len(numbers) < 1000  # the others were too old when there was room
        assert numbers[-1] == 2999


def test_the_run_py_endpoint_has_them_too(python: Link) -> None:
    python.say("start", None, sourceScript=BUTTON + f"import further_link; further_link.send_image({PICTURE!r})")
    assert python.told() == ("started", None)
    assert sorted([python.told(), python.told()], key=str) == [
        ("keylisten", {"output": "a"}),
        ("video", {"output": base64.b64encode(PICTURE).decode()}),
    ]
    python.say("keyevent", None, key="a", event="keydown")
    assert python.told() == ("stdout", {"output": "pressed True\n"})


def test_pi_tops_package_is_used_where_it_is_installed(tmp_path: Path) -> None:
    site = tmp_path / "site" / "further_link"
    site.mkdir(parents=True)
    (site / "__init__.py").write_text("from further_link.part import whose")
    (site / "part.py").write_text("whose = 'theirs'")
    with Server(tmp_path, "--config", configured(tmp_path)) as server, Link(server) as link:
        # as where site-packages is: after PYTHONPATH
        link.start(
            code=f"import sys; sys.path.append({str(site.parent)!r}); import further_link; print(further_link.whose)"
        )
        assert link.until_stopped() == ("theirs\n", "", 0)
        link.start(code="import further_link; print(further_link.__file__)")
        assert "child/library/further_link" in link.until_stopped()[0]


def test_a_file_of_the_programs_own_comes_first(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "further_link.py").write_text("print('mine')")
    (tmp_path / "work" / "program.py").write_text("import further_link")
    with Server(tmp_path, "--config", configured(tmp_path)) as server, Link(server) as link:
        link.start(path="program.py")
        assert link.until_stopped() == ("mine\n", "", 0)


def test_arrays_and_pillows_images(link: Link) -> None:
    need_module("PIL")
    from PIL import Image

    code = f"""
import sys
sys.path.append({next(path for path in sys.path if path.endswith("site-packages"))!r})
import further_link
class Array:  # what is used of numpy's
    shape = (2, 2, 3)
    def astype(self, kind): return self
    def tobytes(self): return bytes([255, 0, 0,  0, 255, 0,  0, 0, 255,  9, 8, 7])
further_link.send_image(Array())
input()
from PIL import Image
further_link.send_image(Image.new("RGBA", (3, 2), (0, 0, 255, 128)))
input()
further_link.send_image(Array())
input()
further_link.send_image(Image.effect_noise((1, 1), 0))
input()
try:
    further_link.send_image("picture.jpg")
except TypeError as error:
    print(error)
"""
    link.start(code=code)
    assert picture(link).startswith(b"\x89PNG\r\n\x1a\n")
    link.say("stdin", input="\n")
    assert picture(link).startswith(b"\xff\xd8\xff")
    link.say("stdin", input="\n")
    turned = Image.open(io.BytesIO(picture(link)))  # there is an encoder now
    assert (turned.format, turned.size, turned.mode) == ("JPEG", (2, 2), "RGB")
    link.say("stdin", input="\n")
    expected = io.BytesIO()
    Image.effect_noise((1, 1), 0).save(expected, format="JPEG", optimize=True)
    assert picture(link) == expected.getvalue()  # as pi-top's package sends it
    link.say("stdin", input="\n")
    assert "takes an image of Pillow" in link.until_stopped()[0]
