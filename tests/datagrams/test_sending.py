"""What sendto takes and refuses, errors of the network, what happens around close, and many datagrams."""

import asyncio
import gc
import logging
import os
import re
import socket

import pytest
from helpers import DatagramRecorder, closed_endpoints, compare, eventually, outcome, turns

LOCAL = ("127.0.0.1", 0)


async def received(endpoint):
    return await asyncio.wait_for(endpoint.received.get(), 10)


def sockname(endpoint):
    return endpoint.transport.get_extra_info("sockname")


@pytest.mark.parametrize("connected", [False, True])
@pytest.mark.parametrize("data", ["text", None, 5, [1], object], ids=["str", "None", "int", "list", "type"])
def test_what_is_no_bytes_is_the_same_error(data, connected):
    def scenario(loop):
        async def main():
            async with closed_endpoints() as opened:
                endpoint = await opened(**{"remote_addr" if connected else "local_addr": ("127.0.0.1", 9)})
                return outcome(endpoint.transport.sendto, data, ("127.0.0.1", 9))

        return loop.run_until_complete(main())

    assert compare(scenario)[0] is TypeError


WRONG_ADDRESSES = {
    "no address": None,
    "a host alone": "127.0.0.1",
    "no parts": (),
    "one part": ("127.0.0.1",),
    "three parts": ("127.0.0.1", 9, 0),
    "no text as a host": (5, 9),
    "no number as a port": ("127.0.0.1", "9"),
    "a float as a port": ("127.0.0.1", 9.0),
    "a negative port": ("127.0.0.1", -1),
    "a port that is too large": ("127.0.0.1", 65536),
    "a port beyond any integer": ("127.0.0.1", 10**30),
    "an address of another family": ("::1", 9),
    "a host with a null": ("127.0.0.1\0", 9),
    "port zero": ("127.0.0.1", 0),
    "a list": ["127.0.0.1", 9],
    "the broadcast address": ("255.255.255.255", 9),
}


@pytest.mark.parametrize("address", WRONG_ADDRESSES.values(), ids=WRONG_ADDRESSES)
def test_wrong_addresses_have_the_same_consequences(address):
    def scenario(loop):
        contexts = []
        loop.set_exception_handler(
            lambda _, context: contexts.append((context["message"], repr(context["exception"]), sorted(context)))
        )

        async def main():
            async with closed_endpoints() as opened:
                endpoint = await opened(local_addr=LOCAL)
                result = outcome(endpoint.transport.sendto, b"x", address)
                await turns(3)
                told = [repr(endpoint.errors.get_nowait()) for _ in range(endpoint.errors.qsize())]
                return result, told, list(endpoint.events), endpoint.transport.is_closing()

        return loop.run_until_complete(main()), contexts

    (result, told, events, _), contexts = compare(scenario)
    assert result[0] != "returned" or told or contexts or events[-1] == "connection_lost"


def test_a_connected_endpoint_takes_no_address_or_its_own(loop):
    async def main():
        async with closed_endpoints() as opened:
            server = await opened(local_addr=LOCAL)
            address = sockname(server)
            client = await opened(remote_addr=address)
            client.transport.sendto(b"none")
            client.transport.sendto(b"None", None)
            client.transport.sendto(b"its own", address)
            client.transport.sendto(b"by name", addr=address)
            client.transport.sendto(data=b"by names", addr=address)
            assert [(await received(server))[0] for _ in range(5)] == [
                b"none",
                b"None",
                b"its own",
                b"by name",
                b"by names",
            ]
            for other in (("127.0.0.1", 9), "127.0.0.1", [*address], 5):
                with pytest.raises(ValueError, match=re.escape(f"Invalid address: must be None or {address}")):
                    client.transport.sendto(b"x", other)

    loop.run_until_complete(main())


def test_empty_datagrams_are_received(loop):
    async def main():
        async with closed_endpoints() as opened:
            server = await opened(local_addr=LOCAL)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.bind(LOCAL)
                for data in (b"", b"", b"full", b""):
                    sender.sendto(data, sockname(server))
                arrived = [await received(server) for _ in range(4)]
                assert arrived == [(data, sender.getsockname()) for data in (b"", b"", b"full", b"")]
            assert server.events == ["connection_made", *["datagram_received"] * 4]

    loop.run_until_complete(main())


