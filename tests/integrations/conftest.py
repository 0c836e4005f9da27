"""Database servers, started once for all tests that are their clients."""

from contextlib import AsyncExitStack

import pytest
from helpers.databases import provided
from mainspring.benchmarks.postgresql_server import postgresql
from mainspring.benchmarks.redis_server import redis


@pytest.fixture(scope="session")
def postgresql_environment():
    """The environment in which libpq, and what follows it, finds a new PostgreSQL."""
    with provided(postgresql) as port:
        yield {
            "PGHOST": "127.0.0.1",
            "PGPORT": str(port),
            "PGUSER": "bench",
            "PGDATABASE": "postgres",
            "PGSSLMODE": "disable",
        }


@pytest.fixture
def on_connections(postgresql_environment, monkeypatch, mainspring_loop):
    """Makes, of a library's function that connects, one that runs a coroutine function with so many connections."""
    for name, value in postgresql_environment.items():
        monkeypatch.setenv(name, value)

    async def main(connect, function, count):
        async with AsyncExitStack() as stack:
            connections = []
            for _ in range(count):
                connections.append(await connect())
                stack.push_async_callback(connections[-1].close)
            return await function(*connections)

    def on_connections(connect):
        return lambda function, count=1: mainspring_loop.run_until_complete(main(connect, function, count))

    return on_connections


@pytest.fixture(scope="session")
def redis_url():
    """The address of a new Redis."""
    with provided(redis) as port:
        yield f"redis://127.0.0.1:{port}"
