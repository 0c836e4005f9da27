"""Flow control of TLS connections: what is queued is counted, writers wait for slow readers and readers pause."""

import asyncio
import socket

import pytest
from helpers import Recorder, compare, eventually, outcome, tls_connected, tls_with_peer, turns

MIB = 1 << 20
HIGH = 512 * 1024


def narrow(transport, peer):
    """Let the kernel hold little between the two, and yet more than a packet of the loopback interface."""
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 * 1024)
    peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 128 * 1024)


@pytest.mark.parametrize("side", ["client", "server"])
def test_the_protocol_is_paused_and_resumed(loop, errors, authority, side):
    async def main():
        async with tls_with_peer(authority, side=side) as (transport, protocol, peer):
            narrow(transport, peer)
            assert transport.get_write_buffer_size() == 0
            written = 0
            while "pause_writing" not in protocol.events:
                assert transport.get_write_buffer_size() < HIGH
                transport.write(b"x" * 50_000)
                written += 50_000
            # What is counted was really written and not sent.
            assert HIGH <= transport.get_write_buffer_size() < written + written // 50
            await turns(5)
            assert protocol.events == ["connection_made", "pause_writing"]
            received = 0
            while received < written:
                received += len(await peer.read())
            await eventually(lambda: transport.get_write_buffer_size() == 0)
            assert received == written
            assert protocol.events == ["connection_made", "pause_writing", "resume_writing"]

    loop.run_until_complete(main())
    assert errors == []


def test_the_protocol_is_resumed_at_the_low_mark_and_not_before(loop, authority):
    class Looking(Recorder):
        def resume_writing(self):
            super().resume_writing()
            self.size_at_resume = self.transport.get_write_buffer_size()

    async def main():
        async with tls_with_peer(authority, Looking) as (transport, protocol, peer):
            narrow(transport, peer)
            transport.set_write_buffer_limits(high=100_000, low=1000)
            assert transport.get_write_buffer_limits() == (1000, 100_000)
            written = 0
            while "pause_writing" not in protocol.events:
                transport.write(b"x" * 10_000)
                written += 10_000
            assert transport.get_write_buffer_size() >= 100_000
            received = 0
            while received < written:
                received += len(await peer.read())
                if transport.get_write_buffer_size() > 1000:
                    assert "resume_writing" not in protocol.events
            await eventually(lambda: "resume_writing" in protocol.events)
            assert protocol.size_at_resume <= 1000

    loop.run_until_complete(main())


def test_what_is_written_while_paused_arrives_in_order(loop, errors, authority):
    async def main():
        async with tls_with_peer(authority) as (transport, protocol, peer):
            narrow(transport, peer)
            chunks = [b"%04d" % number * 2500 for number in range(300)]
            for chunk in chunks:
                transport.write(chunk)
            assert protocol.events.count("pause_writing") == 1
            received = bytearray()
            while len(received) < 3_000_000:
                received += await peer.read()
            assert received == b"".join(chunks)
            await eventually(lambda: protocol.events[-1] == "resume_writing")

    loop.run_until_complete(main())
    assert errors == []


def test_drain_waits_for_a_slow_reader(loop, errors, authority):
    async def main():
        async with tls_with_peer(authority) as (transport, protocol, peer):
            narrow(transport, peer)
            reader = asyncio.StreamReader()
            streams = asyncio.StreamReaderProtocol(reader)
            streams.connection_made(transport)
            transport.set_protocol(streams)
            writer = asyncio.StreamWriter(transport, streams, reader, loop)
            written = 0

            async def write():
                nonlocal written
                while written < 5_000_000:
                    writer.write(b"x" * 100_000)
                    await writer.drain()
                    written += 100_000

            task = loop.create_task(write())
            await eventually(lambda: transport.get_write_buffer_size() >= HIGH)
            await turns(20)
            assert not task.done()
            assert written < 3_000_000
            received = 0
            while received < 5_000_000:
                received += len(await peer.read())
            await task
            transport.set_protocol(protocol)

    loop.run_until_complete(main())
    assert errors == []


LIMITS = [
    {},
    {"high": 100},
    {"low": 100},
    {"high": 0},
    {"high": 100, "low": 100},
    {"high": 100, "low": 0},
    {"high": 10, "low": 20},
    {"high": 10, "low": -1},
    {"high": -1},
    {"low": -5},
]