def test_a_datagram_that_is_too_large_is_an_error_of_the_protocol():
    def scenario(loop):
        async def main():
            async with closed_endpoints() as opened:
                server = await opened(local_addr=LOCAL)
                results = []
                for keywords, address in (({"remote_addr": sockname(server)}, None), ({}, sockname(server))):
                    client = await opened(**{"family": socket.AF_INET, **keywords})
                    client.transport.sendto(bytes(70_000), address)
                    error = await asyncio.wait_for(client.errors.get(), 10)
                    results.append((type(error), error.errno, str(error), client.transport.is_closing()))
                    client.transport.sendto(b"small enough", address)
                    assert (await received(server))[0] == b"small enough"
                return results

        return loop.run_until_complete(main())

    assert compare(scenario) == [(OSError, 90, "[Errno 90] Message too long", False)] * 2


def test_every_refused_datagram_is_told_and_the_endpoint_goes_on(loop):
    async def main():
        async with closed_endpoints() as opened:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unused:
                unused.bind(LOCAL)
                address = unused.getsockname()
            client = await opened(remote_addr=address)
            for _ in range(3):
                client.transport.sendto(b"anybody?")
                assert isinstance(await asyncio.wait_for(client.errors.get(), 10), ConnectionRefusedError)
            # Whoever comes to that address later is heard.
            server = await opened(local_addr=address)
            client.transport.sendto(b"hello")
            assert (await received(server))[0] == b"hello"
            server.transport.sendto(b"answer", sockname(client))
            assert (await received(client))[0] == b"answer"

    loop.run_until_complete(main())


def test_an_endpoint_without_a_peer_is_not_told_of_refusals(loop):
    async def main():
        async with closed_endpoints() as opened:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unused:
                unused.bind(LOCAL)
                address = unused.getsockname()
            endpoint = await opened(local_addr=LOCAL)
            for _ in range(3):
                endpoint.transport.sendto(b"anybody?", address)
            endpoint.transport.sendto(b"to itself", sockname(endpoint))
            assert (await received(endpoint))[0] == b"to itself"
            assert endpoint.errors.empty()

    loop.run_until_complete(main())


@pytest.mark.parametrize("connected", [False, True])
@pytest.mark.parametrize("method", ["close", "abort"])
def test_sendto_after_the_end_has_the_same_consequences(method, connected, caplog):
    def scenario(loop):
        caplog.clear()

        async def main():
            async with closed_endpoints() as opened:
                server = await opened(local_addr=LOCAL)
                address = sockname(server)
                client = await opened(**({"remote_addr": address} if connected else {"local_addr": LOCAL}))
                arguments = [] if connected else [address]
                getattr(client.transport, method)()
                assert client.transport.is_closing()
                results = [outcome(client.transport.sendto, b"after the end", *arguments) for _ in range(8)]
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                    sender.sendto(b"the last one", address)
                arrived = [(await received(server))[0]]
                while arrived[-1] != b"the last one":
                    arrived.append((await received(server))[0])
                await client.lost
                await turns(2)
                getattr(client.transport, method)()
                return results, arrived, list(client.events)

        with caplog.at_level(logging.WARNING, logger="asyncio"):
            result = loop.run_until_complete(main())
        return result, [record.getMessage() for record in caplog.records]

    (results, _, events), _ = compare(scenario)
    assert results == [("returned", None)] * 8
    assert events == ["connection_made", "connection_lost"]


def test_connection_lost_comes_in_a_later_turn_and_nothing_after_it(loop, errors):
    async def main():
        async with closed_endpoints() as opened:
            server = await opened(local_addr=LOCAL)
            client = await opened(remote_addr=sockname(server))
            number = server.transport.get_extra_info("socket").fileno()
            client.transport.sendto(b"unread")
            server.transport.close()
            assert server.events == ["connection_made"]
            assert await server.lost is None
            await turns(3)
            assert server.events == ["connection_made", "connection_lost"]
            with pytest.raises(OSError):
                os.fstat(number)
            server.transport.close()
            server.transport.abort()

    loop.run_until_complete(main())
    assert errors == []


def test_closing_in_datagram_received_ends_the_calls(loop):
    class Closing(DatagramRecorder):
        def datagram_received(self, data, address):
            super().datagram_received(data, address)
            self.transport.close()

    async def main():
        async with closed_endpoints(Closing) as opened:
            server = await opened(local_addr=LOCAL)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                for _ in range(5):
                    sender.sendto(b"x", sockname(server))
            assert await server.lost is None
            assert server.events == ["connection_made", "datagram_received", "connection_lost"]

    loop.run_until_complete(main())


