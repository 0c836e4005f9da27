"""The application: what it needs is opened before the first request and closed after the last."""

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from fastapi import FastAPI
from redis import asyncio as redis

from service import health, metrics
from service.items import add_items
from service.settings import Settings
from service.store import ItemStore


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Connect to PostgreSQL and Redis. Without a database the service does not start; without a cache it does."""
    settings: Settings = app.state.settings
    registry = metrics.new_registry()
    # A request waits for a connection, instead of an error, when all are in use.
    connections = redis.BlockingConnectionPool.from_url(
        settings.cache,
        max_connections=settings.cache_connections,
        socket_timeout=settings.cache_timeout,
        socket_connect_timeout=settings.cache_timeout,
    )
    async with (
        asyncpg.create_pool(
            settings.database,
            min_size=1,
            max_size=settings.database_connections,
            command_timeout=settings.database_timeout,
        ) as database,
        redis.Redis.from_pool(connections) as cache,
    ):
        state = app.state
        state.registry, state.database, state.cache = registry, database, cache
        state.request_seconds = metrics.request_seconds(registry)
        state.items = ItemStore(database, cache, settings.cache_seconds, registry)
        relieve_collector()
        yield


def relieve_collector() -> None:
    """Tell the garbage collector that what there is now stays, and not to look for cycles after every few requests.

    By default it takes a seventh of a read's processor time, for next to nothing: requests leave few cycles behind.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000)


def create_app() -> FastAPI:
    """For ``uvicorn --factory``."""
    app = FastAPI(title="Items", lifespan=lifespan)
    app.state.settings = Settings()
    app.add_middleware(metrics.RequestMetrics)
    add_items(app)
    app.include_router(health.router)
    app.include_router(metrics.router)
    return app
