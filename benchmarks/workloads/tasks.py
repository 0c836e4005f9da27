"""A task created and awaited, and a hundred gathered (counted a task)."""

from __future__ import annotations

import asyncio

from mainspring.benchmarks.callbacks import CallbackWorkload

GATHERED = 100


async def nothing() -> None:
    pass


async def create_and_await(loop: asyncio.AbstractEventLoop, count: int) -> None:
    for _ in range(count):
        await loop.create_task(nothing())


async def gather(loop: asyncio.AbstractEventLoop, count: int) -> None:
    for _ in range(count // GATHERED):
        await asyncio.gather(*(nothing() for _ in range(GATHERED)))


WORKLOADS = [
    CallbackWorkload("create_task and await", create_and_await),
    CallbackWorkload("gather of 100, a task", gather),
]
