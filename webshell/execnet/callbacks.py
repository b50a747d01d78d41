"""Callbacks of a channel that learn how it ended.

They work on any gateway of execnet 2.1.2. Its own ``Channel.setcallback`` tells the end, but not the error; it is
called here, and two faults of it are kept from happening: after an exception in a callback ``waitclose()`` raises a
``str``, and an exception at the endmarker ends the whole gateway.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any

from execnet.gateway_base import NO_ENDMARKER_WANTED, Channel, RemoteError, geterrortext

_RAISED = (Exception, SystemExit)
"""What a callback may raise; a ``KeyboardInterrupt`` is not its own."""


def setcallback(
    channel: Channel,
    callback: Callable[[Any], Any],
    endmarker: object = NO_ENDMARKER_WANTED,
    *,
    errback: Callable[[BaseException], Any] | None = None,
) -> None:
    """Call *callback* for each item that *channel* receives, and one of two for its end.

    A channel that ends well, or is closed here, ends with ``callback(endmarker)``, if an endmarker is given. Else it
    ends with ``errback(error)``, once and with nothing after it:

    * ``RemoteError``: what the other side raised, with its traceback as text;
    * ``EOFError``: the connection ended, or the process there, while the channel was open;
    * what *callback* raised itself, at an item or at the endmarker. The channel is closed then, and the other side
      receives the traceback.

    They are called where execnet calls callbacks: at once for what is queued, later in the gateway's receiver thread,
    so none may wait for this gateway. After them ``waitclose()`` returns, or raises the error as ``RemoteError`` or
    ``EOFError``. What *errback* raises or, without one, the callback at the endmarker, goes to
    ``threading.excepthook``; other channels go on.

    The channel lives until it ends, even if the caller keeps no reference.

    :raises OSError: the channel has a callback already.
    """
    stream = _Stream(channel, callback, endmarker, errback)
    channel.setcallback(stream.received, endmarker=_END)


class _End:
    """The marker of our own, so that theirs may equal an item."""


_END = _End()


class _Told(RemoteError):
    """An error that an errback has had: ``waitclose()`` raises it, but nobody is warned that nobody asked."""

    def warn(self) -> None:
        pass


class _Stream:
    """The items of one channel, and its one end."""

    def __init__(
        self,
        channel: Channel,
        callback: Callable[[Any], Any],
        endmarker: object,
        errback: Callable[[BaseException], Any] | None,
    ) -> None:
        # execnet knows channels by weak references: it would lose the error of one that is gone
        self._channel = channel
        self._callback = callback
        self._endmarker = endmarker
        self._errback = errback
        self._open = True
        # a close() in another thread may meet an error in the receiver's
        self._ending = channel.gateway.execmodel.Lock()

    def received(self, item: object) -> None:
        """What execnet calls: with an item, or with the marker."""
        if item is _END:
            self._ended()
        elif self._open:
            try:
                self._callback(item)
            except _RAISED as error:
                self._failed(error)

    def _first(self) -> bool:
        with self._ending:
            first, self._open = self._open, False
        return first

    def _ended(self) -> None:
        if not self._first():
            return
        error = self._take_error()
        if error is not None and self._errback is not None:
            self._tell(self._errback, error)
        elif self._endmarker is not NO_ENDMARKER_WANTED:
            try:
                self._callback(self._endmarker)
            except _RAISED as raised:
                self._tell(self._errback or _raise, raised)

    def _failed(self, error: BaseException) -> None:
        if not self._first():
            return
        text = geterrortext(error)
        kept = self._kept(text)
        kept.__cause__ = error
        self._channel._remoteerrors.append(kept)
        if self._errback is not None:
            self._tell(self._errback, error)
        try:
            self._channel.close(text)
        except OSError:
            pass  # the connection is gone, and the receiver about to close all channels

    def _take_error(self) -> BaseException | None:
        """Why the channel ended; ``None``: it ended well. ``waitclose()`` raises it all the same."""
        errors = self._channel._remoteerrors
        if errors:
            text = str(errors[0])  # execnet keeps a bare text where an item could not be read here
            errors[0] = self._kept(text)
            return RemoteError(text)
        gateway = self._channel.gateway
        if self._channel.isclosed() or not gateway._channelfactory.finished:
            return None
        return getattr(gateway, "_error", None) or EOFError(f"connection ended: {gateway}")

    def _kept(self, text: str) -> RemoteError:
        return RemoteError(text) if self._errback is None else _Told(text)

    def _tell(self, function: Callable[[BaseException], Any], error: BaseException) -> None:
        try:
            function(error)
        except _RAISED:
            threading.excepthook(threading.ExceptHookArgs((*sys.exc_info(), threading.current_thread())))


def _raise(error: BaseException) -> None:
    raise error
