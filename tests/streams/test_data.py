"""Bytes arrive whole and in order: every size, both directions, every type that write() takes."""

import asyncio
import hashlib
import random

import pytest
from helpers import Recorder, compare, connected, eventually, outcome, serving

SIZES = [1, 2, 1023, 1024, 4096, 16384, 65535, 65536, 65537, 262143, 262144, 262145, 1 << 20, 5_000_001]


class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)


def payload(size):
    return random.Random(size).randbytes(size)


@pytest.mark.parametrize("size", SIZES)
def test_an_echo_returns_the_same_bytes(loop, size):
    async def main():
        async with serving(Echo) as (_, address, _):
            transport, client = await loop.create_connection(Recorder, *address)
            data = payload(size)
            transport.write(data)
            await eventually(lambda: len(client.received) >= size)
            assert hashlib.sha256(client.received).digest() == hashlib.sha256(data).digest()
            transport.close()
            assert await client.lost is None

    loop.run_until_complete(main())


def test_both_directions_at_once(loop):
    size = 4 << 20

    class Sender(Recorder):
        def connection_made(self, transport):
            super().connection_made(transport)
            transport.write(payload(size))

    async def main():
        async with serving(Sender) as (_, address, made):
            transport, client = await loop.create_connection(Sender, *address)
            await eventually(lambda: len(client.received) >= size and len(made[0].received) >= size)
            assert client.received == payload(size)
            assert made[0].received == payload(size)
            transport.close()
            await client.lost

    loop.run_until_complete(main())


def test_many_small_writes_of_one_turn_arrive_in_order(loop):
    async def main():
        async with serving(Recorder) as (_, address, made):
            transport, client = await loop.create_connection(Recorder, *address)
            expected = b"".join(b"%d," % number for number in range(20_000))
            for number in range(20_000):
                transport.write(b"%d," % number)
            await eventually(lambda: made and len(made[0].received) >= len(expected))
            assert made[0].received == expected
            transport.close()
            await client.lost

    loop.run_until_complete(main())


def test_writes_of_all_sizes_mixed_arrive_in_order(loop):
    generator = random.Random(8)
    chunks = [generator.randbytes(generator.choice([0, 1, 10, 1000, 70_000, 200_000])) for _ in range(200)]

    async def main():
        async with serving(Recorder) as (_, address, made):
            transport, client = await loop.create_connection(Recorder, *address)
            for number, chunk in enumerate(chunks):
                if number % 3:
                    transport.write(chunk)
                else:
                    transport.writelines([chunk[:5], bytearray(chunk[5:])])
                if number % 7 == 0:
                    await asyncio.sleep(0)
            transport.close()
            await client.lost
            await made[0].lost
            assert made[0].received == b"".join(chunks)

    loop.run_until_complete(main())


@pytest.mark.parametrize("size", [10, 100_000, 3 << 20])
@pytest.mark.parametrize("kind", ["bytearray", "memoryview", "slice"])
def test_what_is_changed_after_write_arrives_as_it_was(loop, kind, size):
    async def main():
        async with serving(Recorder) as (_, address, made):
            transport, client = await loop.create_connection(Recorder, *address)
            original = payload(size)
            memory = bytearray(original)
            data = memory
            if kind in ("memoryview", "slice"):
                data = memoryview(memory)[size // 2 :] if kind == "slice" else memoryview(memory)
            expected = bytes(data)
            transport.write(data)
            memory[:] = bytes(size)
            transport.write(b"end")
            await eventually(lambda: made and len(made[0].received) == len(expected) + 3)
            assert made[0].received == expected + b"end"
            transport.close()
            await client.lost

    loop.run_until_complete(main())


def test_a_bytearray_can_be_resized_after_write(mainspring_loop):
    # The default loop keeps it exported, so that this is a BufferError there.
    loop = mainspring_loop

    async def main():
        async with connected() as (transport, _, peer):
            data = bytearray(4 << 20)
            transport.write(data)
            data.clear()
            data += b"other"
            received = 0
            while received < 4 << 20:
                received += len(await asyncio.wait_for(read_some(loop, peer), 10))
            assert received == 4 << 20

    loop.run_until_complete(main())


async def read_some(loop, sock):
    readable = loop.create_future()
    loop.add_reader(sock, readable.set_result, None)
    try:
        await readable
    finally:
        loop.remove_reader(sock)
    return sock.recv(1 << 20)


def test_writelines_takes_any_iterable(loop):
    async def main():
        async with serving(Recorder) as (_, address, made):
            transport, client = await loop.create_connection(Recorder, *address)
            transport.writelines([])
            transport.writelines([b"one", bytearray(b"two"), memoryview(b"three"), b""])
            transport.writelines(bytes([letter]) for letter in b"four")
            transport.writelines([b"x"] * 3000)
            transport.close()
            await client.lost
            await made[0].lost
            assert made[0].received == b"onetwothreefour" + b"x" * 3000

    loop.run_until_complete(main())


def test_empty_writes_send_nothing(loop):
    async def main():
        async with connected() as (transport, protocol, peer):
            for empty in (b"", bytearray(), memoryview(b"")):
                transport.write(empty)
            assert transport.get_write_buffer_size() == 0
            transport.write(b"x")
            await eventually(lambda: outcome(peer.recv, 10, 2) == ("returned", b"x"))  # 2: MSG_PEEK
            assert protocol.events == ["connection_made"]

    loop.run_until_complete(main())


def refused():
    for method in ("write", "writelines"):
        for thing in ("text", None, 5, [b"x"], object):
            # Since Python 3.14 writelines() leaves out what is false, whatever it is.
            if (method, thing) != ("writelines", None):
                yield pytest.param(method, thing, id=f"{method}-{thing!r}")


@pytest.mark.parametrize(("method", "thing"), list(refused()))
def test_other_types_are_refused_with_the_same_text(method, thing):
    def scenario(loop):
        async def main():
            async with connected() as (transport, protocol, _):
                argument = [thing] if method == "writelines" else thing
                result = outcome(getattr(transport, method), argument)
                return result, transport.is_closing(), list(protocol.events)

        return loop.run_until_complete(main())

    (kind, text), closing, events = compare(scenario)
    assert kind is TypeError
    assert "bytes" in text
    assert not closing
    assert events == ["connection_made"]
