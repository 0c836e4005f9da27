"""A thousand timers that all fire: spread over five milliseconds, and all due together.

Waiting costs no processor time, so only the work is judged. When they are spread, a loop that wakes for every
deadline works more than one that rounds deadlines to milliseconds; ``late_us`` says what the rounding costs.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Sequence

from mainspring.benchmarks.callbacks import CallbackWorkload, Operation

BATCH = 1000
LONGEST = 0.005
# 7919 is a prime, so the deadlines come in no order.
SPREAD = [LONGEST * (index * 7919 % BATCH) / BATCH for index in range(BATCH)]
TOGETHER = [LONGEST] * BATCH


def firing(delays: Sequence[float]) -> Operation:
    async def fire(loop: asyncio.AbstractEventLoop, count: int) -> None:
        for _ in range(count // BATCH):
            done = loop.create_future()
            left = BATCH

            def fired(done: asyncio.Future[None] = done) -> None:
                nonlocal left
                left -= 1
                if left == 0:
                    done.set_result(None)

            for delay in delays:
                loop.call_later(delay, fired)
            await done

    return fire


async def lateness(loop: asyncio.AbstractEventLoop) -> dict[str, float]:
    """How long after their deadlines spread timers run, in a batch of its own outside what is judged."""
    late: list[float] = []
    done = loop.create_future()

    # Not the loop's own time(): one that counts whole milliseconds would judge itself by that.
    def fired(deadline: float) -> None:
        late.append(time.monotonic() - deadline)
        if len(late) == BATCH:
            done.set_result(None)

    for delay in SPREAD:
        loop.call_later(delay, fired, time.monotonic() + delay)
    await done
    return {"late_us": statistics.median(late) * 1e6, "earliest_us": min(late) * 1e6}


WORKLOADS = [
    CallbackWorkload("timers fired, 1,000 in 5 ms", firing(SPREAD), first_count=BATCH, extra=lateness),
    CallbackWorkload("timers fired, 1,000 at once", firing(TOGETHER), first_count=BATCH),
]