@pytest.mark.parametrize("method", ["connection_made", "datagram_received", "connection_lost"])
def test_a_protocol_that_raises_has_the_same_consequences(method):
    def fail(self, *args):
        getattr(DatagramRecorder, method)(self, *args)
        raise LookupError("on purpose")

    def scenario(loop):
        contexts = []
        loop.set_exception_handler(lambda _, context: contexts.append(repr(context["exception"])))
        raising = type("Raising", (DatagramRecorder,), {method: fail})

        async def main():
            async with closed_endpoints(raising) as opened:
                server = await opened(local_addr=LOCAL)
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                    for number in range(3):
                        sender.sendto(b"%d" % number, sockname(server))
                arrived = [(await received(server))[0] for _ in range(3)]
                closing = server.transport.is_closing()
                server.transport.close()
                await server.lost
                await turns(2)
                return arrived, closing, server.events

        return loop.run_until_complete(main()), contexts

    (arrived, closing, _), contexts = compare(scenario)
    assert arrived == [b"0", b"1", b"2"]
    assert not closing
    assert contexts == ["LookupError('on purpose')"] * (3 if method == "datagram_received" else 1)


@pytest.mark.parametrize("where", ["sending", "receiving"])
def test_an_error_received_that_raises_has_the_same_consequences(where):
    class Raising(DatagramRecorder):
        def error_received(self, error):
            super().error_received(error)
            raise LookupError("on purpose")

    def scenario(loop):
        contexts = []
        loop.set_exception_handler(lambda _, context: contexts.append(repr(context["exception"])))

        async def main():
            async with closed_endpoints(Raising) as opened:
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unused:
                    unused.bind(LOCAL)
                    address = unused.getsockname()
                client = await opened(remote_addr=address)
                data = bytes(70_000) if where == "sending" else b"anybody?"
                result = outcome(client.transport.sendto, data)
                await eventually(lambda: client.errors.qsize() == 1)
                await turns(2)
                return result, list(client.events), client.transport.is_closing()

        return loop.run_until_complete(main()), contexts

    compare(scenario)


def test_hundreds_of_datagrams_each_way_arrive_in_order(loop):
    count = 500

    async def main():
        async with closed_endpoints() as opened:
            server = await opened(local_addr=LOCAL)
            client = await opened(remote_addr=sockname(server))
            for endpoint in (server, client):
                sock = endpoint.transport.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)

            async def send(endpoint, letter, address):
                for number in range(count):
                    endpoint.transport.sendto(b"%s %d" % (letter, number), address)
                    # The kernel drops what does not fit into the receiver's buffer.
                    if number % 50 == 0:
                        await turns(3)

            await asyncio.gather(send(client, b"to the server", None), send(server, b"back", sockname(client)))
            to_server = [(await received(server))[0] for _ in range(count)]
            back = [(await received(client))[0] for _ in range(count)]
            assert to_server == [b"to the server %d" % number for number in range(count)]
            assert back == [b"back %d" % number for number in range(count)]

    loop.run_until_complete(main())


def test_datagrams_of_many_senders_keep_their_addresses(loop):
    async def main():
        async with closed_endpoints() as opened:
            server = await opened(local_addr=LOCAL)
            clients = [await opened(remote_addr=sockname(server)) for _ in range(50)]
            for round_number in range(4):
                for client in clients:
                    client.transport.sendto(b"%d %d" % (sockname(client)[1], round_number))
                await turns(2)
            seen = {}
            for _ in range(200):
                data, (_, port) = await received(server)
                sender, round_number = map(int, data.split())
                assert sender == port
                seen.setdefault(port, []).append(round_number)
            assert seen == {sockname(client)[1]: [0, 1, 2, 3] for client in clients}

    loop.run_until_complete(main())


def neutral(text):
    return re.sub(r"fd=\d+", "fd=…", text.replace("_SelectorDatagramTransport", "DatagramTransport"))


def test_repr_tells_the_state():
    def scenario(loop):
        async def main():
            async with closed_endpoints() as opened:
                endpoint = await opened(local_addr=LOCAL)
                await turns(2)
                texts = [repr(endpoint.transport)]
                endpoint.transport.close()
                texts.append(repr(endpoint.transport))
                await endpoint.lost
                await turns(1)
                return [neutral(text) for text in (*texts, repr(endpoint.transport))]

        return loop.run_until_complete(main())

    assert compare(scenario)[0] == "<DatagramTransport fd=… read=polling write=<idle, bufsize=0>>"


def test_an_unclosed_transport_warns_in_the_same_way():
    def scenario(loop):
        async def main():
            await loop.create_datagram_endpoint(asyncio.DatagramProtocol, local_addr=LOCAL)

        loop.run_until_complete(main())
        with pytest.warns(ResourceWarning) as caught:
            loop.close()
            gc.collect()
        return sorted(neutral(str(warning.message)) for warning in caught if "unclosed t" in str(warning.message))

    assert compare(scenario) != []
