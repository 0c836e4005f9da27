"""Data over TLS: large, small, of every type, through every kind of protocol, over many connections at once."""

import array
import asyncio
import hashlib
import os

import pytest
from helpers import Recorder, compare, eventually, tls_connected, tls_serving, tls_with_peer

MIB = 1 << 20


class Buffered(asyncio.BufferedProtocol):
    """Records like a Recorder, through a buffer of its own."""

    def __init__(self, size):
        self.buffer = bytearray(size)
        self.received = bytearray()
        self.hints = []
        self.events = []
        self.transport = None

    def connection_made(self, transport):
        self.transport = transport
        self.lost = asyncio.get_running_loop().create_future()
        self.events.append("connection_made")

    def get_buffer(self, sizehint):
        self.hints.append(sizehint)
        return memoryview(self.buffer)

    def buffer_updated(self, count):
        assert 0 < count <= len(self.buffer)
        self.received += self.buffer[:count]

    def eof_received(self):
        self.events.append("eof_received")

    def connection_lost(self, error):
        self.events.append("connection_lost")
        self.lost.set_result(error)


def test_much_goes_both_ways_at_once(loop, errors, authority, version):
    data = [os.urandom(4 * MIB), os.urandom(4 * MIB)]

    async def main():
        contexts = authority.server_context(version=version), authority.client_context()
        async with tls_connected(*contexts) as ends:
            for end, mine in zip(ends, data, strict=True):
                end.transport.write(mine)
            await eventually(lambda: all(len(end.received) >= 4 * MIB for end in ends))
            hashes = [hashlib.sha256(end.received).hexdigest() for end in ends]
            assert hashes == [hashlib.sha256(mine).hexdigest() for mine in reversed(data)]

    loop.run_until_complete(main())
    assert errors == []


@pytest.mark.parametrize("in_one_turn", [False, True])
def test_many_small_writes_arrive_in_order(loop, errors, server_context, client_context, in_one_turn):
    async def main():
        async with tls_connected(server_context, client_context) as (client, server):
            for number in range(3000):
                client.transport.write(b"%d," % number)
                if not in_one_turn and number % 3 == 0:
                    await asyncio.sleep(0)
            expected = b"".join(b"%d," % number for number in range(3000))
            await eventually(lambda: len(server.received) == len(expected))
            assert server.received == expected

    loop.run_until_complete(main())
    assert errors == []


def test_writelines(loop, errors, server_context, client_context):
    async def main():
        async with tls_connected(server_context, client_context) as (client, server):
            client.transport.writelines([b"one ", bytearray(b"two "), memoryview(b"three"), b""])
            client.transport.writelines(iter([b" four", b"!" * 100_000]))
            client.transport.writelines([])
            await eventually(lambda: len(server.received) == 18 + 100_000)
            assert server.received == b"one two three four" + b"!" * 100_000

    loop.run_until_complete(main())
    assert errors == []


@pytest.mark.parametrize("kind", [bytearray, lambda data: memoryview(bytearray(data))], ids=["bytearray", "memoryview"])
@pytest.mark.parametrize("size", [10, 1000, 2 * MIB])
def test_what_is_written_may_be_changed_afterwards(loop, errors, server_context, client_context, kind, size):
    async def main():
        async with tls_connected(server_context, client_context) as (client, server):
            data = kind(b"x" * size)
            client.transport.write(data)
            data[:] = b"y" * size
            await eventually(lambda: len(server.received) == size)
            assert server.received == b"x" * size

    loop.run_until_complete(main())
    assert errors == []


VALUES = {
    "bytes": b"bytes",
    "bytearray": bytearray(b"bytearray"),
    "memoryview": memoryview(b"memoryview"),
    "part of a memoryview": memoryview(b"memoryview")[2:5],
    "every second byte": memoryview(b"memoryview")[::2],
    "a memoryview of numbers": memoryview(array.array("I", range(100))),
    "nothing": b"",
    "text": "text",
    "None": None,
    "a number": 1,
    "a list": [b"x"],
    "an array": array.array("B", b"array"),
    "a subclass of bytes": type("Bytes", (bytes,), {})(b"subclass"),
}


@pytest.mark.parametrize("method", ["write", "writelines"])
@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES.keys())
def test_every_type_is_taken_or_refused_as_by_default(authority, value, method):
    def scenario(loop):
        async def main():
            reported = []
            loop.set_exception_handler(
                lambda _, context: reported.append((context["message"], repr(context["exception"])))
            )
            async with tls_with_peer(authority) as (transport, protocol, peer):
                try:
                    getattr(transport, method)(value if method == "write" else [value])
                    result = "taken"
                except Exception as error:
                    result = type(error), str(error)
                if not transport.is_closing():
                    transport.write(b".")
                    received = b""
                    while not received.endswith(b"."):
                        data = await peer.read()
                        received += data
                        if not data:
                            break
                else:
                    received = await peer.read()
                return result, reported, received, transport.is_closing(), list(protocol.events)

        return loop.run_until_complete(main())

    result, reported, received, _, _ = compare(scenario)
    if result == "taken" and not reported and value:
        assert len(received) > 1


