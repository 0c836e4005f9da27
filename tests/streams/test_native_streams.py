"""Native streams: asyncio's stream classes answer natively, and a program sees no difference.

Each scenario runs on the default loop, on mainspring, and on mainspring with native streams off; all have to tell the
same.
"""

import asyncio
import collections.abc
import contextlib
import gc
import sys
import warnings
import weakref

import mainspring
import pytest
from helpers import eventually, outcome, run_program, turns
from helpers.loops import STREAM_LOOPS


def same(scenario, **keywords):
    """Run ``await scenario(reader, writer, peer)`` on each loop; what all of them gave.

    ``reader`` and ``writer`` are those of a server's connection, ``peer`` the client's writer.
    """
    results = {}
    for name, factory in STREAM_LOOPS.items():
        with asyncio.Runner(loop_factory=factory) as runner:
            results[name] = runner.run(_connected(scenario, name == "native", keywords))
    assert results["native"] == results["default"]
    assert results["plain"] == results["default"]
    return results["default"]


async def _connected(scenario, native, keywords):
    accepted = asyncio.get_running_loop().create_future()
    done = asyncio.Event()

    async def handle(reader, writer):
        accepted.set_result((reader, writer))
        await done.wait()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, **keywords)
    client_reader, peer = await asyncio.open_connection(*server.sockets[0].getsockname())
    reader, writer = await accepted
    # Otherwise the comparison would compare nothing.
    assert (type(reader) is not asyncio.StreamReader) == native
    assert (type(writer) is not asyncio.StreamWriter) == native
    assert (type(client_reader) is not asyncio.StreamReader) == native
    assert (type(peer) is not asyncio.StreamWriter) == native
    try:
        return await asyncio.wait_for(scenario(reader, writer, peer), 30)
    finally:
        done.set()
        peer.close()
        with contextlib.suppress(ConnectionError):
            await peer.wait_closed()
        server.close()
        await server.wait_closed()


async def arrived(reader, size):
    """Wait until so much is in the reader's buffer, looking only now and then."""
    await eventually(lambda: len(reader._buffer) >= size)


async def told(awaitable):
    """What awaiting came to."""
    try:
        return "returned", await awaitable
    except (Exception, asyncio.CancelledError) as error:
        return type(error), str(error), getattr(error, "partial", None), getattr(error, "consumed", None)


# --- classes ---------------------------------------------------------------------------------------------------------


def test_the_classes_are_asyncios():
    async def scenario(reader, writer, peer):
        return (
            isinstance(reader, asyncio.StreamReader),
            isinstance(writer, asyncio.StreamWriter),
            repr(type(reader)),
            repr(type(writer)),
            reader.__class__ is asyncio.StreamReader,
            writer.__class__ is asyncio.StreamWriter,
            type(reader).__module__,
            repr(writer).split("=")[0],
        )

    assert same(scenario)[0] is True


def test_a_reader_that_is_given_another_class_takes_its_data_along():
    class Mine(asyncio.StreamReader):
        async def read(self, n=-1):
            return b"mine " + await super().read(n)

    async def scenario(reader, writer, peer):
        peer.write(b"1234")
        assert await reader.readexactly(2) == b"12"
        reader.__class__ = Mine
        told = [type(reader) is Mine, bytes(reader._buffer), await reader.read(1)]
        peer.write(b"56")
        await arrived(reader, 3)
        return [*told, await reader.read(10)]

    assert same(scenario) == [True, b"34", b"mine 3", b"mine 456"]


def test_subclasses_are_left_alone(mainspring_loop):
    class Reader(asyncio.StreamReader):
        pass

    class Protocol(asyncio.StreamReaderProtocol):
        pass

    async def main():
        loop = asyncio.get_running_loop()
        server = await asyncio.start_server(lambda r, w: w.write(b"hello"), "127.0.0.1", 0)
        for reader_class, protocol_class in ((Reader, asyncio.StreamReaderProtocol), (asyncio.StreamReader, Protocol)):
            reader = reader_class(loop=loop)
            protocol = protocol_class(reader, loop=loop)
            transport, _ = await loop.create_connection(lambda p=protocol: p, *server.sockets[0].getsockname())
            assert await reader.readexactly(5) == b"hello"
            assert type(reader) is reader_class
            transport.close()
        server.close()

    mainspring_loop.run_until_complete(main())


