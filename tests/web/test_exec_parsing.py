"""What a start and an Accept header may look like: whatever arrives is understood or refused, and breaks nothing."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from twisted.web.http_headers import Headers

from webshell.errors import BadRequest, WebshellError
from webshell.executions import GRACE_SECONDS
from webshell.web.answers import Malformed
from webshell.web.exec.accepting import HEADER_BYTES, Form, wanted
from webshell.web.exec.answers import NUMBER_DIGITS, number, seconds
from webshell.web.exec.output import POLL_SECONDS
from webshell.web.exec.starting import MOST_GRACE, PYTHON, WORKER, asked

NAMES = [
    "argv",
    "line",
    "runner",
    "python",
    "grace",
    "target",
    "pty",
    "rows",
    "cols",
    "env",
    "cwd",
    "name",
    "keep",
    "queue",
]
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["cat", "all", "'"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


class Asked:
    """A request of which only a header or a parameter is looked at."""

    def __init__(self, accept: bytes = b"", **parameters: bytes) -> None:
        self.requestHeaders = Headers({b"accept": [accept]})
        self.args = {name.encode(): [value] for name, value in parameters.items()}


@given(st.binary(max_size=64))
@example(b"[" * 100_000)
@example(b'{"grace": 1e999}')
@example(b'{"grace": NaN}')
@example(b'{"rows": 1e999, "cols": 1}')
def test_any_body(body: bytes) -> None:
    with contextlib.suppress(WebshellError):
        asked(body)


@given(st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=5))
def test_any_members(members: dict[str, Any]) -> None:
    with contextlib.suppress(WebshellError):
        start, grace = asked(json.dumps(members).encode())
        assert 0 <= grace <= MOST_GRACE
        assert start.queue == ""


@pytest.mark.parametrize("body", [b"", b" \n", b"{}", b'{"argv": []}', b'{"line": "", "unknown": [1]}'])
def test_nothing_is_execnets_worker(body: bytes) -> None:
    start, grace = asked(body)
    assert (start.runner, start.argv, start.keep, grace) == ("exec", (PYTHON, *WORKER), "all", GRACE_SECONDS)


def test_members_that_exclude_one_another() -> None:
    assert asked(b'{"line": "ls", "python": "x"}')[0].runner == "sh"
    assert asked(b'{"argv": ["ls"], "python": "x"}')[0].argv == ("ls",)
    assert asked(b'{"keep": "tail", "queue": "q", "argv": ["ls"], "target": "local"}')[0].keep == "tail"
    with pytest.raises(BadRequest, match="moon"):
        asked(b'{"target": "moon"}')


@given(st.binary(max_size=64))
@example(b"text/html;q=2")
@example(b"*/*;q=0")
def test_any_accept(header: bytes) -> None:
    assert wanted(Asked(header.replace(b"\r", b"").replace(b"\n", b""))) in Form  # type: ignore[arg-type]


def test_so_much_of_what_is_accepted_is_looked_at() -> None:
    page = b"text/html"
    assert wanted(Asked(b"," * (HEADER_BYTES - len(page)) + page)) is Form.PAGE  # type: ignore[arg-type]
    assert wanted(Asked(b"," * HEADER_BYTES + page)) is Form.BYTES  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "found"), [(b"", None), (b"0", 0.0), (b"1.5", 1.5), (b"60", 60.0), (b"61", 60.0), (b"inf", 60.0)]
)
def test_seconds_are_bounded(text: bytes, found: float | None) -> None:
    assert seconds(Asked(poll=text), "poll", POLL_SECONDS) == found  # type: ignore[arg-type]


@pytest.mark.parametrize("text", [b"9" * (NUMBER_DIGITS + 1), b"-1", b"1.0", "²".encode(), b"x"])
def test_numbers_are_bounded(text: bytes) -> None:
    assert number(Asked(off=b"9" * NUMBER_DIGITS), "off") == int("9" * NUMBER_DIGITS)  # type: ignore[arg-type]
    with pytest.raises(Malformed):
        number(Asked(off=text), "off")  # type: ignore[arg-type]
