"""A transport as an object: its class, its extra information, its text, who owns its socket."""

import asyncio
import errno
import gc
import os
import socket
import weakref

import pytest
from helpers import Recorder, compare, connected, eventually, normalised, outcome, serving, tcp_pair, turns


def test_it_is_an_asyncio_transport(loop):
    async def main():
        async with connected() as (transport, _, _):
            assert isinstance(transport, asyncio.Transport)
            assert isinstance(transport, asyncio.BaseTransport)
            assert isinstance(transport, asyncio.ReadTransport)
            assert isinstance(transport, asyncio.WriteTransport)

    loop.run_until_complete(main())


def test_extra_information_of_both_ends(loop):
    async def main():
        async with serving(Recorder) as (_, address, made):
            transport, protocol = await loop.create_connection(Recorder, *address)
            await eventually(lambda: made)
            server_side = made[0].transport
            assert transport.get_extra_info("peername") == address
            assert server_side.get_extra_info("sockname") == address
            assert server_side.get_extra_info("peername") == transport.get_extra_info("sockname")
            assert transport.get_extra_info("nonsense") is None
            assert transport.get_extra_info("nonsense", 5) == 5
            assert transport.get_extra_info("nonsense", default=6) == 6
            assert transport.get_extra_info("sslcontext") is None
            for side in (transport, server_side):
                sock = side.get_extra_info("socket")
                assert isinstance(sock, asyncio.trsock.TransportSocket)
                assert sock.getsockname() == side.get_extra_info("sockname")
                assert sock.getpeername() == side.get_extra_info("peername")
                assert sock.family == socket.AF_INET
                assert sock.type == socket.SOCK_STREAM
                assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
                assert os.get_blocking(sock.fileno()) is False
                assert os.get_inheritable(sock.fileno()) is False
            names = transport.get_extra_info("sockname"), transport.get_extra_info("peername")
            transport.close()
            await protocol.lost
            await turns(2)
            assert (transport.get_extra_info("sockname"), transport.get_extra_info("peername")) == names
            assert transport.get_extra_info("nonsense", 5) == 5

    loop.run_until_complete(main())


def test_the_socket_after_the_end(loop):
    async def main():
        async with connected() as (transport, protocol, _):
            sock = transport.get_extra_info("socket")
            assert sock.fileno() > 0
            transport.close()
            await protocol.lost
            await turns(2)
            assert transport.get_extra_info("socket") is sock
            assert sock.fileno() == -1

    loop.run_until_complete(main())


def test_ipv6_addresses_have_four_parts(loop):
    async def main():
        try:
            server = await loop.create_server(Recorder, "::1", 0)
        except OSError as error:
            pytest.skip(f"no IPv6 here: {error}")
        address = server.sockets[0].getsockname()
        transport, protocol = await loop.create_connection(Recorder, *address[:2])
        assert transport.get_extra_info("peername") == address
        assert len(transport.get_extra_info("sockname")) == 4
        transport.close()
        await protocol.lost
        server.close()
        await turns(3)

    loop.run_until_complete(main())


def test_repr_tells_the_state():
    def scenario(loop):
        async def main():
            async with connected() as (transport, protocol, _):
                await turns(2)
                texts = [repr(transport)]
                transport.pause_reading()
                texts.append(repr(transport))
                transport.close()
                texts.append(repr(transport))
                await protocol.lost
                await turns(2)
                texts.append(repr(transport))
                return [normalised(text) for text in texts]

        return loop.run_until_complete(main())

    texts = compare(scenario)
    assert texts[0] == "<TRANSPORT fd=… read=polling write=<idle, bufsize=0>>"
    assert texts[1] == "<TRANSPORT fd=… read=idle write=<idle, bufsize=0>>"


def test_an_unclosed_transport_warns_when_it_is_collected(loop_factory):
    loop = loop_factory()
    ours, peer = tcp_pair()

    loop.run_until_complete(loop.create_connection(asyncio.Protocol, sock=ours))
    del ours
    with pytest.warns(ResourceWarning) as caught:
        loop.close()
        del loop
        gc.collect()
    peer.close()
    assert [str(w.message) for w in caught if str(w.message).startswith("unclosed transport")]


def test_the_programs_socket_is_in_use_until_the_connection_ends(mainspring_loop):
    async def main():
        ours, peer = tcp_pair()
        number = ours.fileno()
        transport, protocol = await mainspring_loop.create_connection(Recorder, sock=ours)
        ours.close()
        # The number must not become somebody else's while the transport lives.
        with open("/dev/null") as other:
            assert other.fileno() != number
            peer.send(b"still works")
            await eventually(lambda: protocol.received == b"still works")
            transport.write(b"both ways")
            await eventually(lambda: outcome(peer.recv, 20, socket.MSG_PEEK) == ("returned", b"both ways"))
        transport.close()
        await protocol.lost
        await turns(2)
        with pytest.raises(OSError) as failed:
            os.fstat(number)
        assert failed.value.errno == errno.EBADF
        peer.close()

    mainspring_loop.run_until_complete(main())


def test_closing_the_transport_closes_the_programs_socket(loop):
    async def main():
        ours, peer = tcp_pair()
        transport, protocol = await loop.create_connection(Recorder, sock=ours)
        transport.close()
        await protocol.lost
        await turns(2)
        assert ours.fileno() == -1
        peer.close()

    loop.run_until_complete(main())


def test_a_dead_connection_is_freed_without_the_collector(mainspring_loop):
    class Protocol(asyncio.Protocol):
        pass

    async def main():
        async with connected(Protocol) as (transport, protocol, _):
            dead = weakref.ref(transport), weakref.ref(protocol)
            transport.close()
            await turns(3)
            del transport, protocol
        return dead

    gc.disable()
    try:
        dead = mainspring_loop.run_until_complete(main())
        assert [ref() for ref in dead] == [None, None]
    finally:
        gc.enable()


def test_a_reader_on_the_descriptor_of_a_transport_is_refused():
    def scenario(loop):
        async def main():
            async with connected() as (transport, _, _):
                number = transport.get_extra_info("socket").fileno()
                results = [
                    outcome(loop.add_reader, number, print),
                    outcome(loop.add_writer, number, print),
                    outcome(loop.remove_reader, number),
                    outcome(loop.remove_writer, number),
                ]
                return [(kind, normalised(text).split("TRANSPORT")[0].split(str(number))[0]) for kind, text in results]

        return loop.run_until_complete(main())

    assert compare(scenario) == [(RuntimeError, "File descriptor ")] * 4


def test_the_text_of_what_was_written_in_this_turn():
    async def scenario():
        async with connected() as (transport, _, _):
            transport.write(b"x" * 100)
            return normalised(repr(transport))

    text = compare(lambda loop: loop.run_until_complete(scenario()))
    assert text == "<TRANSPORT fd=… read=polling write=<idle, bufsize=0>>"
