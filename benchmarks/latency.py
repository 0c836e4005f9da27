"""The workloads that are judged by how late something happens, by the clock."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from mainspring.benchmarks.loops import LoopFactory
from mainspring.benchmarks.workload import MICROSECONDS, LoopCheck, Measurement, Unit, Windows

Delays = Callable[[asyncio.AbstractEventLoop, float], Awaitable[list[float]]]
"""Collects delays in seconds, for about so many seconds."""


@dataclass(frozen=True)
class LatencyWorkload:
    """Judged by the median of the delays, of which too early ones count by their size."""

    name: str
    delays: Delays
    unit: Unit = MICROSECONDS
    network: bool = False
    quick: bool = True

    def measure(self, factory: LoopFactory, check: LoopCheck, windows: Windows) -> Measurement:
        with asyncio.Runner(loop_factory=factory) as runner:
            return runner.run(self._measure(check, windows.server))

    async def _measure(self, check: LoopCheck, window: float) -> Measurement:
        delays = sorted(await self.delays(asyncio.get_running_loop(), window))
        return Measurement(
            value=statistics.median(map(abs, delays)) * 1e6,
            loop_class=check(),
            details={
                "count": len(delays),
                "earliest_us": delays[0] * 1e6,
                "ninety_ninth_us": delays[len(delays) * 99 // 100] * 1e6,
                "latest_us": delays[-1] * 1e6,
            },
        )
