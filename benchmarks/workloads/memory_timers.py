"""Resident memory for each timer that was cancelled, while more timers than these are still set.

A loop that only marks a cancelled timer keeps it until most of its timers are cancelled, or its time has come.
"""

from __future__ import annotations

import asyncio

from mainspring.benchmarks.memory import MemoryWorkload

LONG = 3600
COUNT = 40_000
STILL_SET = 50_000
BATCH = 1000


def nothing() -> None:
    pass


async def cancelled(loop: asyncio.AbstractEventLoop, count: int) -> object:
    # The first call is to leave the timers that stay; what follows is measured.
    if count == STILL_SET:
        return [loop.call_later(LONG, nothing) for _ in range(count)]
    for _ in range(count // BATCH):
        for _ in range(BATCH):
            loop.call_later(LONG, nothing).cancel()
        await asyncio.sleep(0)
    return None


WORKLOADS = [MemoryWorkload("memory per cancelled timer", cancelled, count=COUNT, first=STILL_SET)]
