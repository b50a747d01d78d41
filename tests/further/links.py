"""A client of further-link, and the settings of a daemon that serves it."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from wire import PATIENCE, Server, WireClient

Frame = dict[str, Any]

PAGE = "https://further.example"
"""The origin of a page that may use the servers which name it."""


class Link(WireClient):
    """A client on ``/run`` or ``/run-py``; every frame must be a JSON object."""

    def __init__(self, server: Server, query: str = "", path: str = "run", **keywords: Any) -> None:
        super().__init__(
            server.url, server.token, subprotocols=(), path=path + (f"?{query}" if query else ""), **keywords
        )

    def __enter__(self) -> Link:
        return self

    def say(self, kind: str, process: str | None = "1", **data: Any) -> None:
        """Send a message."""
        self.send(message(kind, process, **data))

    def start(self, process: str = "1", runner: str = "python3", **data: Any) -> None:
        """Start a process and see it started."""
        self.say("start", process, runner=runner, **data)
        assert self.heard()["type"] == "started"

    def heard(self) -> Frame:
        """The next frame."""
        frame = self.receive()
        assert isinstance(frame, dict), frame
        return frame

    def told(self) -> tuple[str, Any]:
        """Type and data of the next frame."""
        frame = self.heard()
        return frame["type"], frame["data"]

    def until_stopped(self, process: str = "1") -> tuple[str, str, int]:
        """What *process* writes to stdout and stderr until it has ended, and its exit code."""
        said = {"stdout": "", "stderr": ""}
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            frame = self.heard()
            assert frame["type"] != "error", frame
            if frame["process"] not in (process, ""):
                continue
            if frame["type"] == "stopped":
                return said["stdout"], said["stderr"], frame["data"]["exitCode"]
            said[frame["type"]] += frame["data"]["output"]
        raise AssertionError(said)

    def until_said(self, text: str) -> str:
        """Output, until it contains *text*."""
        output = ""
        while text not in output:
            kind, data = self.told()
            assert kind in ("stdout", "stderr"), (kind, data, output)
            output += data["output"]
        return output

    def quiet(self) -> None:
        """Nothing has been said since: a ping is answered next."""
        self.say("ping", None)
        assert self.told() == ("pong", None)


def message(kind: str, process: str | None = "1", **data: Any) -> Frame:
    """A message as a client sends it."""
    return {"type": kind, "process": process, "data": data}


def error(text: str) -> tuple[str, Frame]:
    """An error as a client hears it."""
    return "error", {"message": text}


BAD = error("Bad message")
EXCEPTION = error("Message Exception")


def configured(home: Path, text: str = "") -> str:
    """A file of settings whose folders are in *home*."""
    file = home / "webshell.toml"
    (home / "temp").mkdir(exist_ok=True)
    folders = {"work": str(home / "work"), "temp": str(home / "temp")}
    lines = [f"{name} = {json.dumps(value)}" for name, value in folders.items()]
    file.write_text("further_link = true\n" + "\n".join(["[further]", *lines, text]) + "\n")
    return str(file)
