"""Resident memory for each idle connection that a server holds."""

from __future__ import annotations

import asyncio
import gc
import subprocess
from dataclasses import dataclass

from mainspring.benchmarks.generator import GeneratorError, command
from mainspring.benchmarks.loops import LoopFactory
from mainspring.benchmarks.memory import resident_bytes
from mainspring.benchmarks.pinning import pin_to
from mainspring.benchmarks.serving import in_thread
from mainspring.benchmarks.workload import BYTES, LoopCheck, Measurement, Unit, Windows

# The first connections bring in code and pools that the others share, so they are not counted.
FIRST = 200
COUNTED = 2000


class IdleProtocol(asyncio.Protocol):
    """Keeps its transport, as any real protocol does."""

    connections: set[IdleProtocol] = set()  # noqa: RUF012
    __slots__ = ("transport",)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.connections.add(self)


@dataclass(frozen=True)
class IdleMemoryWorkload:
    """Judged by the growth of resident memory, divided by the connections."""

    name: str = "memory per idle connection"
    unit: Unit = BYTES
    network: bool = True
    quick: bool = True

    def measure(self, factory: LoopFactory, check: LoopCheck, windows: Windows) -> Measurement:
        pin_to(0)
        with asyncio.Runner(loop_factory=factory) as runner:
            return runner.run(self._hold(check))

    async def _hold(self, check: LoopCheck) -> Measurement:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(IdleProtocol, "127.0.0.1", 0, backlog=4096)
        port = server.sockets[0].getsockname()[1]
        clients: list[subprocess.Popen[bytes]] = []
        try:
            before = await self._settle(clients, port, FIRST)
            after = await self._settle(clients, port, COUNTED)
        finally:
            for client in clients:
                client.kill()
                client.wait()
            server.close()
        return Measurement(max(1.0, (after - before) / COUNTED), check(), {"connections": COUNTED})

    async def _settle(self, clients: list[subprocess.Popen[bytes]], port: int, count: int) -> int:
        """Open ``count`` connections more; the resident memory when the server holds them all."""
        expected = len(IdleProtocol.connections) + count
        client = subprocess.Popen(
            command("idle", port, connections=count), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        clients.append(client)
        assert client.stdout is not None
        if not await in_thread(client.stdout.readline):
            raise GeneratorError("the load generator did not connect")
        async with asyncio.timeout(10):
            while len(IdleProtocol.connections) < expected:
                await asyncio.sleep(0.01)
        gc.collect()
        await asyncio.sleep(0.05)
        return resident_bytes()


WORKLOADS = [IdleMemoryWorkload()]
