"""How far from its time a timer runs while the loop has nothing else to do."""

from __future__ import annotations

import asyncio
import time

from mainspring.benchmarks.latency import LatencyWorkload

# In no whole milliseconds, and in no order.
WAITS = (0.0007, 0.0041, 0.0013, 0.0029, 0.0057, 0.0002, 0.0034)


async def errors(loop: asyncio.AbstractEventLoop, window: float) -> list[float]:
    late: list[float] = []

    def fired(deadline: float, done: asyncio.Future[None]) -> None:
        late.append(time.monotonic() - deadline)
        done.set_result(None)

    for _ in range(max(1, round(window / sum(WAITS)))):
        for wait in WAITS:
            done = loop.create_future()
            # Not the loop's own time(): one that counts whole milliseconds would judge itself by that.
            loop.call_later(wait, fired, time.monotonic() + wait, done)
            await done
    return late


WORKLOADS = [LatencyWorkload("latency, timer error", errors)]
