"""``webshell ls``: the sessions that are there, and what runs in them."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Iterator
from typing import Any

from webshell.cli.client import Message
from webshell.cli.quiet import quiet_link
from webshell.cli.streams import shown_all
from webshell.cli.transport import Door

LINE_CHARACTERS = 60
"""Of a name or a command line; a table should stay one."""


async def command(reactor: Any, options: Namespace, door: Door) -> int:
    """Print them."""
    link = quiet_link(reactor, door)
    await link.connect()
    try:
        sessions = (await link.ask("list"))["sessions"]
    finally:
        await link.leave()
    if options.json:
        return shown_all(json.dumps(sessions, ensure_ascii=False) + "\n")
    return shown_all("".join(f"{line}\n" for line in lines(sessions)))


def lines(sessions: list[Message]) -> Iterator[str]:
    """For people: a line for each session, and one for each of its processes below it."""
    for session in sessions:
        yield f"{session['session']}  {shown(session['name'])}  {session['owner']}, {session['clients']} attached"
        for record in session["processes"]:
            yield f"  {record['process']:>4}  {state(record):<10}  {shown(record['name'])}"


def state(record: Message) -> str:
    """What there is to say about a process."""
    if record["state"] == "running":
        return "running"
    return f"signal {record['signal']}" if record["signal"] else f"exit {record['exit_code']}"


def shown(text: str) -> str:
    """What others named, on one line and without what a terminal would obey."""
    plain = "".join(character if character.isprintable() else "�" for character in text)
    return plain if len(plain) <= LINE_CHARACTERS else f"{plain[: LINE_CHARACTERS - 1]}…"
