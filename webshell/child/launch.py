"""Becomes the program that a child is to run, where the system's own tools cannot start it: standard library only.

``python -I -S launch.py TERMINAL DIRECTORY ARG0 PROGRAM [ARGUMENT …]``; TERMINAL is ``1`` if descriptor 0 is the
terminal that shall control the new process session, else ``0``; PROGRAM is an absolute path.
"""

import _signal  # type: ignore[import-not-found]  # signal itself takes half as long to import as Python to start
import os
import sys

NOT_EXECUTABLE = 126
"""The exit code with which a shell says so."""


def launch(terminal: str, directory: str, arg0: str, program: str, *arguments: str) -> None:
    """Begin a process session, take the terminal, go to *directory* and become *program*."""
    if terminal == "1":
        os.login_tty(0)
    else:
        os.setsid()
    for ignored in (_signal.SIGPIPE, _signal.SIGXFSZ):  # by Python, for itself
        _signal.signal(ignored, _signal.SIG_DFL)
    os.chdir(directory)
    argv = (arg0, *arguments)
    try:
        os.execv(program, argv)  # noqa: S606
    except OSError as error:
        if error.strerror != "Exec format error":
            raise
        # a script without #!: do as every shell would
        os.execv("/bin/sh", ("sh", program, *arguments))  # noqa: S606


if __name__ == "__main__":
    try:
        launch(*sys.argv[1:])
    except OSError as error:
        sys.stderr.write(f"{sys.argv[4]}: {error.strerror}\n")
        sys.exit(NOT_EXECUTABLE)
