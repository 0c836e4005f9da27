"""Descriptors that are passed over a UNIX socket, and transports made from them."""

import array
import os
import socket

import pytest
from helpers import Recorder, eventually, tcp_pair


@pytest.fixture
def channel():
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    one.setblocking(False)
    other.setblocking(False)
    with one, other:
        yield one, other


async def received_descriptors(loop, sock, count):
    """Wait with a reader of the loop until a message with descriptors is there."""
    result = loop.create_future()

    def read():
        loop.remove_reader(sock)
        data, descriptors, flags, _ = socket.recv_fds(sock, 100, count)
        result.set_result((data, descriptors, flags))

    loop.add_reader(sock, read)
    return await result


def test_a_pipe_that_was_passed_becomes_a_transport(loop, channel):
    sender, receiver = channel

    async def main():
        read_end, write_end = os.pipe()
        socket.send_fds(sender, [b"take"], [read_end])
        os.close(read_end)
        data, (passed,), flags = await received_descriptors(loop, receiver, 1)
        assert (data, flags & socket.MSG_CTRUNC) == (b"take", 0)
        _, protocol = await loop.connect_read_pipe(Recorder, open(passed, "rb", 0))
        os.write(write_end, b"through the passed end")
        os.close(write_end)
        assert await protocol.lost is None
        assert protocol.received == b"through the passed end"

    loop.run_until_complete(main())


def test_a_connection_that_was_passed_becomes_a_transport(loop, channel):
    sender, receiver = channel

    async def main():
        ours, peer = tcp_pair()
        names = ours.getsockname(), ours.getpeername()
        socket.send_fds(sender, [b"x"], [ours.fileno()])
        ours.close()
        _, (passed,), _ = await received_descriptors(loop, receiver, 1)
        transport, protocol = await loop.create_connection(Recorder, sock=socket.socket(fileno=passed))
        assert (transport.get_extra_info("sockname"), transport.get_extra_info("peername")) == names
        peer.send(b"question")
        await eventually(lambda: protocol.received == b"question")
        transport.write(b"answer")
        transport.close()
        assert await protocol.lost is None
        peer.setblocking(True)
        assert peer.recv(100) == b"answer"
        assert peer.recv(100) == b""
        peer.close()

    loop.run_until_complete(main())


def test_a_listening_socket_that_was_passed_becomes_a_server(loop, channel):
    sender, receiver = channel

    async def main():
        listener = socket.create_server(("127.0.0.1", 0))
        address = listener.getsockname()
        socket.send_fds(sender, [b"x"], [listener.fileno()])
        listener.close()
        _, (passed,), _ = await received_descriptors(loop, receiver, 1)
        made = []

        def factory():
            made.append(Recorder())
            return made[-1]

        server = await loop.create_server(factory, sock=socket.socket(fileno=passed))
        transport, protocol = await loop.create_connection(Recorder, *address)
        transport.write(b"hello")
        transport.close()
        await protocol.lost
        await eventually(lambda: made)
        await made[0].lost
        assert made[0].received == b"hello"
        server.close()
        await server.wait_closed()

    loop.run_until_complete(main())


def test_sock_recv_leaves_the_bytes_around_a_message_with_descriptors_in_order(loop, channel):
    sender, receiver = channel

    async def main():
        sender.send(b"before")
        assert await loop.sock_recv(receiver, 100) == b"before"
        with open("/dev/null", "rb") as file:
            socket.send_fds(sender, [b"with"], [file.fileno(), file.fileno()])
        data, descriptors, _ = await received_descriptors(loop, receiver, 2)
        assert data == b"with"
        assert [os.readlink(f"/proc/self/fd/{number}") for number in descriptors] == ["/dev/null"] * 2
        for number in descriptors:
            os.close(number)
        await loop.sock_sendall(sender, b"after")
        assert await loop.sock_recv(receiver, 100) == b"after"

    loop.run_until_complete(main())


def test_descriptors_sent_to_a_transport_are_closed_by_the_kernel_and_the_bytes_arrive(loop, channel):
    sender, receiver = channel

    async def main():
        transport, protocol = await loop.create_unix_connection(Recorder, sock=receiver.dup())
        read_end, write_end = os.pipe()
        sender.sendmsg([b"data"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [write_end]))])
        os.close(write_end)
        await eventually(lambda: protocol.received == b"data")
        # Nobody holds the writing end any more, so reading finds the end.
        assert os.read(read_end, 1) == b""
        os.close(read_end)
        transport.close()
        await protocol.lost

    loop.run_until_complete(main())
