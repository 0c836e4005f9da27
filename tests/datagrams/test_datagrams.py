"""Datagram endpoints: addresses, sizes, errors, closing."""

import asyncio
import gc
import socket
import sys
import weakref

import pytest
from helpers import DatagramRecorder, collect_errors, compare, turns


class Endpoint(asyncio.DatagramProtocol):
    """Keeps what it receives."""

    def __init__(self):
        self.received = asyncio.Queue()
        self.errors = asyncio.Queue()
        self.lost = asyncio.get_running_loop().create_future()

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, address):
        self.received.put_nowait((data, address))

    def error_received(self, error):
        self.errors.put_nowait(error)

    def connection_lost(self, error):
        self.lost.set_result(error)


async def close(*endpoints):
    for endpoint in endpoints:
        endpoint.transport.close()
        assert await endpoint.lost is None


async def open_pair(loop, host, family):
    _, server = await loop.create_datagram_endpoint(Endpoint, local_addr=(host, 0), family=family)
    address = server.transport.get_extra_info("sockname")
    _, client = await loop.create_datagram_endpoint(Endpoint, remote_addr=address[:2], family=family)
    return server, client, address


@pytest.mark.parametrize(("host", "family"), [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)])
def test_datagrams_of_all_sizes_and_their_addresses(loop, host, family):
    async def main():
        server, client, address = await open_pair(loop, host, family)
        assert client.transport.get_extra_info("peername") == address
        own = client.transport.get_extra_info("sockname")
        for size in (1, 100, 8_000, 65_000):
            data = bytes([size % 256]) * size
            client.transport.sendto(data)
            assert await asyncio.wait_for(server.received.get(), 10) == (data, own)
            server.transport.sendto(data, own)
            assert await asyncio.wait_for(client.received.get(), 10) == (data, address)
        await close(server, client)

    loop.run_until_complete(main())


def test_many_datagrams_of_one_turn_arrive_in_order(loop):
    async def main():
        server, client, _ = await open_pair(loop, "127.0.0.1", socket.AF_INET)
        for number in range(50):
            client.transport.sendto(b"%d" % number)
        received = [(await asyncio.wait_for(server.received.get(), 10))[0] for _ in range(50)]
        assert received == [b"%d" % number for number in range(50)]
        await close(server, client)

    loop.run_until_complete(main())


def test_empty_datagrams_are_sent_as_this_python_does(loop):
    async def main():
        server, client, _ = await open_pair(loop, "127.0.0.1", socket.AF_INET)
        client.transport.sendto(b"")
        client.transport.sendto(b"next")
        data, _ = await asyncio.wait_for(server.received.get(), 10)
        assert data == (b"" if sys.version_info >= (3, 13) else b"next")
        await close(server, client)

    loop.run_until_complete(main())


def test_a_closed_port_is_an_error_of_the_protocol_not_of_the_transport(loop):
    async def main():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unused:
            unused.bind(("127.0.0.1", 0))
            address = unused.getsockname()
        _, client = await loop.create_datagram_endpoint(Endpoint, remote_addr=address)
        client.transport.sendto(b"anybody?")
        error = await asyncio.wait_for(client.errors.get(), 10)
        assert isinstance(error, ConnectionRefusedError)
        assert not client.transport.is_closing()
        await close(client)

    loop.run_until_complete(main())


def test_host_names_and_wrong_arguments(loop):
    async def main():
        server, client, address = await open_pair(loop, "127.0.0.1", socket.AF_INET)
        _, free = await loop.create_datagram_endpoint(Endpoint, local_addr=("127.0.0.1", 0))
        free.transport.sendto(b"by name", ("localhost", address[1]))
        assert (await asyncio.wait_for(server.received.get(), 10))[0] == b"by name"
        with pytest.raises(TypeError, match="data argument must be a bytes-like object, not 'str'"):
            client.transport.sendto("text")
        with pytest.raises(ValueError, match="Invalid address: must be None or"):
            client.transport.sendto(b"x", ("127.0.0.1", 1))
        await close(server, client, free)

    loop.run_until_complete(main())


def test_unix_datagrams(loop, tmp_path):
    async def main():
        one, other = str(tmp_path / "one"), str(tmp_path / "other")
        _, server = await loop.create_datagram_endpoint(Endpoint, local_addr=one, family=socket.AF_UNIX)
        _, client = await loop.create_datagram_endpoint(
            Endpoint, local_addr=other, remote_addr=one, family=socket.AF_UNIX
        )
        client.transport.sendto(b"x" * 100_000)
        assert await asyncio.wait_for(server.received.get(), 10) == (b"x" * 100_000, other)
        await close(server, client)

    loop.run_until_complete(main())


def test_nothing_is_left_of_an_endpoint(loop):
    async def main():
        server, client, _ = await open_pair(loop, "127.0.0.1", socket.AF_INET)
        client.transport.sendto(b"x")
        await server.received.get()
        client.transport.abort()
        await client.lost
        await close(server)
        return [weakref.ref(thing) for thing in (server, client, server.transport, client.transport)]

    references = loop.run_until_complete(main())
    gc.collect()
    assert [reference() for reference in references] == [None] * 4


class Fails(DatagramRecorder):
    """Raises in the method `where`."""

    where = None

    def call(self, name):
        if name == self.where:
            raise ValueError(name)

    def connection_made(self, transport):
        super().connection_made(transport)
        self.call("connection_made")

    def datagram_received(self, data, address):
        super().datagram_received(data, address)
        self.call("datagram_received")

    def error_received(self, error):
        super().error_received(error)
        self.call("error_received")

    def connection_lost(self, error):
        super().connection_lost(error)
        self.seen = self.transport.get_protocol() is self
        self.call("connection_lost")


@pytest.mark.parametrize(
    ("where", "callback"),
    [
        ("datagram_received", "_read_ready"),
        ("error_received", "_read_ready"),
        ("connection_lost", "_call_connection_lost"),
    ],
)
def test_what_a_protocol_raises_is_the_error_of_a_callback(where, callback):
    async def scenario(loop):
        errors = collect_errors(loop)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.bind(("127.0.0.1", 0))
            transport, protocol = await loop.create_datagram_endpoint(Fails, remote_addr=peer.getsockname())
            protocol.where = where
            peer.sendto(b"x", transport.get_extra_info("sockname"))
            await protocol.received.get()
        transport.sendto(b"to nobody")
        await protocol.errors.get()
        transport.close()
        await protocol.lost
        await turns(2)
        (context,) = errors
        name = context["message"].partition("callback ")[2].partition("(")[0]
        return sorted(context), isinstance(context["handle"], asyncio.Handle), name.split(".")[-1], protocol.seen

    expected = ["exception", "handle", "message"], True, callback, True
    assert compare(lambda loop: loop.run_until_complete(scenario(loop))) == expected


def test_an_error_of_connection_made_is_that_of_a_callback():
    async def scenario(loop):
        errors = collect_errors(loop)
        protocols = []

        def factory():
            protocols.append(Fails())
            protocols[0].where = "connection_made"
            return protocols[0]

        transport, protocol = await loop.create_datagram_endpoint(factory, local_addr=("127.0.0.1", 0))
        transport.close()
        await protocol.lost
        (context,) = errors
        return sorted(context), context["message"].partition("(")[0]

    expected = ["exception", "handle", "message"], "Exception in callback Fails.connection_made"
    assert compare(lambda loop: loop.run_until_complete(scenario(loop))) == expected
