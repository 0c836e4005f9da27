"""What has arrived is received however the kernel tells of it: once for an arrival, or for as long as there is more."""

import asyncio
import os
import select
import socket

import pytest
from helpers import Recorder, connected, eventually, idle, needs_linux, tcp_pair, turns


async def receives(protocol, expected):
    """Wait until the protocol has received this, and make sure that it is no more."""
    await eventually(lambda: len(protocol.received) >= len(expected))
    assert protocol.received == expected


class Small(asyncio.BufferedProtocol):
    """Receives into a buffer of so many bytes."""

    def __init__(self, size):
        self.buffer = bytearray(size)
        self.received = b""
        self.ended = False

    def get_buffer(self, sizehint):
        return self.buffer

    def buffer_updated(self, nbytes):
        self.received += self.buffer[:nbytes]

    def eof_received(self):
        self.ended = True


@pytest.mark.parametrize("size", [1, 10, 1000, 1001])
def test_a_buffer_that_is_filled_is_offered_again_until_nothing_is_left(loop, size):
    async def main():
        ours, peer = tcp_pair()
        with peer:
            data = bytes(range(250)) * 4
            peer.sendall(data)
            transport, protocol = await loop.create_connection(lambda: Small(size), sock=ours)
            await receives(protocol, data)
            # The next one after the buffer was just full.
            await turns(3)
            peer.sendall(data)
            await receives(protocol, data + data)
            peer.sendall(data)
            peer.shutdown(socket.SHUT_WR)
            await eventually(lambda: protocol.ended)
            assert protocol.received == data * 3
            transport.close()
            await turns(3)

    loop.run_until_complete(main())


def test_what_comes_after_urgent_data_arrives(loop):
    async def main():
        ours, peer = tcp_pair()
        with peer:
            # A read ends in front of the urgent byte, which is not part of the stream.
            peer.sendall(b"abc")
            peer.send(b"!", socket.MSG_OOB)
            peer.sendall(b"def")
            transport, protocol = await loop.create_connection(Recorder, sock=ours)
            await receives(protocol, b"abcdef")
            expected = b"abcdef"
            for i in range(3):
                peer.sendall(b"<%d" % i)
                peer.send(b"?", socket.MSG_OOB)
                peer.sendall(b">")
                expected += b"<%d>" % i
                await receives(protocol, expected)
            peer.send(b"?", socket.MSG_OOB)
            await idle()
            peer.sendall(b".")
            await receives(protocol, expected + b".")
            transport.close()
            await turns(3)

    loop.run_until_complete(main())


@pytest.mark.parametrize("arrivals", [1, 3, 4, 5, 50])
def test_what_arrives_while_reading_is_paused_is_received_afterwards(loop, arrivals):
    async def main():
        async with connected() as (transport, protocol, peer):
            peer.send(b"before ")
            await receives(protocol, b"before ")
            expected = b"before "
            for i in range(3):
                transport.pause_reading()
                for _ in range(arrivals):
                    peer.send(b"%d" % i)
                    expected += b"%d" % i
                    await turns(2)
                assert len(protocol.received) == len(expected) - arrivals
                transport.resume_reading()
                await receives(protocol, expected)
                # And what comes when everything had been received.
                peer.send(b"|")
                expected += b"|"
                await receives(protocol, expected)
            transport.pause_reading()
            peer.shutdown(socket.SHUT_WR)
            await turns(5)
            assert "eof_received" not in protocol.events
            transport.resume_reading()
            await eventually(lambda: "eof_received" in protocol.events)

    loop.run_until_complete(main())


def test_a_paused_transport_that_is_resumed_without_an_arrival_receives_the_next_one(loop):
    async def main():
        async with connected() as (transport, protocol, peer):
            for i in range(10):
                transport.pause_reading()
                await turns(2)
                transport.resume_reading()
                peer.send(b"%d" % i)
                await receives(protocol, bytes(range(ord("0"), ord("0") + i + 1)))

    loop.run_until_complete(main())


def test_data_arrives_while_what_was_written_waits_for_room(loop):
    async def main():
        async with connected() as (transport, protocol, peer):
            for i in range(3):
                transport.write(bytes(20_000_000))
                await turns(3)
                assert transport.get_write_buffer_size() > 0
                peer.send(b"%d" % i)
                await receives(protocol, b"0!1!2!"[: 2 * i + 1])
                left = 20_000_000
                while left:
                    try:
                        left -= len(peer.recv(1 << 20))
                    except BlockingIOError:
                        await asyncio.sleep(0)
                peer.send(b"!")
                await receives(protocol, b"0!1!2!"[: 2 * i + 2])

    loop.run_until_complete(main())


def test_readers_of_the_program_and_transports_are_called_in_the_order_of_arrival(loop):
    async def main():
        ours, peer = tcp_pair()
        calls = []

        class Protocol(asyncio.Protocol):
            def data_received(self, data):
                calls.append(data.decode())

        reading, writing = os.pipe()
        transport, _ = await loop.create_connection(Protocol, sock=ours)
        loop.add_reader(reading, lambda: calls.append(os.read(reading, 10).decode()))
        await turns(3)
        for first, second in [(writing, peer.fileno()), (peer.fileno(), writing)] * 2:
            os.write(first, b"first")
            # What comes over the network stack may take a moment.
            while not select.select([reading, ours], [], [], 0.05)[0]:
                pass
            os.write(second, b"second")
            while len(select.select([reading, ours], [], [], 0.05)[0]) < 2:
                pass
            await eventually(lambda: len(calls) == 2)
            assert calls == ["first", "second"]
            calls.clear()
        loop.remove_reader(reading)
        transport.close()
        await turns(3)
        for descriptor in (reading, writing):
            os.close(descriptor)
        peer.close()

    loop.run_until_complete(main())


@needs_linux("libuv goes on telling of a closed file, as the default loop's selector does")
@pytest.mark.parametrize("kind", ["TCP", "UNIX"])
def test_a_file_that_the_program_closed_under_its_transport_disturbs_nobody(mainspring_loop, kind):
    loop = mainspring_loop

    async def main():
        ours, peer = tcp_pair() if kind == "TCP" else socket.socketpair()
        peer.setblocking(False)
        transport, protocol = await loop.create_connection(Recorder, sock=ours)
        peer.send(b"hello")
        await receives(protocol, b"hello")
        # As when a child process inherits it: the file stays open although nothing is left of it here.
        number = transport.get_extra_info("socket").fileno()
        elsewhere = os.dup(number)
        with open(os.devnull) as nothing:
            os.dup2(nothing.fileno(), number)
        for _ in range(100):
            peer.send(b"for nobody")
            await asyncio.sleep(0)
        await idle()
        os.close(elsewhere)
        peer.close()
        transport.abort()
        await turns(3)
        assert protocol.events[-1] == "connection_lost"

    loop.run_until_complete(main())
