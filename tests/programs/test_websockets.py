"""A `websockets` echo server and client, unmodified."""

import asyncio

import pytest

websockets = pytest.importorskip("websockets")
from websockets.asyncio.client import connect  # noqa: E402
from websockets.asyncio.server import serve  # noqa: E402


def test_echo(loop):
    async def handler(connection):
        await connection.send(type(asyncio.get_running_loop()).__qualname__)
        async for message in connection:
            await connection.send(message)

    async def main():
        async with serve(handler, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            async with connect(f"ws://127.0.0.1:{port}", max_size=None) as connection:
                assert await connection.recv() == type(loop).__qualname__
                for message in ("text", b"bytes", "x" * 100_000, b""):
                    await connection.send(message)
                    assert await connection.recv() == message
                for number in range(200):
                    await connection.send(str(number))
                assert [await connection.recv() for _ in range(200)] == [str(number) for number in range(200)]
            assert connection.close_code == 1000

    loop.run_until_complete(main())


def test_many_clients(loop):
    async def handler(connection):
        async for message in connection:
            await connection.send(message[::-1])

    async def main():
        async with serve(handler, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]

            async def client(number):
                async with connect(f"ws://127.0.0.1:{port}") as connection:
                    await connection.send(f"client {number}")
                    return await connection.recv()

            answers = await asyncio.gather(*(client(number) for number in range(30)))
            assert answers == [f"client {number}"[::-1] for number in range(30)]

    loop.run_until_complete(main())


def test_a_client_that_vanishes(loop):
    lost = []

    async def handler(connection):
        try:
            await connection.recv()
        except websockets.exceptions.ConnectionClosed as error:
            lost.append(type(error).__name__)

    async def main():
        async with serve(handler, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            async with connect(f"ws://127.0.0.1:{port}") as connection:
                connection.transport.abort()
            while not lost:
                await asyncio.sleep(0.001)

    loop.run_until_complete(main())
    assert lost == ["ConnectionClosedError"]
