"""Clients and servers of websockets on this loop."""

import asyncio
import contextlib

import mainspring
import pytest
from helpers import eventually
from helpers.pages import printed_by

pytest.importorskip("websockets.asyncio")
from websockets.asyncio.client import connect, unix_connect
from websockets.asyncio.server import serve, unix_serve
from websockets.exceptions import ConnectionClosedError, ConnectionClosedOK, InvalidStatus


def test_the_program_of_the_page():
    assert printed_by("integrations/websockets.md") == [
        "alice: hello | alice: hello",
        "bob: good morning | bob: good morning",
        f"loop: {mainspring.Loop}",
    ]


@pytest.fixture
def run(mainspring_loop):
    """Runs a coroutine on mainspring's loop."""
    return mainspring_loop.run_until_complete


async def echo(connection):
    async for message in connection:
        await connection.send(message)


@contextlib.asynccontextmanager
async def serving(handler, **keywords):
    """The port of a server that calls the handler, and sends no pings by itself."""
    async with serve(handler, "127.0.0.1", 0, ping_interval=None, **keywords) as server:
        yield server.sockets[0].getsockname()[1]


def client(port, scheme="ws", **keywords):
    return connect(f"{scheme}://127.0.0.1:{port}", ping_interval=None, **keywords)


MESSAGES = ["text", "ü" * 1000, b"", bytes(range(256)) * 2000]


async def exchanged(connection):
    """What the server says to all messages, sent at once and the last one in fragments."""
    for message in MESSAGES:
        await connection.send(message)
    await connection.send(["frag", "men", "ts"])
    return [await connection.recv() for _ in range(len(MESSAGES) + 1)]


@pytest.mark.parametrize("compression", [None, "deflate"])
@pytest.mark.parametrize("kind", ["tcp", "tls", "unix"])
def test_messages(run, kind, compression, authority, tmp_path):
    async def scenario():
        if kind == "unix":
            path = str(tmp_path / "socket")
            async with (
                unix_serve(echo, path, compression=compression),
                unix_connect(path, compression=compression) as connection,
            ):
                return await exchanged(connection)
        tls = kind == "tls"
        async with (
            serving(echo, ssl=authority.server_context() if tls else None, compression=compression) as port,
            client(
                port,
                "wss" if tls else "ws",
                ssl=authority.client_context() if tls else None,
                compression=compression,
            ) as connection,
        ):
            return await exchanged(connection)

    assert run(scenario()) == [*MESSAGES, "fragments"]


def test_pings(run):
    async def scenario():
        async with serving(echo) as port, client(port) as connection:
            return [await (await connection.ping()) for _ in range(3)]

    assert all(latency > 0 for latency in run(scenario()))


def test_the_server_closes(run):
    async def refuse(connection):
        await connection.close(4001, "full")

    async def scenario():
        async with serving(refuse) as port, client(port) as connection:
            with pytest.raises(ConnectionClosedError):
                await connection.recv()
            return connection.close_code, connection.close_reason

    assert run(scenario()) == (4001, "full")


def test_the_client_closes(run):
    closed = []

    async def wait(connection):
        with pytest.raises(ConnectionClosedOK):
            await connection.recv()
        closed.append((connection.close_code, connection.close_reason))

    async def scenario():
        async with serving(wait) as port:
            async with client(port) as connection:
                await connection.close(1000, "enough")
            await eventually(lambda: closed)

    run(scenario())
    assert closed == [(1000, "enough")]


def test_a_client_that_comes_back(run):
    async def lose(connection):
        await connection.send("hello")
        connection.transport.abort()

    async def scenario():
        greetings = []
        async with serving(lose) as port:
            async for connection in client(port):
                with pytest.raises(ConnectionClosedError):
                    while True:
                        greetings.append(await connection.recv())
                if len(greetings) == 3:
                    return greetings

    assert run(scenario()) == ["hello"] * 3


def test_a_slow_reader_stops_the_writer(run):
    sent = 0
    count = 400

    async def flood(connection):
        nonlocal sent
        for _ in range(count):
            await connection.send(b"x" * 100_000)
            sent += 1

    async def scenario():
        async with serving(flood, compression=None) as port, client(port, compression=None, max_queue=1) as connection:
            first = await connection.recv()
            before = -1
            while sent > before:
                before = sent
                await asyncio.sleep(0.05)
            stopped = sent
            received = [first] + [message async for message in connection]
        return stopped, received

    stopped, received = run(scenario())
    assert 0 < stopped < count
    assert received == [b"x" * 100_000] * count


def test_a_refused_origin(run):
    async def scenario():
        async with serving(echo, origins=["https://friend.example"]) as port:
            with pytest.raises(InvalidStatus) as raised:
                await client(port, origin="https://foe.example")
            return raised.value.response.status_code

    assert run(scenario()) == 403
