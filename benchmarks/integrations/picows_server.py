"""Echo of binary messages by picows on the loop's own transports."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from mainspring.benchmarks.generator import Address
from mainspring.benchmarks.requirement import required
from mainspring.benchmarks.serving import ServerWorkload


@asynccontextmanager
async def serve() -> AsyncIterator[Address]:
    picows = required("picows", "picows")

    class Echo(picows.WSListener):  # type: ignore[name-defined, misc]
        def on_ws_frame(self, transport: Any, frame: Any) -> None:
            transport.send(frame.msg_type, frame.get_payload_as_memoryview())

    # With aiofastnet's transports the loop would only watch descriptors.
    server = await picows.ws_create_server(lambda request: Echo(), "127.0.0.1", 0, use_aiofastnet=False)
    async with server:
        yield server.sockets[0].getsockname()[1]


WORKLOAD = ServerWorkload("picows echo, 1 KiB x 50", serve, "websocket", 50, quick=False)
