"""``run_in_executor`` on the loop's own pool and ``asyncio.to_thread``: one call after another, and many at once."""

from __future__ import annotations

import asyncio

from mainspring.benchmarks.callbacks import CallbackWorkload, Operation


def nothing() -> None:
    pass


async def one_by_one(loop: asyncio.AbstractEventLoop, count: int) -> None:
    for _ in range(count):
        await loop.run_in_executor(None, nothing)


def at_once(many: int) -> Operation:
    async def operation(loop: asyncio.AbstractEventLoop, count: int) -> None:
        for _ in range(count // many):
            await asyncio.gather(*(loop.run_in_executor(None, nothing) for _ in range(many)))

    return operation


async def to_thread_one_by_one(loop: asyncio.AbstractEventLoop, count: int) -> None:
    for _ in range(count):
        await asyncio.to_thread(nothing)


async def to_thread_at_once(loop: asyncio.AbstractEventLoop, count: int) -> None:
    for _ in range(count // 100):
        await asyncio.gather(*(asyncio.to_thread(nothing) for _ in range(100)))


WORKLOADS = [
    CallbackWorkload("run_in_executor, one by one", one_by_one, first_count=100, threads=True),
    CallbackWorkload("run_in_executor, 100 at once", at_once(100), first_count=100, threads=True),
    CallbackWorkload("run_in_executor, 1,000 at once", at_once(1000), first_count=1000, threads=True, quick=False),
    CallbackWorkload("to_thread, one by one", to_thread_one_by_one, first_count=100, threads=True),
    CallbackWorkload("to_thread, 100 at once", to_thread_at_once, first_count=100, threads=True, quick=False),
]
