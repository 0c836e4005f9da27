"""How long ``call_soon_threadsafe`` takes to wake a loop that waits."""

from __future__ import annotations

import asyncio
import threading
import time

from mainspring.benchmarks.latency import LatencyWorkload
from mainspring.benchmarks.serving import in_thread

# Long enough for the loop to go to sleep in between.
PAUSE = 0.0005


async def wake_ups(loop: asyncio.AbstractEventLoop, window: float) -> list[float]:
    delays: list[float] = []
    arrived = threading.Event()

    def wake(called: float) -> None:
        delays.append(time.perf_counter() - called)
        arrived.set()

    def call() -> None:
        end = time.perf_counter() + window
        while time.perf_counter() < end:
            time.sleep(PAUSE)
            loop.call_soon_threadsafe(wake, time.perf_counter())
            arrived.wait()
            arrived.clear()

    await in_thread(call)
    return delays


WORKLOADS = [LatencyWorkload("latency, wake-up from a thread", wake_ups)]
