"""A timer set and cancelled before it fires: what every timeout that is met costs."""

from __future__ import annotations

import asyncio

from mainspring.benchmarks.callbacks import CallbackWorkload

BATCH = 1000


def nothing() -> None:
    pass


async def set_and_cancel(loop: asyncio.AbstractEventLoop, count: int) -> None:
    # The loop runs between batches, since some loops put off a part of the work of cancelling until then.
    for _ in range(count // BATCH):
        for _ in range(BATCH):
            loop.call_later(60, nothing).cancel()
        await asyncio.sleep(0)


WORKLOADS = [CallbackWorkload("timer set and cancelled", set_and_cancel)]
