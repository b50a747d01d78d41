"""The certificate that is made once and kept."""

from __future__ import annotations

import datetime
import ssl
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from webshell import certificate
from webshell.certificate import DAYS, ensure_certificate


def loaded(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def names(path: Path) -> set[str]:
    extension = loaded(path).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(name.value) for name in extension}


def test_it_is_made_for_its_owner_only_with_all_names(tmp_path: Path) -> None:
    path = tmp_path / "webshell.pem"
    fingerprint = ensure_certificate(path, ["shell.example.org", "192.0.2.7", "2001:db8::1", "localhost"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert names(path) >= {"localhost", "127.0.0.1", "::1", "shell.example.org", "192.0.2.7", "2001:db8::1"}
    assert fingerprint == loaded(path).fingerprint(hashes.SHA256()).hex(":").upper()
    assert len(fingerprint) == 95
    assert loaded(path).not_valid_after_utc - loaded(path).not_valid_before_utc < datetime.timedelta(days=DAYS + 1)
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    assert key.public_key() == loaded(path).public_key()
    ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(path)


def test_it_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "webshell.pem"
    fingerprint = ensure_certificate(path, [])
    content = path.read_bytes()
    assert ensure_certificate(path, ["another.example"]) == fingerprint
    assert path.read_bytes() == content


def test_what_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "webshell.pem"
    ensure_certificate(path, [])
    path.chmod(0o640)
    with pytest.raises(ValueError, match=f"others can read its key: chmod 600 {path}"):
        ensure_certificate(path, [])


def test_something_else_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "webshell.pem"
    path.write_text("my diary\n")
    path.chmod(0o600)
    with pytest.raises(ValueError, match="PEM"):
        ensure_certificate(path, [])
    assert path.read_text() == "my diary\n"


def test_an_expired_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificate, "DAYS", -0.01)
    path = tmp_path / "webshell.pem"
    with pytest.raises(ValueError, match="expired: remove it, and a new one is made"):
        ensure_certificate(path, [])


@pytest.mark.parametrize("folder", ["file", "nowhere", "nowhere/deep"])
def test_a_folder_that_is_not_there_is_named_and_not_made(folder: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=f"^there is no folder {tmp_path / folder}$"):
        ensure_certificate(tmp_path / folder / "webshell.pem", [])
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
