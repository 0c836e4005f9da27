"""Runs a scenario with each allocation of the native module failing in turn."""

from __future__ import annotations

import faulthandler
import gc
from collections.abc import Callable
from typing import Any

HANG = 8
MODULES = {"mainspring": "mainspring/_core", "uvloop": "uvloop/loop", "default": "lib-dynload"}


def run_memory(campaign: Any, left_out: int, stride: int, tell: Callable[..., None]) -> None:
    """Like the faults of system calls; `nth` is the number of the allocation."""
    module = MODULES[campaign.factory.__module__.split(".")[0].replace("asyncio", "default")]
    seen = 0

    def stop() -> bool:
        nonlocal seen
        seen = campaign.faults.stop_allocations()
        return True

    def once(first: int, last: int) -> dict[str, Any]:
        result: dict[str, Any] = campaign.once(lambda: campaign.faults.start_allocations(module, first, last), stop)
        return result

    for _ in range(3):
        plain = once(0, 0)
    gc.collect()
    gc.freeze()
    plain = once(0, 0)
    tell(plain=plain, allocations=seen)
    numbers = range(1, seen + 1, stride)
    for i, nth in enumerate(numbers):
        if i < left_out:
            continue
        tell(begin=i, call="allocation", fault="MemoryError", nth=nth)
        faulthandler.dump_traceback_later(HANG, exit=True)
        result = once(nth, nth)
        faulthandler.cancel_dump_traceback_later()
        tell(end=i, where=module, **result)
    tell(done=len(numbers))
