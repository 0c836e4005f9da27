"""psycopg's asynchronous connections as clients of a real PostgreSQL."""

import asyncio
import functools

import mainspring
import pytest
from helpers.databases import TERMINATE_SLEEPING
from helpers.pages import printed_by

psycopg = pytest.importorskip("psycopg", exc_type=ImportError)


def test_the_program_of_the_page(postgresql_environment):
    pytest.importorskip("psycopg_pool")
    printed = printed_by("integrations/psycopg.md", env=postgresql_environment)
    assert printed == ["['UniqueViolation']", "[1, 2, 3]", f"loop: {mainspring.Loop}"]


@pytest.fixture
def connected(on_connections):
    return on_connections(functools.partial(psycopg.AsyncConnection.connect, autocommit=True))


def test_copy_in_both_directions(connected):
    async def scenario(connection):
        await connection.execute("CREATE TEMPORARY TABLE item (number int, text text)")
        cursor = connection.cursor()
        async with cursor.copy("COPY item FROM STDIN") as copy:
            for number in range(2000):
                await copy.write_row((number, "x" * 1000))
        async with cursor.copy("COPY (SELECT * FROM item ORDER BY number) TO STDOUT") as copy:
            return b"".join([bytes(data) async for data in copy])

    assert connected(scenario) == b"".join(b"%d\t%s\n" % (number, b"x" * 1000) for number in range(2000))


def test_pipeline_mode(connected):
    async def scenario(connection):
        async with connection.pipeline():
            cursors = [await connection.execute("SELECT %s::int", (number,)) for number in range(100)]
            return [(await cursor.fetchone())[0] for cursor in cursors]

    assert connected(scenario) == list(range(100))


def test_notifications(connected):
    async def scenario(listener, notifier):
        await listener.execute("LISTEN news")

        async def listen():
            return [(notify.pid, notify.payload) async for notify in listener.notifies(stop_after=2)]

        listening = asyncio.create_task(listen())
        for text in ("first", "second"):
            await notifier.execute("SELECT pg_notify('news', %s)", (text,))
        return await listening, notifier.info.backend_pid

    told, process = connected(scenario, 2)
    assert told == [(process, "first"), (process, "second")]


def test_a_timeout_cancels_the_query_on_the_server(connected):
    async def scenario(connection):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await connection.execute("SELECT pg_sleep(600)")
        # The connection is of use again when the query has ended.
        cursor = await connection.execute("SELECT 1")
        return await cursor.fetchone()

    assert connected(scenario) == (1,)


def test_the_server_ends_the_connection(connected):
    async def scenario(connection, other):
        sleeping = asyncio.create_task(connection.execute("SELECT pg_sleep(600)"))
        while not (await other.execute(TERMINATE_SLEEPING.format(connection.info.backend_pid))).rowcount:
            pass
        with pytest.raises(psycopg.errors.AdminShutdown):
            await sleeping
        return connection.closed

    assert connected(scenario, 2) is True
