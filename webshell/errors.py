"""What can go wrong on purpose: every error here may be shown to the user as it stands."""

from __future__ import annotations

from typing import ClassVar


class WebshellError(Exception):
    """Something that was asked for cannot be done; ``str(error)`` says why and what to do."""

    code: ClassVar[str] = "bad-request"
    """The error's name on the wire (docs/protocol.rst, Errors)."""


class BadRequest(WebshellError):
    """What arrived is no request: not JSON, a member missing or of the wrong kind."""


class UnknownType(WebshellError):
    """A request type that this server does not know."""

    code = "unknown-type"


class NotAllowed(WebshellError):
    """The grant lacks the right, or the session is somebody else's."""

    code = "not-allowed"


class NoSuchSession(WebshellError):
    """No session of this id, or none attached."""

    code = "no-session"


class NoSuchProcess(WebshellError):
    """No process of this number in the session."""

    code = "no-process"


class WrongState(WebshellError):
    """The process has exited already, or is still running."""

    code = "wrong-state"


class SpawnFailed(WebshellError):
    """The program could not be started."""

    code = "spawn-failed"


class UploadFailed(WebshellError):
    """An upload could not be put where it belongs; nothing has changed."""

    code = "upload-failed"


class LimitReached(WebshellError):
    """A configured limit is reached; the message names it."""

    code = "limit"


class InputFull(WebshellError):
    """More input is under way than the process has taken and the limit allows."""

    code = "input-full"


class OutOfOrder(WebshellError):
    """Input that begins behind what was accepted."""

    code = "out-of-order"


class OutOfRange(WebshellError):
    """Output that is not kept any more, or that does not exist yet.

    :ivar base: the first byte that there is.
    :ivar end: the one after the last.
    """

    code = "out-of-range"

    def __init__(self, base: int, end: int) -> None:
        super().__init__(f"output is here from {base} to {end}: nothing before and nothing after that can be read")
        self.base = base
        self.end = end


class Occupied(WebshellError):
    """Somebody else reads this already."""

    code = "occupied"


class Gone(WebshellError):
    """What was asked for existed, and has been cleaned up.

    :ivar exit: how the process ended, as Python says it: a negative signal number or an exit code; None: not known.
    """

    code = "gone"

    def __init__(self, text: str, exit: int | None) -> None:
        super().__init__(text)
        self.exit = exit
