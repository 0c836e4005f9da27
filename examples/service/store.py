"""Rows of PostgreSQL, read through Redis, which holds each as the JSON that the service answers."""

import logging
from decimal import Decimal
from typing import Any

import asyncpg
from aiodataloader import DataLoader
from prometheus_client import CollectorRegistry, Counter
from redis.asyncio import Redis
from redis.exceptions import RedisError

from service.item import Item

log = logging.getLogger(__name__)

SELECT = "SELECT id, name, price FROM items WHERE id = ANY($1)"
UPSERT = """
INSERT INTO items (id, name, price) VALUES ($1, $2, $3)
ON CONFLICT (id) DO UPDATE SET name = excluded.name, price = excluded.price
"""


class ItemStore:
    """Cache-aside: a read asks Redis, then PostgreSQL; a write goes to PostgreSQL and takes the item out of Redis.

    A read that overtakes a write may leave the old item in Redis until it expires there.
    """

    def __init__(self, database: asyncpg.Pool, cache: Redis, cache_seconds: int, registry: CollectorRegistry) -> None:
        self._database = database
        self._cache = cache
        self._cache_seconds = cache_seconds
        # The reads of one turn of the loop become one command for Redis and one query. The loaders keep no results.
        self._cached: DataLoader[int, bytes | None] = DataLoader(self._read_cache, cache=False, max_batch_size=100)
        self._rows: DataLoader[int, bytes | None] = DataLoader(self._read_database, cache=False, max_batch_size=100)
        reads = Counter("service_item_reads", "Reads, by what answered them", ["source"], registry=registry)
        self._from_cache, self._from_database = reads.labels("cache"), reads.labels("database")
        self._failures = Counter("service_cache_failures", "Commands that Redis has failed", registry=registry)

    async def get(self, item: int) -> bytes | None:
        """An item as JSON."""
        json = await self._cached.load(item)
        if json is None:
            json = await self._rows.load(item)
            self._from_database.inc()
        else:
            self._from_cache.inc()
        return json

    async def put(self, item: int, name: str, price: Decimal) -> None:
        """Make an item or replace it."""
        await self._database.execute(UPSERT, item, name, price)
        try:
            await self._cache.delete(_key(item))
        except RedisError as error:
            self._cache_failed(error)

    async def _read_cache(self, items: list[int]) -> list[bytes | None]:
        try:
            found: list[Any] = await self._cache.mget([_key(item) for item in items])
        except RedisError as error:
            # Slower, and no less right.
            self._cache_failed(error)
            found = [None] * len(items)
        return found

    async def _read_database(self, items: list[int]) -> list[bytes | None]:
        rows = {row["id"]: _as_json(row) for row in await self._database.fetch(SELECT, items)}
        await self._remember(rows)
        return [rows.get(item) for item in items]

    async def _remember(self, rows: dict[int, bytes]) -> None:
        try:
            async with self._cache.pipeline(transaction=False) as pipeline:
                for item, json in rows.items():
                    pipeline.set(_key(item), json, ex=self._cache_seconds)
                await pipeline.execute()
        except RedisError as error:
            self._cache_failed(error)

    def _cache_failed(self, error: RedisError) -> None:
        self._failures.inc()
        log.warning("the cache failed: %s", error)


def _key(item: int) -> str:
    return f"item:{item}"


def _as_json(row: asyncpg.Record) -> bytes:
    return Item(**row).model_dump_json().encode()
