"""Resident memory for each task that sleeps."""

from __future__ import annotations

import asyncio

from mainspring.benchmarks.memory import MemoryWorkload

LONG = 3600


async def sleeping(loop: asyncio.AbstractEventLoop, count: int) -> object:
    tasks = [loop.create_task(asyncio.sleep(LONG)) for _ in range(count)]
    await asyncio.sleep(0.01)
    return tasks


WORKLOADS = [MemoryWorkload("memory per sleeping task", sleeping, count=20_000, first=1000)]
