"""``connect_write_pipe`` and ``connect_read_pipe``: both ends of a pipe in one loop, one message at a time."""

from __future__ import annotations

import asyncio
import os

from mainspring.benchmarks.callbacks import CallbackWorkload, Operation
from mainspring.benchmarks.workloads.echo_sizes import KIB


class Counting(asyncio.Protocol):
    """Resolves ``arrived`` when a whole message is there."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.left = size
        self.arrived: asyncio.Future[None]

    def data_received(self, data: bytes) -> None:
        self.left -= len(data)
        if self.left == 0:
            self.left = self.size
            self.arrived.set_result(None)


def through_pipe(size: int) -> Operation:
    async def operation(loop: asyncio.AbstractEventLoop, count: int) -> None:
        message = bytes(size)
        read_end, write_end = os.pipe()
        # The transports close the files.
        reader, counting = await loop.connect_read_pipe(lambda: Counting(size), open(read_end, "rb", 0))  # noqa: SIM115
        writer, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, open(write_end, "wb", 0))  # noqa: SIM115
        for _ in range(count):
            counting.arrived = loop.create_future()
            writer.write(message)
            await counting.arrived
        writer.close()
        reader.close()

    return operation


WORKLOADS = [
    CallbackWorkload("pipe, a message of 1 KiB", through_pipe(KIB)),
    CallbackWorkload("pipe, a message of 64 KiB", through_pipe(64 * KIB), first_count=100, quick=False),
]
