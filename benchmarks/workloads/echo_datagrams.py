"""UDP echo by an ``asyncio.DatagramProtocol``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from mainspring.benchmarks.generator import Address
from mainspring.benchmarks.limit import LimitServer
from mainspring.benchmarks.serving import ServerWorkload
from mainspring.benchmarks.workloads.echo_sizes import KIB


class DatagramEchoProtocol(asyncio.DatagramProtocol):
    """Sends each datagram back to where it came from."""

    # Not every loop's transport is a subclass of asyncio.DatagramTransport, so the type is only said, not checked.
    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.transport.sendto(data, addr)


@asynccontextmanager
async def serve() -> AsyncIterator[Address]:
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        DatagramEchoProtocol, local_addr=("127.0.0.1", 0)
    )
    try:
        yield transport.get_extra_info("sockname")[1]
    finally:
        transport.close()


WORKLOADS = [ServerWorkload("UDP echo, 1 KiB x 10", serve, "datagrams", 10, KIB, limit=LimitServer("udp"))]
