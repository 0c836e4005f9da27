"""Tornado under HTTP load."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mainspring.benchmarks.generator import Address
from mainspring.benchmarks.integrations.asgi import BODY
from mainspring.benchmarks.requirement import required
from mainspring.benchmarks.serving import ServerWorkload


@asynccontextmanager
async def serve() -> AsyncIterator[Address]:
    web = required("tornado.web", "tornado")

    class Hello(web.RequestHandler):  # type: ignore[name-defined, misc]
        def get(self) -> None:
            self.set_header("Content-Type", "application/json")
            self.finish(BODY)

    (socket,) = required("tornado.netutil", "tornado").bind_sockets(0, "127.0.0.1")
    server = required("tornado.httpserver", "tornado").HTTPServer(web.Application([("/", Hello)]))
    server.add_sockets([socket])
    try:
        yield socket.getsockname()[1]
    finally:
        server.stop()
        await server.close_all_connections()


WORKLOAD = ServerWorkload("Tornado, 50 connections", serve, "http", 50, quick=False)
