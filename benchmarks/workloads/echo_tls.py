"""TLS echo by an ``asyncio.Protocol`` and by streams."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

from mainspring.benchmarks.certificate import OPENSSL, server_context
from mainspring.benchmarks.generator import Address
from mainspring.benchmarks.limit import LimitServer
from mainspring.benchmarks.serving import ServerWorkload
from mainspring.benchmarks.workloads.echo_protocol import EchoProtocol
from mainspring.benchmarks.workloads.echo_sizes import BACKLOG, KIB
from mainspring.benchmarks.workloads.echo_streams import echo

RECORD = 16 * KIB
"""What a TLS record holds at most."""

SIZES = [("1 KiB x 10", KIB), ("100 KiB x 10", 100 * KIB)]
CONNECTIONS = 10


@asynccontextmanager
async def serve_protocol() -> AsyncIterator[Address]:
    server = await asyncio.get_running_loop().create_server(
        EchoProtocol, "127.0.0.1", 0, backlog=BACKLOG, ssl=server_context()
    )
    with closing(server):
        yield server.sockets[0].getsockname()[1]


@asynccontextmanager
async def serve_streams() -> AsyncIterator[Address]:
    server = await asyncio.start_server(echo, "127.0.0.1", 0, backlog=BACKLOG, ssl=server_context())
    with closing(server):
        yield server.sockets[0].getsockname()[1]


WORKLOADS = [
    ServerWorkload(
        f"TLS echo, {kind}, {label}",
        serve,
        "echo",
        CONNECTIONS,
        size,
        quick=serve is serve_protocol or size == KIB,
        tls=OPENSSL,
        limit=LimitServer(tls=True, collect=size > RECORD),
    )
    for kind, serve in (("protocol", serve_protocol), ("streams", serve_streams))
    for label, size in SIZES
]
