"""A self-signed certificate that is made once and kept, for TLS on a machine that nobody issues certificates for."""

from __future__ import annotations

import datetime
import ipaddress
import os
import socket
from collections.abc import Iterable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

DAYS = 825
"""Apple's systems refuse certificates that are valid for longer."""


def ensure_certificate(path: Path, names: Iterable[str]) -> str:
    """Make key and certificate in the one file *path* (0600) if it is missing; its folder must be there.

    :param names: host names and addresses beside localhost that it shall be valid for.
    :returns: the certificate's SHA-256 fingerprint, as browsers show it.
    :raises OSError: the file can be neither read nor made.
    :raises ValueError: there is something else in the file, it has expired, or others can read it.
    """
    if not path.exists():
        if not path.parent.is_dir():  # most likely mistyped: a key in a new place would not be looked for there
            raise FileNotFoundError(f"there is no folder {path.parent}")
        content = _make(names)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
    if path.stat().st_mode & 0o077:
        raise ValueError(f"others can read its key: chmod 600 {path}")
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    if certificate.not_valid_after_utc < datetime.datetime.now(datetime.UTC):
        raise ValueError("it has expired: remove it, and a new one is made")
    return certificate.fingerprint(hashes.SHA256()).hex(":").upper()


def _make(names: Iterable[str]) -> bytes:
    host = socket.gethostname()
    wanted = dict.fromkeys(["localhost", host, "127.0.0.1", "::1", *names])
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"webshell on {host}"[:64])])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))  # clocks differ
        .not_valid_after(now + datetime.timedelta(days=DAYS))
        .add_extension(x509.SubjectAlternativeName([_name(name) for name in wanted]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ) + certificate.public_bytes(serialization.Encoding.PEM)


def _name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name.strip("[]")))
    except ValueError:
        return x509.DNSName(name)
