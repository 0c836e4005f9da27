"""The workloads that need nothing but the loop: an operation is repeated and its processor time is taken."""

from __future__ import annotations

import asyncio
import gc
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from mainspring.benchmarks.loops import LoopFactory
from mainspring.benchmarks.pinning import pin_to
from mainspring.benchmarks.undisturbed import STRETCH, undisturbed
from mainspring.benchmarks.workload import PROCESSOR_NS, LoopCheck, Measurement, Unit, Windows

LEAST_STRETCHES = 3

Operation = Callable[[asyncio.AbstractEventLoop, int], Awaitable[None]]


@dataclass(frozen=True)
class CallbackWorkload:
    """Repeats ``operation(loop, count)`` and judges by processor time an operation."""

    name: str
    operation: Operation
    first_count: int = 1000
    """Where calibration starts; counts are multiples of it, so operations may work in batches."""
    threads: bool = False
    """Whether other threads take part; such a workload is not confined to one processor."""
    extra: Callable[[asyncio.AbstractEventLoop], Awaitable[dict[str, float]]] | None = None
    """Further details, measured after the samples."""
    unit: Unit = PROCESSOR_NS
    network: bool = False
    quick: bool = True

    def measure(self, factory: LoopFactory, check: LoopCheck, windows: Windows) -> Measurement:
        if not self.threads:
            pin_to(0)
        with asyncio.Runner(loop_factory=factory) as runner:
            return runner.run(self._measure(check, windows.callbacks))

    async def _measure(self, check: LoopCheck, window: float) -> Measurement:
        loop_class = check()
        loop = asyncio.get_running_loop()
        count = self.first_count
        while True:
            _, wall = await self._sample(loop, count)
            if wall >= STRETCH / 4:
                break
            count *= 2 if wall >= STRETCH / 16 else 4
        count = max(1, round(count * STRETCH / wall / self.first_count)) * self.first_count
        gc.collect()
        samples: list[tuple[float, float]] = []
        end = time.perf_counter() + window
        while len(samples) < LEAST_STRETCHES or time.perf_counter() < end:
            samples.append(await self._sample(loop, count))
        extra = await self.extra(loop) if self.extra is not None else {}
        return Measurement(
            value=undisturbed(processor for processor, _ in samples) / count * 1e9,
            loop_class=loop_class,
            details={
                "wall_ns": statistics.median(wall for _, wall in samples) / count * 1e9,
                "count": count,
                "stretches": len(samples),
                **extra,
            },
        )

    async def _sample(self, loop: asyncio.AbstractEventLoop, count: int) -> tuple[float, float]:
        processor, wall = time.process_time(), time.perf_counter()
        await self.operation(loop, count)
        return time.process_time() - processor, time.perf_counter() - wall
