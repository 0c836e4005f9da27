"""Cancelled sock_* operations: no registration stays, nobody else's is removed, no data is lost, nothing is closed."""

import asyncio
import os
import socket

import pytest
from helpers import fill_socket, full_listener, tcp_pair


def listener():
    sock = socket.create_server(("127.0.0.1", 0))
    sock.setblocking(False)
    return sock


def datagram_pair():
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    one.setblocking(False)
    other.setblocking(False)
    return one, other


def fill_with_datagrams(sock, address):
    """Send until the receiver's queue is full."""
    try:
        while True:
            sock.sendto(b"x", address)
    except BlockingIOError:
        return


def waiting_operations():
    """For each operation: sockets to close, the socket it waits on, and a function that starts it."""

    def recv(loop):
        one, other = tcp_pair()
        return (one, other), one, lambda: loop.sock_recv(one, 10)

    def recv_into(loop):
        one, other = tcp_pair()
        return (one, other), one, lambda: loop.sock_recv_into(one, bytearray(10))

    def recvfrom(loop):
        one, other = datagram_pair()
        return (one, other), one, lambda: loop.sock_recvfrom(one, 10)

    def recvfrom_into(loop):
        one, other = datagram_pair()
        return (one, other), one, lambda: loop.sock_recvfrom_into(one, bytearray(10))

    def sendall(loop):
        one, other = tcp_pair()
        fill_socket(one)
        return (one, other), one, lambda: loop.sock_sendall(one, b"more")

    def sendto(loop):
        sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        sender.setblocking(False)
        receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        receiver.bind("")  # Linux chooses an abstract name.
        fill_with_datagrams(sender, receiver.getsockname())
        return (sender, receiver), sender, lambda: loop.sock_sendto(sender, b"more", receiver.getsockname())

    def accept(loop):
        sock = listener()
        return (sock,), sock, lambda: loop.sock_accept(sock)

    def connect(loop):
        server, others = full_listener()
        sock = socket.socket()
        sock.setblocking(False)
        return (server, *others, sock), sock, lambda: loop.sock_connect(sock, server.getsockname())

    return {f.__name__: f for f in (recv, recv_into, recvfrom, recvfrom_into, sendall, sendto, accept, connect)}


OPERATIONS = waiting_operations()
WRITING = ("sendall", "sendto", "connect")


@pytest.fixture(params=list(OPERATIONS))
def operation(request, loop):
    """The name of an operation that waits, the socket it waits on, and a function that starts it."""
    sockets, sock, start = OPERATIONS[request.param](loop)
    yield request.param, sock, start
    for each in sockets:
        each.close()


def removal(loop, name):
    """The method that would remove the operation's registration."""
    return loop.remove_writer if name in WRITING else loop.remove_reader


def test_nothing_stays_registered(loop, operation):
    name, sock, start = operation

    async def main():
        task = loop.create_task(start())
        await asyncio.sleep(0)
        assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert removal(loop, name)(sock.fileno()) is False
        assert sock.fileno() >= 0

    loop.run_until_complete(main())


def test_a_registration_made_meanwhile_is_left_alone(loop, operation):
    name, sock, start = operation

    async def main():
        task = loop.create_task(start())
        await asyncio.sleep(0)
        task.cancel()
        # The task has not run since: the program takes the descriptor for itself now.
        (loop.add_writer if name in WRITING else loop.add_reader)(sock.fileno(), lambda: None)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert removal(loop, name)(sock.fileno()) is True

    loop.run_until_complete(main())


def test_the_next_user_of_the_number_is_left_alone(loop, operation):
    name, sock, start = operation

    async def main():
        task = loop.create_task(start())
        await asyncio.sleep(0)
        fd = sock.fileno()
        task.cancel()
        # A program that closes a descriptor takes it out of the loop first.
        removal(loop, name)(fd)
        one, peer = tcp_pair()
        sock.close()
        os.dup2(one.fileno(), fd)
        one.close()
        with socket.socket(fileno=fd) as mine, peer:
            mine.setblocking(False)
            receiving = loop.create_task(loop.sock_recv(mine, 10))
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.sleep(0)
            peer.send(b"for me")
            assert await asyncio.wait_for(receiving, 10) == b"for me"
            assert mine.fileno() == fd

    loop.run_until_complete(main())


def test_data_that_came_before_the_cancellation_is_there_for_the_next(loop):
    async def main():
        one, other = tcp_pair()
        with one, other:
            task = loop.create_task(loop.sock_recv(other, 100))
            await asyncio.sleep(0)
            one.send(b"kept")
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await asyncio.wait_for(loop.sock_recv(other, 100), 10) == b"kept"

    loop.run_until_complete(main())


def test_a_timeout_cancels_too(loop, operation):
    name, sock, start = operation

    async def main():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await start()
        assert removal(loop, name)(sock.fileno()) is False

    loop.run_until_complete(main())
