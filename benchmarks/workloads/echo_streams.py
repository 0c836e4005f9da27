"""TCP echo by ``asyncio.start_server``: read, readline or readexactly, then write, drain."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing, suppress

from mainspring.benchmarks.generator import Address
from mainspring.benchmarks.limit import LimitServer
from mainspring.benchmarks.serving import ServerWorkload, StartServer
from mainspring.benchmarks.workloads.echo_sizes import BACKLOG, ECHO_SIZES, KIB

READ_SIZE = 65536


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


# The load generator ends with a request outstanding in each connection, so its end is a reset, or an incomplete read.
async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(READ_SIZE):
            writer.write(data)
            await writer.drain()
    writer.close()


async def echo_lines(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while line := await reader.readline():
            writer.write(line)
            await writer.drain()
    writer.close()


def echo_exactly(size: int) -> Handler:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                writer.write(await reader.readexactly(size))
                await writer.drain()
        writer.close()

    return handle


def serving(handler: Handler) -> StartServer:
    """How to serve with this handler."""

    @asynccontextmanager
    async def serve() -> AsyncIterator[Address]:
        server = await asyncio.start_server(handler, "127.0.0.1", 0, backlog=BACKLOG)
        with closing(server):
            yield server.sockets[0].getsockname()[1]

    return serve


WORKLOADS = [
    *(
        ServerWorkload(
            f"TCP echo, streams, {label}", serving(echo), "echo", connections, size, quick, limit=LimitServer()
        )
        for label, size, connections, quick in ECHO_SIZES
    ),
    ServerWorkload("TCP echo, readline, 1 KiB x 10", serving(echo_lines), "lines", 10, KIB, False, limit=LimitServer()),
    ServerWorkload(
        "TCP echo, readexactly, 1 KiB x 10", serving(echo_exactly(KIB)), "echo", 10, KIB, False, limit=LimitServer()
    ),
    ServerWorkload(
        "TCP echo, readexactly, 100 KiB x 10",
        serving(echo_exactly(100 * KIB)),
        "echo",
        10,
        100 * KIB,
        False,
        limit=LimitServer(),
    ),
]
