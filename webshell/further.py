"""What an operator may choose about further-link: one frozen value."""

from __future__ import annotations

from dataclasses import dataclass, field

from webshell.workplace import Workplace

VERSION = "5.11.2"
"""The further-link whose protocol this is. Its web page wants at least 5.3.3, and compares."""


@dataclass(frozen=True, slots=True)
class FurtherLink:
    """How further-link's clients are served.

    :ivar workplace: the folders of scripts and uploads.
    :ivar user: the system user for clients that name none; empty: the daemon's own.
    :ivar cross_site: let the login cookie come from pages of other sites (those of ``origins``), over TLS only.
    :ivar approval: let in whoever enters the code that the server prints for a connection without credentials.
    :ivar approval_seconds: for so long the same address and page need no further code; 0: every connection does.
    :ivar url_files: fetch files of uploads from their addresses: by https, and never from private ones.
    :ivar url_hosts: ``name:port`` of servers that files may be fetched from although they are private or without TLS.
    """

    workplace: Workplace = field(default_factory=Workplace)
    user: str = ""
    cross_site: bool = False
    approval: bool = False
    approval_seconds: float = 0.0
    url_files: bool = False
    url_hosts: tuple[str, ...] = ()
