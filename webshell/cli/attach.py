"""``webshell attach``: a terminal there, in the terminal here."""

from __future__ import annotations

import contextlib
import os
import sys
from argparse import Namespace
from typing import Any

from webshell.cli import terminal
from webshell.cli.client import Message
from webshell.cli.conversation import Conversation
from webshell.cli.streams import write_all
from webshell.cli.transport import Door
from webshell.cli.trouble import Asked, Failed

PATIENCE_SECONDS = 24 * 3600.0
"""A terminal waits for a network as long as the server keeps a session by default."""


async def command(reactor: Any, options: Namespace, door: Door) -> int:
    """Show it.

    :returns: the exit status of what ran in it; 0 after the detach key.
    """
    if not sys.stdin.isatty():
        raise Asked("attach needs a terminal as its input; webshell run does without")
    key = terminal.parse_key(options.detach_key)
    conversation = Conversation(reactor, door, raw=True, key=key, patience=PATIENCE_SECONDS, quiet=False, passes=False)
    link = conversation.link
    await link.connect()
    wanted = options.session or door.address.session
    own = not wanted
    try:
        if own:
            attached = await link.open(**({"name": options.name} if options.name else {}))
        else:
            attached = await link.attach((await link.find(wanted))["session"])
        session = attached["session"]
        process = chosen(attached["processes"], options.process)
        old = next((record["end"] for record in attached["processes"] if record["process"] == process), 0)
        if not process:
            process = await _shell(conversation)
        # not earlier: until there is somebody to type to, Ctrl-C has to end the command
        with conversation.terminal:
            try:
                conversation.talk(process, old)
                status = await conversation.finish()
            finally:
                _say(1, terminal.LEAVE)
    except BaseException:
        await link.leave()
        raise
    if status is None or not own:
        await link.leave()
    else:
        await link.close(hurried=conversation.hurried)
    if status is None:
        _say(2, f"\n[webshell: left; it goes on: webshell attach {door.address} {session}]\n".encode())
    return status or 0


def _say(descriptor: int, data: bytes) -> None:
    with contextlib.suppress(OSError):  # the terminal is gone
        write_all(descriptor, data)


def chosen(records: list[Message], wanted: int) -> int:
    """The process to show: the one that is wanted, or the youngest that runs in a terminal; 0: none.

    :raises Failed: what is wanted cannot be shown.
    """
    running = {record["process"]: record for record in records if record["state"] == "running"}
    if wanted:
        if wanted not in running:
            raise Failed(f"process {wanted} does not run there; webshell ls shows what does")
        return wanted
    return max((number for number, record in running.items() if record["pty"]), default=0)


async def _shell(conversation: Conversation) -> int:
    rows, columns = terminal.size()
    started = await conversation.link.ask(
        "start",
        runner="shell",
        rows=rows,
        cols=columns,
        env={"TERM": os.environ.get("TERM", "xterm-256color")},
    )
    return int(started["process"]["process"])
