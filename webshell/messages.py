"""Whatever can be asked (a Request) or told (an Event), as frozen values: the vocabulary between dialects and sessions.

The wire forms are the dialects' business; docs/protocol.rst describes the native one member by member.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

from webshell.command import Size
from webshell.errors import WebshellError
from webshell.records import ClientRecord, ProcessRecord, SessionRecord
from webshell.uploads import Parcel

RequestId = str | int | None
"""What a client wants its answer marked with; None: it wants none, except an error."""


class Kind(IntEnum):
    """Where input comes from; the number is its mark on the wire."""

    TYPED = 1
    PASTED = 2
    ANSWER = 3
    """What a terminal emulator replies by itself; taken from one elected client only."""


# ---- requests: what a client asks


@dataclass(frozen=True, slots=True)
class Malformed:
    """What arrived is no request; *error* says why."""

    error: WebshellError
    id: RequestId = None


@dataclass(frozen=True, slots=True)
class ListSessions:
    """Which sessions may I see?"""

    id: RequestId = None


@dataclass(frozen=True, slots=True)
class Open:
    """Make a session and attach to it. *linger*: seconds that it outlives its last client; None: the configured.

    *grace*: seconds between TERM and KILL when it ends; None: the configured.
    """

    name: str = ""
    linger: float | None = None
    client: str = ""
    id: RequestId = None
    grace: float | None = None


@dataclass(frozen=True, slots=True)
class Attach:
    """Attach to a session. *offsets*: the first byte wanted of each process."""

    session: str
    offsets: dict[int, int] = field(default_factory=dict)
    client: str = ""
    id: RequestId = None


@dataclass(frozen=True, slots=True)
class Detach:
    """Leave the session; it goes on."""

    id: RequestId = None


@dataclass(frozen=True, slots=True)
class Start:
    """Start a process. *pty* None: as the runner is meant; *keep*: ``tail`` or ``all``; *queue*: wait for its turn.

    *code*: the text of a script, *path*: the script or where it shall be, for runners that run scripts; *user*: the
    system user to run as, None: the daemon's own; *channels*: the names of its side channels.
    """

    runner: str
    line: str = ""
    argv: tuple[str, ...] = ()
    cwd: str = ""
    env: dict[str, str] = field(default_factory=dict)
    pty: bool | None = None
    size: Size = field(default_factory=Size)
    keep: str = "tail"
    name: str = ""
    queue: str = ""
    id: RequestId = None
    code: str | None = None
    path: str = ""
    user: str | None = None
    channels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Input:
    """Bytes for a process's input."""

    process: int
    kind: Kind
    data: bytes
    id: RequestId = None


@dataclass(frozen=True, slots=True)
class EndInput:
    """Close a process's input after what was sent."""

    process: int
    id: RequestId = None


@dataclass(frozen=True, slots=True)
class Resize:
    """Set a terminal's size."""

    process: int
    size: Size
    id: RequestId = None


@dataclass(frozen=True, slots=True)
class Signal:
    """Send the signal ``SIG`` + *signal*."""

    process: int
    signal: str
    id: RequestId = None


@dataclass(frozen=True, slots=True)
class Stop:
    """End a process and everything that it started; KILL after *grace* seconds (None: the configured).

    *hangup*: HUP goes with TERM, as when a terminal is closed: interactive shells ignore TERM alone.
    """

    process: int
    grace: float | None = None
    id: RequestId = None
    hangup: bool = True


@dataclass(frozen=True, slots=True)
class Ack:
    """Everything below *offset* has been consumed."""

    process: int
    offset: int
    id: RequestId = None


@dataclass(frozen=True, slots=True)
class Tell:
    """Say *message* to a process on a side channel."""

    process: int
    channel: str
    message: bytes
    id: RequestId = None


@dataclass(frozen=True, slots=True)
class Seen:
    """This client has done with *count* messages of a side channel since it attached."""

    process: int
    channel: str
    count: int
    id: RequestId = None


