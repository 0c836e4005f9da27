"""A thousand aiohttp client calls at once, each answered after 200 ms by a server in another process."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from dataclasses import dataclass

from mainspring.benchmarks.loops import LoopFactory
from mainspring.benchmarks.pinning import allowed_processors, pin_to
from mainspring.benchmarks.workload import SECONDS, LoopCheck, Measurement, Unit, Windows

CALLS = 1000


@dataclass(frozen=True)
class ClientWorkload:
    """Judged by wall-clock seconds until the last answer; 0.2 is the limit."""

    name: str = "1,000 aiohttp calls of 200 ms"
    unit: Unit = SECONDS
    network: bool = True
    quick: bool = True

    def measure(self, factory: LoopFactory, check: LoopCheck, windows: Windows) -> Measurement:
        processors = allowed_processors()
        server_cpu = processors[1] if len(processors) > 1 else -1
        server = subprocess.Popen(
            [sys.executable, "-m", "mainspring.benchmarks.slow_server", str(server_cpu)],
            stdout=subprocess.PIPE,
        )
        try:
            assert server.stdout is not None
            port = int(server.stdout.readline())
            pin_to(0, processors)
            with asyncio.Runner(loop_factory=factory) as runner:
                return runner.run(self._call(check, port))
        finally:
            server.kill()
            server.wait()

    async def _call(self, check: LoopCheck, port: int) -> Measurement:
        import aiohttp

        url = f"http://127.0.0.1:{port}/"

        async def call(session: aiohttp.ClientSession) -> None:
            async with session.get(url) as response:
                if await response.read() != b"done":
                    raise RuntimeError("the server sent another answer")

        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            await call(session)
            processor, wall = time.process_time(), time.perf_counter()
            await asyncio.gather(*(call(session) for _ in range(CALLS)))
            processor, wall = time.process_time() - processor, time.perf_counter() - wall
        return Measurement(wall, check(), {"processor_seconds": processor})


WORKLOADS = [ClientWorkload()]
