"""asyncpg as a client of a real PostgreSQL."""

import asyncio

import mainspring
import pytest
from helpers.databases import TERMINATE_SLEEPING
from helpers.pages import printed_by

asyncpg = pytest.importorskip("asyncpg")


def test_the_program_of_the_page(postgresql_environment):
    printed = printed_by("integrations/asyncpg.md", env=postgresql_environment)
    assert printed == ["['CheckViolationError']", "90", f"loop: {mainspring.Loop}"]


@pytest.fixture
def connected(on_connections):
    return on_connections(asyncpg.connect)


def test_copy_in_both_directions(connected):
    async def scenario(connection):
        await connection.execute("CREATE TEMPORARY TABLE item (number int, text text)")
        records = [(number, "x" * 1000) for number in range(2000)]
        told = await connection.copy_records_to_table("item", records=records)
        received = bytearray()

        async def receive(data):
            received.extend(data)

        await connection.copy_from_query("SELECT * FROM item ORDER BY number", output=receive)
        return told, received

    told, received = connected(scenario)
    assert told == "COPY 2000"
    assert received == b"".join(b"%d\t%s\n" % (number, b"x" * 1000) for number in range(2000))


def test_a_cursor(connected):
    async def scenario(connection):
        async with connection.transaction():
            return [record[0] async for record in connection.cursor("SELECT generate_series(1, 500)", prefetch=7)]

    assert connected(scenario) == list(range(1, 501))


def test_notifications(connected):
    async def scenario(listener, notifier):
        notified = asyncio.Queue()
        await listener.add_listener("news", lambda _, process, channel, text: notified.put_nowait((process, text)))
        await notifier.execute("NOTIFY news, 'first'; NOTIFY news, 'second'")
        told = [await notified.get() for _ in range(2)]
        return told, notifier.get_server_pid()

    told, process = connected(scenario, 2)
    assert told == [(process, "first"), (process, "second")]


def test_a_timeout_cancels_the_query_on_the_server(connected):
    async def scenario(connection):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await connection.execute("SELECT pg_sleep(600)")
        # The connection is of use again when the query has ended.
        return await connection.fetchval("SELECT 1")

    assert connected(scenario) == 1


def test_the_server_ends_the_connection(connected):
    async def scenario(connection, other):
        terminated = asyncio.Event()
        connection.add_termination_listener(lambda _: terminated.set())
        sleeping = asyncio.create_task(connection.execute("SELECT pg_sleep(600)"))
        while not await other.fetchval(TERMINATE_SLEEPING.format(connection.get_server_pid())):
            pass
        with pytest.raises(asyncpg.ConnectionDoesNotExistError) as raised:
            await sleeping
        assert type(raised.value.__cause__) is asyncpg.AdminShutdownError
        await terminated.wait()
        return connection.is_closed()

    assert connected(scenario, 2) is True
