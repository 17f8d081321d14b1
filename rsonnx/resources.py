"""What this process may use of the machine: cores and memory."""

from __future__ import annotations

import contextlib
import gc
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

with contextlib.suppress(ImportError):  # not on Windows, where nothing here needs it
    import resource

_GROUPS = (
    ("", "sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"),
    (
        "memory",
        "sys/fs/cgroup/memory",
        "memory.limit_in_bytes",
        "memory.usage_in_bytes",
        "total_inactive_file",
    ),
)
"""Where control groups, of either version, say what a container or a batch job may have: the
controller, the folder, the files of the limit and of what is used, and the line of memory.stat that
says how much of that are cached files, which are given up."""

COLLECT_AFTER = 250_000
"""Objects more than there were, after which Python looks for rings of them that nothing leads to:
imports and runs make hardly any, and at its own 700 the looking takes a tenth of the time to begin,
and a quarter of that of deciding."""


_COLLECTING = threading.Lock()
_USUAL: list[tuple[int, int, int]] = []
"""What is set again when the last of several threads leaves, once for each that is inside."""


@contextlib.contextmanager
def collecting_seldom() -> Iterator[None]:
    """Look for rings of objects seldom inside, unless that was asked for already, or to never."""
    with _COLLECTING:
        _USUAL.append(_USUAL[0] if _USUAL else gc.get_threshold())
        first, *rest = _USUAL[0]
        gc.set_threshold(max(first, COLLECT_AFTER) if first else 0, *rest)
    try:
        yield
    finally:
        with _COLLECTING:
            usual = _USUAL.pop()
            if not _USUAL:
                gc.set_threshold(*usual)


def usable_cores() -> int:
    """Return the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def available_memory(root: Path = Path("/")) -> int | None:
    """Return the bytes of memory that may still be used; None where the system is not Linux.

    Args:
        root: of the file system, for tests.
    """
    limits = [1024 * free for free in _numbers(root / "proc/meminfo", "MemAvailable:")]
    for controller, folder, most, used, cached in _GROUPS:
        for group in _groups(root, controller, folder):
            held = sum(_numbers(group / used)) - sum(_numbers(group / "memory.stat", cached))
            limits += [max(0, limit - max(0, held)) for limit in _numbers(group / most)]
    return min(limits, default=None)


class _MemoryBound(contextlib.AbstractContextManager[None]):
    """A limit on this process's private memory, as long as anybody is inside."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._before: tuple[int, int] | None = None

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._before = _limit_data()
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside and self._before is not None:
                resource.setrlimit(resource.RLIMIT_DATA, self._before)


bounded_memory = _MemoryBound()
"""Inside, this process takes no more memory than was available as the first entered it.

What is beyond fails where it is asked for, and ends in a sentence. Without, Linux grants memory
that it does not have, and kills the process that uses it. On other systems nothing is bounded.
"""


def _limit_data() -> tuple[int, int] | None:
    """Limit private memory to what there is and what is free; return the limits before, if any."""
    free, held = available_memory(), sum(_numbers(Path("/proc/self/status"), "VmData:"))
    if free is None or not held:
        return None
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limits = [limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_DATA, (min([1024 * held + free, *limits]), hard))
    return soft, hard


def _groups(root: Path, controller: str, folder: str) -> list[Path]:
    """Return the control groups of this process: the outermost, and its own with all around it."""
    own = PurePosixPath("/")
    with contextlib.suppress(OSError, ValueError):
        for line in (root / "proc/self/cgroup").read_text("utf-8").splitlines():
            _, controllers, path = line.split(":", 2)
            if controller in controllers.split(","):
                own = PurePosixPath(path)
    return [root / folder / group.relative_to("/") for group in (own, *own.parents)]


def _numbers(path: Path, line: str = "") -> Iterator[int]:
    """Yield the number that a file of the kernel has on a line that begins so, if it has one."""
    with contextlib.suppress(OSError, ValueError):
        number = re.search(rf"(?m)^{line}\s*(\d+)\b", path.read_text("ascii"))
        if number is not None:
            yield int(number[1])
