"""Keys and pictures between a program and whoever watches it in a browser: standard library only, Python 3.8+.

It has the names of pi-top's package of the same name. Where that one is installed it takes this one's place; this one
also works below pi-top's own server. docs/side-channels.rst is its reference.
"""

from __future__ import annotations

import atexit
import base64
import importlib.machinery
import importlib.util
import io
import os
import queue
import selectors
import socket
import struct
import sys
import threading
import time
import zlib
from collections.abc import Callable
from typing import Any

__version__ = "5.11.2"
"""The version of pi-top's package that this one agrees with."""

__all__ = ["KeyboardButton", "__version__", "send_image"]

CONNECT_SECONDS = 2.0
"""A server that is there takes a connection at once; the sockets of pi-top's appear some moments after the program."""

AGAIN_SECONDS = 0.05

SEND_SECONDS = 5.0
"""A server that does not read for so long has other sorrows; the picture is lost."""

READ_BYTES = 4096

OWN = "webshell"


class KeyboardButton:
    """A key of whoever watches, as a button; *key* is a browser's name of it (``KeyboardEvent.key``): ``ArrowUp``."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.when_pressed: Callable[[], Any] | None = None
        """Called when the key goes down, again and again while it is held if the keyboard repeats."""
        self.when_released: Callable[[], Any] | None = None
        """Called when the key comes up."""
        self.is_pressed = False
        _listener().add(self)
        _send("keylisten", key.encode())

    def _happened(self, event: str) -> None:
        if event not in ("keydown", "keyup"):
            return
        self.is_pressed = event == "keydown"
        callback = self.when_pressed if self.is_pressed else self.when_released
        if callback is not None:
            callback()


def send_image(frame: Any, format: object = None) -> None:
    """Show *frame* to whoever watches.

    :param frame: an image of Pillow, an array as OpenCV has it (rows × columns, or × 3 or 4 channels, blue first, 8
        bits each), or the bytes of a JPEG or PNG file.
    :param format: not used; older programs have it.
    """
    _send("video", base64.b64encode(_encoded(frame)))


# ---- pictures


def _encoded(frame: Any) -> bytes:
    if isinstance(frame, (bytes, bytearray, memoryview)):
        return bytes(frame)
    if hasattr(frame, "save"):  # Pillow's
        return _jpeg(frame)
    shape = getattr(frame, "shape", None)
    if shape is None or len(shape) not in (2, 3) or (len(shape) == 3 and shape[2] not in (1, 3, 4)):
        raise TypeError("send_image takes an image of Pillow, an array as OpenCV has it, or the bytes of a JPEG or PNG")
    channels = 1 if len(shape) == 2 else shape[2]
    pillow, cv2 = sys.modules.get("PIL.Image"), sys.modules.get("cv2")
    if pillow is not None:
        modes = {1: ("L", "L"), 3: ("RGB", "BGR"), 4: ("RGBA", "BGRA")}[channels]
        size, pixels = (shape[1], shape[0]), frame.astype("uint8").tobytes()
        return _jpeg(pillow.frombytes(modes[0], size, pixels, "raw", modes[1]))
    if cv2 is not None:
        return bytes(cv2.imencode(".jpg", frame)[1])
    return _png(shape[1], shape[0], channels, frame.astype("uint8").tobytes())


def _jpeg(image: Any) -> bytes:
    """A JPEG file of an image of Pillow's, byte by byte what pi-top's package makes of it."""
    if image.mode not in ("1", "L", "RGB", "CMYK"):
        image = image.convert("RGB")  # a JPEG knows no transparency
    file = io.BytesIO()
    image.save(file, format="JPEG", optimize=True)
    return file.getvalue()


def _png(width: int, height: int, channels: int, pixels: bytes) -> bytes:
    """A PNG file of *pixels*, blue first."""
    if channels >= 3:
        turned = bytearray(pixels)
        turned[0::channels], turned[2::channels] = pixels[2::channels], pixels[0::channels]
        pixels = bytes(turned)
    kind = {1: 0, 3: 2, 4: 6}[channels]
    line = width * channels
    rows = b"".join(b"\0" + pixels[start : start + line] for start in range(0, line * height, line))
    head = struct.pack("!IIBBBBB", width, height, 8, kind, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows, 1)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack("!I", len(data)) + name + data + struct.pack("!I", zlib.crc32(name + data)) for name, data in chunks
    )


# ---- sockets


_lock = threading.Lock()
_connections: dict[str, socket.socket] = {}


def _path(channel: str, name: str) -> str:
    return os.path.join(os.environ.get("FURTHER_LINK_TEMP_DIR", "/tmp"), f"{name}.{channel}.sock")  # noqa: S108


def _name() -> str:
    """What the sockets are called: by webshell; or by pi-top's server, whose may not be there yet."""
    ours = any(os.path.exists(_path(channel, OWN)) for channel in ("keylisten", "video"))
    return OWN if ours else str(os.getpgrp())


