"""Tells twistd about ``twistd webshell``; names strings and imports nothing of ours."""

from twisted.application.service import ServiceMaker

webshell = ServiceMaker(
    "webshell",
    "webshell.tap",
    "Terminals and commands of this machine in a browser, over one WebSocket.",
    "webshell",
)
