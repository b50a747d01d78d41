"""The client's bounds fit into the server's, each of which is written down at its own end only."""

from __future__ import annotations

from webshell import feed
from webshell.execnet import conversation, helper, posts, sender, spec, stream, worker
from webshell.executions import GRACE_SECONDS
from webshell.web import limits
from webshell.web.exec import input, output, state, talk

PROXIES_CUT = 60.0
"""Seconds of silence: nginx, and the load balancers of most clouds."""


def test_what_is_under_way_is_kept() -> None:
    assert sender.PIECE_BYTES <= input.INPUT_BYTES
    assert sender.WINDOW_BYTES <= talk.INPUT_BYTES
    assert sender.WINDOW_BYTES <= feed.WAITING_BYTES
    assert posts.REQUESTS <= feed.OFFERS
    assert sender.PIECE_BYTES < 1 << 20  # what nginx takes


def test_silence_ends_before_it_is_cut() -> None:
    assert conversation.PING_SECONDS < 30
    assert stream.IDLE_SECONDS < PROXIES_CUT
    assert min(PROXIES_CUT, limits.IDLE_SECONDS) > sender.REST_SECONDS
    assert posts.ANSWER_SECONDS < PROXIES_CUT
    assert min(PROXIES_CUT, state.WAIT_SECONDS) > worker.WAIT_SECONDS


def test_times_that_mean_the_same() -> None:
    assert spec.LONGEST_POLL == output.POLL_SECONDS
    assert spec.PATIENCE_SECONDS == GRACE_SECONDS
    assert helper.GRACE_SECONDS < GRACE_SECONDS
