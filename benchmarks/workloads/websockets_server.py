"""Echo of binary messages by the ``websockets`` library, without compression."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from mainspring.benchmarks.generator import Address
from mainspring.benchmarks.requirement import required
from mainspring.benchmarks.serving import ServerWorkload
from mainspring.benchmarks.workloads.echo_sizes import BACKLOG

CONNECTIONS = 50


@asynccontextmanager
async def serve() -> AsyncIterator[Address]:
    server = required("websockets.asyncio.server")
    closed = required("websockets.exceptions").ConnectionClosed

    async def echo(connection: Any) -> None:
        # The load generator ends without a closing handshake.
        try:
            async for message in connection:
                await connection.send(message)
        except closed:
            pass

    async with server.serve(echo, "127.0.0.1", 0, compression=None, backlog=BACKLOG) as serving:
        yield serving.sockets[0].getsockname()[1]


WORKLOADS = [ServerWorkload("websockets echo, 1 KiB x 50", serve, "websocket", CONNECTIONS, quick=False)]
