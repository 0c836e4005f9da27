"""``SELECT 1`` by psycopg, on ten connections to a PostgreSQL on the other processor."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mainspring.benchmarks.postgresql_server import postgresql
from mainspring.benchmarks.requirement import required
from mainspring.benchmarks.service_client import Request, ServiceClientWorkload


@asynccontextmanager
async def connect(port: int) -> AsyncIterator[Request]:
    psycopg = required("psycopg", "'psycopg[binary]'")
    where = {"host": "127.0.0.1", "port": port, "user": "bench", "dbname": "postgres", "sslmode": "disable"}

    async with await psycopg.AsyncConnection.connect(**where, autocommit=True) as connection:

        async def select() -> None:
            cursor = await connection.execute("SELECT 1")
            if await cursor.fetchone() != (1,):
                raise RuntimeError("PostgreSQL gave another answer")

        yield select


WORKLOAD = ServiceClientWorkload("psycopg SELECT 1, 10 connections", postgresql, connect, 10)