@pytest.mark.parametrize("size", [1, 100, 100_000])
def test_a_buffered_protocol_gets_everything(loop, errors, server_context, client_context, size):
    data = os.urandom(20_000 if size < 1000 else 4 * MIB)

    async def main():
        async with tls_connected(server_context, client_context, lambda: Buffered(size)) as (client, server):
            client.transport.write(data)
            await eventually(lambda: len(server.received) == len(data))
            assert server.received == data
            client.transport.close()
            assert await server.lost is None
            assert server.events == ["connection_made", "eof_received", "connection_lost"]
            await client.lost

    loop.run_until_complete(main())
    assert errors == []


def test_a_buffered_protocol_is_asked_with_the_same_hints(authority):
    def scenario(loop):
        async def main():
            async with tls_with_peer(authority, lambda: Buffered(1000)) as (_, protocol, peer):
                for size in (10, 999, 1000, 1001, 5000):
                    before = len(protocol.received)
                    await peer.send(b"x" * size)
                    await eventually(lambda end=before + size: len(protocol.received) == end)
                return protocol.hints

        return loop.run_until_complete(main())

    assert len(compare(scenario)) >= 5


def test_set_protocol_switches_between_data_and_buffers(loop, errors, authority):
    async def main():
        async with tls_with_peer(authority) as (transport, first, peer):
            buffered = Buffered(4)
            transport.set_protocol(buffered)
            assert transport.get_protocol() is buffered
            await peer.send(b"longer than the buffer")
            await eventually(lambda: buffered.received == b"longer than the buffer")
            transport.set_protocol(first)
            await peer.send(b"plain")
            await eventually(lambda: first.received == b"plain")

    loop.run_until_complete(main())
    assert errors == []


def test_several_records_that_come_together_are_one_piece_of_data(authority):
    def scenario(loop):
        async def main():
            async with tls_with_peer(authority) as (_, protocol, peer):
                records = b"".join(peer.encrypted(b"%d," % number) for number in range(100))
                await loop.sock_sendall(peer.sock, records)
                await eventually(lambda: protocol.received.endswith(b"99,"))
                return list(protocol.events)

        return loop.run_until_complete(main())

    assert compare(scenario) == ["connection_made", "data_received"]


def test_a_record_that_comes_in_pieces_is_one_piece_of_data(authority):
    def scenario(loop):
        async def main():
            async with tls_with_peer(authority) as (_, protocol, peer):
                record = peer.encrypted(b"in one piece")
                for number in range(len(record)):
                    await loop.sock_sendall(peer.sock, record[number : number + 1])
                    await asyncio.sleep(0)
                await eventually(lambda: protocol.received == b"in one piece")
                return list(protocol.events)

        return loop.run_until_complete(main())

    assert compare(scenario) == ["connection_made", "data_received"]


def test_writes_of_one_turn_are_as_many_records_as_by_default(authority):
    """Whoever counts records on the wire sees no difference."""

    def scenario(loop):
        async def main():
            async with tls_with_peer(authority, side="server") as (transport, _, peer):
                for size in (1, 100, 40_000):
                    transport.write(b"x" * size)
                sizes = []
                while sum(sizes) < 40_101:
                    sizes.append(len(await peer.read()))
                return sizes

        return loop.run_until_complete(main())

    assert compare(scenario) == [1, 100, 16384, 16384, 7232]


def test_a_hundred_connections_at_once(loop, errors, server_context, client_context):
    class Echo(Recorder):
        def data_received(self, data):
            super().data_received(data)
            self.transport.write(data)

    async def main():
        async with tls_serving(server_context, Echo, backlog=200) as (address, made):

            async def one(number):
                data = b"%03d" % number * 10_000
                reader, writer = await asyncio.open_connection(*address, ssl=client_context)
                writer.write(data)
                assert await reader.readexactly(len(data)) == data
                writer.close()
                await writer.wait_closed()

            await asyncio.gather(*(one(number) for number in range(100)))
            assert len(made) == 100
            await asyncio.gather(*(protocol.lost for protocol in made))

    loop.run_until_complete(main())
    assert errors == []


def test_a_request_and_an_answer_many_times(loop, errors, server_context, client_context):
    async def handle(reader, writer):
        while line := await reader.readline():
            writer.write(line.upper())
        writer.close()

    async def main():
        server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=server_context)
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("localhost", port, ssl=client_context)
        for number in range(300):
            writer.write(b"line %d\n" % number)
            assert await reader.readline() == b"LINE %d\n" % number
        writer.close()
        await writer.wait_closed()
        server.close()
        await server.wait_closed()

    loop.run_until_complete(main())
    assert errors == []
