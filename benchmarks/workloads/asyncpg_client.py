"""``SELECT 1`` by asyncpg, on ten connections to a PostgreSQL on the other processor."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mainspring.benchmarks.postgresql_server import postgresql
from mainspring.benchmarks.requirement import required
from mainspring.benchmarks.service_client import Request, ServiceClientWorkload

CONNECTIONS = 10


@asynccontextmanager
async def connect(port: int) -> AsyncIterator[Request]:
    asyncpg = required("asyncpg")
    connection = await asyncpg.connect(host="127.0.0.1", port=port, user="bench", database="postgres", ssl=False)

    async def select() -> None:
        if await connection.fetchval("SELECT 1") != 1:
            raise RuntimeError("PostgreSQL gave another answer")

    try:
        yield select
    finally:
        await connection.close()


WORKLOADS = [ServiceClientWorkload("asyncpg SELECT 1, 10 connections", postgresql, connect, CONNECTIONS)]
