"""The far side of virtual environments: makes one, or installs into the interpreter that runs this."""

# Its source is sent: the standard library only, Python 3.8.
# mypy: ignore-errors

import importlib
import json
import os
import shutil
import subprocess
import sys
import tempfile

NOTE = ".webshell-environment"
"""In an environment of ours: what it is. Without it a directory is somebody else's; until it is complete, half made."""

TAIL_LINES = 20
"""Of a tool's output, in a message."""

DIRECTORY, ENVIRONMENT, INSTALL = "making the directory", "making the environment", "installing"


class Failed(Exception):
    """A step that failed: its name, the status of its tool or ``None``, and what was said last."""


def kind():
    """Of this interpreter, as far as environments differ by it."""
    return [sys.implementation.name, *sys.version_info[:2]]


def run(step, *command):
    """Run a tool.

    :raises Failed: it could not be started, or ended with a status other than 0.
    """
    try:
        ended = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    except OSError as error:
        raise Failed(step, None, str(error)) from None
    if ended.returncode:
        said = ended.stdout.decode("utf-8", "replace").splitlines()
        raise Failed(step, ended.returncode, "\n".join(said[-TAIL_LINES:]))


def pip(python, options, wanted):
    """Install into the environment of *python*."""
    if not wanted:
        return
    command = ("-m", "pip", "--disable-pip-version-check", "--no-input", "install", *options, "--", *wanted)
    run(INSTALL, python, *command)


def lock(note):
    """Until it is closed, others who make this environment wait."""
    try:
        import fcntl
    except ImportError:  # Windows
        return
    fcntl.flock(note, fcntl.LOCK_EX)


def claim(path):
    """The note of the environment at *path*, opened; it is ours from now on.

    :raises Failed: that cannot be, or there is something else.
    """
    try:
        os.makedirs(path, exist_ok=True)
        if os.listdir(path) and not os.path.exists(os.path.join(path, NOTE)):
            raise Failed(DIRECTORY, None, f"{path} is there already, and was not made by this")
        return open(os.path.join(path, NOTE), "a+")
    except OSError as error:
        raise Failed(DIRECTORY, None, str(error)) from None


def read(note):
    """What the note says: complete or not, and what was installed; nothing, if writing it was cut off."""
    note.seek(0)
    try:
        return json.load(note)
    except ValueError:
        return {"complete": False, "kind": kind(), "installed": []}


def write(note, complete, installed):
    """Say it instead of what was said."""
    note.seek(0)
    note.truncate()
    json.dump({"complete": complete, "kind": kind(), "installed": installed}, note)
    note.flush()


def clear(path):
    """Remove everything but the note."""
    for name in os.listdir(path):
        if name != NOTE:
            whole = os.path.join(path, name)
            if os.path.isdir(whole) and not os.path.islink(whole):
                shutil.rmtree(whole)
            else:
                os.unlink(whole)


def interpreter(path):
    """Of the environment at *path*."""
    return os.path.join(path, "Scripts", "python.exe") if os.name == "nt" else os.path.join(path, "bin", "python")


def make(channel, options, path, wanted):
    """Make the environment at *path*, or add to it what it lacks. Returns its path and its interpreter."""
    path = os.path.abspath(os.path.expanduser(path))
    python = interpreter(path)
    with claim(path) as note:
        lock(note)
        found = read(note)
        installed = found["installed"]
        lacking = [one for one in wanted if one not in installed]
        usable = found["complete"] and found["kind"] == kind() and os.path.exists(python)
        if lacking or not usable:
            # until it says otherwise: if this is cut off anywhere, all of it is made anew
            write(note, False, installed)
            if not usable:
                clear(path)
                run(ENVIRONMENT, sys.executable, "-m", "venv", path)
            try:
                pip(python, options, lacking if usable else installed + lacking)
            except Failed:
                # pip has ended by itself, and it changes nothing before it has all that it needs
                write(note, usable, installed)
                raise
            write(note, True, installed + lacking)
    return path, python


def receive_and_install(channel, options):
    """A file comes into a directory of its own, and is installed from there."""
    directory = tempfile.mkdtemp()
    try:
        channel.send(directory)
        pip(sys.executable, options, [os.path.join(directory, channel.receive())])
        importlib.invalidate_caches()
    finally:
        shutil.rmtree(directory)
    return ()


COMMANDS = {"environment": make, "install": receive_and_install}


def serve(channel):
    """One command."""
    command, *arguments = channel.receive()
    try:
        result = COMMANDS[command](channel, *arguments)
    except Failed as failed:
        channel.send(("failed", *failed.args))
    else:
        channel.send(("done", *result))


if __name__ == "__channelexec__":
    serve(channel)  # noqa: F821
