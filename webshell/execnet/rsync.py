"""One directory to several targets over execnet's gateways, in the manner of ``execnet.RSync``.

It differs where that one fails: links and special files are named and have options, a target that fails does not spoil
the others, a file is never in memory as a whole, and the far interpreter may be a Python 2.7, as Jython is.
"""

from __future__ import annotations

import os
import queue
import threading
import warnings
from collections.abc import Callable
from typing import Any, get_args

from execnet import Gateway
from execnet.gateway_base import Channel

from webshell.execnet.rsync_source import SpecialFiles, Tree, read_tree
from webshell.execnet.rsync_transfer import Failure, Incomplete, Links, Special, Target, Transfer, Wishes

__all__ = ["Failure", "Incomplete", "RSync", "RSyncFailed", "Skipped", "SpecialFiles"]


class Skipped(UserWarning):
    """A link or a special file was left out, as asked."""


class RSyncFailed(OSError):
    """Some targets are not complete; the others are."""

    def __init__(self, failures: list[Failure]) -> None:
        super().__init__("\n".join(map(str, failures)))
        self.failures = tuple(failures)


class RSync:
    """Sends the directory (or file) *sourcedir* to the targets that were added, all of them at once.

    :param callback: is called with ``"list"``, the bytes to be sent, and the channel; then with ``"ack"``, the bytes of
        a file, and the channel, for each file that is there.
    :param verbose: each file sent is printed.
    :param links: what to do where a target cannot make a symbolic link: ``"error"`` fails for that target when all else
        is there; ``"copy"`` sends what the link leads to; ``"skip"`` warns with :class:`Skipped`.
    :param special: what to do with FIFOs, sockets and devices: ``"error"`` raises before any target is asked for
        anything; ``"skip"`` warns.
    """

    def __init__(
        self,
        sourcedir: str | os.PathLike[str],
        callback: Callable[[str, int, Channel], Any] | None = None,
        verbose: bool = True,
        *,
        links: Links = "error",
        special: Special = "error",
    ) -> None:
        for name, value, known in (("links", links, get_args(Links)), ("special", special, get_args(Special))):
            if value not in known:
                raise ValueError(f"{name}={value!r}: it is one of {', '.join(map(repr, known))}")
        # now: the working directory may be another one later
        self._sourcedir = os.path.abspath(sourcedir)
        self._verbose = verbose
        self._special = special
        self._wishes = Wishes(links, special, self.filter, callback, self._report_send_file)
        self._targets: list[Target] = []

    def filter(self, path: str) -> bool:
        """Whether *path* belongs to what is sent; to be overridden. For copies it is asked in another thread."""
        return True

    def add_target(
        self,
        gateway: Gateway,
        destdir: str | os.PathLike[str],
        finishedcallback: Callable[[], None] | None = None,
        *,
        delete: bool = False,
    ) -> None:
        """Send to *destdir* at the other end of *gateway*, too.

        :param finishedcallback: is called when this target is complete.
        :param delete: what is there and not in the source is removed.
        """
        self._targets.append(Target(gateway, os.fspath(destdir), finishedcallback, delete))

    def send(self, raises: bool = True) -> None:
        """Send to all targets added since the last time.

        :param raises: without targets, that is an error.
        :raises OSError: there are no targets, or the source cannot be read.
        :raises SpecialFiles: as the option *special* says.
        :raises RSyncFailed: some targets are not complete; each is named with what is wrong there.
        """
        targets, self._targets = self._targets, []
        if not targets:
            if raises:
                raise OSError("no targets were added since the last send()")
            return
        tree = self._checked(read_tree(self._sourcedir, self.filter))
        calls: queue.SimpleQueue[Callable[[], Any] | None] = queue.SimpleQueue()
        transfers = [Transfer(tree, target, self._wishes, calls.put) for target in targets]
        # what belongs to the caller is called in the caller's thread
        running = len(transfers)
        try:
            for transfer in transfers:
                threading.Thread(
                    target=transfer.run, name=f"rsync to {transfer.target.gateway.id}", daemon=True
                ).start()
            while running:
                if (call := calls.get()) is None:
                    running -= 1
                else:
                    call()
        finally:
            for transfer in transfers:
                transfer.close()
        for transfer in transfers:
            for text in transfer.skipped:
                warnings.warn(text, Skipped, stacklevel=2)
        if failures := [transfer.failure for transfer in transfers if transfer.failure is not None]:
            raise RSyncFailed(failures) from failures[0].error

    def _checked(self, tree: Tree) -> Tree:
        if tree.special and self._special == "error":
            raise SpecialFiles(tree.special)
        for path, kind in tree.special:
            warnings.warn(f"left out: {path} is {kind}", Skipped, stacklevel=3)
        return tree

    def _report_send_file(self, gateway: Gateway, modified_rel_path: str) -> None:
        """The method has the name that it has in execnet's, where it is overridden."""
        if self._verbose:
            print(f"{gateway} <= {modified_rel_path}")
