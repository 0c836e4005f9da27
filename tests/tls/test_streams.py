"""asyncio's streams over TLS: native from OpenSSL to the program, and a program sees no difference.

Each scenario runs on the default loop, on mainspring, and on mainspring with native streams off; all have to tell the
same.
"""

import asyncio
import contextlib
import gc
import sys
import warnings
import weakref

import mainspring
import pytest
from helpers import eventually, open_descriptors, turns
from helpers.loops import STREAM_LOOPS, is_native
from mainspring import _tls


@contextlib.asynccontextmanager
async def tls_streams(authority, *, upgrade=False, **keywords):
    """A server's reader and writer and a client's, connected through TLS; with `upgrade` by start_tls() of both."""
    accepted = asyncio.get_running_loop().create_future()
    done = asyncio.Event()
    server_side, client_side = {"ssl": authority.server_context()}, {"ssl": authority.client_context()}

    async def handle(reader, writer):
        if upgrade:
            await writer.start_tls(server_side["ssl"])
        accepted.set_result((reader, writer))
        await done.wait()
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, **({} if upgrade else server_side), **keywords)
    address = server.sockets[0].getsockname()
    if upgrade:
        streams = await asyncio.open_connection(*address)
        await streams[1].start_tls(client_side["ssl"], server_hostname="localhost")
    else:
        streams = await asyncio.open_connection(*address, **client_side, server_hostname="localhost")
    try:
        yield *(await accepted), *streams
    finally:
        done.set()
        streams[1].close()
        with contextlib.suppress(OSError):
            await streams[1].wait_closed()
        server.close()
        await server.wait_closed()


@pytest.fixture(params=[False, True], ids=["accepted", "start_tls"])
def same(request, authority, tls_way):
    """Runs ``await scenario(reader, writer, peer)`` on each loop; what all of them gave.

    ``reader`` and ``writer`` are those of a server's connection, ``peer`` the client's writer.
    """

    def run(scenario, **keywords):
        async def main(native):
            async with tls_streams(authority, upgrade=request.param, **keywords) as streams:
                reader, writer, _, peer = streams
                # Otherwise the comparison would compare nothing.
                assert [is_native(stream) for stream in streams] == [native] * 4
                return await asyncio.wait_for(scenario(reader, writer, peer), 30)

        results = {}
        for name, factory in STREAM_LOOPS.items():
            with asyncio.Runner(loop_factory=factory) as runner:
                # Streams that begin in the clear are native before they come to TLS.
                results[name] = runner.run(main(name == "native" and (request.param or tls_way == "native")))
        assert results["native"] == results["default"]
        assert results["plain"] == results["default"]
        return results["default"]

    return run


async def told(awaitable):
    """What awaiting came to."""
    try:
        return await awaitable
    except Exception as error:
        return type(error).__name__, *map(str, error.args)


# --- data ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("early", [False, True], ids=["the read waits", "the data wait"])
def test_every_read(same, early):
    async def scenario(reader, writer, peer):
        results = []
        for read, data in (
            (lambda: reader.read(4), b"1234"),
            (lambda: reader.read(100), b"5"),
            (lambda: reader.readline(), b"line\n"),
            (lambda: reader.readexactly(6), b"exact6"),
            (lambda: reader.readuntil(b"--"), b"until--"),
        ):
            task = None if early else asyncio.create_task(read())
            await turns(3)
            peer.write(data)
            if early:
                await eventually(lambda data=data: len(reader._buffer) == len(data))
            results.append(await (read() if early else task))
        return results

    assert same(scenario) == [b"1234", b"5", b"line\n", b"exact6", b"until--"]


