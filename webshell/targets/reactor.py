"""What a local target needs of a reactor: every reactor on POSIX has it."""

from __future__ import annotations

from twisted.internet.interfaces import IReactorFDSet, IReactorProcess, IReactorThreads, IReactorTime


class IReactor(IReactorFDSet, IReactorProcess, IReactorThreads, IReactorTime):
    """Processes, descriptors, timers and threads."""
