"""``webshell run``: a program there, as if it were here."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from contextlib import nullcontext
from typing import Any

from webshell.cli import terminal
from webshell.cli.conversation import Conversation
from webshell.cli.transport import Door
from webshell.cli.trouble import Asked


def environment(pairs: list[str]) -> dict[str, str]:
    """The variables of ``--env NAME=VALUE``; without a value, ours.

    :raises Asked: one has neither.
    """
    found = {}
    for pair in pairs:
        name, given, value = pair.partition("=")
        if not given and name not in os.environ:
            raise Asked(f"--env {name}: there is no such variable here; --env NAME=VALUE gives a value")
        found[name] = value if given else os.environ[name]
    return found


async def command(reactor: Any, options: Namespace, door: Door) -> int:
    """Run it.

    :returns: its exit status; 128 + n after signal n.
    """
    raw = bool(options.terminal) and sys.stdin.isatty()
    conversation = Conversation(reactor, door, raw=raw, patience=options.patience, quiet=not sys.stderr.isatty())
    link = conversation.link
    members: dict[str, Any] = {"runner": "exec", "argv": options.command, "keep": "all"}
    if options.terminal:
        rows, columns = terminal.size()
        members |= {"pty": True, "rows": rows, "cols": columns}
        members["env"] = {"TERM": os.environ.get("TERM", "xterm-256color")}
    if options.cwd:
        members["cwd"] = options.cwd
    if options.env:
        members["env"] = members.get("env", {}) | environment(options.env)
    await link.connect()
    try:
        await link.open(name=options.name or options.command[0][:64], linger=int(options.patience))
        process = (await link.ask("start", **members))["process"]["process"]
        # not earlier: until there is somebody to type to, Ctrl-C has to end the command
        with conversation.terminal if raw else nullcontext():
            conversation.talk(process)
            status = await conversation.finish()
        assert status is not None  # without a key nobody can leave
        return status
    finally:
        await link.close(hurried=conversation.hurried)
