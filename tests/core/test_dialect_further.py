"""further-link's two dialects: envelopes, error texts, names of processes, output decoded as it comes."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from typing import Any

import pytest
from doubles import FakeClient, World
from hypothesis import example, given
from hypothesis import strategies as st

from webshell import messages as m
from webshell.command import Size
from webshell.dialects import Dialect
from webshell.dialects.envelope import CHANNELS, OUTPUT_CHARACTERS, STOP_SECONDS, signal_number
from webshell.dialects.further import Further
from webshell.dialects.further_py import FurtherPython
from webshell.errors import BadRequest, UploadFailed, WebshellError
from webshell.grant import Grant, Right
from webshell.recipes import RECIPES
from webshell.uploads import Parcel, TextFile

VIEWER = Grant("ada", frozenset({Right.VIEW}))


class Talk:
    """A world and a client in it; what it hears is taken as dicts."""

    def __init__(self, dialect: Dialect, grant: Grant | None = None, **limits: Any) -> None:
        self.world = World(**limits)
        self.world.sessions.runners = {f"run:{name}": recipe for name, recipe in RECIPES.items()}
        self.client = FakeClient(self.world.log, self.world.sessions, "ada", grant or Grant("ada"), dialect)
        self.client.connection.opened()

    def say(self, kind: str, process: str | None = "1", **data: Any) -> list[Any]:
        """Send a message; returns what is heard then."""
        self.client.connection.receive(json.dumps({"type": kind, "process": process, "data": data}))
        return self.heard()

    def heard(self) -> list[Any]:
        """Type, data and process of each message since."""
        frames = [json.loads(frame) for frame in self.world.heard("ada") if frame != "end"]
        return [(frame["type"], frame["data"], frame["process"]) for frame in frames]

    def start(self, process: str = "1", **data: Any) -> m.Start:
        assert self.say("start", process, **{"runner": "python3", "code": "", **data}) == [("started", None, process)]
        return m.Start("")


BAD = ("error", {"message": "Bad message"}, None)
EXCEPTION = ("error", {"message": "Message Exception"}, None)


def test_it_opens_a_session_that_ends_with_the_connection() -> None:
    for dialect in (Further(), FurtherPython()):
        assert dialect.opening() == (m.Open(name="further-link", linger=0.0, grace=STOP_SECONDS),)


def test_who_leaves_gives_the_processes_little_time() -> None:
    talk = Talk(Further())
    talk.start()
    talk.client.connection.closed()
    assert talk.world.take() == [(1, "stop", STOP_SECONDS)]


def test_a_start_says_what_the_connection_wants() -> None:
    dialect = Further(pty=True, user="pi", client="c")
    message = {"type": "start", "process": "x", "data": {"runner": "shell", "code": 5, "path": "p"}}
    assert dialect.decode(json.dumps(message)) == (
        m.Start(
            "run:shell",
            path="p",
            pty=True,
            size=Size(4, 60),
            keep="all",
            name="x",
            id="x",
            user="pi",
            channels=CHANNELS,
        ),
    )


def test_the_user_must_be_granted() -> None:
    talk = Talk(Further(user="pi"))
    error = ("error", {"message": "Message Exception", "detail": "you may not run programs as the user 'pi'"}, "1")
    assert talk.say("start", runner="python3") == [error]
    talk = Talk(Further(user="pi"), Grant("ada", users=frozenset({"pi"})))
    talk.start()
    assert talk.world.children[0].command.user == "pi"


def test_frames_carry_the_client_and_the_process() -> None:
    dialect = Further(client='"c"')
    assert dialect.encode(m.Pong({})) == ('{"type": "pong", "data": null, "client": "\\"c\\"", "process": null}',)


def test_output_is_decoded_as_it_comes_and_ends_with_the_rest() -> None:
    talk = Talk(Further())
    talk.start("ü")
    parent = talk.world.children[0].parent
    for stream, data in ((1, "€".encode()[:2]), (2, b"\xff\xe2"), (1, "€".encode()[2:] + b"!")):
        parent.wrote(stream, data)
    parent.exited(3, None, ())
    # pipes are gathered by the target, not here
    assert talk.heard() == [
        ("stderr", {"output": "\ufffd"}, "ü"),
        ("stdout", {"output": "€!"}, "ü"),
        ("stderr", {"output": "\ufffd"}, "ü"),
        ("stopped", {"exitCode": 3}, "ü"),
    ]


def test_long_output_comes_in_several_messages() -> None:
    talk = Talk(Further())
    talk.start()
    talk.world.children[0].parent.wrote(1, b"x" * (OUTPUT_CHARACTERS + 1))
    assert [len(data["output"]) for _, data, _ in talk.heard()] == [OUTPUT_CHARACTERS, 1]


@pytest.mark.parametrize(("name", "number"), [("TERM", 15), ("KILL", 9), ("RTMIN+3", signal.SIGRTMIN + 3)])
def test_a_signal_is_a_negative_exit_code(name: str, number: int) -> None:
    assert signal_number(name) == number
    talk = Talk(Further())
    talk.start()
    talk.world.children[0].parent.exited(None, name, ())
    assert talk.heard() == [("stopped", {"exitCode": -number}, "1")]


def test_stop_is_by_term_alone() -> None:
    talk = Talk(Further())
    talk.start()
    talk.world.take()
    talk.client.connection.receive('{"type": "stop", "process": "1"}')
    assert talk.world.take() == [(1, "stop", STOP_SECONDS, "no hangup")]


def test_what_is_told_before_the_end_arrives_is_no_error() -> None:
    talk = Talk(Further())
    talk.start()
    talk.client.connection.pause()
    child = talk.world.children[0]
    child.parent.wrote(1, b"last words")
    child.parent.exited(0, None, ())  # the client cannot know yet
    assert talk.say("stdin", input="x") == []
    assert talk.say("stop") == []
    talk.client.connection.resume()
    assert talk.heard() == [("stdout", {"output": "last words"}, "1"), ("stopped", {"exitCode": 0}, "1")]
    assert talk.say("stdin", input="x") == [BAD]


def test_a_name_is_free_after_its_end_and_the_session_forgets() -> None:
    talk = Talk(Further())
    for number in range(3):
        talk.start()
        talk.world.children[number].parent.exited(0, None, ())
        talk.heard()
    assert talk.world.sessions.kept == 1


def test_what_the_session_forgets_by_itself_is_not_removed_again() -> None:
    talk = Talk(Further(), processes=1)
    talk.start("1")
    talk.world.children[0].parent.exited(0, None, ())
    talk.heard()
    talk.client.connection.deliver(m.Removed(1))
    talk.start("2")


def test_a_failed_start_names_the_process_and_frees_it() -> None:
    talk = Talk(Further(), running=0)
    error = {"message": "Message Exception", "detail": "0 processes are running already, the limit: stop one first"}
    for _ in range(2):
        assert talk.say("start", "7", runner="python3", code="") == [("error", error, "7")]
    assert talk.say("start", "7", runner="cobol") == [BAD]


def test_a_viewer_may_ping_and_nothing_else() -> None:
    talk = Talk(Further(), VIEWER)
    assert talk.heard() == [EXCEPTION]  # no session of its own
    assert talk.say("ping", None) == [("pong", None, None)]
    assert talk.say("start", runner="python3")[0][1]["message"] == "Message Exception"


def test_a_resize_reaches_the_terminal() -> None:
    talk = Talk(Further(pty=True))
    talk.start()
    talk.world.take()
    talk.client.connection.receive('{"type": "resize", "process": "1", "data": {"rows": 0, "cols": 65535}}')
    assert talk.world.take() == [(1, "resize", Size(1, 1000))]


@pytest.mark.parametrize("dialect", [Further(), FurtherPython()])
def test_when_the_session_is_ended_so_is_the_connection(dialect: Dialect) -> None:
    assert dialect.encode(m.Closed("")) == ()
    assert dialect.finished


@pytest.mark.parametrize("dialect", [Further(), FurtherPython()])
def test_events_that_these_clients_do_not_know_are_not_told(dialect: Dialect) -> None:
    for event in (m.Done(), m.Presence(()), m.Taken(1, 1), m.Resized(1, 1, 1), m.Removed(9), m.Renamed(None, "x")):
        assert dialect.encode(event) == ()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("[]", "Message Exception"),
        ("{", "Bad message"),
        ('{"type": "start", "process": "2", "data": {"runner": 5}}', "Bad message"),
        ('{"type": "start", "process": "", "data": {"runner": "shell"}}', "Bad message"),
        ('{"type": "start", "process": "1", "data": {"runner": "shell"}}', "Bad message"),
        ('{"type": "stdin", "process": "1", "data": {"input": 5}}', "Bad message"),
        ('{"type": "stdin", "process": "1", "data": {"input": "\\ud800"}}', "Message Exception"),
        ('{"type": "stdin", "process": "2", "data": {"input": "x"}}', "Bad message"),
        ('{"type": "resize", "process": "1", "data": {"rows": "1", "cols": 1}}', "Bad message"),
        ('{"type": "resize", "process": "1", "data": {"rows": -1, "cols": 1}}', "Message Exception"),
        ('{"type": "resize", "process": "1", "data": {"rows": 1, "cols": 65536}}', "Message Exception"),
    ],
)
def test_each_mistake_has_its_text(text: str, shown: str) -> None:
    talk = Talk(Further(pty=True))
    talk.start()
    talk.client.connection.receive(text)
    assert talk.heard() == [("error", {"message": shown}, None)]


def test_without_a_terminal_there_is_no_size() -> None:
    talk = Talk(Further())
    talk.start()
    assert talk.say("resize", rows=1, cols=1) == [BAD]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
MEMBERS = st.dictionaries(
    st.sampled_from(["runner", "code", "path", "input", "rows", "cols", "sourceScript", "sourcePath", "directoryName"]),
    JSON,
)


KINDS = st.sampled_from(["start", "stdin", "resize", "stop"])


@given(st.fixed_dictionaries({"type": KINDS | JSON, "process": JSON, "data": MEMBERS | JSON}))
@example({"type": "resize", "process": "1", "data": {"rows": float("inf"), "cols": 10**400}})
def test_whatever_json_arrives_it_is_a_request_or_an_error(message: dict[str, Any]) -> None:
    for dialect in (Further(pty=True), FurtherPython()):
        for request in dialect.decode(json.dumps(message)):
            assert isinstance(request, m.Request)


@given(st.text() | st.binary())
@example("[" * 100_000)
@example("1" * 5000)
def test_whatever_arrives_it_is_a_request_or_an_error(frame: str | bytes) -> None:
    for dialect in (Further(), FurtherPython()):
        assert all(isinstance(request, m.Malformed) for request in dialect.decode(frame))


# ---- /run-py


OLD_BAD = ("error", {"message": "Bad message"}, "")


def test_run_py_runs_one_python_after_another_without_a_name() -> None:
    talk = Talk(FurtherPython(pty=True))
    for number in range(2):
        assert talk.say("start", None, sourceScript="") == [("started", None, "")]
        assert talk.say("start", "2", sourceScript="") == [OLD_BAD]
        talk.world.children[number].parent.wrote(1, b"hi")
        assert talk.heard() == [("stdout", {"output": "hi"}, "")]
        assert talk.say("stdin", "other", input="x") == []
        talk.world.children[number].parent.exited(0, None, ())
        assert talk.heard() == [("stopped", {"exitCode": 0}, "")]
    assert talk.world.sessions.kept == 1
    assert talk.say("ping") == [("pong", None, "")]


def test_run_py_needs_a_script_or_a_path() -> None:
    start = m.Start("run:python3", pty=False, size=Size(4, 60), keep="all", id="python", channels=CHANNELS)
    for data, expected in (
        ({"sourceScript": "", "directoryName": "d", "sourcePath": "x"}, {"code": "", "path": "d"}),
        ({"sourceScript": "x", "directoryName": 5}, {"code": "x"}),
        ({"sourcePath": "a/b.py", "directoryName": "d"}, {"path": "a/b.py"}),
    ):
        (request,) = FurtherPython().decode(json.dumps({"type": "start", "data": data}))
        assert isinstance(request, m.Start)
        assert request == m.Start(**{**{name: getattr(start, name) for name in start.__slots__}, **expected})
    for wrong in ({}, {"sourcePath": ""}, {"sourceScript": 5}, {"directoryName": "d"}):
        (malformed,) = FurtherPython().decode(json.dumps({"type": "start", "data": wrong}))
        assert isinstance(malformed, m.Malformed)
        assert isinstance(malformed.error, BadRequest)


class Takes:
    """Takes uploads, and says later what became of them."""

    def __init__(self) -> None:
        self.taken: list[tuple[Parcel, str]] = []
        self.placed: list[Callable[[WebshellError | None], None]] = []

    def place(self, parcel: Parcel, user: str, placed: Callable[[WebshellError | None], None]) -> None:
        self.taken.append((parcel, user))
        self.placed.append(placed)


def test_run_py_takes_uploads() -> None:
    directory = {"name": "d", "files": {"a": {"type": "text", "content": {"text": "x"}}}}
    talk = Talk(FurtherPython(), Grant("ada", users=frozenset({"pi"})))
    assert talk.say("upload", directory=directory) == [("error", {"message": "Bad upload"}, "")]
    takes = talk.world.sessions.uploads = Takes()
    assert talk.say("upload", directory=directory) == []
    assert talk.say("upload", directory=directory, user="pi") == []
    assert talk.say("upload", directory=directory, user="root") == [("error", {"message": "Message Exception"}, "")]
    assert talk.say("upload", directory={}) == [OLD_BAD]
    assert takes.taken == [(Parcel("d", (TextFile("a", "x"),)), user) for user in ("", "pi")]
    takes.placed[0](None)
    takes.placed[1](UploadFailed("full"))
    assert talk.heard() == [("uploaded", None, ""), ("error", {"message": "Bad upload"}, "")]
    talk.client.connection.closed()
    takes.placed[0](None)
    assert talk.heard() == []


def test_run_py_says_why_a_start_failed_and_nothing_when_it_is_too_late() -> None:
    talk = Talk(FurtherPython(), running=0)
    (error,) = talk.say("start", sourceScript="")
    assert error[1]["message"] == "Message Exception"
    assert "the limit" in error[1]["detail"]
    talk = Talk(FurtherPython())
    for kind in ("stop", "stdin", "resize", "keyevent", "nonsense"):
        assert talk.say(kind, input="x") == [OLD_BAD]
    talk.say("start", sourceScript="")
    talk.client.connection.pause()
    talk.world.children[0].parent.wrote(1, b"x")
    talk.world.children[0].parent.exited(None, "TERM", ())
    assert talk.say("stop") == []
    assert talk.say("stdin", input="x") == []
