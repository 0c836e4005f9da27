"""uvicorn and httptools under HTTP load, with an ASGI application that only answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from mainspring.benchmarks.generator import Address
from mainspring.benchmarks.serving import ServerWorkload
from mainspring.benchmarks.uvicorn_server import serving

CONNECTIONS = 50

BODY = b'{"hello":"world"}'
HEADERS = [(b"content-type", b"application/json"), (b"content-length", str(len(BODY)).encode())]


async def hello(scope: Any, receive: Any, send: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": BODY})


@asynccontextmanager
async def serve() -> AsyncIterator[Address]:
    async with serving(hello) as port:
        yield port


WORKLOADS = [ServerWorkload("uvicorn with httptools, 50 connections", serve, "http", CONNECTIONS, quick=False)]
