"""A FastAPI app on uvicorn under HTTP load; uvicorn serves inside the loop that already runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mainspring.benchmarks.generator import Address
from mainspring.benchmarks.serving import ServerWorkload

CONNECTIONS = 50


@asynccontextmanager
async def serve() -> AsyncIterator[Address]:
    import uvicorn
    from fastapi import FastAPI

    app = FastAPI()

    @app.get("/")
    async def hello() -> dict[str, str]:
        return {"hello": "world"}

    config = uvicorn.Config(
        app, host="127.0.0.1", port=0, http="httptools", lifespan="off", access_log=False, log_level="warning"
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        if serving.done():
            raise RuntimeError("uvicorn did not start") from serving.exception()
        await asyncio.sleep(0.001)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await serving


WORKLOADS = [ServerWorkload("FastAPI on uvicorn, 50 connections", serve, "http", CONNECTIONS)]
