"""The other servers, from the registries into one folder; the system itself stays as it is."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SUITE = "sid"
"""Of Debian: the only one with ttyd. Its programs bring the libraries of that suite along, the C library included."""
TTYD = (
    *("ttyd", "libwebsockets-evlib-uv", "libwebsockets19t64", "libuv1t64", "libjson-c5", "libssl3t64", "libcap2"),
    *("zlib1g", "libzstd1", "libgcc-s1", "libc6"),
)
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
MIRROR = "$(ORIGIN) $(REPO_URI)"


def install(peers: Path) -> None:
    """Whatever can be had; what cannot is named, and left out of every comparison."""
    peers.mkdir(parents=True, exist_ok=True)
    for name, one in {"ttyd": _ttyd, "websocketd": _websocketd, "terminado": _terminado, "wetty": _wetty}.items():
        try:
            one(peers)
        except (subprocess.CalledProcessError, OSError) as error:
            print(f"{name}: {error}", file=sys.stderr)
        else:
            print(f"{name}: installed")


def _ttyd(peers: Path) -> None:
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        (work / "lists" / "partial").mkdir(parents=True)
        (work / "cache" / "archives" / "partial").mkdir(parents=True)
        (work / "sources.list").write_text(f"deb [signed-by={KEYRING}] {_mirror()} {SUITE} main\n")
        settings = {
            "Dir::Etc::sourcelist": work / "sources.list",
            "Dir::Etc::sourceparts": "/dev/null",
            "Dir::State::lists": work / "lists",
            "Dir::State::status": "/dev/null",
            "Dir::Cache": work / "cache",
            "APT::Sandbox::User": "root",
        }
        apt = ["apt-get", "-qq", *(word for key, value in settings.items() for word in ("-o", f"{key}={value}"))]
        subprocess.run([*apt, "update"], check=True)
        subprocess.run([*apt, "download", *TTYD], check=True, cwd=work)
        _unpack(work, peers / "ttyd")


def _mirror() -> str:
    """Where this system has its own packages from.

    :raises OSError: it is no Debian.
    """
    command = ["apt-get", "indextargets", "--format", MIRROR, "Created-By: Packages"]
    for line in subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines():
        origin, _, address = line.partition(" ")
        if origin == "Debian" and not address.rstrip("/").endswith("-security"):
            return address
    raise OSError("ttyd is taken from Debian's packages, and this system has none")


def _websocketd(peers: Path) -> None:
    with tempfile.TemporaryDirectory() as name:
        subprocess.run(
            ["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", "websocketd"], check=True, cwd=name
        )
        _unpack(Path(name), peers / "root")


def _unpack(folder: Path, root: Path) -> None:
    shutil.rmtree(root, ignore_errors=True)
    for package in sorted(folder.glob("*.deb")):
        subprocess.run(["dpkg", "-x", str(package), str(root)], check=True)


def _terminado(peers: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", str(peers / "venv")], check=True)
    subprocess.run([str(peers / "venv" / "bin" / "pip"), "install", "-q", "terminado"], check=True)


def _wetty(peers: Path) -> None:
    command = ["npm", "install", "--prefix", str(peers / "node"), "--no-audit", "--no-fund", "--silent", "wetty"]
    subprocess.run(command, check=True)
