"""What is imported before the first request can be answered: each package, and each part of ours, costs every start."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from server.daemons import environment
from wire import PATIENCE

BEFORE = "import json, sys; before = {*sys.modules}"
TOLD = "print(json.dumps(sorted({*sys.modules} - before)))"

OURS = {"webshell"}
TWISTED = {"twisted", "zope", "attr", "attrs", "constantly", "hyperlink", "incremental", "automat", "typing_extensions"}
TLS = {"OpenSSL", "cryptography", "service_identity", "idna", "_openssl", "pyasn1", "pyasn1_modules"}
"""Twisted's reactor brings pyOpenSSL whenever it is installed, and that brings cryptography."""
AUTOBAHN = {"autobahn", "txaio", "cffi", "_cffi_backend", "pycparser", "cbor2", "_cbor2", "ujson", "msgpack"}
AUTOBAHN_IN_C = {"_nvx_utf8validator", "_nvx_xormasker"}

LATER = {"webshell.child", "twisted.conch", "twisted.mail", "twisted.names", "twisted.trial", "twisted.words"}
HEAVY = {"distutils", "doctest", "multiprocessing", "sqlite3", "tkinter", "unittest", "wsgiref", "xmlrpc"}
"""Of the standard library; nothing that is needed to answer uses them."""

START = """
from webshell.tap import Options, make_service
options = Options()
options.parseOptions(["--listen", "tcp:0:interface=127.0.0.1"])
make_service(options, daemon=False, announce=lambda line: None).startService()
"""


def imported(home: Path, code: str) -> set[str]:
    """The modules that *code* brings into a new interpreter."""
    command = [sys.executable, "-c", f"{BEFORE}\n{code}\n{TOLD}"]
    done = subprocess.run(command, cwd=home, env=environment(home), capture_output=True, check=True, timeout=PATIENCE)
    return set(json.loads(done.stdout))


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """What a daemon has imported when it listens."""
    return imported(tmp_path_factory.mktemp("home"), START)


def packages(names: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


def test_the_package_brings_nothing(tmp_path: Path) -> None:
    assert imported(tmp_path, "import webshell") == {"webshell"}


def test_the_plugin_brings_nothing_of_ours(tmp_path: Path) -> None:
    names = imported(tmp_path, "import twisted.plugins.webshell_plugin")
    assert "twisted.plugins.webshell_plugin" in names
    assert packages(names).isdisjoint(OURS | TLS | AUTOBAHN)


def test_a_daemon_needs_few_packages_to_listen(started: set[str]) -> None:
    others = packages(started) - sys.stdlib_module_names
    assert others <= OURS | TWISTED | TLS | AUTOBAHN | AUTOBAHN_IN_C
    assert {"webshell", "twisted", "autobahn"} <= others


def test_what_is_needed_later_or_never_is_not_there_at_start(started: set[str]) -> None:
    assert {name for name in started for part in LATER if f"{name}.".startswith(f"{part}.")} == set()
    assert packages(started).isdisjoint(HEAVY)
