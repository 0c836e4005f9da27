"""Flow control: water marks, pause_writing and resume_writing, drain; and pausing the reading side."""

import asyncio
import socket
import sys

import pytest
from helpers import Recorder, compare, connected, drain_socket, eventually, outcome, turns

MIB = 1 << 20


def test_the_protocol_is_paused_above_the_high_mark_and_resumed_below_the_low_one(loop):
    async def main():
        async with connected() as (transport, protocol, peer):
            transport.set_write_buffer_limits(high=100_000, low=1000)
            while "pause_writing" not in protocol.events:
                transport.write(b"x" * 50_000)
            assert transport.get_write_buffer_size() > 100_000
            assert protocol.events == ["connection_made", "pause_writing"]
            await turns(5)
            while transport.get_write_buffer_size() > 1000:
                assert protocol.events == ["connection_made", "pause_writing"]
                drain_socket(peer)
                await asyncio.sleep(0)
            await turns(2)
            assert protocol.events == ["connection_made", "pause_writing", "resume_writing"]

    loop.run_until_complete(main())


def test_what_is_written_while_paused_arrives_too(loop):
    async def main():
        async with connected() as (transport, protocol, peer):
            for _ in range(200):
                transport.write(b"x" * 100_000)
            assert protocol.events.count("pause_writing") == 1
            received = 0
            while received < 20_000_000:
                received += drain_socket(peer)
                await asyncio.sleep(0)
            assert received == 20_000_000
            assert transport.get_write_buffer_size() == 0
            assert protocol.events == ["connection_made", "pause_writing", "resume_writing"]

    loop.run_until_complete(main())


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


@pytest.mark.parametrize("keywords", LIMITS, ids=str)
def test_limits_are_checked_and_completed_as_by_default(keywords):
    def scenario(loop):
        async def main():
            async with connected() as (transport, _, _):
                before = transport.get_write_buffer_limits()
                result = outcome(transport.set_write_buffer_limits, **keywords)
                return before, result, transport.get_write_buffer_limits()

        return loop.run_until_complete(main())

    before, (kind, text), after = compare(scenario)
    assert before == (16384, 65536)
    if kind is ValueError:
        assert "must be >=" in text
        assert after == before


def test_a_high_mark_of_zero_pauses_at_the_first_byte_that_waits(loop):
    async def main():
        async with connected() as (transport, protocol, peer):
            transport.set_write_buffer_limits(high=0)
            while not transport.get_write_buffer_size():
                transport.write(b"x" * MIB)
            assert "pause_writing" in protocol.events
            while transport.get_write_buffer_size():
                drain_socket(peer)
                await asyncio.sleep(0)
            assert protocol.events == ["connection_made", "pause_writing", "resume_writing"]

    loop.run_until_complete(main())


def test_lowering_the_limits_pauses_at_once(loop):
    async def main():
        async with connected() as (transport, protocol, _):
            transport.set_write_buffer_limits(high=1 << 30)
            transport.write(b"x" * (16 * MIB))
            await turns(3)
            assert protocol.events == ["connection_made"]
            transport.set_write_buffer_limits(high=1000)
            await turns(1)
            assert protocol.events == ["connection_made", "pause_writing"]

    loop.run_until_complete(main())


def test_drain_waits_for_a_slow_reader(loop):
    async def main():
        async with connected() as (transport, protocol, peer):
            reader = asyncio.StreamReader()
            streams = asyncio.StreamReaderProtocol(reader)
            streams.connection_made(transport)
            transport.set_protocol(streams)
            writer = asyncio.StreamWriter(transport, streams, reader, loop)
            written = 0

            async def write():
                nonlocal written
                for _ in range(100):
                    writer.write(b"x" * 100_000)
                    await writer.drain()
                    written += 100_000

            task = loop.create_task(write())
            await asyncio.sleep(0.05)
            assert not task.done()
            assert written < 9_000_000
            received = 0
            while received < 10_000_000:
                received += drain_socket(peer)
                await asyncio.sleep(0)
            await task
            transport.set_protocol(protocol)

    loop.run_until_complete(main())


def test_pause_reading_holds_the_data_back(loop):
    async def main():
        async with connected() as (transport, protocol, peer):
            assert transport.is_reading()
            transport.pause_reading()
            transport.pause_reading()
            assert not transport.is_reading()
            peer.send(b"held back")
            await asyncio.sleep(0.02)
            assert protocol.received == b""
            transport.resume_reading()
            transport.resume_reading()
            assert transport.is_reading()
            await eventually(lambda: protocol.received == b"held back")

    loop.run_until_complete(main())


def test_pausing_inside_data_received_stops_at_once(loop):
    class OneAtATime(Recorder):
        def data_received(self, data):
            super().data_received(data)
            self.transport.pause_reading()

    async def main():
        async with connected(OneAtATime) as (transport, protocol, peer):
            for number in range(3):
                peer.send(b"%d" % number)
                await eventually(lambda count=number: len(protocol.received) == count + 1)
                peer.send(b"x")
                await turns(5)
                assert protocol.events.count("data_received") == 2 * number + 1
                transport.resume_reading()
                await eventually(lambda count=number: protocol.events.count("data_received") == 2 * count + 2)
                protocol.received.pop()
                transport.resume_reading()

    loop.run_until_complete(main())


def test_pausing_in_connection_made(loop, loop_name):
    if loop_name == "default" and sys.version_info < (3, 11, 7):
        pytest.skip("the default loop of the first 3.11 releases starts to read all the same")

    class Paused(Recorder):
        def connection_made(self, transport):
            super().connection_made(transport)
            transport.pause_reading()

    async def main():
        async with connected(Paused) as (transport, protocol, peer):
            peer.send(b"x")
            await asyncio.sleep(0.01)
            assert protocol.received == b""
            transport.resume_reading()
            await eventually(lambda: protocol.received == b"x")

    loop.run_until_complete(main())


def test_pausing_and_resuming_a_closing_transport_does_nothing():
    def scenario(loop):
        async def main():
            async with connected() as (transport, protocol, _):
                transport.close()
                results = [
                    outcome(transport.pause_reading),
                    outcome(transport.resume_reading),
                    transport.is_reading(),
                ]
                await protocol.lost
                return [*results, outcome(transport.resume_reading), transport.is_reading()]

        return loop.run_until_complete(main())

    assert compare(scenario)[2] is False


def test_a_peer_that_never_reads_costs_no_more_than_what_was_written(loop):
    async def main():
        async with connected() as (transport, _, peer):
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            transport.write(b"x" * (4 * MIB))
            await turns(10)
            assert 0 < transport.get_write_buffer_size() <= 4 * MIB
            transport.abort()
            await turns(3)
            assert transport.get_write_buffer_size() == 0

    loop.run_until_complete(main())
