"""Hypercorn, in the loop that already runs, under HTTP load."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mainspring.benchmarks.generator import Address
from mainspring.benchmarks.integrations.asgi import application
from mainspring.benchmarks.requirement import required
from mainspring.benchmarks.service import accepts, free_port
from mainspring.benchmarks.serving import ServerWorkload


@asynccontextmanager
async def serve() -> AsyncIterator[Address]:
    hypercorn, config = required("hypercorn.asyncio", "hypercorn"), required("hypercorn.config", "hypercorn").Config()
    port = free_port()
    config.bind = [f"127.0.0.1:{port}"]
    # It would close each connection after a thousand requests, which the load generator takes for an error.
    config.keep_alive_max_requests = 1_000_000_000
    over = asyncio.Event()
    task = asyncio.create_task(hypercorn.serve(application, config, shutdown_trigger=over.wait))
    while not accepts(port):
        if task.done():
            raise RuntimeError("Hypercorn did not start") from task.exception()
        await asyncio.sleep(0.01)
    try:
        yield port
    finally:
        over.set()
        await task


WORKLOAD = ServerWorkload("Hypercorn, 50 connections", serve, "http", 50, quick=False)