@dataclass(frozen=True, slots=True)
class Rename:
    """Name a process, or the session if *process* is None."""

    name: str
    process: int | None = None
    id: RequestId = None


@dataclass(frozen=True, slots=True)
class Remove:
    """Forget an exited process and its output."""

    process: int
    id: RequestId = None


@dataclass(frozen=True, slots=True)
class Close:
    """End the session and all its processes."""

    id: RequestId = None


@dataclass(frozen=True, slots=True)
class Upload:
    """Make the folder of files that *parcel* describes, for programs of *user*, None: the daemon's own."""

    parcel: Parcel
    user: str | None = None
    id: RequestId = None


@dataclass(frozen=True, slots=True)
class Ping:
    """Is anybody there?"""

    id: RequestId = None


Request = (
    Malformed | ListSessions | Open | Attach | Detach | Start | Input | EndInput
    | Resize | Signal | Stop | Ack | Tell | Seen | Rename | Remove | Close | Upload | Ping
)  # fmt: skip


# ---- events: what a session says


@dataclass(frozen=True, slots=True)
class Hello:
    """The first event: who we are, who you are, what you may do and how much."""

    protocol: str
    server: str
    instance: str
    identity: str
    rights: tuple[str, ...]
    limits: dict[str, float]
    runners: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SessionList:
    """The sessions that this client may see."""

    sessions: tuple[SessionRecord, ...]
    id: RequestId = None


@dataclass(frozen=True, slots=True)
class Attached:
    """This client is attached now."""

    session: str
    name: str
    owner: str
    linger: float
    processes: tuple[ProcessRecord, ...]
    id: RequestId = None


@dataclass(frozen=True, slots=True)
class Started:
    """A process was started."""

    process: ProcessRecord
    id: RequestId = None


@dataclass(frozen=True, slots=True)
class Output:
    """Output of a process, the next bytes in order."""

    process: int
    stream: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Said:
    """A process said *message* on a side channel."""

    process: int
    channel: str
    message: bytes


@dataclass(frozen=True, slots=True)
class Gap:
    """*lost* bytes are not kept; the next has *offset*; *restore* brings a reset terminal into the modes there."""

    process: int
    lost: int
    offset: int
    restore: str


@dataclass(frozen=True, slots=True)
class Exited:
    """A process ended, and all its output has been delivered; *duration* in seconds."""

    process: int
    exit_code: int | None
    signal: str | None
    survivors: tuple[int, ...]
    duration: float


@dataclass(frozen=True, slots=True)
class Taken:
    """So many input bytes of this client have reached the process."""

    process: int
    count: int


@dataclass(frozen=True, slots=True)
class Resized:
    """Somebody else changed a terminal's size."""

    process: int
    rows: int
    cols: int


@dataclass(frozen=True, slots=True)
class Renamed:
    """A process has a new name, or the session if *process* is None."""

    process: int | None
    name: str


@dataclass(frozen=True, slots=True)
class Removed:
    """An exited process is forgotten."""

    process: int


@dataclass(frozen=True, slots=True)
class Presence:
    """Who is attached."""

    clients: tuple[ClientRecord, ...]


@dataclass(frozen=True, slots=True)
class Closed:
    """The session has ended; this client is detached."""

    reason: str


@dataclass(frozen=True, slots=True)
class Done:
    """The request succeeded."""

    id: RequestId = None


@dataclass(frozen=True, slots=True)
class Uploaded:
    """The upload is where it belongs."""

    id: RequestId = None


@dataclass(frozen=True, slots=True)
class Pong:
    """Somebody is there; *taken*: this client's input bytes that have reached each process."""

    taken: dict[int, int]
    id: RequestId = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The request failed; *message* is for people."""

    code: str
    message: str
    id: RequestId = None


Event = (
    Hello | SessionList | Attached | Started | Output | Said | Gap | Exited | Taken | Resized
    | Renamed | Removed | Presence | Closed | Done | Uploaded | Pong | Failed
)  # fmt: skip