def _send(channel: str, message: bytes) -> None:
    with _lock:
        for _ in range(2):  # the server may have closed what was open
            try:
                connection = _connections.get(channel) or _connected(channel)
                _connections[channel] = connection
                connection.sendall(message + f" end{channel} ".encode())
                return
            except OSError:
                broken = _connections.pop(channel, None)
                if broken is None:
                    break
                broken.close()
    _warn(channel)


_warned: set[str] = set()


def _warn(channel: str) -> None:
    if channel not in _warned:
        _warned.add(channel)
        print(f"further_link: nobody watches: the channel {channel!r} is not there", file=sys.stderr)


def _connected(channel: str) -> socket.socket:
    late = time.monotonic() + (0.0 if channel in _warned else CONNECT_SECONDS)
    while True:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(_path(channel, _name()))
        except OSError:
            connection.close()
            if _name() == OWN or time.monotonic() >= late:
                raise
            time.sleep(AGAIN_SECONDS)
        else:
            connection.settimeout(SEND_SECONDS)
            return connection


# ---- keys


class _Listener:
    """Hears which keys go down and come up, in a thread, and calls back in another one, so that none is missed."""

    def __init__(self) -> None:
        self._buttons: dict[str, list[KeyboardButton]] = {}
        self._events: queue.SimpleQueue[tuple[KeyboardButton, str]] = queue.SimpleQueue()
        self._path = _path("keyevent", _name())
        self._process = os.getpid()
        server = socket.socket(socket.AF_UNIX)
        try:
            os.unlink(self._path)  # of a program that was killed, or that we take the keys from
        except OSError:
            pass
        try:
            server.bind(self._path)
            server.listen(4)
        except OSError:
            server.close()
            _warn("keyevent")
            return
        atexit.register(self._remove)
        threading.Thread(target=self._hear, args=(server,), daemon=True).start()
        threading.Thread(target=self._call, daemon=True).start()
        threading.Thread(target=self._stay).start()

    def add(self, button: KeyboardButton) -> None:
        """Tell *button* when its key is pressed."""
        self._buttons.setdefault(button.key, []).append(button)

    def _hear(self, server: socket.socket) -> None:
        """One thread for all connections: Python 3.12 starts none once the program's last line was run."""
        waiting = selectors.DefaultSelector()
        waiting.register(server, selectors.EVENT_READ)
        pending: dict[socket.socket, bytes] = {}
        while True:
            for ready, _ in waiting.select():
                connection: socket.socket | None = ready.data
                if connection is None:
                    connection = server.accept()[0]
                    pending[connection] = b""
                    waiting.register(connection, selectors.EVENT_READ, connection)
                    continue
                try:
                    data = connection.recv(READ_BYTES)
                except OSError:
                    data = b""
                if data:
                    pending[connection] = self._heard(pending[connection] + data)
                else:
                    del pending[connection]
                    waiting.unregister(connection)
                    connection.close()

    def _heard(self, data: bytes) -> bytes:
        """Take the whole messages of *data*; returns the rest."""
        *messages, rest = data.split(b" endkeyevent ")
        for message in messages:
            key, _, event = message.decode("utf-8", "replace").rpartition(" ")
            for button in self._buttons.get(key, ()):
                self._events.put((button, event))
        return rest

    def _call(self) -> None:
        while True:
            button, event = self._events.get()
            try:
                button._happened(event)
            except Exception:  # the program's own; it shall be seen, and the other keys go on
                sys.excepthook(*sys.exc_info())

    def _stay(self) -> None:
        """A program whose last line was run goes on if it wants to be called: pi-top's always does."""
        threading.main_thread().join()
        buttons = [button for buttons in self._buttons.values() for button in buttons]
        if any(button.when_pressed or button.when_released for button in buttons):
            threading.Event().wait()

    def _remove(self) -> None:
        if self._process == os.getpid():  # not in a fork
            try:
                os.unlink(self._path)
            except OSError:
                pass


_listening: list[_Listener] = []


def _listener() -> _Listener:
    with _lock:
        if not _listening:
            _listening.append(_Listener())
        return _listening[0]


# ---- pi-top's


def _installed() -> importlib.machinery.ModuleSpec | None:
    """Where pi-top's package is, if it is installed."""
    own = os.path.realpath(os.path.dirname(os.path.dirname(__file__)))
    elsewhere = [path for path in sys.path if os.path.realpath(path) != own]
    spec = importlib.machinery.PathFinder.find_spec("further_link", elsewhere)
    return spec if spec is not None and spec.origin is not None else None


_theirs = _installed()
if _theirs is not None and _theirs.loader is not None:
    _module = importlib.util.module_from_spec(_theirs)
    sys.modules["further_link"] = _module  # which is what the import statement gives
    _theirs.loader.exec_module(_module)
