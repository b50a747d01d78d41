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
