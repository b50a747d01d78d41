"""The server of terminado's own example, for ``install``'s Python: ``terminado_server.py PORT PROGRAM``."""

from __future__ import annotations

import asyncio
import sys

import tornado.web
from terminado import TermSocket, UniqueTermManager


async def serve(port: int, program: str) -> None:
    """One terminal for each connection."""
    manager = UniqueTermManager(shell_command=[program], max_terminals=10_000)
    application = tornado.web.Application([(r"/websocket", TermSocket, {"term_manager": manager})])
    application.listen(port, "127.0.0.1")
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2]))
