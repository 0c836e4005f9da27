"""TCP echo by ``asyncio.start_server``: read, write, drain."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from mainspring.benchmarks.serving import ServerWorkload
from mainspring.benchmarks.workloads.echo_sizes import BACKLOG, ECHO_SIZES

READ_SIZE = 65536


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    # The load generator ends with a request outstanding in each connection, so its end is a reset.
    with suppress(ConnectionError):
        while data := await reader.read(READ_SIZE):
            writer.write(data)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def serve() -> AsyncIterator[int]:
    server = await asyncio.start_server(echo, "127.0.0.1", 0, backlog=BACKLOG)
    async with server:
        yield server.sockets[0].getsockname()[1]


WORKLOADS = [
    ServerWorkload(f"TCP echo, streams, {label}", serve, "echo", connections, size, quick)
    for label, size, connections, quick in ECHO_SIZES
]
