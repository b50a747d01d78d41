"""The plain dialect: a text message is a command line or a line of input, output comes back as text.

For people with ``websocat`` and for ten-line scripts; docs/protocol.rst is its reference.
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence

from webshell import messages as m
from webshell.dialects import Frame
from webshell.errors import WrongState

QUEUE = "plain"
"""Commands run one after another: they all wait in the queue of this name."""


class Plain:
    """The codec of one connection."""

    __slots__ = ("_decoders", "_ends", "_process", "_runner", "finished")
    acknowledges = False

    def __init__(self, runner: str = "") -> None:
        """:param runner: runs one process for the whole connection; empty: each message is a command line."""
        self.finished = False
        self._runner = runner
        self._ends = True  # with the next failure: there is no session yet, or not the process that was asked for
        self._process = 0  # what runs now; 0: nothing
        self._decoders: dict[int, codecs.IncrementalDecoder] = {}  # one for each stream of it

    def opening(self) -> Sequence[m.Request]:
        """A session that ends with the connection, and the process that was asked for."""
        opened = m.Open(name="plain", linger=0.0)
        return (opened, m.Start(self._runner)) if self._runner else (opened,)

    def decode(self, frame: Frame) -> Sequence[m.Request]:
        """A command line, or input for what runs."""
        if isinstance(frame, bytes):
            return (self._input(frame),)
        line = frame.rstrip("\r\n")
        if self._runner:
            return (self._input(line.encode("utf-8", "replace") + b"\n"),)
        return (m.Start("sh", line=line, queue=QUEUE),) if line.strip() else ()

    def encode(self, event: m.Event) -> Sequence[Frame]:
        """Output, the end if there is something to say about it, and errors."""
        match event:
            case m.Attached():
                self._ends = bool(self._runner)
            case m.Started(process=process):
                self._ends = False
                self._process = process.process
                self._decoders = {stream: codecs.getincrementaldecoder("utf-8")("replace") for stream in (1, 2)}
            case m.Output(stream=stream, data=data):
                return _said(self._decoders[stream].decode(data))
            case m.Exited(exit_code=exit_code, signal=signal):
                rest = "".join(decoder.decode(b"", True) for decoder in self._decoders.values())
                self._process = 0
                self.finished = bool(self._runner)
                if signal is not None:
                    return *_said(rest), f"[signal {signal}]"
                if exit_code or self._runner:
                    return *_said(rest), f"[exit {exit_code}]"
                return _said(rest)
            case m.Failed(message=message):
                self.finished = self.finished or self._ends
                return (f"error: {message}",)
            case m.Closed(reason=reason):
                self.finished = True
                return (f"error: {reason}",)
        return ()

    def _input(self, data: bytes) -> m.Request:
        if not self._process:
            return m.Malformed(WrongState("nothing is running that could read this"))
        return m.Input(self._process, m.Kind.TYPED, data)


def _said(text: str) -> Sequence[str]:
    return (text,) if text else ()
