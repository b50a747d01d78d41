"""A Chromium without a window, through its debugging pipe: no more is asked of it than what is needed.

Tools that follow every request and frame of a WebSocket, as Playwright does, take processor time from the page that is
measured.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
from typing import Any

ARGUMENTS = "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking"
KEYS = {
    "Enter": {"code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"},
    "Control+c": {"key": "c", "code": "KeyC", "windowsVirtualKeyCode": 67, "modifiers": 2},
    "Control+u": {"key": "u", "code": "KeyU", "windowsVirtualKeyCode": 85, "modifiers": 2},
    "x": {"code": "KeyX", "windowsVirtualKeyCode": 88, "text": "x"},
}
"""As its protocol describes those that are pressed."""


class Chromium:
    """The browser: JSON messages that end with a zero byte."""

    def __init__(self, home: str) -> None:
        to_browser, self._out = os.pipe()
        self._in, from_browser = os.pipe()
        command = ["chromium", *ARGUMENTS.split(), "--remote-debugging-pipe", f"--user-data-dir={home}", "about:blank"]
        self._process = subprocess.Popen(
            # it wants them as 3 and 4
            ["sh", "-c", f'exec "$@" 3<&{to_browser} 4>&{from_browser}', "sh", *command],
            pass_fds=[to_browser, from_browser],
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        self._received = b""
        self._number = 0

    def ask(self, method: str, session: str = "", **parameters: Any) -> dict[str, Any]:
        """The answer to a command of the DevTools protocol; events on the way are passed over."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        os.write(self._out, json.dumps(message | ({"sessionId": session} if session else {})).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise SystemExit(f"{method}: {answer['error']}")
                return dict(answer["result"])

    def event(self, name: str) -> dict[str, Any]:
        """The next event *name*; others on the way are passed over."""
        while True:
            message = self._next()
            if message.get("method") == name:
                return dict(message["params"])

    def profile(self) -> str:
        """A new profile, with nothing in it."""
        return str(self.ask("Target.createBrowserContext")["browserContextId"])

    def forget(self, profile: str) -> None:
        """End *profile* and all its tabs."""
        self.ask("Target.disposeBrowserContext", browserContextId=profile)

    def close(self) -> None:
        """End it."""
        self.ask("Browser.close")
        self._process.wait()
        os.close(self._in)
        os.close(self._out)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._received:
            data = os.read(self._in, 1 << 16)
            if not data:
                raise SystemExit("Chromium has ended")
            self._received += data
        text, _, self._received = self._received.partition(b"\0")
        return dict(json.loads(text))


class Tab:
    """A tab of a profile.

    :param script: runs in each page before its own scripts.
    """

    def __init__(self, browser: Chromium, profile: str, script: str) -> None:
        self._browser = browser
        self._target = browser.ask(
            "Target.createTarget", url="about:blank", browserContextId=profile, width=1280, height=800, newWindow=True
        )["targetId"]
        self._session = str(browser.ask("Target.attachToTarget", targetId=self._target, flatten=True)["sessionId"])
        self.ask("Page.enable")
        self.ask("Page.addScriptToEvaluateOnNewDocument", source=script)

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The answer to a command of the DevTools protocol."""
        return self._browser.ask(method, self._session, **parameters)

    def go(self, address: str) -> None:
        """Follow a link."""
        self.ask("Page.navigate", url=address)

    def go_with(self, address: str, pattern: str, addition: str) -> None:
        """Follow a link; the first script whose address fits *pattern* is longer by *addition*."""
        self.ask("Fetch.enable", patterns=[{"urlPattern": pattern, "requestStage": "Response"}])
        self.go(address)
        paused = self._browser.event("Fetch.requestPaused")
        request = paused["requestId"]
        script = base64.b64decode(self.ask("Fetch.getResponseBody", requestId=request)["body"])
        self.ask(
            "Fetch.fulfillRequest",
            requestId=request,
            responseCode=200,
            responseHeaders=[{"name": "Content-Type", "value": "text/javascript"}],
            body=base64.b64encode(script + addition.encode()).decode(),
        )
        self.ask("Fetch.disable")

    def value(self, expression: str) -> Any:
        """What *expression* is, or comes to."""
        told = self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in told:
            raise SystemExit(f"{expression}: {told['exceptionDetails']}")
        return told["result"].get("value")

    def type(self, text: str) -> None:
        """Put *text* into what has the focus."""
        self.ask("Input.insertText", text=text)

    def press(self, key: str) -> None:
        """Press one of the ``KEYS``."""
        described: dict[str, Any] = {"key": key, **KEYS[key]}
        self.ask("Input.dispatchKeyEvent", type="keyDown" if "text" in described else "rawKeyDown", **described)
        described.pop("text", None)
        self.ask("Input.dispatchKeyEvent", type="keyUp", **described)

    def close(self) -> None:
        """End it."""
        self._browser.ask("Target.closeTarget", targetId=self._target)
