"""uvicorn with httptools, inside the loop that already runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from mainspring.benchmarks.generator import Address


@asynccontextmanager
async def serving(app: Any) -> AsyncIterator[Address]:
    """Serve an ASGI application while entered; gives the port."""
    import uvicorn

    config = uvicorn.Config(
        app, host="127.0.0.1", port=0, http="httptools", lifespan="off", access_log=False, log_level="warning"
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:
        if task.done():
            raise RuntimeError("uvicorn did not start") from task.exception()
        await asyncio.sleep(0.001)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await task
