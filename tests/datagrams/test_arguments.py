"""Every argument of create_datagram_endpoint, and those that are refused."""

import asyncio
import os
import socket

import pytest
from helpers import DatagramRecorder, closed_endpoints, compare, outcome


async def received(endpoint):
    return await asyncio.wait_for(endpoint.received.get(), 10)


def test_the_local_address_may_be_any_free_port_or_a_given_one(loop):
    async def main():
        async with closed_endpoints() as opened:
            first = await opened(local_addr=("127.0.0.1", 0))
            host, port = first.transport.get_extra_info("sockname")
            assert host == "127.0.0.1"
            assert port > 0
            assert first.transport.get_extra_info("peername") is None
            with pytest.raises(OSError) as failed:
                await opened(local_addr=(host, port))
            assert "address already in use" in str(failed.value).lower()
        async with closed_endpoints() as opened:
            again = await opened(local_addr=(host, port))
            assert again.transport.get_extra_info("sockname") == (host, port)

    loop.run_until_complete(main())


def test_both_addresses(loop):
    async def main():
        async with closed_endpoints() as opened:
            server = await opened(local_addr=("127.0.0.1", 0))
            address = server.transport.get_extra_info("sockname")
            client = await opened(local_addr=("127.0.0.2", 0), remote_addr=address)
            own = client.transport.get_extra_info("sockname")
            assert own[0] == "127.0.0.2"
            assert client.transport.get_extra_info("peername") == address
            client.transport.sendto(b"hello")
            assert await received(server) == (b"hello", own)

    loop.run_until_complete(main())


def test_a_connected_endpoint_hears_only_its_peer(loop):
    async def main():
        async with closed_endpoints() as opened:
            peer = await opened(local_addr=("127.0.0.1", 0))
            stranger = await opened(local_addr=("127.0.0.1", 0))
            client = await opened(remote_addr=peer.transport.get_extra_info("sockname"))
            own = client.transport.get_extra_info("sockname")
            stranger.transport.sendto(b"from a stranger", own)
            peer.transport.sendto(b"from the peer", own)
            assert (await received(client))[0] == b"from the peer"
            assert client.received.empty()

    loop.run_until_complete(main())


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_a_family_alone_makes_an_unbound_endpoint_that_can_send(loop, family):
    async def main():
        async with closed_endpoints() as opened:
            host = "127.0.0.1" if family == socket.AF_INET else "::1"
            server = await opened(local_addr=(host, 0), family=family)
            client = await opened(family=family)
            assert client.transport.get_extra_info("socket").family == family
            client.transport.sendto(b"hello", server.transport.get_extra_info("sockname"))
            assert (await received(server))[0] == b"hello"

    loop.run_until_complete(main())


def test_proto_and_flags_reach_the_socket_and_the_resolver(loop):
    async def main():
        async with closed_endpoints() as opened:
            endpoint = await opened(local_addr=("127.0.0.1", 0), proto=socket.IPPROTO_UDP, flags=socket.AI_NUMERICHOST)
            sock = endpoint.transport.get_extra_info("socket")
            assert sock.proto == socket.IPPROTO_UDP
            assert sock.type == socket.SOCK_DGRAM
            assert not os.get_blocking(sock.fileno())
            assert not os.get_inheritable(sock.fileno())
            with pytest.raises(socket.gaierror) as failed:
                await opened(local_addr=("localhost", 0), flags=socket.AI_NUMERICHOST)
            assert failed.value.errno == socket.EAI_NONAME

    loop.run_until_complete(main())


def test_two_endpoints_share_a_port_with_reuse_port(loop):
    async def main():
        async with closed_endpoints() as opened:
            first = await opened(local_addr=("127.0.0.1", 0), reuse_port=True)
            address = first.transport.get_extra_info("sockname")
            second = await opened(local_addr=address, reuse_port=True)
            assert second.transport.get_extra_info("sockname") == address
            sock = second.transport.get_extra_info("socket")
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT)
            # Which of the two gets a datagram depends on its sender.
            for _ in range(30):
                sender = await opened(remote_addr=address)
                sender.transport.sendto(b"hello")
            arrived = [asyncio.ensure_future(received(endpoint)) for endpoint in (first, second)]
            await asyncio.gather(*arrived)

    loop.run_until_complete(main())


def test_without_reuse_port_and_broadcast_the_options_are_off(loop):
    async def main():
        async with closed_endpoints() as opened:
            endpoint = await opened(local_addr=("127.0.0.1", 0))
            sock = endpoint.transport.get_extra_info("socket")
            for option in (socket.SO_REUSEPORT, socket.SO_REUSEADDR, socket.SO_BROADCAST):
                assert sock.getsockopt(socket.SOL_SOCKET, option) == 0

    loop.run_until_complete(main())


def test_broadcasting_needs_allow_broadcast(loop):
    async def main():
        async with closed_endpoints() as opened:
            server = await opened(local_addr=("0.0.0.0", 0))
            port = server.transport.get_extra_info("sockname")[1]
            forbidden = await opened(local_addr=("127.0.0.1", 0))
            forbidden.transport.sendto(b"to all", ("127.255.255.255", port))
            assert isinstance(await asyncio.wait_for(forbidden.errors.get(), 10), PermissionError)
            allowed = await opened(local_addr=("127.0.0.1", 0), allow_broadcast=True)
            sock = allowed.transport.get_extra_info("socket")
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST)
            allowed.transport.sendto(b"to all", ("127.255.255.255", port))
            assert await received(server) == (b"to all", allowed.transport.get_extra_info("sockname"))

    loop.run_until_complete(main())


