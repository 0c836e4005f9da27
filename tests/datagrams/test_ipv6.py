"""Datagrams over IPv6: addresses of four parts, scope ids and zones."""

import asyncio
import socket

import pytest
from helpers import closed_endpoints, compare, outcome, turns


async def received(endpoint):
    return await asyncio.wait_for(endpoint.received.get(), 10)


def sockname(endpoint):
    return endpoint.transport.get_extra_info("sockname")


def link_local_address():
    """A link-local address of this machine and its interface's number, or None."""
    with open("/proc/net/if_inet6") as file:
        for line in file:
            address, index, _, scope, *_ = line.split()
            if scope == "20":
                return socket.inet_ntop(socket.AF_INET6, bytes.fromhex(address)), int(index, 16)
    return None


@pytest.fixture(autouse=True)
def ipv6():
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            sock.bind(("::1", 0))
    except OSError as error:
        pytest.skip(f"no IPv6 here: {error}")


def forms(port):
    """The same place in every form that a socket takes."""
    return [
        ("::1", port),
        ("::1", port, 0),
        ("::1", port, 0, 0),
        ("::1", port, 5, 0),
        ("0:0:0:0:0:0:0:1", port),
        ("localhost", port),
        ("::1%lo", port),
        ("::1%lo", port, 0, 0),
        ("::1%no-such-interface", port),
        ("::1", port, -1, 0),
        ("::1", port, 1 << 20, 0),
        ("::1", port, 0, -1),
        ("::1", port, 0, 9999),
        ("::1", port, 0, 0, 0),
        ("::1", str(port)),
        ("::ffff:127.0.0.1", port),
        ("127.0.0.1", port),
    ]


@pytest.mark.parametrize("form", range(len(forms(0))), ids=[repr(form) for form in forms(0)])
def test_every_form_of_an_address_goes_to_the_same_place(form):
    def scenario(loop):
        contexts = []
        loop.set_exception_handler(lambda _, context: contexts.append(repr(context["exception"])))

        async def main():
            async with closed_endpoints() as opened:
                server = await opened(local_addr=("::1", 0))
                client = await opened(local_addr=("::1", 0))
                result = outcome(client.transport.sendto, b"hello", forms(sockname(server)[1])[form])
                await turns(2)
                told = [repr(client.errors.get_nowait()) for _ in range(client.errors.qsize())]
                closing = client.transport.is_closing()
                # Whatever became of that one, the next arrives after it.
                with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sender:
                    sender.sendto(b"the last one", sockname(server))
                arrived = []
                while not arrived or arrived[-1][0] != b"the last one":
                    data, address = await received(server)
                    arrived.append((data, (address[0], *address[2:]), address == sockname(client)))
                return result, told, closing, arrived

        return loop.run_until_complete(main()), contexts

    compare(scenario)


@pytest.mark.parametrize("keyword", ["local_addr", "remote_addr"])
@pytest.mark.parametrize("form", range(len(forms(0))), ids=[repr(form) for form in forms(0)])
def test_every_form_of_an_address_opens_the_same_endpoint(form, keyword):
    def scenario(loop):
        async def main():
            address = forms(0 if keyword == "local_addr" else 9)[form]
            async with closed_endpoints() as opened:
                endpoint = await opened(**{keyword: address})
                own, peer = sockname(endpoint), endpoint.transport.get_extra_info("peername")
                return (own[0], *own[2:]), peer

        return outcome(loop.run_until_complete, main())

    compare(scenario)


def test_link_local_addresses_keep_their_scope():
    found = link_local_address()
    if found is None:
        pytest.skip("this machine has no link-local address")
    host, index = found
    name = socket.if_indextoname(index)

    def scenario(loop):
        async def main():
            async with closed_endpoints() as opened:
                server = await opened(local_addr=(f"{host}%{name}", 0))
                client = await opened(local_addr=(f"{host}%{index}", 0))
                port = sockname(server)[1]
                arrived = []
                for address in ((f"{host}%{name}", port), (host, port, 0, index), sockname(server)):
                    client.transport.sendto(b"question", address)
                    data, sender = await received(server)
                    assert sender == sockname(client)
                    server.transport.sendto(b"answer", sender)
                    arrived.append((data, (sender[0], *sender[2:]), (await received(client))[0]))
                connected = await opened(remote_addr=(f"{host}%{name}", port))
                connected.transport.sendto(b"connected")
                assert (await received(server))[1] == sockname(connected)
                peer = connected.transport.get_extra_info("peername")
                assert peer == sockname(server)
                # Without the scope nobody knows which link is meant.
                client.transport.sendto(b"lost", (host, port))
                await turns(2)
                told = [repr(client.errors.get_nowait()) for _ in range(client.errors.qsize())]
                return arrived, (peer[0], *peer[2:]), told

        return loop.run_until_complete(main())

    arrived, peer, _ = compare(scenario)
    assert arrived == [(b"question", (host, 0, index), b"answer")] * 3
    assert peer == (host, 0, index)
