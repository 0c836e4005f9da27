"""TCP echo by an ``asyncio.BufferedProtocol``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

from mainspring.benchmarks.generator import Address
from mainspring.benchmarks.limit import LimitServer
from mainspring.benchmarks.serving import ServerWorkload
from mainspring.benchmarks.workloads.echo_sizes import BACKLOG, KIB

BUFFER_SIZE = 256 * KIB


class BufferedEchoProtocol(asyncio.BufferedProtocol):
    """Receives into a buffer of its own. What it sends is a copy, as a transport may keep what it is given."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport
        self.buffer = memoryview(bytearray(BUFFER_SIZE))

    def get_buffer(self, sizehint: int) -> memoryview:
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.transport.write(bytes(self.buffer[:nbytes]))


@asynccontextmanager
async def serve() -> AsyncIterator[Address]:
    server = await asyncio.get_running_loop().create_server(BufferedEchoProtocol, "127.0.0.1", 0, backlog=BACKLOG)
    with closing(server):
        yield server.sockets[0].getsockname()[1]


WORKLOADS = [
    ServerWorkload(f"TCP echo, buffered, {label}", serve, "echo", 10, size, quick, limit=LimitServer())
    for label, size, quick in (("1 KiB x 10", KIB, False), ("100 KiB x 10", 100 * KIB, True))
]
