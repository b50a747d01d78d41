"""The far side of a gateway in a Python 2.7, such as Jython, in the syntax of that language.

Its source is sent to the interpreter behind that of ``python2_items``; it needs nothing else of ours, nor of execnet.
Channels are as in execnet, but for ``makefile()`` and ``reconfigure()``; there is one execution model, ``thread``.
"""

# No annotations, no f-strings; exceptions have no causes.
# mypy: ignore-errors
# ruff: noqa: B904, D102, D105, F821, UP004, UP024, UP032

import collections
import os
import struct
import sys
import threading
import time
import traceback

STATUS, RECONFIGURE, TERMINATE, EXEC, ITEM, CLOSE, CLOSE_ERROR, LAST = range(8)
"""What a message is."""

HEADER = "!bii"
"""Of a message: what it is, the number of its channel, the length of what follows."""

LEAVE_SECONDS = 5.0
"""For what still runs when the connection ends."""

_END = object()


def execute(code, names):
    """By itself: Python 2 allows it in no function with others in it."""
    exec(code, names)  # noqa: S102  # what a gateway is for


class RemoteError(Exception):
    """What the other side says about its error."""

    def __init__(self, formatted):
        Exception.__init__(self, formatted)
        self.formatted = formatted


class TimeoutError(IOError):  # execnet calls it that
    """Nothing came in time."""


class Channel(object):
    """One of many conversations over the connection."""

    RemoteError = RemoteError
    TimeoutError = TimeoutError

    def __init__(self, gateway, id):
        self.gateway = gateway
        self.id = id
        self.as_str = gateway.as_str
        self._items = collections.deque()
        self._changed = threading.Condition(threading.RLock())
        self._closed = False
        self._ended = False
        self._error = None
        self._callback = None
        self._endmarker = _END

    def __repr__(self):
        return "<Channel id={} {}>".format(self.id, "closed" if self._closed else "open")

    # what the user's code calls

    def isclosed(self):
        return self._closed

    def send(self, item):
        if self._closed:
            raise IOError("cannot send to {!r}".format(self))
        self.gateway.send(ITEM, self.id, dump(item) + "Q")

    def receive(self, timeout=None):
        with self._changed:
            if self._callback is not None:
                raise IOError("cannot receive(), channel has receiver callback")
            self._wait(lambda: self._items or self._ended, timeout)
            if self._items:
                return self._items.popleft()
        raise self._take_error() or EOFError()

    def __iter__(self):
        return self

    def next(self):
        try:
            return self.receive()
        except EOFError:
            raise StopIteration

    def waitclose(self, timeout=None):
        with self._changed:
            self._wait(lambda: self._ended, timeout)
        error = self._take_error()
        if error is not None:
            raise error

    def close(self, error=None):
        if not self._closed:
            if not self._ended:
                if error is None:
                    self.gateway.send(CLOSE, self.id)
                else:
                    text = error if isinstance(error, unicode) else str(error).decode("utf-8", "replace")
                    self.gateway.send(CLOSE_ERROR, self.id, dump(text) + "Q")
            self.end(closed=True)

    def setcallback(self, callback, endmarker=_END):
        with self._changed:
            if self._callback is not None:
                raise IOError("{!r} has callback already registered".format(self))
            self._callback, self._endmarker = callback, endmarker
            while self._items:
                callback(self._items.popleft())
            if self._ended and endmarker is not _END:
                callback(endmarker)

    def _wait(self, ready, timeout):
        latest = None if timeout is None else time.time() + timeout
        while not ready():
            left = None if latest is None else latest - time.time()
            if left is not None and left <= 0:
                raise TimeoutError("nothing after {!r} seconds".format(timeout))
            self._changed.wait(left)

    def _take_error(self):
        error, self._error = self._error, None
        return error

    # what the connection brings

    def received(self, item):
        with self._changed:
            if self._callback is None:
                self._items.append(item)
                return self._changed.notify_all()
            try:
                return self._callback(item)
            except Exception:
                text = traceback.format_exc()
        return self.close(text)

    def end(self, error=None, closed=False):
        """No more comes; *closed*: and no more goes."""
        with self._changed:
            first, self._ended = not self._ended, True
            self._closed = self._closed or closed
            self._error = self._error or error
            self._changed.notify_all()
            self.gateway.forget(self)
            if first and self._callback is not None and self._endmarker is not _END:
                try:
                    self._callback(self._endmarker)
                except Exception:
                    traceback.print_exc()  # the other channels go on


