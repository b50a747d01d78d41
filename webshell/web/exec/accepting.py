"""In which form a client wants what a process writes: the Accept header (RFC 9110, 12.5.1)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum

from twisted.web.server import Request

HEADER_BYTES = 1024
"""That are looked at: no client has more to say."""


class Form(StrEnum):
    """What there is, in the order in which it is preferred where the client does not care."""

    BYTES = "application/octet-stream"
    TEXT = "text/plain"
    ROWS = "application/x-ndjson"
    PAGE = "text/html"


_WEIGHT = re.compile(r"q=([01](?:\.\d{0,3})?)")


def named(form: Form) -> bytes:
    """What the header Content-Type says."""
    return form.encode() + (b"; charset=utf-8" if form is Form.TEXT else b"")


def wanted(request: Request) -> Form:
    """The form that the client likes best; bytes, if it likes none of ours or does not say."""
    header = b",".join(request.requestHeaders.getRawHeaders(b"accept", []))[:HEADER_BYTES].decode("latin-1").lower()
    ranges = [_range(item.split(";")) for item in header.split(",") if item.strip()]
    return max(Form, key=lambda form: _weight(form, ranges)) if ranges else Form.BYTES


def _range(parts: Sequence[str]) -> tuple[str, float]:
    """A media range, and its weight."""
    weights = [float(found[1]) for part in parts[1:] if (found := _WEIGHT.fullmatch(part.strip()))]
    return parts[0].strip(), weights[0] if weights else 1.0


def _weight(form: Form, ranges: Sequence[tuple[str, float]]) -> float:
    """Of the ranges that match, the most special one counts."""
    for matching in (form.value, form.value.partition("/")[0] + "/*", "*/*"):
        weights = [weight for name, weight in ranges if name == matching]
        if weights:
            return weights[0]
    return 0.0
