"""A FastAPI app on uvicorn under HTTP load."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mainspring.benchmarks.generator import Address
from mainspring.benchmarks.serving import ServerWorkload
from mainspring.benchmarks.uvicorn_server import serving

CONNECTIONS = 50


@asynccontextmanager
async def serve() -> AsyncIterator[Address]:
    from fastapi import FastAPI

    app = FastAPI()

    @app.get("/")
    async def hello() -> dict[str, str]:
        return {"hello": "world"}

    async with serving(app) as port:
        yield port


WORKLOADS = [ServerWorkload("FastAPI on uvicorn, 50 connections", serve, "http", CONNECTIONS)]