@pytest.mark.parametrize("connected", [False, True])
def test_a_socket_of_the_programs_own(loop, connected):
    async def main():
        async with closed_endpoints() as opened:
            server = await opened(local_addr=("127.0.0.1", 0))
            address = server.transport.get_extra_info("sockname")
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.bind(("127.0.0.1", 0))
            if connected:
                sock.connect(address)
            own = sock.getsockname()
            client = await opened(sock=sock)
            assert not sock.getblocking()
            assert client.transport.get_extra_info("sockname") == own
            assert client.transport.get_extra_info("peername") == (address if connected else None)
            client.transport.sendto(b"hello", *([] if connected else [address]))
            assert await received(server) == (b"hello", own)
            server.transport.sendto(b"answer", own)
            assert await received(client) == (b"answer", address)
        assert sock.fileno() == -1

    loop.run_until_complete(main())


def test_a_new_transport_tells_of_itself(loop):
    async def main():
        async with closed_endpoints() as opened:
            endpoint = await opened(local_addr=("127.0.0.1", 0))
            assert endpoint.transport.get_protocol() is endpoint
            assert not endpoint.transport.is_closing()
            assert endpoint.transport.get_write_buffer_size() == 0
            assert endpoint.transport.get_write_buffer_limits() == (16 * 1024, 64 * 1024)

    loop.run_until_complete(main())


def test_set_protocol_switches_whom_the_transport_calls(loop):
    async def main():
        async with closed_endpoints() as opened:
            server = await opened(local_addr=("127.0.0.1", 0))
            address = server.transport.get_extra_info("sockname")
            client = await opened(remote_addr=address)
            client.transport.sendto(b"to the first")
            assert (await received(server))[0] == b"to the first"
            second = DatagramRecorder()
            second.connection_made(server.transport)
            server.transport.set_protocol(second)
            assert server.transport.get_protocol() is second
            client.transport.sendto(b"to the second")
            assert (await received(second))[0] == b"to the second"
            server.transport.close()
            assert await second.lost is None
            assert server.events == ["connection_made", "datagram_received"]
            server.lost.set_result(None)

    loop.run_until_complete(main())


def call(loop, arguments):
    """What create_datagram_endpoint came to, with sockets that are new for each loop."""
    socks = []

    def make(family, kind):
        socks.append(socket.socket(family, kind))
        return socks[-1]

    async def main():
        transport, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, **arguments(make))
        transport.close()

    try:
        kind, text = outcome(loop.run_until_complete, main())
        # The text may show the descriptor of a socket.
        return kind, (text or "").split("fd=")[0]
    finally:
        for sock in socks:
            sock.close()


LOCAL = ("127.0.0.1", 0)
WRONG = {
    "nothing": lambda make: {},
    "a stream socket": lambda make: {"sock": make(socket.AF_INET, socket.SOCK_STREAM)},
    "a number as a socket": lambda make: {"sock": 5},
    "a socket and an address": lambda make: {"sock": make(socket.AF_INET, socket.SOCK_DGRAM), "local_addr": LOCAL},
    "a socket and options": lambda make: {
        "sock": make(socket.AF_INET, socket.SOCK_DGRAM),
        "remote_addr": LOCAL,
        "family": socket.AF_INET,
        "proto": 17,
        "flags": 1,
        "reuse_port": True,
        "allow_broadcast": True,
    },
    "a host without a port": lambda make: {"local_addr": ("127.0.0.1",)},
    "a host alone": lambda make: {"local_addr": "127.0.0.1"},
    "too many parts": lambda make: {"local_addr": ("127.0.0.1", 0, 0)},
    "no text as a host": lambda make: {"local_addr": (5, 0)},
    "no number as a port": lambda make: {"local_addr": ("127.0.0.1", "port")},
    "a port that is too large": lambda make: {"local_addr": ("127.0.0.1", 65536)},
    "a negative port": lambda make: {"remote_addr": ("127.0.0.1", -1)},
    "families that differ": lambda make: {"local_addr": ("127.0.0.1", 0), "remote_addr": ("::1", 9)},
    "another family than the address": lambda make: {"local_addr": ("127.0.0.1", 0), "family": socket.AF_INET6},
    "an address of nobody here": lambda make: {"local_addr": ("203.0.113.1", 0)},
    "an unknown family": lambda make: {"family": 9999},
    "what was removed": lambda make: {"local_addr": LOCAL, "reuse_address": False},
    "a path that is no text": lambda make: {"local_addr": 5, "family": socket.AF_UNIX},
    "a path in no folder": lambda make: {"local_addr": "/no/such/folder/socket", "family": socket.AF_UNIX},
    "a peer that does not exist": lambda make: {"remote_addr": "/no/such/socket", "family": socket.AF_UNIX},
    "a broadcast peer": lambda make: {"remote_addr": ("127.255.255.255", 9)},
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_arguments_are_the_same_errors(case):
    kind, _ = compare(call, WRONG[case])
    assert kind != "returned"


def test_a_protocol_factory_that_raises_leaves_nothing_behind(loop):
    def fail():
        raise LookupError("on purpose")

    with pytest.raises(LookupError, match="on purpose"):
        loop.run_until_complete(loop.create_datagram_endpoint(fail, local_addr=LOCAL))
