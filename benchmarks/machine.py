"""What the kernel says about processes and the machine, and the few statistics that are made of measurements."""

from __future__ import annotations

import os
import platform
import re
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path


def cpu(pids: Iterable[int]) -> float:
    """Seconds of processor time that these processes have used, all their threads together, to the nanosecond."""
    total = 0
    for pid in pids:
        for task in _tasks(pid):
            try:
                total += int(Path(task, "schedstat").read_text().split()[0])
            except OSError:
                pass  # the thread has ended meanwhile
    return total / 1e9


def memory(pids: Iterable[int]) -> int:
    """Bytes that these processes have written, and their share of those that several have: not the files they map,

    whose share changes when any other program begins or ends.
    """
    total = 0
    for pid in pids:
        found = re.search(r"^Pss_Anon:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
        assert found
        total += int(found[1]) * 1024
    return total


def threads(pids: Iterable[int]) -> int:
    """How many threads these processes have."""
    return sum(len(_tasks(pid)) for pid in pids)


def children(pid: int) -> list[int]:
    """The processes that *pid* has started."""
    found: list[int] = []
    for task in _tasks(pid):
        try:
            found += [int(word) for word in Path(task, "children").read_text().split()]
        except OSError:
            pass
    return found


def descendants(pid: int) -> list[int]:
    """Those, and theirs."""
    found = children(pid)
    for child in found:
        found += children(child)
    return found


def _tasks(pid: int) -> list[Path]:
    try:
        return [*Path(f"/proc/{pid}/task").iterdir()]
    except OSError:
        return []


def described() -> str:
    """This machine, in a line."""
    model = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    total = re.search(r"^MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text(), re.MULTILINE)
    assert total
    system = re.search(r'^PRETTY_NAME="(.*)"$', Path("/etc/os-release").read_text(), re.MULTILINE)
    return (
        f"{os.cpu_count()} cores ({model[1] if model else platform.machine()}), {int(total[1]) / 1e6:.0f} GB, "
        f"{system[1] if system else platform.system()}, Linux {platform.release()}, Python {platform.python_version()}"
    )


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which *share* of them lie."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def median(values: Sequence[float]) -> float:
    """The middle one."""
    return statistics.median(values)
