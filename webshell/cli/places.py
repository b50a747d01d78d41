"""Where a file is: here, or on a server, as ``URL:PATH``."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from webshell.cli.trouble import Asked

SCHEME = r"(?:https?|wss?)://"
SITE = r"(?:\[[^\]/]*\]|[^/:\[\]]+)(?::[0-9]+(?=[:/]))?"
"""A host, and a port if something follows it."""

FAR = re.compile(rf"({SCHEME}{SITE}(?:/[^:]*)?|unix:/[^:]*|(?!unix:/|{SCHEME}){SITE}):(.*)", re.DOTALL)
"""A path of the URL may follow a scheme. Without one, a slash before the first colon means that it is a file here."""

LITERAL = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._")


@dataclass(frozen=True, slots=True)
class Place:
    """A file or a folder.

    :ivar url: of the server; empty: it is here.
    :ivar path: there, or here; relative to the home folder there, to the working directory here.
    """

    url: str
    path: bytes

    def __str__(self) -> str:
        """As people write it."""
        path = shown(self.path)
        return f"{self.url}:{path}" if self.url else path


def parse_place(text: str) -> Place:
    """What *text* names: ``URL:PATH`` is there, everything else here, as ``scp`` has it.

    :raises Asked: it is a URL without a path.
    """
    if not text:
        raise Asked("cp: an empty name is none; the folder here is .")
    found = FAR.fullmatch(text)
    if found is None:
        if re.match(SCHEME, text) or text.startswith("unix:/"):
            raise Asked(f"{text.partition('?')[0]}: which file? URL:PATH, and URL: is the home folder")
        return Place("", os.fsencode(text))
    url, path = found[1], os.fsencode(found[2])
    if re.fullmatch(rb"[0-9]+", path) and not re.search(r":[0-9]+(?:/|$)", url.partition("://")[2] or url):
        raise Asked(f"{text}: is this a port? Then a path has to follow: {text}:PATH; a file is {url}:./{found[2]}")
    if path == b"~" or path.startswith(b"~/"):
        path = path[2:]
    return Place(url, path)


def server_of(places: list[Place]) -> str:
    """The URL of the one server that the sources, or the destination, are on.

    :raises Asked: it is not one, or there is nothing to copy.
    """
    if len(places) < 2:
        raise Asked("cp: from where, and where to? webshell cp SOURCE … DEST, one of them URL:PATH")
    urls = {place.url for place in places[:-1]}
    if len(urls) > 1:
        raise Asked("cp: the sources are in different places; copy from one at a time")
    (source,), target = urls, places[-1].url
    if source and target:
        raise Asked("cp: both are far away; copy here first, then there")
    if not source and not target:
        raise Asked("cp: neither is far away; one has to be URL:PATH")
    return source or target


def shown(path: bytes) -> str:
    """A path for people, on one line, without what a terminal would obey."""
    text = path.decode("utf-8", "replace")
    return "".join(character if character.isprintable() else "�" for character in text)


def base(path: bytes) -> bytes:
    """The name that a copy gets; empty for ``.``, ``..`` and ``/``, whose contents are meant."""
    name = path.rstrip(b"/").rpartition(b"/")[2]
    return b"" if name in (b".", b"..") else name


def quoted(path: bytes) -> str:
    """*path* as a format of ``printf``: arguments travel as text, and names may be any bytes."""
    return "".join(chr(byte) if byte in LITERAL else f"\\{byte:03o}" for byte in path)
