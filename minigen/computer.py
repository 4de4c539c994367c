"""What of this computer we may use."""

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