# --- what reading gives ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("early", [True, False], ids=["data there", "data later"])
def test_every_read(early):
    async def scenario(reader, writer, peer):
        results = []

        async def read(make, data):
            if early:
                peer.write(data)
                await arrived(reader, len(data))
                results.append(await told(make()))
            else:
                task = asyncio.create_task(told(make()))
                await turns(2)
                peer.write(data)
                results.append(await task)
            results.append((bytes(reader._buffer), reader._waiter, reader.at_eof()))
            await told(reader.read(0))
            del reader._buffer[:]

        await read(lambda: reader.read(100), b"abc")
        await read(lambda: reader.read(2), b"abc")
        await read(lambda: reader.read(3), b"abc")
        await read(lambda: reader.readexactly(3), b"abc")
        await read(lambda: reader.readexactly(3), b"abcdef")
        await read(lambda: reader.readline(), b"line\n")
        await read(lambda: reader.readline(), b"line\nrest")
        await read(lambda: reader.readuntil(), b"line\nrest")
        await read(lambda: reader.readuntil(b"--"), b"one--two--")
        await read(lambda: reader.readuntil(separator=b"--"), b"a-b--")
        await read(lambda: reader.read(n=2), b"ab")
        await read(lambda: reader.readexactly(n=2), b"ab")
        return results

    assert len(same(scenario)) == 24


def test_pieces_are_put_together():
    async def scenario(reader, writer, peer):
        results = []
        for make in (
            lambda: reader.readexactly(9),
            lambda: reader.readline(),
            lambda: reader.readuntil(b"-+-"),
            lambda: reader.readuntil(b"-+-"),
        ):
            task = asyncio.create_task(make())
            for piece in (b"abc", b"d-", b"+-", b"e\n", b"fgh-", b"+", b"-\n"):
                peer.write(piece)
                await asyncio.sleep(0.003)
            results.append(await task)
        del reader._buffer[:]
        return results

    assert same(scenario)[0] == b"abcd-+-e\n"


def test_the_ends_of_the_stream():
    async def scenario(reader, writer, peer):
        peer.write(b"one\ntwo")
        peer.write_eof()
        await eventually(lambda: reader._eof)
        return [
            await told(reader.readline()),
            reader.at_eof(),
            await told(reader.readuntil(b";")),
            reader.at_eof(),
            await told(reader.readexactly(3)),
            await told(reader.read(3)),
            await told(reader.read()),
            await told(reader.readline()),
            [line async for line in reader],
        ]

    assert same(scenario)[2][2] == b"two"


@pytest.mark.parametrize("name", ["read", "readline", "readexactly", "readuntil"])
def test_the_stream_ends_while_a_read_waits(name):
    async def scenario(reader, writer, peer):
        call = getattr(reader, name)
        task = asyncio.create_task(told(call(10) if name in ("read", "readexactly") else call()))
        await turns(2)
        if name != "read":
            peer.write(b"part")
            await asyncio.sleep(0.005)
        peer.write_eof()
        return await task, reader.at_eof(), reader._waiter

    same(scenario)


def test_iteration():
    async def scenario(reader, writer, peer):
        peer.write(b"one\ntwo\n")
        peer.write_eof()
        return [line async for line in reader]

    assert same(scenario) == [b"one\n", b"two\n"]


