"""The workloads that are a server whose clients are a Python program: the server itself counts what it has done."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from mainspring.benchmarks.loops import LoopFactory
from mainspring.benchmarks.serving import share_processors
from mainspring.benchmarks.workload import REQUESTS, LoopCheck, Measurement, Unit, Windows

PATIENCE = 60

StartCountingServer = Callable[[Callable[[], None]], AbstractAsyncContextManager[int]]
"""Serves while entered and gives the port; calls its argument for each request that it has served."""


@dataclass(frozen=True)
class CountingServerWorkload:
    """Judged by requests per second of the server's processor time, as other servers are.

    The clients are the module ``clients``, which is told the port. They check the answers and end if one is wrong.
    """

    name: str
    start: StartCountingServer
    clients: str
    unit: Unit = REQUESTS
    network: bool = True
    quick: bool = False

    def measure(self, factory: LoopFactory, check: LoopCheck, windows: Windows) -> Measurement:
        clients_cpu = share_processors()
        with asyncio.Runner(loop_factory=factory) as runner:
            return runner.run(self._serve(check, windows, clients_cpu))

    async def _serve(self, check: LoopCheck, windows: Windows, clients_cpu: int | None) -> Measurement:
        served = 0

        def count() -> None:
            nonlocal served
            served += 1

        async with self.start(count) as port, self._asking(port, clients_cpu) as clients:

            async def more_than(number: int) -> None:
                deadline = time.monotonic() + PATIENCE
                while served <= number and clients.poll() is None and time.monotonic() < deadline:
                    await asyncio.sleep(0.01)

            await more_than(0)
            await asyncio.sleep(windows.warmup)
            before, processor, wall = served, time.process_time(), time.perf_counter()
            await asyncio.sleep(windows.server)
            # A machine that is busy elsewhere may let none be served in a short window, which then ends with the first.
            await more_than(before)
            requests, processor, wall = served - before, time.process_time() - processor, time.perf_counter() - wall
            if clients.poll() is not None:
                raise RuntimeError(f"the clients ended with {clients.returncode}")
            if requests == 0:
                raise RuntimeError(f"no request for {PATIENCE} seconds")
            loop_class = check()
        return Measurement(
            requests / processor,
            loop_class,
            {"wall_requests_per_second": requests / wall, "server_load": processor / wall},
        )

    @asynccontextmanager
    async def _asking(self, port: int, processor: int | None) -> AsyncIterator[subprocess.Popen[bytes]]:
        words = [sys.executable, "-m", self.clients, str(port), str(-1 if processor is None else processor)]
        with subprocess.Popen(words) as clients:
            try:
                yield clients
            finally:
                clients.kill()
