"""The workloads that are a client of a service: the client in this process, the service on the other processor."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass

from mainspring.benchmarks.loops import LoopFactory
from mainspring.benchmarks.pinning import allowed_processors, pin_to
from mainspring.benchmarks.service import Service
from mainspring.benchmarks.undisturbed import STRETCH, undisturbed
from mainspring.benchmarks.workload import REQUESTS, LoopCheck, Measurement, Unit, Windows

LEAST_ANSWERS = 4
"""For each connection, in what is counted as a stretch."""

PATIENCE = 10
"""How many seconds the first answer may take."""

Request = Callable[[], Awaitable[None]]
"""Asks once and checks the answer."""

Connect = Callable[[int], AbstractAsyncContextManager[Request]]
"""Is connected to the port while entered."""


@dataclass(frozen=True)
class ServiceClientWorkload:
    """Keeps one request outstanding on each connection; judged by requests per second of the client's processor time.

    The processor time is that of this process (``time.process_time``), the same account that servers are judged by.
    """

    name: str
    service: Service
    connect: Connect
    connections: int
    batch: int = 1
    """How many requests one call makes."""
    threads: bool = False
    """Whether other threads take part; such a client is not confined to one processor."""
    unit: Unit = REQUESTS
    network: bool = True
    quick: bool = False

    def measure(self, factory: LoopFactory, check: LoopCheck, windows: Windows) -> Measurement:
        processors = allowed_processors()
        with self.service(processors[1] if len(processors) > 1 else None) as port:
            if not self.threads:
                pin_to(0, processors)
            with asyncio.Runner(loop_factory=factory) as runner:
                return runner.run(self._ask(port, check, windows))

    async def _ask(self, port: int, check: LoopCheck, windows: Windows) -> Measurement:
        latencies: list[float] = []
        running = True

        async def ask(request: Request) -> None:
            while running:
                began = time.perf_counter()
                await request()
                latencies.append(time.perf_counter() - began)

        async with AsyncExitStack() as stack:
            requests = [await stack.enter_async_context(self.connect(port)) for _ in range(self.connections)]
            async with asyncio.TaskGroup() as tasks:
                for request in requests:
                    tasks.create_task(ask(request))
                await asyncio.sleep(windows.warmup)
                latencies.clear()
                costs: list[float] = []
                processor, wall = began = time.process_time(), time.perf_counter()
                last, answered = processor, 0
                # A machine that is busy elsewhere may give no answer in a short window, which then ends with the first.
                while (passed := time.perf_counter() - wall) < windows.server or (not latencies and passed < PATIENCE):
                    await asyncio.sleep(STRETCH)
                    now = time.process_time()
                    if len(latencies) >= answered + LEAST_ANSWERS * self.connections:
                        costs.append((now - last) / (len(latencies) - answered))
                        last, answered = now, len(latencies)
                processor, wall = time.process_time() - began[0], time.perf_counter() - began[1]
                found = sorted(latencies)
                running = False
        if not found:
            raise RuntimeError(f"no answer for {PATIENCE} seconds")
        return Measurement(
            value=self.batch / undisturbed(costs or [processor / len(found)]),
            loop_class=check(),
            details={
                "wall_requests_per_second": len(found) * self.batch / wall,
                **{
                    f"{name}_us": found[min(len(found) - 1, int(len(found) * share))] * 1e6
                    for name, share in (("p50", 0.5), ("p99", 0.99), ("p999", 0.999))
                },
                "server_load": processor / wall,
            },
        )
