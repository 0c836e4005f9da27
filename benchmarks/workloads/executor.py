"""``run_in_executor`` on the loop's own pool: one call awaited after another, and a hundred at once."""

from __future__ import annotations

import asyncio

from mainspring.benchmarks.callbacks import CallbackWorkload

AT_ONCE = 100


def nothing() -> None:
    pass


async def one_by_one(loop: asyncio.AbstractEventLoop, count: int) -> None:
    for _ in range(count):
        await loop.run_in_executor(None, nothing)


async def at_once(loop: asyncio.AbstractEventLoop, count: int) -> None:
    for _ in range(count // AT_ONCE):
        await asyncio.gather(*(loop.run_in_executor(None, nothing) for _ in range(AT_ONCE)))


WORKLOADS = [
    CallbackWorkload("run_in_executor, one by one", one_by_one, first_count=100, threads=True),
    CallbackWorkload("run_in_executor, 100 at once", at_once, first_count=100, threads=True),
]