@pytest.mark.parametrize("size", [1, 8192, 9000, 65536, 65537, 300_000, 2_000_000])
def test_sizes(same, size):
    """From one record to many, below and above the size from which data are decrypted into their own object."""
    data = bytes(range(256)) * (size // 256) + bytes(size % 256)

    async def scenario(reader, writer, peer):
        async def send(stream, other):
            stream.write(data)
            await stream.drain()

        async def pieces():
            received = b""
            while len(received) < size:
                piece = await reader.read(65536)
                assert 0 < len(piece) <= 65536
                received += piece
            return received

        sending = asyncio.create_task(send(peer, reader))
        first = await pieces()
        await sending
        sending = asyncio.create_task(send(peer, reader))
        second = await reader.readexactly(size)
        await sending
        writer.write(data[:10])
        await writer.drain()
        return first == data, second == data

    assert same(scenario) == (True, True)


def test_many_records_in_a_row_are_not_mixed_up(same):
    async def scenario(reader, writer, peer):
        lines = [b"%d:" % number + b"x" * (number % 500) + b"\n" for number in range(400)]
        for line in lines:
            peer.write(line)
        return [await reader.readline() for _ in lines] == lines

    assert same(scenario)


def test_a_small_read_takes_a_part_of_much(same):
    async def scenario(reader, writer, peer):
        peer.write(b"x" * 40_000 + b"end")
        waiting = [len(await reader.read(10_000)), len(await reader.read(1))]
        return waiting[1], len(await reader.readuntil(b"end")) + sum(waiting)

    assert same(scenario) == (1, 40_003)


def test_the_end_of_the_stream(same):
    async def scenario(reader, writer, peer):
        task = asyncio.create_task(reader.readexactly(10))
        await turns(3)
        peer.write(b"12345")
        peer.close()
        return await told(task), await told(reader.read()), reader.at_eof(), await told(reader.readline())

    assert same(scenario)[1:] == (b"", True, b"")


def test_data_and_the_end_in_one_piece(same):
    async def scenario(reader, writer, peer):
        peer.write(b"the last words")
        peer.close()
        await eventually(lambda: reader._eof)
        return await reader.read(8), await reader.read(), reader.at_eof()

    assert same(scenario) == (b"the last", b" words", True)


def test_a_connection_that_breaks(same):
    async def scenario(reader, writer, peer):
        task = asyncio.create_task(told(reader.read(1)))
        await turns(3)
        # What is no record of TLS is an error of the protocol.
        peer.transport._ssl_protocol._transport.write(b"no record at all")
        result = await task
        await eventually(writer.transport.is_closing)
        return type(result), result[0] if result else None, type(reader.exception()).__name__

    assert same(scenario)[2] == "SSLError"


# --- flow control ----------------------------------------------------------------------------------------------------


def test_a_full_reader_pauses_its_transport(same):
    async def scenario(reader, writer, peer):
        # After start_tls() the reader goes on pausing the transport below.
        transport = reader._transport
        peer.write(b"x" * 300_000)
        await eventually(lambda: reader._paused)
        paused = not transport.is_reading()
        received = 0
        while received < 300_000:
            received += len(await reader.read(10_000))
        return paused, transport.is_reading(), received

    assert same(scenario, limit=1000) == (True, True, 300_000)


def test_drain_waits_for_a_peer_that_does_not_read(same):
    async def scenario(reader, writer, peer):
        written = 0
        drain = None
        while drain is None or drain.done():
            peer.write(b"x" * 65536)
            written += 65536
            drain = asyncio.create_task(peer.drain())
            await turns(5)
        received = 0
        while received < written:
            received += len(await reader.read(65536))
        return await drain, received == written

    assert same(scenario) == (None, True)


def test_drain_of_a_closing_transport_yields_once(same):
    async def scenario(reader, writer, peer):
        writer.close()
        seen = []
        asyncio.get_running_loop().call_soon(seen.append, "a turn")
        await told(writer.drain())
        return seen, await told(writer.wait_closed())

    assert same(scenario) == (["a turn"], None)


def test_writing_after_the_end(same):
    async def scenario(reader, writer, peer):
        writer.close()
        writer.write(b"too late")
        return await told(writer.wait_closed()), writer.transport.is_closing()

    assert same(scenario) == (None, True)


def test_what_can_be_written(same):
    async def scenario(reader, writer, peer):
        results = []
        for data in (b"bytes", bytearray(b"array"), memoryview(b"view"), b"", "text", None):
            try:
                results.append(peer.write(data))
            except Exception as error:
                results.append((type(error).__name__, str(error)))
        peer.writelines([b"several", b"at", b"once"])
        received = await reader.readuntil(b"once")
        return results, received

    assert same(scenario)[1] == b"bytesarrayviewseveralatonce"


# --- programs that replace things ------------------------------------------------------------------------------------


def test_methods_replaced_on_the_instances(same):
    async def scenario(reader, writer, peer):
        protocol, transport = writer.transport.get_protocol(), peer.transport
        calls = []

        def spy(target, name):
            original = getattr(target, name)

            def replaced(*args):
                calls.append((name, *args))
                return original(*args)

            setattr(target, name, replaced)

        peer.write(b"0")
        results = [await reader.read(1)]
        spy(reader, "feed_data")
        peer.write(b"1")
        results += [await reader.read(1)]
        del reader.feed_data
        spy(protocol, "data_received")
        peer.write(b"2")
        results += [await reader.read(1)]
        del protocol.data_received
        spy(transport, "write")
        spy(transport, "is_closing")
        peer.write(b"3")
        await peer.drain()
        results += [await reader.read(1)]
        del transport.write, transport.is_closing
        peer.write(b"4")
        await peer.drain()
        return [*results, await reader.read(1), calls]

    assert same(scenario)[-1] == [("feed_data", b"1"), ("data_received", b"2"), ("write", b"3"), ("is_closing",)]


@pytest.mark.parametrize("name", ["is_closing", "write"])
def test_methods_replaced_on_the_transports_class(same, monkeypatch, name):
    async def scenario(reader, writer, peer):
        calls = []
        owner = type(peer.transport)
        original = getattr(owner, name)

        def replaced(self, *args):
            calls.append((name, *args))
            return original(self, *args)

        with monkeypatch.context() as patch:
            patch.setattr(owner, name, replaced)
            peer.write(b"1")
            await peer.drain()
            seen = list(calls)
        peer.write(b"2")
        await peer.drain()
        return await reader.readexactly(2), seen, calls == seen

    assert same(scenario)[1:] == ([("write", b"1")] if name == "write" else [("is_closing",)], True)


def test_another_protocol_gets_what_comes_then(same):
    class Other(asyncio.Protocol):
        def __init__(self):
            self.received = b""

        def data_received(self, data):
            self.received += data

    async def scenario(reader, writer, peer):
        transport, other, own = writer.transport, Other(), writer.transport.get_protocol()
        peer.write(b"one")
        results = [await reader.readexactly(3)]
        transport.set_protocol(other)
        peer.write(b"two")
        await eventually(lambda: other.received)
        transport.set_protocol(own)
        peer.write(b"three")
        return [*results, await reader.readexactly(5), other.received, bytes(reader._buffer)]

    assert same(scenario) == [b"one", b"three", b"two", b""]


def test_a_protocol_with_a_reader_that_is_gone_drops_the_data(same):
    async def scenario(reader, writer, peer):
        protocol = writer.transport.get_protocol()
        protocol._stream_reader_wr = None
        peer.write(b"lost")
        await turns(20)
        protocol._stream_reader_wr = weakref.ref(reader)
        return bytes(reader._buffer)

    assert same(scenario) == b""


def test_the_program_looks_at_the_buffer(same):
    async def scenario(reader, writer, peer):
        buffer = reader._buffer
        peer.write(b"seen")
        await eventually(lambda: len(buffer) == 4)
        seen = bytes(buffer)
        peer.write(b"x" * 20_000)
        return seen, type(buffer), await reader.readexactly(4), len(await reader.readexactly(20_000))

    assert same(scenario) == (b"seen", bytearray, b"seen", 20_000)


# --- when it is used, and what it keeps alive ------------------------------------------------------------------------


def test_no_method_is_called_on_the_way(mainspring_loop, authority, tls_way):
    """Native TLS and native streams work together without Python code in between."""

    async def main():
        async with tls_streams(authority) as (reader, writer, client_reader, client_writer):
            calls = []
            ours = (_tls.__file__, asyncio.sslproto.__file__, asyncio.streams.__file__)
            client_writer.write(b"x" * 1000)
            await reader.readexactly(1000)

            def note(frame, event, arg):
                if event == "call" and frame.f_code.co_filename in ours:
                    calls.append(frame.f_code.co_name)

            sys.setprofile(note)
            try:
                for size in (1000, 30_000):
                    client_writer.write(b"x" * size)
                    await client_writer.drain()
                    writer.write(await reader.readexactly(size))
                    await writer.drain()
                    await client_reader.readexactly(size)
            finally:
                sys.setprofile(None)
            assert (calls == []) == (tls_way == "native")

    mainspring_loop.run_until_complete(main())


def test_debug_mode_keeps_asyncios_own_streams(mainspring_loop, authority):
    async def main():
        mainspring_loop.set_debug(True)
        async with tls_streams(authority) as streams:
            assert not any(is_native(stream) for stream in streams)
            streams[3].write(b"abc")
            assert await streams[0].read(3) == b"abc"

    mainspring_loop.run_until_complete(main())


def native_objects():
    gc.collect()
    names = {"StreamReader", "StreamWriter", "ReaderState", "ConnectedCallback", "coroutine"}
    return sum(1 for each in gc.get_objects() if type(each).__name__ in names and "_core" in type(each).__module__)


def test_connections_leave_nothing_behind(mainspring_loop, authority):
    readers = []

    async def main(upgrade):
        async with tls_streams(authority, upgrade=upgrade) as (reader, writer, client_reader, client_writer):
            readers.extend(map(weakref.ref, (reader, client_reader)))
            for size in (10, 50_000):
                client_writer.write(b"x" * size)
                writer.write(await reader.readexactly(size))
                await client_reader.readexactly(size)
            task = asyncio.create_task(reader.read(1))
            await turns(2)
            task.cancel()
            await asyncio.wait([task])

    # The loop opens what it needs itself when it runs for the first time.
    mainspring_loop.run_until_complete(turns(3))
    before, descriptors = native_objects(), open_descriptors()
    for upgrade in (False, True):
        mainspring_loop.run_until_complete(main(upgrade))
    mainspring_loop.run_until_complete(turns(3))
    assert native_objects() == before
    assert open_descriptors() == descriptors
    assert [reader() for reader in readers] == [None] * 4


def test_references_do_not_grow(mainspring_loop, authority):
    async def main():
        async with tls_streams(authority) as (reader, writer, client_reader, client_writer):
            large = b"x" * 100_000

            async def work():
                for _ in range(20):
                    client_writer.write(b"line\n")
                    client_writer.write(large)
                    await client_writer.drain()
                    writer.write(await reader.readline())
                    assert await client_reader.read(100) == b"line\n"
                    count = 0
                    while count < len(large):
                        count += len(await reader.read(65536))

            def counts():
                protocol, tls = writer.transport.get_protocol(), writer.transport._ssl_protocol
                watched = (reader, writer, protocol, tls, large, type(reader), type(writer.transport))
                return [sys.getrefcount(each) for each in watched]

            await work()
            before = counts()
            await work()
            assert counts() == before

    mainspring_loop.run_until_complete(main())


def test_an_abandoned_loop_takes_waiting_readers_along(authority):
    gone = []

    def run():
        loop = mainspring.new_event_loop()

        async def main():
            server = await asyncio.start_server(
                lambda reader, writer: None, "127.0.0.1", 0, ssl=authority.server_context()
            )
            reader, writer = await asyncio.open_connection(
                *server.sockets[0].getsockname(), ssl=authority.client_context(), server_hostname="localhost"
            )
            task = asyncio.create_task(reader.readline())
            await turns(3)
            gone.extend([weakref.ref(reader), weakref.ref(writer), weakref.ref(task)])

        loop.run_until_complete(main())
        loop.close()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        run()
        gc.collect()
    assert [each() for each in gone] == [None] * 3


async def lose_what_is_beneath(authority):
    """How often drain() comes back between the loss of the connection beneath and the error that tells of it."""
    async with tls_streams(authority) as (_, writer, _, _):
        writer.transport._ssl_protocol._transport.abort()
        for count in range(100):
            writer.write(b"x" * 1000)
            try:
                await writer.drain()
            except ConnectionResetError as error:
                return count, str(error)
        # Before CPython 3.12.9 and 3.13.2 drain() does not let the loop go on.
        return "never"


def test_drain_lets_the_loop_tell_of_a_connection_that_is_lost(authority):
    seen = {}
    for name, factory in STREAM_LOOPS.items():
        with asyncio.Runner(loop_factory=factory) as runner:
            seen[name] = runner.run(lose_what_is_beneath(authority))
    assert seen["native"] == seen["plain"] == seen["default"]
