"""asyncio's streams on the transports: open_connection, start_server, readers and writers."""

import asyncio
import sys

import pytest
from helpers import LOOPS, compare, finish, outcome


@pytest.fixture(params=[*LOOPS, "mainspring without native streams"])
def loop(request):
    """A new loop of each kind, and mainspring's with asyncio's own stream classes."""
    loop = LOOPS[request.param.split()[0]]()
    if "without" in request.param:
        loop._native_streams = False
    yield loop
    finish(loop)


async def close(writer):
    writer.close()
    await writer.wait_closed()


async def start(handler):
    """A stream server and its address; the server must be closed."""
    server = await asyncio.start_server(handler, "127.0.0.1", 0)
    return server, server.sockets[0].getsockname()


def test_lines_there_and_back(loop):
    async def handle(reader, writer):
        while line := await reader.readline():
            writer.write(line.upper())
            await writer.drain()
        await close(writer)

    async def main():
        server, address = await start(handle)
        reader, writer = await asyncio.open_connection(*address)
        for number in range(200):
            writer.write(b"line %d\n" % number)
            assert await reader.readline() == b"LINE %d\n" % number
        writer.write_eof()
        assert await reader.read() == b""
        await close(writer)
        server.close()
        await server.wait_closed()

    loop.run_until_complete(main())


def test_every_way_of_reading(loop):
    async def handle(reader, writer):
        writer.write(b"12345678" + b"until;rest\n" + b"x" * 100_000)
        await close(writer)

    async def main():
        server, address = await start(handle)
        reader, writer = await asyncio.open_connection(*address)
        assert await reader.readexactly(8) == b"12345678"
        assert await reader.readuntil(b";") == b"until;"
        assert await reader.readline() == b"rest\n"
        assert 0 < len(first := await reader.read(10)) <= 10
        with pytest.raises(asyncio.IncompleteReadError) as failed:
            await reader.readexactly(200_000)
        assert len(failed.value.partial) == 100_000 - len(first)
        assert reader.at_eof()
        await close(writer)
        server.close()
        await server.wait_closed()

    loop.run_until_complete(main())


def test_a_line_beyond_the_limit_is_the_same_error():
    def scenario(loop):
        async def handle(reader, writer):
            writer.write(b"x" * 1000)
            await close(writer)

        async def main():
            server, address = await start(handle)
            reader, writer = await asyncio.open_connection(*address, limit=100)
            try:
                await reader.readline()
            except ValueError as error:
                return type(error), str(error)
            finally:
                await close(writer)
                server.close()
                await server.wait_closed()

        return loop.run_until_complete(main())

    kind, text = compare(scenario)
    assert kind is ValueError
    assert "limit" in text


def test_a_reader_slower_than_its_peer_pauses_it(loop):
    size = 8 << 20

    async def handle(reader, writer):
        writer.write(b"x" * size)
        await writer.drain()
        await close(writer)

    async def main():
        server, address = await start(handle)
        reader, writer = await asyncio.open_connection(*address, limit=1000)
        await asyncio.sleep(0.02)
        # Twice the limit, and one read.
        assert len(reader._buffer) < 1 << 20
        received = 0
        while data := await reader.read(5000):
            received += len(data)
        assert received == size
        await close(writer)
        server.close()
        await server.wait_closed()

    loop.run_until_complete(main())


@pytest.mark.skipif(sys.version_info < (3, 11, 7), reason="the first 3.11 releases leave the connection open")
def test_a_handler_that_raises_is_reported(loop, errors):
    async def handle(reader, writer):
        raise ValueError("on purpose")

    async def main():
        server, address = await start(handle)
        reader, writer = await asyncio.open_connection(*address)
        assert await reader.read() == b""
        await close(writer)
        server.close()
        await server.wait_closed()

    loop.run_until_complete(main())
    (context,) = errors
    assert repr(context["exception"]) == "ValueError('on purpose')"


def test_the_writers_extra_information_and_closing_state(loop):
    async def handle(reader, writer):
        await reader.read()
        await close(writer)

    async def main():
        server, address = await start(handle)
        _, writer = await asyncio.open_connection(*address)
        assert writer.get_extra_info("peername") == address
        assert isinstance(writer.transport, asyncio.Transport)
        assert writer.can_write_eof()
        assert not writer.is_closing()
        await close(writer)
        assert writer.is_closing()
        server.close()
        await server.wait_closed()

    loop.run_until_complete(main())


def test_a_reader_waits_for_one_at_a_time():
    def scenario(loop):
        async def handle(reader, writer):
            await reader.read()
            await close(writer)

        async def main():
            server, address = await start(handle)
            reader, writer = await asyncio.open_connection(*address)
            waiting = asyncio.ensure_future(reader.read(1))
            await asyncio.sleep(0)
            try:
                await reader.readline()
            except RuntimeError as error:
                return str(error)
            finally:
                waiting.cancel()
                await close(writer)
                server.close()
                await server.wait_closed()

        return loop.run_until_complete(main())

    assert "another coroutine is already waiting" in compare(scenario)


def test_a_cancelled_read_loses_nothing(loop):
    async def handle(reader, writer):
        await reader.readline()
        writer.write(b"answer\n")
        await close(writer)

    async def main():
        server, address = await start(handle)
        reader, writer = await asyncio.open_connection(*address)
        for _ in range(3):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.readline(), 0.005)
        writer.write(b"question\n")
        assert await reader.readline() == b"answer\n"
        await close(writer)
        server.close()
        await server.wait_closed()

    loop.run_until_complete(main())


def test_open_connection_refused_is_an_os_error():
    kind, _ = compare(lambda loop: outcome(loop.run_until_complete, asyncio.open_connection("127.0.0.1", 1)))
    assert kind is ConnectionRefusedError
