"""The template of a service, started as its README says, with a PostgreSQL and a Redis of this test run."""

import asyncio
import contextlib
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from mainspring.benchmarks.postgresql_server import postgresql
from mainspring.benchmarks.redis_server import redis
from mainspring.benchmarks.requirement import MissingRequirementError

EXAMPLES = Path(__file__).parents[3] / "examples"
SCHEMA = EXAMPLES / "service" / "schema.sql"


class Service:
    """A running service, whose errors are read line by line."""

    def __init__(self, process):
        self.process = process
        self._read = []
        self.address = self.expect(r"running on (http://127\.0\.0\.1:\d+)")[1]

    def expect(self, pattern):
        """Read on until a line of its standard error matches."""
        for line in self.process.stderr:
            self._read.append(line)
            if match := re.search(pattern, line):
                return match
        raise AssertionError(f"it ended and never said {pattern}:\n" + "".join(self._read))

    def end(self):
        """Send SIGTERM and wait for its end; its status and all its errors."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self):
        """Wait for its end."""
        _, errors = self.process.communicate(timeout=60)
        return self.process.returncode, "".join(self._read) + errors


@contextlib.contextmanager
def started(command, environment, folder):
    """A process as the README starts it, with this Python; killed, and its workers, if it does not end by itself."""
    words = shlex.split(command)
    words = [sys.executable, *(words[1:] if words[0] == "python" else ["-m", *words])]
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "PYTHONASYNCIO"))}
    process = subprocess.Popen(
        words, cwd=folder, stderr=subprocess.PIPE, text=True, env={**clean, **environment}, start_new_session=True
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def provided(service):
    """The port of a database server that runs for the module's tests."""
    try:
        with service(None) as port:
            yield port
    except MissingRequirementError as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="module")
def postgresql_port():
    yield from provided(postgresql)


@pytest.fixture(scope="module")
def redis_port():
    yield from provided(redis)


class Database:
    """A database of its own for each test, with the table of the service."""

    def __init__(self, port, name):
        self.port, self.name = port, name
        self.dsn = f"postgresql://bench@127.0.0.1:{port}/{name}"

    def execute(self, query, *arguments, elsewhere=False):
        """Run a query; ``elsewhere`` in another database than the service's."""
        import asyncpg

        async def run():
            dsn = f"postgresql://bench@127.0.0.1:{self.port}/postgres" if elsewhere else self.dsn
            connection = await asyncpg.connect(dsn)
            try:
                await connection.execute(query, *arguments)
            finally:
                await connection.close()

        asyncio.run(run())


@pytest.fixture
def database(postgresql_port, request):
    database = Database(postgresql_port, f"shop_{abs(hash(request.node.nodeid))}")
    database.execute(f"CREATE DATABASE {database.name}", elsewhere=True)
    database.execute(SCHEMA.read_text())
    database.execute("INSERT INTO items VALUES (1, 'apple', 0.5), (2, 'pear', 0.75)")
    return database


@pytest.fixture
def cache(redis_port):
    """A client of an empty Redis."""
    import redis

    with redis.Redis(port=redis_port) as client:
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
            return Service(stack.enter_context(started(command, {**environment, **more}, folder)))

        yield start


@pytest.fixture
def refused(environment):
    """Starts a service that cannot start; its status and its errors."""

    def refused(**more):
        with started("python -m service", {**environment, **more}, EXAMPLES) as process:
            _, errors = process.communicate(timeout=60)
            return process.returncode, errors

    return refused
