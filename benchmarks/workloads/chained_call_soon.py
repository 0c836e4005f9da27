"""``call_soon`` from within the callback it runs: one callback ready at a time."""

from __future__ import annotations

import asyncio

from mainspring.benchmarks.callbacks import CallbackWorkload


async def chain(loop: asyncio.AbstractEventLoop, count: int) -> None:
    done = loop.create_future()
    left = count

    def step() -> None:
        nonlocal left
        left -= 1
        if left:
            loop.call_soon(step)
        else:
            done.set_result(None)

    loop.call_soon(step)
    await done


WORKLOADS = [CallbackWorkload("call_soon, chained", chain)]
