"""What of this computer we may use, and how much memory a process takes."""

import math
import os
from pathlib import Path

MEMORY_LIMIT = Path("/sys/fs/cgroup/memory.max")  # of a container; "max" when there is none


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory() -> int:
    """Bytes of main memory that this process may have."""
    size = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if MEMORY_LIMIT.is_file() and (text := MEMORY_LIMIT.read_text().strip()).isdigit():
        size = min(size, int(text))
    return size


def taken(what: str, process: int | str = "self") -> float:
    """MB of memory that a process holds ("VmRSS"), or that it held at most ("VmHWM"); nan if not said."""
    status = Path(f"/proc/{process}/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(what)), math.nan)
