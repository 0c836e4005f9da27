"""redis-py as a client of a real Redis."""

import asyncio

import mainspring
import pytest
from helpers.pages import printed_by

pytest.importorskip("redis")
import redis.asyncio as redis
from redis._parsers import _AsyncHiredisParser, _AsyncRESP2Parser
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import WatchError


def test_the_program_of_the_page(redis_url):
    printed = printed_by("integrations/redis.md", env={"REDIS_URL": redis_url})
    assert printed == ["10", "True", f"loop: {mainspring.Loop}"]


@pytest.fixture(params=["hiredis", "python"])
def parser(request):
    """Both ways in which redis-py reads answers."""
    if request.param == "python":
        return _AsyncRESP2Parser
    pytest.importorskip("hiredis")
    return _AsyncHiredisParser


@pytest.fixture
def connected(redis_url, parser, mainspring_loop):
    """Runs a coroutine function with a client, on mainspring's loop."""

    async def main(function):
        pool = redis.ConnectionPool.from_url(redis_url, parser_class=parser, retry=Retry(NoBackoff(), 1))
        async with redis.Redis.from_pool(pool) as client:
            await client.flushall()
            return await function(client)

    return lambda function: mainspring_loop.run_until_complete(main(function))


def test_large_values(connected):
    value = bytes(range(256)) * 20_000

    async def scenario(client):
        await client.set("large", value)
        return await asyncio.gather(*(client.get("large") for _ in range(3)))

    assert connected(scenario) == [value] * 3


def test_publish_and_subscribe(connected):
    async def scenario(client):
        async with client.pubsub() as subscriber:
            await subscriber.subscribe("news")
            assert (await subscriber.get_message(timeout=10))["type"] == "subscribe"
            for number in range(10):
                assert await client.publish("news", number) == 1
            return [(await subscriber.get_message(timeout=10))["data"] for _ in range(10)]

    assert connected(scenario) == [b"%d" % number for number in range(10)]


def test_a_transaction_that_another_client_upsets(connected):
    async def scenario(client):
        async with client.pipeline() as pipeline:
            await pipeline.watch("balance")
            await client.set("balance", 1)
            pipeline.multi()
            pipeline.set("balance", 2)
            with pytest.raises(WatchError):
                await pipeline.execute()
        return await client.get("balance")

    assert connected(scenario) == b"1"


def test_a_timeout_ends_a_command(connected):
    async def scenario(client):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await client.blpop("nothing", timeout=0)
        await client.rpush("nothing", "late")
        # Nobody waits for it any more.
        return await client.lrange("nothing", 0, -1)

    assert connected(scenario) == [b"late"]


def test_the_server_ends_the_connections(connected):
    async def scenario(client):
        await asyncio.gather(*(client.set(f"key {number}", number) for number in range(5)))
        await client.client_kill_filter(_type="normal", skipme=True)
        return await asyncio.gather(*(client.get(f"key {number}") for number in range(5)))

    assert connected(scenario) == [b"%d" % number for number in range(5)]
