"""TCP echo by ``loop.sock_accept``, ``sock_recv`` and ``sock_sendall``."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from mainspring.benchmarks.generator import Address
from mainspring.benchmarks.limit import LimitServer
from mainspring.benchmarks.serving import ServerWorkload
from mainspring.benchmarks.workloads.echo_sizes import BACKLOG, ECHO_SIZES

READ_SIZE = 65536


async def echo(connection: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    # The load generator ends with a request outstanding in each connection, so its end is a reset.
    with connection, suppress(ConnectionError):
        while data := await loop.sock_recv(connection, READ_SIZE):
            await loop.sock_sendall(connection, data)


async def accept(listener: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    async with asyncio.TaskGroup() as connections:
        while True:
            connection, _ = await loop.sock_accept(listener)
            # As every loop's own transports do.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connections.create_task(echo(connection))


@asynccontextmanager
async def serve() -> AsyncIterator[Address]:
    with socket.create_server(("127.0.0.1", 0), backlog=BACKLOG) as listener:
        listener.setblocking(False)
        accepting = asyncio.get_running_loop().create_task(accept(listener))
        try:
            yield listener.getsockname()[1]
        finally:
            accepting.cancel()
            with suppress(asyncio.CancelledError):
                await accepting


WORKLOADS = [
    ServerWorkload(f"TCP echo, sock_recv, {label}", serve, "echo", connections, size, quick, limit=LimitServer())
    for label, size, connections, quick in ECHO_SIZES
]
