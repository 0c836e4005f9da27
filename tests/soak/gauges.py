"""What a process holds: memory, references, objects, descriptors, threads."""

import asyncio
import ctypes
import gc
import os
import re
import sys
import threading
from pathlib import Path


class _MallocInfo(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_size_t) for name in ("arena", "ordblks", "smblks", "hblks", "hblkhd")),
        *((name, ctypes.c_size_t) for name in ("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")),
    ]


def _malloc_in_use():
    # What the native code holds, exactly, where the allocator is glibc's.
    function = getattr(ctypes.CDLL(None), "mallinfo2", None)
    if function is None:
        return 0
    function.restype = _MallocInfo
    info = function()
    return (info.uordblks + info.hblkhd) // 1024


def _memory():
    found = dict(re.findall(r"^(Rss|Anonymous):\s+(\d+) kB", Path("/proc/self/smaps_rollup").read_text(), re.MULTILINE))
    return int(found["Rss"]), int(found["Anonymous"])


# In which the interpreter keeps the last names that attributes were looked up by, whose places in it are up to chance.
_clear_type_cache = sys._clear_internal_caches if sys.version_info >= (3, 13) else sys._clear_type_cache


def measure():
    """All gauges by name, taken when nothing is under way."""
    for _ in range(3):
        gc.collect()
    _clear_type_cache()
    rss, anonymous = _memory()
    found = {
        "rss_kib": rss,
        "anonymous_kib": anonymous,
        "malloc_kib": _malloc_in_use(),
        "blocks": sys.getallocatedblocks(),
        "objects": len(gc.get_objects()),
        "descriptors": len(os.listdir("/proc/self/fd")),
        "threads": threading.active_count(),
        "tasks": len(asyncio.all_tasks()),
    }
    if hasattr(sys, "gettotalrefcount"):
        found["references"] = sys.gettotalrefcount()
    return found