class Gateway(object):
    """The connection."""

    def __init__(self, input, output):
        self._input = input
        self._output = output
        self._writing = threading.Lock()
        self._counting = threading.Lock()
        self._next = 2  # the other side has the odd numbers
        self._channels = {}
        self._executing = []
        self.as_str = False

    def send(self, kind, number, content=""):
        with self._writing:
            self._output.write(struct.pack(HEADER, kind, number, len(content)) + content)
            self._output.flush()

    def channel(self, number):
        with self._counting:
            if number not in self._channels:
                self._channels[number] = Channel(self, number)
            return self._channels[number]

    def forget(self, channel):
        self._channels.pop(channel.id, None)

    def newchannel(self):
        with self._counting:
            number, self._next = self._next, self._next + 2
        return self.channel(number)

    def serve(self):
        """Until the connection ends."""
        try:
            while True:
                kind, number, size = struct.unpack(HEADER, self._read(struct.calcsize(HEADER)))
                content = self._read(size)
                if kind == TERMINATE:
                    break
                HANDLERS[kind](self, number, content)
        except EOFError:
            pass
        for channel in list(self._channels.values()):
            channel.end()
        latest = time.time() + LEAVE_SECONDS
        for thread in list(self._executing):
            thread.join(max(0.0, latest - time.time()))

    def _read(self, size):
        parts = []
        while size:
            part = self._input.read(size)
            if not part:
                raise EOFError()
            parts.append(part)
            size -= len(part)
        return "".join(parts)

    # messages

    def _status(self, number, content):
        told = {"numchannels": len(self._channels), "numexecuting": len(self._executing), "execmodel": "thread"}
        self.send(ITEM, number, dump(told) + "Q")
        self.send(CLOSE, number)

    def _reconfigure(self, number, content):
        as_str = Loader(content, self, False).load()[1]
        if number:
            self.channel(number).as_str = as_str
        else:
            self.as_str = as_str

    def _execute(self, number, content):
        thread = threading.Thread(target=self._run, args=(self.channel(number), Loader(content, self, False).load()))
        thread.daemon = True
        self._executing.append(thread)
        thread.start()

    def _run(self, channel, task):
        source, file, function, arguments = task
        names = {"channel": channel, "__name__": "__channelexec__"}
        try:
            code = compile(source + "\n", str(file or "<remote exec>"), "exec")
            execute(code, names)
            if function:
                names[function](channel, **{str(name): arguments[name] for name in arguments})
            error = None
        except EOFError:
            error = None  # of a conversation that ended; execnet says nothing of it
        except:  # noqa: E722  # Java's are no exceptions of Python's
            error = traceback.format_exc()
        self._executing.remove(threading.current_thread())
        try:
            channel.close(error)
        except (IOError, OSError, ValueError):
            pass  # the connection is gone

    def _item(self, number, content):
        channel = self._channels.get(number)
        if channel is not None:
            channel.received(Loader(content, self, channel.as_str).load())

    def _end(self, number, content):
        if number in self._channels:
            self._channels[number].end(closed=True)

    def _end_with_error(self, number, content):
        if number in self._channels:
            self._channels[number].end(RemoteError(Loader(content, self, False).load()), closed=True)

    def _last(self, number, content):
        if number in self._channels:
            self._channels[number].end()


HANDLERS = {
    STATUS: Gateway._status,
    RECONFIGURE: Gateway._reconfigure,
    EXEC: Gateway._execute,
    ITEM: Gateway._item,
    CLOSE: Gateway._end,
    CLOSE_ERROR: Gateway._end_with_error,
    LAST: Gateway._last,
}


def serve():
    """Over the standard streams, which belong to the connection from now on."""
    if hasattr(os, "dup"):
        streams = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
        for descriptor, flags in ((0, os.O_RDONLY), (1, os.O_WRONLY)):
            nothing = os.open(os.devnull, flags)
            os.dup2(nothing, descriptor)
            os.close(nothing)
    else:  # Jython
        streams = sys.stdin, sys.stdout
        sys.stdin, sys.stdout = open(os.devnull), open(os.devnull, "w")  # noqa: SIM115
    streams[1].write("1")
    streams[1].flush()
    Gateway(*streams).serve()
    os._exit(0)
