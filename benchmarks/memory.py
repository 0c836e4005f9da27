"""The workloads that are judged by memory: how much the process grows while something is held."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from mainspring.benchmarks.loops import LoopFactory
from mainspring.benchmarks.pinning import pin_to
from mainspring.benchmarks.workload import BYTES, LoopCheck, Measurement, Unit, Windows

Hold = Callable[[asyncio.AbstractEventLoop, int], Awaitable[object]]
"""Makes so many of what is measured and gives what keeps them alive."""


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class MemoryWorkload:
    """Judged by the growth of resident memory, divided by how many there are."""

    name: str
    hold: Hold
    count: int
    first: int
    """How many are held before: what they bring in besides is shared by all and not counted."""
    unit: Unit = BYTES
    network: bool = False
    quick: bool = True

    def measure(self, factory: LoopFactory, check: LoopCheck, windows: Windows) -> Measurement:
        pin_to(0)
        with asyncio.Runner(loop_factory=factory) as runner:
            return runner.run(self._measure(check))

    async def _measure(self, check: LoopCheck) -> Measurement:
        loop = asyncio.get_running_loop()
        held = [await self.hold(loop, self.first)]
        gc.collect()
        before = resident_bytes()
        held.append(await self.hold(loop, self.count))
        gc.collect()
        grown = resident_bytes() - before
        # Nothing at all cannot be compared, so a byte is the least.
        return Measurement(max(1.0, grown / self.count), check(), {"held": len(held) * self.count})
