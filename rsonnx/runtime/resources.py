"""What this process may use of the machine: cores and memory."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path


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
    limits = []
    with contextlib.suppress(OSError, ValueError):
        text = (root / "proc/meminfo").read_text("ascii")
        limits += [int(n) * 1024 for n in re.findall(r"(?m)^MemAvailable:\s+(\d+) kB$", text)]
    with contextlib.suppress(OSError, ValueError):  # a container's limit, or the word max
        limits.append(int((root / "sys/fs/cgroup/memory.max").read_text("ascii")))
    return min(limits, default=None)
