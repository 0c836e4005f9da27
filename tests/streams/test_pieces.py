"""What has arrived is received in pieces of the buffer, and what a piece causes happens before the next one."""

import asyncio
import socket

import pytest
from helpers import eventually

SIZE = 1000


class Pieces(asyncio.BufferedProtocol):
    """Receives into a small buffer and says so."""

    def __init__(self, then):
        self.buffer = bytearray(SIZE)
        self.received = 0
        self.then = then

    def connection_made(self, transport):
        self.transport = transport

    def get_buffer(self, sizehint):
        return self.buffer

    def buffer_updated(self, nbytes):
        self.received += nbytes
        self.then(self)


@pytest.fixture
def receiving(loop):
    """A protocol with so many pieces to receive, and what it then does with each."""
    sockets = []

    async def start(pieces, then):
        ours, peer = socket.socketpair()
        sockets.append(peer)
        ours.setblocking(False)
        peer.sendall(bytes(pieces * SIZE))
        _, protocol = await loop.create_connection(lambda: Pieces(then), sock=ours)
        protocol.peer = peer
        return protocol

    yield start
    for peer in sockets:
        peer.close()


def test_what_a_piece_makes_ready_runs_before_the_next_one(loop, receiving):
    trace = []

    def then(protocol):
        trace.append("received")
        loop.call_soon(trace.append, "ran")

    async def main():
        protocol = await receiving(20, then)
        await eventually(lambda: len(trace) == 40)
        protocol.transport.close()

    loop.run_until_complete(main())
    assert trace == ["received", "ran"] * 20


@pytest.mark.parametrize("enough", [1, 2, 5, 13])
def test_reading_ends_with_the_piece_that_pauses_it(loop, receiving, enough):
    def then(protocol):
        if protocol.received == enough * SIZE:
            protocol.transport.pause_reading()

    async def main():
        protocol = await receiving(20, then)
        await eventually(lambda: not protocol.transport.is_reading())
        await asyncio.sleep(0.01)
        assert protocol.received == enough * SIZE
        protocol.transport.resume_reading()
        await eventually(lambda: protocol.received == 20 * SIZE)
        protocol.transport.close()

    loop.run_until_complete(main())


@pytest.mark.parametrize("end", ["close", "abort"])
def test_nothing_is_received_after_the_piece_that_ends_the_connection(loop, receiving, end):
    async def main():
        protocol = await receiving(20, lambda protocol: getattr(protocol.transport, end)())
        await eventually(lambda: protocol.received)
        await asyncio.sleep(0.01)
        assert protocol.received == SIZE

    loop.run_until_complete(main())


def test_nothing_is_received_after_the_piece_that_stops_the_loop(loop, receiving):
    protocol = loop.run_until_complete(receiving(20, lambda protocol: loop.stop()))
    before = protocol.received
    loop.run_forever()
    loop.run_forever()
    assert protocol.received == before + 2 * SIZE
    protocol.transport.close()
    loop.call_soon(loop.stop)
    loop.run_forever()


def test_a_connection_with_much_to_receive_lets_the_others_have_their_turn(loop, receiving):
    trace = []

    def then_of(name):
        return lambda protocol: trace.append(name)

    async def main():
        much = await receiving(0, then_of("much"))
        little = await receiving(0, then_of("little"))
        much.peer.sendall(bytes(100 * SIZE))
        little.peer.sendall(bytes(SIZE))
        await eventually(lambda: len(trace) == 101)
        assert trace.index("little") <= 8
        much.transport.close()
        little.transport.close()

    loop.run_until_complete(main())
