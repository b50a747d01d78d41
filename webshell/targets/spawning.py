"""The C library's ``posix_spawn``, with the one action that Python has no name for: a directory.

Linux only, with glibc 2.29 or musl 1.1.24 or later. Its structures are opaque here: they are given more room than any
of these libraries wants, and only its own functions look into them.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

OPAQUE_BYTES = 1024
"""Room for ``posix_spawnattr_t`` (336 in glibc and musl), ``posix_spawn_file_actions_t`` (80), ``sigset_t`` (128)."""

SETSIGDEF, SETSIGMASK, SETSID = 0x04, 0x08, 0x80
"""``<spawn.h>`` of glibc and of musl."""

ADDCHDIR = "posix_spawn_file_actions_addchdir_np"


class Spawner:
    """Starts programs that lead a process session of their own, with all signals as they are by default."""

    def __init__(self) -> None:
        """:raises OSError: this system's library does not have what is needed."""
        # it keeps the interpreter's lock: nobody waits for it again afterwards, and it takes less than a millisecond
        library = ctypes.PyDLL(None)
        if sys.platform != "linux" or not hasattr(library, ADDCHDIR):
            raise OSError(f"no {ADDCHDIR} here")
        self._library = library
        self._attributes = _opaque()
        every, none = (
            _opaque(b"\xff"),
            _opaque(),
        )  # sigfillset leaves out two, which the library would then have ignored
        _checked(library.posix_spawnattr_init(self._attributes))
        _checked(library.posix_spawnattr_setflags(self._attributes, ctypes.c_short(SETSIGDEF | SETSIGMASK | SETSID)))
        _checked(library.posix_spawnattr_setsigdefault(self._attributes, every))
        _checked(library.posix_spawnattr_setsigmask(self._attributes, none))

    def spawn(
        self,
        program: str,
        argv: Sequence[str],
        environment: Mapping[str, str],
        directory: str,
        descriptors: Mapping[int, int],
        *,
        terminal: str = "",
        closed: Iterable[int] = (),
    ) -> int:
        """Start *program*, absolute, in *directory*; no word contains a NUL character.

        :param descriptors: the child's, and what of ours each one is to be.
        :param terminal: the device that becomes its controlling terminal, and what *descriptors* name, instead of that.
        :param closed: descriptors that it would inherit and shall not.
        :returns: its process id.
        :raises OSError: it could not be started.
        """
        library = self._library
        with self._actions() as actions:
            _checked(getattr(library, ADDCHDIR)(actions, os.fsencode(directory)))
            for descriptor in closed:
                _checked(library.posix_spawn_file_actions_addclose(actions, descriptor))
            if terminal:  # the first one that the leader of a process session opens is its controlling terminal
                _checked(library.posix_spawn_file_actions_addopen(actions, 0, os.fsencode(terminal), os.O_RDWR, 0))
            for number, source in dict.fromkeys(descriptors, 0).items() if terminal else descriptors.items():
                _checked(library.posix_spawn_file_actions_adddup2(actions, source, number))
            pid = ctypes.c_int()
            words = _words(argv)
            variables = _words(f"{name}={value}" for name, value in environment.items())
            _checked(
                library.posix_spawn(
                    ctypes.byref(pid), os.fsencode(program), actions, self._attributes, words, variables
                )
            )
            return pid.value

    @contextmanager
    def _actions(self) -> Iterator[ctypes.Array[ctypes.c_char]]:
        actions = _opaque()
        _checked(self._library.posix_spawn_file_actions_init(actions))
        try:
            yield actions
        finally:
            self._library.posix_spawn_file_actions_destroy(actions)


def _opaque(filling: bytes = b"\0") -> ctypes.Array[ctypes.c_char]:
    return ctypes.create_string_buffer(filling * OPAQUE_BYTES, OPAQUE_BYTES)


def _words(words: Iterable[str]) -> ctypes.Array[ctypes.c_char_p]:
    encoded = [os.fsencode(word) for word in words]
    return (ctypes.c_char_p * (len(encoded) + 1))(*encoded)


def _checked(number: int) -> None:
    if number:
        raise OSError(number, os.strerror(number))
