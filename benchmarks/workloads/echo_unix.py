"""Echo over UNIX sockets by an ``asyncio.Protocol``."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

from mainspring.benchmarks.generator import Address
from mainspring.benchmarks.limit import LimitServer
from mainspring.benchmarks.serving import ServerWorkload
from mainspring.benchmarks.workloads.echo_protocol import EchoProtocol
from mainspring.benchmarks.workloads.echo_sizes import BACKLOG, KIB


@asynccontextmanager
async def serve() -> AsyncIterator[Address]:
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "socket"))
        server = await asyncio.get_running_loop().create_unix_server(EchoProtocol, path, backlog=BACKLOG)
        with closing(server):
            yield path


WORKLOADS = [
    ServerWorkload(f"UNIX echo, protocol, {label}", serve, "echo", 10, size, quick, limit=LimitServer("unix"))
    for label, size, quick in (("1 KiB x 10", KIB, True), ("100 KiB x 10", 100 * KIB, False))
]