@pytest.mark.parametrize("size", [1, 5_000, 100_000, 700_000, 3_000_000])
def test_large_reads(size):
    data = bytes(range(256)) * (size // 256 + 1)

    async def scenario(reader, writer, peer):
        peer.write(data[:size] + b"end")
        got = await reader.readexactly(size)
        rest = await reader.readexactly(3)
        peer.write(data[:size])
        pieces = 0
        while pieces < size:
            pieces += len(await reader.read(70_000))
        return got == data[:size], rest, pieces

    assert same(scenario) == (True, b"end", size)


def test_a_large_read_that_is_cancelled_loses_nothing():
    data = bytes(range(256)) * 1200

    async def scenario(reader, writer, peer):
        task = asyncio.create_task(reader.readexactly(len(data)))
        await turns(2)
        for start in (0, 50_000, 100_000):
            peer.write(data[start : start + 50_000])
            await asyncio.sleep(0.005)
        task.cancel()
        await told(task)
        peer.write(data[150_000:])
        first = await reader.readexactly(10)
        second = await reader.readexactly(200_000)
        rest = await reader.readexactly(len(data) - 200_010)
        return first + second + rest == data

    assert same(scenario) is True


# --- errors ----------------------------------------------------------------------------------------------------------


def test_arguments_that_are_wrong():
    async def scenario(reader, writer, peer):
        peer.write(b"abc")
        await arrived(reader, 3)
        results = [
            outcome(lambda: reader.read(1, 2)),
            outcome(lambda: reader.readexactly()),
            outcome(lambda: reader.readline(1)),
            outcome(lambda: reader.readuntil(sep=b"x")),
            outcome(lambda: reader.at_eof(1)),
            outcome(lambda: reader.feed_data()),
            outcome(lambda: writer.drain(1)),
            outcome(lambda: writer.write()),
            outcome(lambda: writer.write(1)),
        ]
        for coroutine in (
            reader.read("x"),
            reader.read(1.5),
            reader.read(None),
            reader.readexactly(-1),
            reader.readexactly("x"),
            reader.readuntil(b""),
            reader.readuntil("x"),
            reader.readexactly(0),
            reader.read(0),
            reader.read(True),
        ):
            results.append(await told(coroutine))
        return results, bytes(reader._buffer)

    same(scenario)


@pytest.mark.parametrize(
    "data", [b"x" * 30, b"x" * 30 + b"\nrest", b"x" * 10 + b"\n", b"x" * 11 + b"\n", b"x" * 11, b"x" * 10]
)
@pytest.mark.parametrize("name", ["readline", "readuntil"])
def test_the_limit(name, data):
    async def scenario(reader, writer, peer):
        results = []
        for early in (True, False):
            task = None if early else asyncio.create_task(told(getattr(reader, name)()))
            await turns(2)
            peer.write(data)
            if early:
                await arrived(reader, min(len(data), 21))
                task = asyncio.create_task(told(getattr(reader, name)()))
            await asyncio.sleep(0.005)
            peer.write(b"\n")
            results.append(await task)
            await asyncio.sleep(0.005)
            results.append((bytes(reader._buffer), reader._paused))
            reader._buffer.clear()
            reader._maybe_resume_transport()
            await asyncio.sleep(0.005)
            reader._buffer.clear()
        return results

    same(scenario, limit=10)


@pytest.mark.skipif(sys.version_info < (3, 13), reason="one separator before Python 3.13")
def test_several_separators():
    async def scenario(reader, writer, peer):
        peer.write(b"one;two\nthree")
        await arrived(reader, 8)
        return [
            await told(reader.readuntil((b"\n", b";"))),
            await told(reader.readuntil((b"\n", b";"))),
            await told(reader.readuntil(())),
            await told(reader.readuntil((b"", b"x"))),
            await told(reader.readexactly(5)),
        ]

    assert same(scenario)[0] == ("returned", b"one;")


@pytest.mark.parametrize("name", ["read", "readline", "readexactly", "readuntil"])
def test_two_cannot_wait_at_once(name):
    async def scenario(reader, writer, peer):
        first = asyncio.create_task(reader.read(1))
        await turns(2)
        call = getattr(reader, name)
        second = await told(call(10) if name in ("read", "readexactly") else call())
        peer.write(b"abc")
        return second, await first, await reader.read(2)

    assert same(scenario)[0][0] is RuntimeError


def test_an_exception_of_the_reader():
    async def scenario(reader, writer, peer):
        waiting = asyncio.create_task(told(reader.readexactly(3)))
        await turns(2)
        reader.set_exception(OSError("broken"))
        results = [await waiting, repr(reader.exception())]
        for coroutine in (reader.read(1), reader.read(0), reader.readline(), reader.readuntil(), writer.drain()):
            results.append(await told(coroutine))
        reader._exception = None
        peer.write(b"x")
        return [*results, await told(reader.read(1)), await told(writer.drain())]

    assert same(scenario)[-2] == ("returned", b"x")


# --- the buffer ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["read", "readline", "readexactly", "readuntil"])
def test_the_buffer_can_be_seen_between_arrival_and_reading(name):
    async def scenario(reader, writer, peer):
        loop = asyncio.get_running_loop()
        seen = []

        def look():
            state = (bytes(reader._buffer), reader.at_eof(), reader._waiter is None)
            if state not in seen:
                seen.append(state)
            if not task.done():
                loop.call_soon(look)

        call = getattr(reader, name)
        task = asyncio.create_task(call(5) if name in ("read", "readexactly") else call())
        await turns(1)
        look()
        peer.write(b"1234\n")
        return await task, seen, bytes(reader._buffer)

    assert (b"1234\n", False, True) in same(scenario)[1]


def test_another_reader_may_be_faster():
    async def scenario(reader, writer, peer):
        loop = asyncio.get_running_loop()
        taken = []

        def take():
            if reader._waiter is None and not taken:
                coroutine = reader.read(3)
                try:
                    coroutine.send(None)
                except StopIteration as done:
                    taken.append(done.value)
            if not task.done():
                loop.call_soon(take)

        task = asyncio.create_task(reader.read(5))
        await turns(1)
        take()
        peer.write(b"12345")
        return taken, await task

    assert same(scenario) == ([b"123"], b"45")


def test_the_buffer_is_one_object_while_it_is_held():
    async def scenario(reader, writer, peer):
        buffer = reader._buffer
        peer.write(b"abcdef")
        await eventually(lambda: len(buffer) == 6)
        results = [reader._buffer is buffer, await reader.readexactly(2), bytes(buffer)]
        buffer += b"more\n"
        results += [await reader.readline(), bytes(buffer)]
        view = memoryview(buffer)
        peer.write(b"x")
        view.release()
        results.append(await reader.read(1))
        reader._buffer = bytearray(b"other")
        return [*results, await reader.read(3), bytes(reader._buffer), bytes(buffer)]

    assert same(scenario)[3] == b"cdefmore\n"


def test_attributes_can_be_set():
    async def scenario(reader, writer, peer):
        reader._limit = 3
        peer.write(b"12345\n")
        await arrived(reader, 6)
        results = [await told(reader.readuntil()), reader._limit, reader._eof, reader._transport is writer.transport]
        reader._limit = 100
        results.append(await told(reader.readline()))
        reader._eof = True
        results += [reader.at_eof(), await told(reader.read(1)), reader._eof]
        reader._eof = False
        reader.mine = 1
        peer.write(b"z")
        return [*results, await reader.read(1), reader.mine, reader._loop is asyncio.get_running_loop()]

    same(scenario)


def test_feeding_by_hand():
    async def scenario(reader, writer, peer):
        waiting = asyncio.create_task(reader.readexactly(4))
        await turns(2)
        for data in (b"", b"1", bytearray(b"2"), memoryview(b"3")):
            reader.feed_data(data)
        reader.feed_data(data=b"45")
        results = [await waiting, bytes(reader._buffer)]
        reader.feed_eof()
        results += [outcome(reader.feed_data, b"x"), await reader.read(), reader.at_eof(), await reader.readline()]
        return results

    assert same(scenario)[0] == b"1234"


def test_flow_control_of_reading():
    async def scenario(reader, writer, peer):
        peer.write(b"x" * 25)
        await eventually(lambda: reader._paused)
        results = [reader._paused, writer.transport.is_reading()]
        results += [await reader.read(5), reader._paused, writer.transport.is_reading()]
        results += [await reader.read(10), reader._paused, writer.transport.is_reading()]
        peer.write(b"y" * 25)
        await eventually(lambda: reader._paused)
        results.append(await reader.readexactly(35))
        return [*results, reader._paused, writer.transport.is_reading()]

    assert same(scenario, limit=10)[:2] == [True, False]


# --- writing ---------------------------------------------------------------------------------------------------------


def test_drain_waits_while_writing_is_paused():
    async def scenario(reader, writer, peer):
        protocol = writer.transport.get_protocol()
        results = [await told(writer.drain())]
        protocol.pause_writing()
        waiting = asyncio.create_task(told(writer.drain()))
        await turns(3)
        results += [waiting.done(), len(protocol._drain_waiters)]
        protocol.resume_writing()
        return [*results, await waiting]

    assert same(scenario) == [("returned", None), False, 1, ("returned", None)]


def test_drain_of_a_closing_transport_yields_once():
    async def scenario(reader, writer, peer):
        ran = []

        async def drain():
            ran.append("begun")
            result = await told(writer.drain())
            ran.append("drained")
            return result

        async def beside():
            ran.append("beside")

        writer.close()
        first = asyncio.gather(drain(), beside())
        results = [(await first)[0], list(ran)]
        await turns(3)
        return [*results, await told(writer.drain())]

    assert same(scenario)[1] == ["begun", "beside", "drained"]


def test_writing():
    async def scenario(reader, writer, peer):
        results = [writer.write(b"abc"), writer.write(bytearray(b"d")), writer.write(data=b"e")]
        writer.writelines([b"f", b"g"])
        await writer.drain()
        written = []
        original = writer._transport

        class Other:
            def write(self, data):
                written.append(data)

            def is_closing(self):
                return False

        writer._transport = Other()
        writer.write(b"other")
        results += [await told(writer.drain()), written]
        writer._transport = original
        return results

    assert same(scenario)[-1] == [b"other"]


# --- coroutines ------------------------------------------------------------------------------------------------------


def test_what_the_methods_return_is_a_coroutine():
    async def scenario(reader, writer, peer):
        results = []
        for coroutine in (reader.read(1), reader.readline(), reader.readuntil(), reader.readexactly(1), writer.drain()):
            results.append(
                (
                    asyncio.iscoroutine(coroutine),
                    isinstance(coroutine, collections.abc.Coroutine),
                    coroutine.__name__,
                    coroutine.__qualname__,
                    repr(coroutine).split(" at ")[0],
                    coroutine.cr_running,
                    coroutine.close(),
                    outcome(coroutine.send, None),
                    outcome(coroutine.throw, ValueError("x")),
                    coroutine.close(),
                )
            )
        return results

    same(scenario)


def test_nothing_is_read_before_it_is_awaited():
    async def scenario(reader, writer, peer):
        peer.write(b"1234")
        await arrived(reader, 4)
        first, second = reader.read(1), reader.read(2)
        results = [bytes(reader._buffer), await second, bytes(reader._buffer), await first]
        return [*results, await told(first), bytes(reader._buffer)]

    assert same(scenario)[1] == b"12"


def test_one_that_is_never_awaited_warns():
    async def scenario(reader, writer, peer):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for make in (lambda: reader.read(1), reader.readline, lambda: reader.readexactly(2), writer.drain):
                make()
            closed = reader.read(1)
            closed.close()
            del closed
            gc.collect()
        return [(w.category, str(w.message)) for w in caught]

    told = same(scenario)
    assert len(told) == 4
    assert "StreamReader.read' was never awaited" in told[0][1]


def test_stepping_by_hand():
    async def scenario(reader, writer, peer):
        results = []
        peer.write(b"12")
        await arrived(reader, 2)
        coroutine = reader.read(1)
        results.append(outcome(coroutine.send, 1))
        results.append(outcome(coroutine.__await__().__next__)[0])
        waiting = reader.readexactly(5)
        future = waiting.send(None)
        results += [asyncio.isfuture(future), future is reader._waiter, outcome(waiting.throw, KeyError("k"))]
        results += [reader._waiter, outcome(waiting.send, None), outcome(waiting.throw, KeyError("k"))]
        waiting = reader.readexactly(5)
        waiting.send(None)
        results += [waiting.close(), reader._waiter, waiting.close(), outcome(waiting.send, None)]
        waiting = reader.readexactly(5)
        results += [outcome(waiting.throw, KeyError("k")), outcome(waiting.send, None)]
        waiting = reader.readexactly(5)
        waiting.send(None)
        del waiting
        gc.collect()
        return [*results, reader._waiter, bytes(reader._buffer)]

    same(scenario)


def test_the_exception_that_carries_a_result_is_the_callers():
    async def scenario(reader, writer, peer):
        peer.write(b"abcdef")
        await arrived(reader, 6)
        kept = []
        for _ in range(2):
            try:
                next(reader.read(1).__await__())
            except StopIteration as done:
                kept.append(done)
        results = [await reader.read(1), *((done.value, done.args) for done in kept)]
        for _ in range(2):
            try:
                next(reader.read(1).__await__())
            except StopIteration as done:
                results.append((done.value, done.args, str(done)))
        return results, [done.args for done in kept]

    assert same(scenario)[1] == [(b"a",), (b"b",)]


def test_two_tasks_cannot_await_the_same():
    async def scenario(reader, writer, peer):
        coroutine = reader.read(3)

        async def wait():
            return await coroutine

        first, second = asyncio.create_task(wait()), asyncio.create_task(told(wait()))
        await turns(3)
        peer.write(b"abc")
        return await first, await second

    assert same(scenario)[1][0] is RuntimeError


def test_ways_to_wait():
    async def scenario(reader, writer, peer):
        peer.write(b"abcdefgh\n")
        results = [
            await asyncio.create_task(reader.read(1)),
            await asyncio.wait_for(reader.read(1), 5),
            await asyncio.gather(reader.read(1), reader.read(1)),
            await asyncio.shield(reader.read(1)),
            await asyncio.ensure_future(reader.readline()),
            await told(asyncio.wait_for(reader.read(1), 0.005)),
            reader._waiter,
            await told(asyncio.wait_for(writer.drain(), 1)),
        ]
        task = asyncio.create_task(reader.read(1))
        await turns(2)
        results.append(len(task.get_stack()) <= 1)
        assert "StreamReader.read" in repr(task)
        if sys.version_info >= (3, 14):
            assert "Call stack" in asyncio.format_call_graph(task) or asyncio.format_call_graph(task)
        task.cancel("enough")
        return [*results, await told(task), task.cancelled(), reader._waiter]

    assert same(scenario)[0] == b"a"


def test_cancelling_between_arrival_and_reading_keeps_the_data():
    async def scenario(reader, writer, peer):
        loop = asyncio.get_running_loop()
        task = asyncio.create_task(told(reader.readexactly(3)))
        await turns(1)

        def cancel():
            if reader._waiter is None:
                task.cancel()
            else:
                loop.call_soon(cancel)

        cancel()
        peer.write(b"abc")
        return await told(task), await reader.read(3)

    assert same(scenario)[1] == b"abc"


# --- programs that replace methods -----------------------------------------------------------------------------------


def test_methods_replaced_on_the_instances():
    async def scenario(reader, writer, peer):
        protocol = writer.transport.get_protocol()
        calls = []

        def spy(target, name):
            original = getattr(target, name)

            def replaced(*args):
                calls.append((name, *args))
                return original(*args)

            setattr(target, name, replaced)

        spy(reader, "feed_data")
        peer.write(b"1")
        results = [await reader.read(1)]
        del reader.feed_data
        spy(protocol, "data_received")
        peer.write(b"2")
        results.append(await reader.read(1))
        del protocol.data_received
        peer.write(b"3")
        results.append(await reader.read(1))
        spy(reader, "read")
        peer.write(b"4")
        return [*results, await reader.read(1), calls]

    assert same(scenario)[-1] == [("feed_data", b"1"), ("data_received", b"2"), ("read", 1)]


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (asyncio.StreamReader, "read"),
        (asyncio.StreamReader, "readexactly"),
        (asyncio.StreamReader, "readline"),
        (asyncio.StreamReader, "readuntil"),
        (asyncio.StreamReader, "feed_data"),
        (asyncio.StreamReader, "at_eof"),
        (asyncio.StreamReader, "_wait_for_data"),
        (asyncio.StreamWriter, "write"),
        (asyncio.StreamWriter, "drain"),
        (asyncio.StreamReaderProtocol, "data_received"),
        (asyncio.StreamReaderProtocol, "_drain_helper"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_methods_replaced_on_the_classes(monkeypatch, owner, name):
    async def scenario(reader, writer, peer):
        calls = []
        original = getattr(owner, name)

        def replaced(self, *args):
            calls.append(args)
            return original(self, *args)

        with monkeypatch.context() as patch:
            patch.setattr(owner, name, replaced)
            first = asyncio.create_task(reader.read(1))
            await turns(2)
            peer.write(b"12345\n6;")
            results = [
                await first,
                await reader.readexactly(2),
                await reader.readline(),
                await reader.readuntil(b";"),
                reader.at_eof(),
            ]
            writer.write(b"x")
            await writer.drain()
            seen = list(calls)
        peer.write(b"7")
        return [*results, await reader.read(1), seen, calls == seen]

    assert same(scenario)[-2]


# --- life ------------------------------------------------------------------------------------------------------------


def test_a_client_that_drops_its_reader_drops_the_data(mainspring_loop):
    async def main():
        server = await asyncio.start_server(lambda r, w: w.write(b"x" * 100_000), "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer._reader = None
        gone = weakref.ref(reader)
        del reader
        gc.collect()
        assert gone() is None
        await asyncio.sleep(0.02)
        writer.close()
        await writer.wait_closed()
        server.close()

    mainspring_loop.run_until_complete(main())


def native_objects():
    names = {"ReaderState", "coroutine", "ConnectedCallback"}
    gc.collect()
    return sum(1 for each in gc.get_objects() if type(each).__name__ in names and "_core" in type(each).__module__)


def test_connections_leave_nothing_behind(mainspring_loop):
    async def handle(reader, writer):
        with contextlib.suppress(asyncio.IncompleteReadError):
            writer.write(await reader.readline())
            await writer.drain()
            await reader.readexactly(10)
        writer.close()

    readers = []

    async def main():
        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        address = server.sockets[0].getsockname()
        for ending in ("eof", "cancel", "close"):
            reader, writer = await asyncio.open_connection(*address)
            readers.append(weakref.ref(reader))
            writer.write(b"hello\n")
            assert await reader.readline() == b"hello\n"
            if ending == "eof":
                writer.write(b"123")
                writer.write_eof()
                assert await reader.read() == b""
            elif ending == "cancel":
                task = asyncio.create_task(reader.read(1))
                await turns(2)
                task.cancel()
                await asyncio.wait([task])
            writer.close()
            await writer.wait_closed()
        server.close()
        await server.wait_closed()
        await asyncio.sleep(0.01)

    before = native_objects()
    mainspring_loop.run_until_complete(main())
    assert native_objects() == before
    assert [reader() for reader in readers] == [None] * 3


def test_an_abandoned_loop_takes_waiting_readers_along():
    gone = []

    def run():
        loop = mainspring.new_event_loop()

        async def main():
            server = await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0)
            # The writer would close the connection if it went.
            streams = await asyncio.open_connection(*server.sockets[0].getsockname())
            reader = streams[0]
            assert type(reader) is not asyncio.StreamReader
            task = asyncio.create_task(reader.readline())
            await turns(3)
            gone.extend([weakref.ref(reader), weakref.ref(task)])

        loop.run_until_complete(main())
        loop.close()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        run()
        gc.collect()
    assert [each() for each in gone] == [None, None]


def test_references_do_not_grow(mainspring_loop):
    async def main():
        accepted = asyncio.get_running_loop().create_future()
        server = await asyncio.start_server(lambda r, w: accepted.set_result((r, w)), "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        other_writer = (await accepted)[1]
        separator = b"--" * 10

        async def work():
            for _ in range(50):
                other_writer.write(b"x" * 100 + separator + b"line\n" + b"1234567")
                await other_writer.drain()
                await reader.readuntil(separator)
                await reader.readline()
                await reader.readexactly(3)
                await reader.read(4)
                reader.read(1).close()

        def counts():
            state = next(each for each in gc.get_referents(vars(reader)) if type(each).__name__ == "ReaderState")
            return [sys.getrefcount(each) for each in (reader, other_writer, separator, state, type(reader))]

        await work()
        before = counts()
        await work()
        assert counts() == before
        for each in (writer, other_writer):
            each.close()
            await each.wait_closed()
        server.close()

    mainspring_loop.run_until_complete(main())


# --- the switch ------------------------------------------------------------------------------------------------------

PROGRAM = """
    import asyncio, mainspring

    async def main():
        server = await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        print(type(reader) is asyncio.StreamReader)
        writer.close()
        server.close()

    with asyncio.Runner(loop_factory=mainspring.new_event_loop) as runner:
        runner.run(main())
"""


@pytest.mark.parametrize(("value", "plain"), [("0", "True"), ("1", "False"), (None, "False")])
def test_the_environment_variable(value, plain):
    env = {} if value is None else {"MAINSPRING_NATIVE_STREAMS": value}
    finished = run_program(PROGRAM, env=env)
    assert finished.stdout.split() == [plain], finished.stderr


def test_debug_mode_keeps_asyncios_own_streams():
    finished = run_program(PROGRAM, options=["-X", "dev"])
    assert finished.stdout.split() == ["True"], finished.stderr
