"""``call_soon_threadsafe`` from another thread, a thousand at a time."""

from __future__ import annotations

import asyncio
import threading

from mainspring.benchmarks.callbacks import CallbackWorkload
from mainspring.benchmarks.serving import in_thread

BATCH = 1000


async def from_thread(loop: asyncio.AbstractEventLoop, count: int) -> None:
    batch_done = threading.Event()
    left = BATCH

    def arrived() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            left = BATCH
            batch_done.set()

    def send() -> None:
        for _ in range(count // BATCH):
            for _ in range(BATCH):
                loop.call_soon_threadsafe(arrived)
            batch_done.wait()
            batch_done.clear()

    await in_thread(send)


WORKLOADS = [CallbackWorkload("call_soon_threadsafe", from_thread, threads=True)]
