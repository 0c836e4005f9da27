"""``await asyncio.sleep(0)`` in one task, and in a hundred at once."""

from __future__ import annotations

import asyncio

from mainspring.benchmarks.callbacks import CallbackWorkload

TASKS = 100


async def one_task(loop: asyncio.AbstractEventLoop, count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def many_tasks(loop: asyncio.AbstractEventLoop, count: int) -> None:
    await asyncio.gather(*(one_task(loop, count // TASKS) for _ in range(TASKS)))


WORKLOADS = [
    CallbackWorkload("sleep(0), 1 task", one_task),
    CallbackWorkload("sleep(0), 100 tasks", many_tasks),
]
