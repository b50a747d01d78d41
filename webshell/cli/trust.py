"""Whom to believe that it is the server, and what may be said to it in clear."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass

from webshell.cli.address import Address
from webshell.cli.trouble import Asked

PIN = re.compile(r"(?:[0-9A-F]{2}:){31}[0-9A-F]{2}")


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom to believe that it is the server.

    :ivar authorities: a PEM file with certificates; empty: those that the system trusts.
    :ivar pins: SHA-256 fingerprints of certificates, as ``AA:BB:…``. Without a file nobody else need vouch.
    """

    authorities: str = ""
    pins: tuple[str, ...] = ()


def parse_pin(text: str) -> str:
    """A fingerprint as the daemon and browsers print it; ``openssl``'s prefix and lower case are fine.

    :raises Asked: it is none.
    """
    pin = text.rpartition("=")[2].strip().upper()
    if re.fullmatch(r"[0-9A-F]{64}", pin):
        pin = fingerprint(bytes.fromhex(pin))
    if not PIN.fullmatch(pin):
        raise Asked(f"{text}: not the SHA-256 fingerprint of a certificate, which is 32 pairs of hexadecimal digits")
    return pin


def fingerprint(digest: bytes) -> str:
    """A digest as pins are written."""
    return digest.hex(":").upper()


def pins(texts: Sequence[str]) -> tuple[str, ...]:
    """All fingerprints.

    :raises Asked: one is none.
    """
    return tuple(parse_pin(text) for text in texts)


def stays_here(address: Address) -> bool:
    """Whether what is said to *address* does not leave this machine."""
    if address.socket or address.host == "localhost":
        return True
    try:
        return ipaddress.ip_address(address.host).is_loopback
    except ValueError:
        return False


def check_clear(address: Address, token: str, plain: bool, option: str) -> None:
    """:raises Asked: *token* would travel where others can read it, and *plain* does not say that it may."""
    if token and not (address.secure or plain or stays_here(address)):
        raise Asked(
            f"{address}: the token would be readable on the way: use https, or {option} if nobody else is there"
        )
