"""``asyncio.Queue``: items from task to task, by a queue that holds one and through a pipeline of three queues."""

from __future__ import annotations

import asyncio
from itertools import pairwise

from mainspring.benchmarks.callbacks import CallbackWorkload, Operation


async def produce(queue: asyncio.Queue[int], count: int) -> None:
    for item in range(count):
        await queue.put(item)


async def pass_on(source: asyncio.Queue[int], target: asyncio.Queue[int], count: int) -> None:
    for _ in range(count):
        await target.put(await source.get())


async def consume(queue: asyncio.Queue[int], count: int) -> None:
    for _ in range(count):
        await queue.get()


def pipeline(queues: int, maxsize: int) -> Operation:
    """``count`` items from a producer through so many queues to a consumer."""

    async def operation(_: asyncio.AbstractEventLoop, count: int) -> None:
        line: list[asyncio.Queue[int]] = [asyncio.Queue(maxsize) for _ in range(queues)]
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(produce(line[0], count))
            for source, target in pairwise(line):
                tasks.create_task(pass_on(source, target, count))
            tasks.create_task(consume(line[-1], count))

    return operation


WORKLOADS = [
    CallbackWorkload("Queue of 1, an item", pipeline(1, 1)),
    CallbackWorkload("3 Queues of 100, an item", pipeline(3, 100), quick=False),
]
