"""Pipelines of a hundred commands by redis-py with hiredis, on ten connections to a Redis on the other processor."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mainspring.benchmarks.redis_server import redis
from mainspring.benchmarks.requirement import required
from mainspring.benchmarks.service_client import Request, ServiceClientWorkload

CONNECTIONS = 10
PAIRS = 50


@asynccontextmanager
async def connect(port: int) -> AsyncIterator[Request]:
    required("hiredis")
    client = required("redis.asyncio").Redis(host="127.0.0.1", port=port, single_connection_client=True)
    expected = [answer for number in range(PAIRS) for answer in (True, str(number).encode())]

    async def run_pipeline() -> None:
        pipeline = client.pipeline(transaction=False)
        for number in range(PAIRS):
            pipeline.set(f"key {number}", number)
            pipeline.get(f"key {number}")
        if await pipeline.execute() != expected:
            raise RuntimeError("Redis gave other answers")

    try:
        yield run_pipeline
    finally:
        await client.aclose()


WORKLOADS = [ServiceClientWorkload("redis-py, pipelines of 100", redis, connect, CONNECTIONS, batch=2 * PAIRS)]