@pytest.mark.parametrize("kind", ["write", "read"])
@pytest.mark.parametrize("keywords", LIMITS, ids=str)
def test_limits_are_checked_and_completed_as_by_default(authority, kind, keywords):
    def scenario(loop):
        async def main():
            async with tls_with_peer(authority) as (transport, protocol, _):
                read = getattr(transport, f"get_{kind}_buffer_limits")
                before = read()
                result = outcome(getattr(transport, f"set_{kind}_buffer_limits"), **keywords)
                return before, result, read(), protocol.events

        return loop.run_until_complete(main())

    before, (kind_of_error, text), after, _ = compare(scenario)
    assert before == {"write": (HIGH // 4, HIGH), "read": (64 * 1024, 256 * 1024)}[kind]
    if kind_of_error is ValueError:
        assert "must be >=" in text
        assert after == before


def test_a_high_mark_of_zero_is_told_as_by_default(authority):
    def scenario(loop):
        async def main():
            async with tls_with_peer(authority) as (transport, protocol, peer):
                transport.set_write_buffer_limits(high=0)
                transport.write(b"x" * 1000)
                assert await peer.read() == b"x" * 1000
                await turns(3)
                return list(protocol.events)

        return loop.run_until_complete(main())

    assert "pause_writing" in compare(scenario)


def test_pause_reading_holds_the_data_back(loop, errors, authority):
    async def main():
        async with tls_with_peer(authority) as (transport, protocol, peer):
            assert transport.is_reading()
            transport.pause_reading()
            transport.pause_reading()
            assert not transport.is_reading()
            await peer.send(b"held back")
            await eventually(lambda: transport.get_read_buffer_size() > len(b"held back"))
            assert protocol.received == b""
            transport.resume_reading()
            transport.resume_reading()
            assert transport.is_reading()
            await eventually(lambda: protocol.received == b"held back")
            assert transport.get_read_buffer_size() == 0

    loop.run_until_complete(main())
    assert errors == []


def test_a_paused_reader_holds_the_writer_back(loop, errors, authority):
    async def main():
        async with tls_with_peer(authority) as (transport, protocol, peer):
            transport.pause_reading()
            sending = loop.create_task(peer.send(b"x" * (24 * MIB)))
            high = transport.get_read_buffer_limits()[1]
            await eventually(lambda: transport.get_read_buffer_size() >= high)
            await turns(20)
            # One more piece may have been on its way.
            assert transport.get_read_buffer_size() <= 2 * high
            assert not sending.done()
            assert protocol.received == b""
            transport.resume_reading()
            await sending
            await eventually(lambda: len(protocol.received) == 24 * MIB)
            assert protocol.events[-1] == "data_received"

    loop.run_until_complete(main())
    assert errors == []


def test_pausing_inside_data_received_stops_at_once(loop, authority):
    class OneAtATime(Recorder):
        def data_received(self, data):
            super().data_received(data)
            self.transport.pause_reading()

    async def main():
        async with tls_with_peer(authority, OneAtATime) as (transport, protocol, peer):
            for number in range(3):
                await peer.send(b"%d" % number)
                await eventually(lambda count=number: len(protocol.received) == count + 1)
                await peer.send(b"x")
                await eventually(lambda: transport.get_read_buffer_size() > 0)
                assert protocol.received[-1:] == b"%d" % number
                transport.resume_reading()
                await eventually(lambda: protocol.received[-1:] == b"x")
                protocol.received.pop()
                transport.resume_reading()

    loop.run_until_complete(main())


def test_the_peers_end_waits_for_a_paused_reader(authority):
    def scenario(loop, ending):
        async def main():
            async with tls_with_peer(authority) as (transport, protocol, peer):
                transport.pause_reading()
                await peer.send(b"x" * 100_000)
                await peer.send_close_notify() if ending == "goodbye" else None
                peer.end_stream()
                await eventually(lambda: transport.get_read_buffer_size() > 100_000)
                await turns(5)
                before = list(protocol.events)
                transport.resume_reading()
                error = await protocol.lost
                return before, len(protocol.received), repr(error), protocol.events

        return loop.run_until_complete(main())

    for ending in ("goodbye", "end of stream"):
        before, count, error, events = compare(scenario, ending)
        assert before == ["connection_made"]
        assert (count, error) == (100_000, "None")
        assert events == ["connection_made", "data_received", "eof_received", "connection_lost"]


def test_reading_pauses_while_writing_goes_on(loop, errors, authority):
    async def main():
        async with tls_with_peer(authority) as (transport, protocol, peer):
            transport.pause_reading()
            await peer.send(b"waits")
            transport.write(b"x" * MIB)
            received = 0
            while received < MIB:
                received += len(await peer.read())
            assert protocol.received == b""
            transport.resume_reading()
            await eventually(lambda: protocol.received == b"waits")

    loop.run_until_complete(main())
    assert errors == []


def test_a_peer_that_never_reads_costs_no_more_than_what_was_written(loop, authority):
    async def main():
        async with tls_with_peer(authority) as (transport, protocol, peer):
            narrow(transport, peer)
            transport.write(b"x" * MIB)
            transport.write(b"x" * (4 * MIB))
            await turns(10)
            # Records are a little longer than what is in them.
            assert 4 * MIB < transport.get_write_buffer_size() < 4.1 * MIB
            transport.abort()
            await protocol.lost
            assert transport.get_write_buffer_size() == 0

    loop.run_until_complete(main())


@pytest.mark.parametrize(
    ("full", "sizes"), [(False, [100] * 10), (True, [100] * 10), (True, [50_000] * 40), (True, [MIB, 10])], ids=str
)
def test_what_counts_as_queued_is_as_by_default(authority, sizes, full):
    def scenario(loop):
        async def main():
            async with tls_with_peer(authority) as (transport, protocol, peer):
                if full:
                    # More than the kernel takes: from here on all is queued.
                    narrow(transport, peer)
                    transport.write(b"x" * MIB)
                told = []
                for size in sizes:
                    transport.write(b"x" * size)
                    told.append((transport.get_write_buffer_size(), protocol.events.count("pause_writing")))
                return told

        return loop.run_until_complete(main())

    told = compare(scenario)
    assert (told[-1][0] >= sum(sizes)) == full


def test_both_ends_are_slow_in_turn(loop, errors, server_context, client_context):
    """Each end reads only while its own writing is not paused, which must not end in a deadlock with enough room."""

    class Echo(Recorder):
        def data_received(self, data):
            super().data_received(data)
            self.transport.write(data)

        def pause_writing(self):
            super().pause_writing()
            self.transport.pause_reading()

        def resume_writing(self):
            super().resume_writing()
            self.transport.resume_reading()

    async def main():
        async with tls_connected(server_context, client_context, Echo) as (client, _):
            data = bytes(range(256)) * 16384
            client.transport.write(data)
            await eventually(lambda: len(client.received) == len(data))
            assert client.received == data

    loop.run_until_complete(main())
    assert errors == []
