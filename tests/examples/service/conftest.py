"""The template of a service, with a PostgreSQL and a Redis of this test run."""

import contextlib

import pytest
from helpers.databases import provided
from helpers.service import EXAMPLES, Database, Service, serving
from mainspring.benchmarks.postgresql_server import postgresql
from mainspring.benchmarks.redis_server import redis


@pytest.fixture(scope="module")
def postgresql_port():
    with provided(postgresql) as port:
        yield port


@pytest.fixture(scope="module")
def redis_port():
    with provided(redis) as port:
        yield port


@pytest.fixture
def database(postgresql_port, request):
    """A database of its own for each test."""
    return Database(postgresql_port, f"shop_{abs(hash(request.node.nodeid))}")


@pytest.fixture
def cache(redis_port):
    """A client of an empty Redis."""
    from redis import Redis

    with Redis(port=redis_port) as client:
        client.flushall()
        yield client


@pytest.fixture
def environment(database, redis_port, cache):
    """The settings of the service, any free port among them."""
    return {
        "SERVICE_PORT": "0",
        "SERVICE_DATABASE": database.dsn,
        "SERVICE_CACHE": f"redis://127.0.0.1:{redis_port}",
        # So that a slow machine is not taken for a database that does not answer.
        "SERVICE_DATABASE_TIMEOUT": "60",
        "SERVICE_CACHE_TIMEOUT": "60",
    }


@pytest.fixture
def start(environment):
    """Starts the service by a command, with more of the environment; it is ended with the test."""
    with contextlib.ExitStack() as stack:

        def start(command="python -m service", folder=EXAMPLES, **more):
            return Service(stack.enter_context(serving(command, {**environment, **more}, folder)))

        yield start


@pytest.fixture
def refused(environment):
    """Starts a service that cannot start; its status and its errors."""

    def refused(**more):
        with serving("python -m service", {**environment, **more}, EXAMPLES) as process:
            _, errors = process.communicate(timeout=60)
            return process.returncode, errors

    return refused
