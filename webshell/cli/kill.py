"""``webshell kill``: ends a session, or a process in it, or sends a signal."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from webshell.cli.quiet import quiet_link
from webshell.cli.transport import Door
from webshell.cli.trouble import Asked


async def command(reactor: Any, options: Namespace, door: Door) -> int:
    """Do it."""
    wanted = options.session or door.address.session
    if not wanted:
        raise Asked("which session? webshell ls shows them")
    if options.signal and not options.process:
        raise Asked("which process gets the signal? webshell kill URL SESSION PROCESS --signal NAME")
    link = quiet_link(reactor, door)
    await link.connect()
    try:
        await link.attach((await link.find(wanted))["session"])
        if options.signal:
            name = options.signal.upper().removeprefix("SIG")
            await link.ask("signal", process=options.process, signal=name)
        elif options.process:
            await link.ask("stop", process=options.process)
        else:
            await link.ask("close")
    finally:
        await link.leave()
    return 0
