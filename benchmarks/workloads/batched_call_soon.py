"""``call_soon`` a thousand times before the loop gets to run any."""

from __future__ import annotations

import asyncio

from mainspring.benchmarks.callbacks import CallbackWorkload

BATCH = 1000


def nothing() -> None:
    pass


async def batches(loop: asyncio.AbstractEventLoop, count: int) -> None:
    for _ in range(count // BATCH):
        for _ in range(BATCH):
            loop.call_soon(nothing)
        await asyncio.sleep(0)


WORKLOADS = [CallbackWorkload("call_soon, batches of 1,000", batches)]
