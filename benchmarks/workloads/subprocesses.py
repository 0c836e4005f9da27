"""A subprocess started and awaited; judged by this process's own time, which forking is a part of."""

from __future__ import annotations

import asyncio

from mainspring.benchmarks.callbacks import CallbackWorkload

PROGRAM = "/bin/true"


async def one_by_one(loop: asyncio.AbstractEventLoop, count: int) -> None:
    for _ in range(count):
        process = await asyncio.create_subprocess_exec(PROGRAM)
        if await process.wait() != 0:
            raise RuntimeError(f"{PROGRAM} did not end well")


# Child processes inherit the confinement to a processor, and would take turns with their parent.
WORKLOADS = [CallbackWorkload("subprocess, started and awaited", one_by_one, first_count=10, threads=True)]
