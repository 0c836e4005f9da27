"""sock_recv, sock_sendall and their relatives, sendfile included: data, waiting, cancelling."""

import asyncio
import os
import socket

import pytest
from helpers import tcp_pair


@pytest.fixture
def pair():
    one, other = tcp_pair()
    with one, other:
        yield one, other


def test_everything_that_is_sent_is_received(loop, pair):
    one, other = pair
    data = os.urandom(3_000_000)

    async def receive():
        received = bytearray()
        while len(received) < len(data):
            received += await loop.sock_recv(other, 65536)
        return received

    async def main():
        _, received = await asyncio.gather(loop.sock_sendall(one, data), receive())
        assert received == data
        buffer = bytearray(10)
        await loop.sock_sendall(one, b"0123")
        assert await loop.sock_recv_into(other, buffer) == 4
        assert buffer[:4] == b"0123"

    loop.run_until_complete(main())


def test_datagrams(loop):
    async def main():
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other,
        ):
            for sock in (one, other):
                sock.bind(("127.0.0.1", 0))
                sock.setblocking(False)
            waiting = asyncio.ensure_future(loop.sock_recvfrom(other, 100))
            await asyncio.sleep(0)
            assert await loop.sock_sendto(one, b"first", other.getsockname()) == 5
            assert await waiting == (b"first", one.getsockname())
            await loop.sock_sendto(one, b"second", other.getsockname())
            buffer = bytearray(100)
            assert await loop.sock_recvfrom_into(other, buffer) == (6, one.getsockname())
            assert buffer[:6] == b"second"

    loop.run_until_complete(main())


def test_accept_and_connect(loop):
    async def main():
        with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as client:
            listener.setblocking(False)
            client.setblocking(False)
            accepting = loop.create_task(loop.sock_accept(listener))
            await loop.sock_connect(client, listener.getsockname())
            connection, address = await accepting
            with connection:
                assert address == client.getsockname()
                assert connection.gettimeout() == 0

    loop.run_until_complete(main())


def test_a_cancelled_receive_takes_nothing_from_the_next(loop, pair):
    one, other = pair

    async def main():
        first = asyncio.ensure_future(loop.sock_recv(other, 100))
        await asyncio.sleep(0)
        first.cancel()
        second = asyncio.ensure_future(loop.sock_recv(other, 100))
        with pytest.raises(asyncio.CancelledError):
            await first
        one.send(b"data")
        assert await asyncio.wait_for(second, 10) == b"data"
        assert loop.remove_reader(other.fileno()) is False

    loop.run_until_complete(main())


def test_a_reused_number_is_not_the_old_socket(loop):
    async def main():
        one, other = tcp_pair()
        fd = other.fileno()
        waiting = asyncio.ensure_future(loop.sock_recv(other, 100))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await asyncio.sleep(0)
        one.close()
        other.close()
        one, other = tcp_pair()
        assert fd in (one.fileno(), other.fileno())
        with one, other:
            one.send(b"new")
            assert await asyncio.wait_for(loop.sock_recv(other, 100), 10) == b"new"

    loop.run_until_complete(main())


def test_a_blocking_socket_is_refused_in_debug_mode(loop, pair):
    loop.set_debug(True)
    pair[0].setblocking(True)
    with pytest.raises(ValueError, match="the socket must be non-blocking"):
        loop.run_until_complete(loop.sock_recv(pair[0], 1))


@pytest.mark.parametrize(("offset", "count"), [(0, None), (1_000, 500_000)])
def test_sendfile_over_a_socket_and_over_a_transport(loop, tmp_path, offset, count):
    data = os.urandom(2_000_000)
    path = tmp_path / "file"
    path.write_bytes(data)
    expected = data[offset:] if count is None else data[offset : offset + count]

    async def receive(sock):
        received = bytearray()
        while len(received) < len(expected):
            received += await loop.sock_recv(sock, 1 << 20)
        return received

    async def main():
        one, other = tcp_pair()
        with one, other, open(path, "rb") as file:
            sent, received = await asyncio.gather(
                loop.sock_sendfile(one, file, offset, count, fallback=False), receive(other)
            )
            assert (sent, received) == (len(expected), expected)
            assert file.tell() == offset + len(expected)
        one, other = tcp_pair()
        transport, _ = await loop.create_connection(asyncio.Protocol, sock=one)
        with other, open(path, "rb") as file:
            transport.write(b"head")
            sending = asyncio.ensure_future(loop.sendfile(transport, file, offset, count, fallback=False))
            assert await loop.sock_recv(other, 4) == b"head"
            assert await receive(other) == expected
            assert await sending == len(expected)
            transport.write(b"tail")
            assert await loop.sock_recv(other, 4) == b"tail"
        transport.close()
        await asyncio.sleep(0.01)

    loop.run_until_complete(main())
