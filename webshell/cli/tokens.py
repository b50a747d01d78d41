"""Where the token comes from: a file, the environment or the keyring; all can read command lines."""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Mapping
from pathlib import Path

from webshell.cli.address import Address
from webshell.cli.trouble import Asked

TOKEN_BYTES = 4096
"""Of a file; it was the wrong file if there is more."""

SERVICE = "webshell"
"""Under which the keyring has tokens; the user name there is the server's address."""


def find_token(address: Address, file: str, environment: Mapping[str, str]) -> str:
    """The token for *address*; empty: there is none.

    :param file: as ``--token-file`` says; empty: elsewhere.
    :raises Asked: the file cannot be read, others can read it, or it holds something else.
    """
    if file:
        return read_token(Path(file))
    if token := environment.get("WEBSHELL_TOKEN", "").strip():
        return _checked(token, "WEBSHELL_TOKEN")
    if named := environment.get("WEBSHELL_TOKEN_FILE", ""):
        return read_token(Path(named))
    return _from_keyring(address)


def read_token(path: Path) -> str:
    """The token in the file *path*.

    :raises Asked: it cannot be read, others can read it, or it holds something else.
    """
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & 0o077:
                raise Asked(f"{path}: others can read the token: chmod 600 {path}")
            content = file.read(TOKEN_BYTES + 1)
    except OSError as error:
        raise Asked(f"{path}: the token cannot be read: {error.strerror}") from None
    if len(content) > TOKEN_BYTES:
        raise Asked(f"{path}: this is no token, it is too long")
    return _checked(content.decode("utf-8", "replace").strip(), str(path))


def _checked(token: str, where: str) -> str:
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise Asked(f"{where}: no token is in it; a token is one word of printable ASCII")
    return token


def _from_keyring(address: Address) -> str:
    if importlib.util.find_spec("keyring") is None:
        return ""
    keyring = importlib.import_module("keyring")  # slow: only when everything else was empty
    try:
        token = keyring.get_password(SERVICE, str(address))
    except keyring.errors.NoKeyringError:
        return ""  # the library is there for something else
    except keyring.errors.KeyringError as error:
        raise Asked(f"the keyring gives no token: {error}; --token-file takes one from a file") from None
    return _checked(token, "the keyring") if token else ""
