"""``getaddrinfo`` of what is an address already: nothing is looked up."""

from __future__ import annotations

import asyncio
import socket

from mainspring.benchmarks.callbacks import CallbackWorkload


async def one_by_one(loop: asyncio.AbstractEventLoop, count: int) -> None:
    for _ in range(count):
        await loop.getaddrinfo("127.0.0.1", 80, type=socket.SOCK_STREAM)


WORKLOADS = [CallbackWorkload("getaddrinfo, numeric", one_by_one, first_count=100, threads=True)]
