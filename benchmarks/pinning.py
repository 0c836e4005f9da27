"""Which processor runs what: the server the first one that is allowed, the load generator the second."""

from __future__ import annotations

import os


def allowed_processors() -> list[int]:
    return sorted(os.sched_getaffinity(0))


def pin_to(index: int, allowed: list[int] | None = None) -> int | None:
    """Confine this process to its ``index``-th processor; None, and no change, when it has only one."""
    processors = allowed_processors() if allowed is None else allowed
    if len(processors) < 2:
        return None
    os.sched_setaffinity(0, {processors[index]})
    return processors[index]
