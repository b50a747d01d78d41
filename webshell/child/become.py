"""Becomes another user and then a program, as root: standard library only.

``python -I -S become.py NAME UID GID DIRECTORY ARG0 PROGRAM [ARGUMENT …]``; PROGRAM is an absolute path. The
terminal, if there is one, was made for this process, and becomes the user's.
"""

import _signal  # type: ignore[import-not-found]  # signal itself takes half as long to import as Python to start
import os
import sys

NOT_EXECUTABLE = 126
"""The exit code with which a shell says so."""

UMASK = 0o022
"""What a login gives; a daemon's own is stricter."""


def become(name: str, uid: str, gid: str, directory: str, arg0: str, program: str, *arguments: str) -> None:
    """Take the user's groups, number and directory, and become *program*."""
    if os.isatty(0):
        os.fchown(0, int(uid), -1)
    os.initgroups(name, int(gid))
    os.setgid(int(gid))
    os.setuid(int(uid))
    os.umask(UMASK)
    for ignored in (_signal.SIGPIPE, _signal.SIGXFSZ):  # by Python, for itself
        _signal.signal(ignored, _signal.SIG_DFL)
    os.chdir(directory)
    os.environ["PWD"] = directory
    os.execv(program, (arg0, *arguments))  # noqa: S606


if __name__ == "__main__":
    try:
        become(*sys.argv[1:])
    except OSError as error:
        sys.stderr.write(f"{sys.argv[6]}: {error.strerror}\n")
        sys.exit(NOT_EXECUTABLE)
