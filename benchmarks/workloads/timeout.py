"""``async with asyncio.timeout()`` around work that ends in time."""

from __future__ import annotations

import asyncio

from mainspring.benchmarks.callbacks import CallbackWorkload

BATCH = 100


async def within(loop: asyncio.AbstractEventLoop, count: int) -> None:
    for _ in range(count // BATCH):
        for _ in range(BATCH):
            async with asyncio.timeout(60):
                pass
        await asyncio.sleep(0)


WORKLOADS = [CallbackWorkload("asyncio.timeout()", within)]
