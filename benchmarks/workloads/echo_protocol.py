"""TCP echo by an ``asyncio.Protocol``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

from mainspring.benchmarks.generator import Address
from mainspring.benchmarks.limit import LimitServer
from mainspring.benchmarks.serving import ServerWorkload
from mainspring.benchmarks.workloads.echo_sizes import BACKLOG, ECHO_SIZES


class EchoProtocol(asyncio.Protocol):
    """Sends back whatever comes."""

    # Not every loop's transport is a subclass of asyncio.Transport, so the type is only said, not checked.
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


@asynccontextmanager
async def serve() -> AsyncIterator[Address]:
    server = await asyncio.get_running_loop().create_server(EchoProtocol, "127.0.0.1", 0, backlog=BACKLOG)
    with closing(server):
        yield server.sockets[0].getsockname()[1]


WORKLOADS = [
    ServerWorkload(f"TCP echo, protocol, {label}", serve, "echo", connections, size, quick, limit=LimitServer())
    for label, size, connections, quick in ECHO_SIZES
]
