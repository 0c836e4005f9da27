"""An aiohttp server under HTTP load."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mainspring.benchmarks.generator import Address
from mainspring.benchmarks.serving import ServerWorkload

CONNECTIONS = 50


@asynccontextmanager
async def serve() -> AsyncIterator[Address]:
    from aiohttp import web

    async def hello(request: web.Request) -> web.Response:
        return web.json_response({"hello": "world"})

    app = web.Application()
    app.router.add_get("/", hello)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


WORKLOADS = [ServerWorkload("aiohttp server, 50 connections", serve, "http", CONNECTIONS)]
