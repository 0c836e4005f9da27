"""Addresses of datagrams that come and go again and again: each datagram goes where its own address says."""

import asyncio
import contextlib
import socket
import sys

import pytest
from helpers import DatagramRecorder, closed_endpoints, compare, eventually, turns

LOCAL = ("127.0.0.1", 0)


class Echo(DatagramRecorder):
    def datagram_received(self, data, address):
        super().datagram_received(data, address)
        self.transport.sendto(data, address)


def sockname(endpoint):
    return endpoint.transport.get_extra_info("sockname")


def test_each_of_many_senders_is_answered(loop):
    async def main():
        async with closed_endpoints(Echo) as opened:
            server = await opened(local_addr=LOCAL)
            with contextlib.ExitStack() as stack:
                senders = [stack.enter_context(socket.socket(type=socket.SOCK_DGRAM)) for _ in range(300)]
                for sender in senders:
                    sender.bind(LOCAL)
                    sender.settimeout(10)
                for text in (b"first %d", b"second %d"):
                    for begin in range(0, len(senders), 50):
                        some = senders[begin : begin + 50]
                        expected = server.received.qsize() + len(some)
                        for sender in some:
                            sender.sendto(text % sender.getsockname()[1], sockname(server))
                        await eventually(lambda expected=expected: server.received.qsize() == expected)
                        for sender in some:
                            assert sender.recvfrom(100) == (text % sender.getsockname()[1], sockname(server))
                addresses = [server.received.get_nowait()[1] for _ in range(2 * len(senders))]
                assert addresses == 2 * [sender.getsockname() for sender in senders]

    loop.run_until_complete(main())


def test_one_tuple_for_sockets_of_both_families():
    def scenario(loop):
        async def main():
            results = []
            async with closed_endpoints() as opened:
                with (
                    socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as six,
                    socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as four,
                ):
                    six.bind(("::1", 0))
                    four.bind(LOCAL)
                    receivers = {"::1": six, "127.0.0.1": four}
                    endpoints = [await opened(family=family) for family in (socket.AF_INET, socket.AF_INET6)]
                    for host, receiver in receivers.items():
                        receiver.setblocking(False)
                        address = (host, receiver.getsockname()[1])
                        for endpoint in 2 * endpoints:
                            endpoint.transport.sendto(b"x", address)
                            try:
                                arrived = receiver.recv(10)
                            except BlockingIOError:
                                arrived = type(await asyncio.wait_for(endpoint.errors.get(), 10))
                            results.append(arrived)
            return results

        return loop.run_until_complete(main())

    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            sock.bind(("::1", 0))
    except OSError:
        pytest.skip("this machine has no IPv6")
    unknown = socket.gaierror
    assert compare(scenario) == [unknown, b"x", unknown, b"x", b"x", unknown, b"x", unknown]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_an_address_belongs_to_nobody_when_the_loop_is_closed(loop_factory, host):
    loop = loop_factory()
    # Not a constant of this function, which would hold references of its own.
    given = tuple([host, 9])
    before = sys.getrefcount(given)

    async def main():
        async with closed_endpoints(Echo) as opened:
            server = await opened(local_addr=(host, 0))
            client = await opened(local_addr=(host, 0))
            for _ in range(3):
                client.transport.sendto(b"x", given)
                server.transport.sendto(b"x", given)
                await turns(2)
            client.transport.abort()
            with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.sendto(b"hello", sockname(server))
                return (await asyncio.wait_for(server.received.get(), 10))[1]

    try:
        heard = loop.run_until_complete(main())
    except OSError:
        pytest.skip(f"this machine has no address {host}")
    finally:
        loop.close()
    assert sys.getrefcount(given) == before
    assert sys.getrefcount(heard) == 2


def test_others_have_their_turn_while_datagrams_pour_in(loop):
    count = 200
    received_before = []

    class Flooded(DatagramRecorder):
        def datagram_received(self, data, address):
            if not self.received.qsize():
                loop.call_soon(lambda: received_before.append(self.received.qsize()))
            super().datagram_received(data, address)

    async def main():
        async with closed_endpoints(Flooded) as opened:
            server = await opened(local_addr=LOCAL)
            server.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            with socket.socket(type=socket.SOCK_DGRAM) as sender:
                for number in range(count):
                    sender.sendto(b"%d" % number, sockname(server))
            await eventually(lambda: server.received.qsize() == count)
            assert [server.received.get_nowait()[0] for _ in range(count)] == [b"%d" % n for n in range(count)]

    loop.run_until_complete(main())
    assert 0 < received_before[0] < count


def test_a_pause_in_the_midst_of_many_datagrams(loop):
    class Pausing(DatagramRecorder):
        def datagram_received(self, data, address):
            super().datagram_received(data, address)
            if self.received.qsize() in (3, 7, 20):
                self.transport.pause_reading()

    async def main():
        async with closed_endpoints(Pausing) as opened:
            server = await opened(local_addr=LOCAL)
            if not hasattr(server.transport, "pause_reading"):
                pytest.skip("the default loop's datagram transports cannot pause")
            with socket.socket(type=socket.SOCK_DGRAM) as sender:
                for number in range(40):
                    sender.sendto(b"%d" % number, sockname(server))
            for size in (3, 7, 20):
                await eventually(lambda size=size: server.received.qsize() == size)
                await turns(5)
                assert server.received.qsize() == size
                server.transport.resume_reading()
            await eventually(lambda: server.received.qsize() == 40)
            assert [server.received.get_nowait()[0] for _ in range(40)] == [b"%d" % n for n in range(40)]

    loop.run_until_complete(main())
