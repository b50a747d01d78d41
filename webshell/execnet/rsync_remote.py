"""The receiving side of an rsync: runs in the far interpreter, which may be a Python 2.7 (Jython)."""

# Python 2 refuses a coding line in what is text already, so this is ASCII; it also knows no annotations.
# mypy: ignore-errors
# ruff: noqa: UP032

import hashlib
import os
import shutil
import socket
import stat
import sys
import tempfile

CHUNK = 1 << 20
"""Bytes of a file that is read for its checksum."""

COARSE = 2000
"""Nanoseconds: of a time that an interpreter reads or writes as a float, the least ones are lost."""


def native(name):
    """The name of a file, which travels as bytes."""
    if sys.platform.startswith("java"):
        return name.decode("utf-8")  # Java's names are text
    return name if str is bytes else os.fsdecode(name)


def checksum(path):
    """Of a file's content."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while True:
            data = file.read(CHUNK)
            if not data:
                return digest.hexdigest()
            digest.update(data)


def same_time(status, nanoseconds):
    """Whether that is when the file was changed last."""
    if hasattr(status, "st_mtime_ns"):
        return status.st_mtime_ns == nanoseconds
    return abs(status.st_mtime * 1e9 - nanoseconds) < COARSE


def set_time(path, nanoseconds):
    """When the file was changed last."""
    try:
        os.utime(path, ns=(nanoseconds, nanoseconds))
    except TypeError:  # Python 2, which cuts off what is below a microsecond
        seconds = (nanoseconds + 500) / 1e9
        os.utime(path, (seconds, seconds))


def remove(path):
    """What is at *path* with all that is in it, or nothing if nothing is; links are not followed."""
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return
    if stat.S_ISDIR(mode):
        shutil.rmtree(path)
    else:
        os.unlink(path)


def reason(error):
    """An exception in one line of text."""
    try:
        text = str(error)
    except UnicodeError:  # Python 2, and its system speaks no English
        text = repr(error)
    return "{}: {}".format(type(error).__name__, " ".join(text.split()))


class Receiver:
    """One target directory; a method for each command, called with what came with it."""

    def __init__(self, channel, destination, delete):
        self.channel = channel
        self.destination = os.path.abspath(native(destination))
        self.delete = delete
        self.wanted = {}
        """Number of a file to its path, mode and time: what was asked for and is not written yet."""
        self.file = None

    def path(self, parts):
        """The place of an entry; its names must be names here, too."""
        names = [native(name) for name in parts]
        for name in names:
            if name in ("", os.curdir, os.pardir) or os.sep in name or (os.altsep and os.altsep in name):
                raise ValueError("no name for a file here: {!r}".format(name))
        return os.path.join(self.destination, *names)

    def directory(self, parts, mode, names):
        """It shall be there; *names* is what belongs in it."""
        path = self.path(parts)
        # the destination itself may be a link to a directory; a link below it is what an earlier round left
        there = os.path.isdir(path) and (not parts or not os.path.islink(path))
        if not there:
            remove(path)
            os.makedirs(path)
        # what is in it has to be written
        os.chmod(path, mode | 0o700)
        if self.delete:
            keep = {native(name) for name in names}
            for name in os.listdir(path):
                if name not in keep:
                    remove(os.path.join(path, name))

    def regular(self, number, parts, mode, mtime, size):
        """It shall be there: asks for what is not."""
        path = self.path(parts)
        try:
            status = os.lstat(path)
        except OSError:
            status = None
        known = None
        if status is not None and stat.S_ISREG(status.st_mode) and status.st_size == size:
            if same_time(status, mtime):
                if stat.S_IMODE(status.st_mode) != mode:
                    os.chmod(path, mode)
                return
            known = checksum(path)
        self.wanted[number] = (path, mode, mtime)
        self.channel.send(("want", number, known))

    def listed(self):
        """All of these were named."""
        self.channel.send(("listed",))

    def start(self, number):
        """The content of a file follows."""
        path = self.wanted[number][0]
        remove(path)  # rather than written to: it may be read-only, or have other names
        if not os.path.isdir(os.path.dirname(path)):
            os.makedirs(os.path.dirname(path))
        self.file = open(path, "wb")  # noqa: SIM115

    def data(self, content):
        """A part of it."""
        self.file.write(content)
        self.channel.send(("took", len(content)))

    def end(self, number):
        """Of the file's content, or of a file that has it already."""
        if self.file is not None:
            self.file.close()
            self.file = None
        path, mode, mtime = self.wanted.pop(number)
        try:
            os.chmod(path, mode)
            set_time(path, mtime)
        except OSError:
            pass  # not every file system has them
        self.channel.send(("written", number))

    def gone(self, number):
        """A file that was asked for is not there any more."""
        del self.wanted[number]

    def link(self, number, parts, text, inside, to_directory):
        """It shall be there; *inside*: its text begins at the destination."""
        path = self.path(parts)
        text = native(text).replace("/", os.sep)
        if inside:
            text = os.path.normpath(os.path.join(self.destination, text))
        try:
            if os.path.islink(path) and os.readlink(path) == text:
                return
            # in a folder of its own first: what is there stays if no link can be made
            folder = tempfile.mkdtemp(dir=os.path.dirname(path))
            try:
                new = os.path.join(folder, "link")
                if os.name == "nt":
                    os.symlink(text, new, target_is_directory=to_directory)
                else:
                    os.symlink(text, new)
                remove(path)
                os.rename(new, path)
            finally:
                shutil.rmtree(folder)
        except (AttributeError, NotImplementedError, OSError) as error:
            self.channel.send(("unlinked", number, reason(error)))

    def linked(self):
        """All links were named."""
        self.channel.send(("linked",))

    def serve(self):
        """Until all is done.

        :raises ValueError: a command that is none.
        """
        commands = {
            "directory": self.directory,
            "regular": self.regular,
            "listed": self.listed,
            "start": self.start,
            "data": self.data,
            "end": self.end,
            "gone": self.gone,
            "link": self.link,
            "linked": self.linked,
        }
        self.channel.send(("here", socket.gethostname()))
        while True:
            message = self.channel.receive()
            if message[0] == "done":
                return
            if message[0] not in commands:
                raise ValueError("unknown rsync command: {!r}".format(message[0]))
            commands[message[0]](*message[1:])


if __name__ == "__channelexec__":
    Receiver(channel, *channel.receive()).serve()  # noqa: F821
