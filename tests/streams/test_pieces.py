"""What has arrived is received in pieces of the buffer, and what a piece causes happens before the next one."""

import array
import asyncio
import fcntl
import termios
import time

import pytest
from helpers import drain_socket, eventually, tcp_pair

SIZE = 256 * 1024  # the buffer of a loop
PIECES = 9


class Pieces(asyncio.Protocol):
    """Says when something has been received."""

    def __init__(self, then):
        self.received = 0
        self.then = then

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.received += len(data)
        self.then(self)


def waiting_bytes(sock):
    """How many bytes the kernel has for this socket."""
    count = array.array("i", [0])
    fcntl.ioctl(sock, termios.FIONREAD, count)
    return count[0]


def send_all_there_is_room_for(sock, size):
    sent = 0
    try:
        while sent < size:
            sent += sock.send(bytes(size - sent))
    except BlockingIOError:
        pass
    return sent


def deep_pair(size):
    """Two connected sockets, the first of which the kernel holds so many bytes for."""
    ours, peer = tcp_pair()
    # The kernel gives a connection more room the more its program has read.
    for _ in range(200):
        if send_all_there_is_room_for(peer, size) == size and waiting_bytes(ours) == size:
            drain_socket(ours)
            return ours, peer
        for _ in range(20):
            drain_socket(ours)
            time.sleep(0.001)
    ours.close()
    peer.close()
    pytest.skip(f"the kernel does not hold {size} bytes for one connection")


@pytest.fixture
def receiving(loop):
    """A protocol with so many pieces to receive, and what it then does with each."""
    sockets = []

    async def start(pieces, then):
        ours, peer = deep_pair(PIECES * SIZE)
        sockets.append(peer)
        # Room comes with the other side's acknowledgement, which may be late.
        peer.settimeout(10)
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
        protocol = await receiving(PIECES, then)
        await eventually(lambda: len(trace) == 2 * PIECES)
        protocol.transport.close()

    loop.run_until_complete(main())
    assert trace == ["received", "ran"] * PIECES


@pytest.mark.parametrize("enough", [1, 2, 5, 8])
def test_reading_ends_with_the_piece_that_pauses_it(loop, receiving, enough):
    def then(protocol):
        if protocol.received == enough * SIZE:
            protocol.transport.pause_reading()

    async def main():
        protocol = await receiving(PIECES, then)
        await eventually(lambda: not protocol.transport.is_reading())
        await asyncio.sleep(0.01)
        assert protocol.received == enough * SIZE
        protocol.transport.resume_reading()
        await eventually(lambda: protocol.received == PIECES * SIZE)
        protocol.transport.close()

    loop.run_until_complete(main())


@pytest.mark.parametrize("end", ["close", "abort"])
def test_nothing_is_received_after_the_piece_that_ends_the_connection(loop, receiving, end):
    async def main():
        protocol = await receiving(PIECES, lambda protocol: getattr(protocol.transport, end)())
        await eventually(lambda: protocol.received)
        await asyncio.sleep(0.01)
        assert protocol.received == SIZE

    loop.run_until_complete(main())


def test_nothing_is_received_after_the_piece_that_stops_the_loop(loop, receiving):
    protocol = loop.run_until_complete(receiving(PIECES, lambda protocol: loop.stop()))
    before = protocol.received
    loop.run_forever()
    loop.run_forever()
    assert protocol.received == before + 2 * SIZE
    protocol.transport.close()
    loop.call_soon(loop.stop)
    loop.run_forever()


@pytest.mark.parametrize(("seconds", "most"), [(0, 8), (0.005, 1)], ids=["fast", "slow"])
def test_a_connection_with_much_to_receive_lets_the_others_have_their_turn(loop, receiving, seconds, most):
    trace = []

    def then(protocol):
        trace.append("much")
        time.sleep(seconds)

    async def main():
        much = await receiving(0, then)
        little = await receiving(0, lambda protocol: trace.append("little"))
        much.peer.sendall(bytes(PIECES * SIZE))
        little.peer.sendall(b"little")
        await eventually(lambda: len(trace) == PIECES + 1)
        assert trace.index("little") <= most
        much.transport.close()
        little.transport.close()

    loop.run_until_complete(main())


def test_a_buffer_of_the_protocol_is_asked_for_when_something_has_arrived(loop):
    trace = []

    class Exactly(asyncio.BufferedProtocol):
        """Has room for one message, and answers it."""

        buffer = bytearray(SIZE)
        got = 0

        def connection_made(self, transport):
            self.transport = transport

        def get_buffer(self, sizehint):
            trace.append("get_buffer")
            return memoryview(self.buffer)[self.got :]

        def buffer_updated(self, nbytes):
            self.got += nbytes
            if self.got == SIZE:
                self.transport.write(b"answer")

        def connection_lost(self, exc):
            trace.append(exc)

    async def main():
        ours, peer = deep_pair(SIZE)
        with peer:
            peer.sendall(bytes(SIZE))
            transport, _ = await loop.create_connection(Exactly, sock=ours)
            assert await asyncio.wait_for(loop.sock_recv(peer, 100), 10) == b"answer"
            await asyncio.sleep(0.01)
            assert trace == ["get_buffer"]
            transport.close()
            await asyncio.sleep(0)
            await eventually(lambda: trace == ["get_buffer", None])

    loop.run_until_complete(main())


def test_a_socket_that_another_process_makes_blocking_does_not_stop_the_loop(loop, receiving):
    def then(protocol):
        protocol.socket.setblocking(True)

    async def main():
        protocol = await receiving(0, then)
        # As of a child process that has inherited it.
        protocol.socket = protocol.transport.get_extra_info("socket").dup()
        protocol.peer.sendall(bytes(SIZE))
        await eventually(lambda: protocol.received == SIZE)
        protocol.socket.close()
        protocol.transport.close()

    loop.run_until_complete(main())
