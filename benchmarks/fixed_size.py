"""The workloads whose cost may depend on how many there are at once: an operation on exactly so many."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mainspring.benchmarks.loops import LoopFactory
from mainspring.benchmarks.pinning import pin_to
from mainspring.benchmarks.requirement import MissingRequirementError
from mainspring.benchmarks.undisturbed import undisturbed
from mainspring.benchmarks.workload import PROCESSOR_NS, LoopCheck, Measurement, Unit, Windows

# The first operations bring in code and pools that the others share.
WARM_UP = 1000
# What one callback or timer of the most expensive loop takes, generously.
BYTES_EACH = 400


Operation = Callable[[asyncio.AbstractEventLoop, Sequence[int]], Awaitable[None]]
"""Does something once for each of these numbers."""


@dataclass(frozen=True)
class FixedSizeWorkload:
    """Repeats ``operation`` on so many while the window lasts; judged by processor time for one of them."""

    name: str
    operation: Operation
    size: int
    order: Callable[[int], Sequence[int]] = range
    """The numbers below the size, in the order in which the operation gets them."""
    unit: Unit = PROCESSOR_NS
    network: bool = False
    quick: bool = True

    def measure(self, factory: LoopFactory, check: LoopCheck, windows: Windows) -> Measurement:
        if available_memory() < self.size * BYTES_EACH:
            raise MissingRequirementError(f"needs {self.size * BYTES_EACH / 2**30:.1f} GiB of free memory")
        pin_to(0)
        with asyncio.Runner(loop_factory=factory) as runner:
            return runner.run(self._measure(check, windows.callbacks))

    async def _measure(self, check: LoopCheck, window: float) -> Measurement:
        loop = asyncio.get_running_loop()
        await self.operation(loop, self.order(min(self.size, WARM_UP)))
        numbers = self.order(self.size)
        gc.collect()
        samples: list[float] = []
        end = time.perf_counter() + window
        while not samples or time.perf_counter() < end:
            began = time.process_time()
            await self.operation(loop, numbers)
            samples.append((time.process_time() - began) / self.size * 1e9)
        return Measurement(undisturbed(samples), check(), {"samples": len(samples)})


def available_memory() -> int:
    """Bytes that can be had without swapping."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.split()[0]) * 1024
    return 0
