"""A task waits for a future that a callback resolves."""

from __future__ import annotations

import asyncio

from mainspring.benchmarks.callbacks import CallbackWorkload


async def wake(loop: asyncio.AbstractEventLoop, count: int) -> None:
    for _ in range(count):
        future = loop.create_future()
        loop.call_soon(future.set_result, None)
        await future


WORKLOADS = [CallbackWorkload("future wake-up", wake)]
