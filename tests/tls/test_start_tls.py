"""start_tls: a plain connection becomes a TLS connection, on either side."""

import asyncio
import inspect
import os
import ssl

import pytest
from helpers import (
    Recorder,
    TlsPeer,
    collect_errors,
    compare,
    connected,
    eventually,
    normalised,
    outcome,
    tcp_pair,
    turns,
)

TAKES_SHUTDOWN_TIMEOUT = "ssl_shutdown_timeout" in inspect.signature(asyncio.StreamWriter.start_tls).parameters


def upgrade(loop, authority, transport, protocol, server_side, **keywords):
    """start_tls() on one side with the context for it."""
    if server_side:
        return loop.start_tls(transport, protocol, authority.server_context(), server_side=True, **keywords)
    return loop.start_tls(transport, protocol, authority.client_context(), server_hostname="localhost", **keywords)


def peer_for(authority, sock, server_side, **keywords):
    """The other end, for our side."""
    context = authority.client_context() if server_side else authority.server_context()
    return TlsPeer(sock, context, server_side=not server_side, **keywords)


@pytest.mark.parametrize("server_side", [False, True], ids=["client", "server"])
def test_a_protocol_goes_on_over_tls(loop, errors, authority, server_side):
    async def main():
        async with connected() as (plain, protocol, sock):
            plain.write(b"plain")
            await eventually(lambda: sock_has(sock, b"plain"))
            peer = peer_for(authority, sock, server_side)
            tls, _ = await asyncio.gather(upgrade(loop, authority, plain, protocol, server_side), peer.handshake())
            assert tls is not plain
            assert tls.get_protocol() is protocol
            assert tls.get_extra_info("cipher")
            assert tls.get_extra_info("peername") == plain.get_extra_info("peername")
            tls.write(b"secret")
            assert await peer.read() == b"secret"
            await peer.send(b"answer")
            await eventually(lambda: protocol.received == b"answer")
            # The protocol is told of the connection once, by the plain transport.
            assert protocol.events == ["connection_made", "data_received"]
            tls.close()
            await peer.say_goodbye()
            peer.end_stream()
            assert await protocol.lost is None
            assert plain.is_closing()
            assert protocol.events == ["connection_made", "data_received", "eof_received", "connection_lost"]

    loop.run_until_complete(main())
    assert errors == []


def sock_has(sock, data):
    try:
        return sock.recv(100) == data
    except BlockingIOError:
        return False


@pytest.mark.parametrize("server_side", [False, True], ids=["client", "server"])
def test_a_protocol_can_be_changed_with_the_upgrade(loop, authority, server_side):
    async def main():
        async with connected() as (plain, old, sock):
            peer = peer_for(authority, sock, server_side)
            new = Recorder()
            tls, _ = await asyncio.gather(upgrade(loop, authority, plain, new, server_side), peer.handshake())
            new.lost = loop.create_future()
            await peer.send(b"for the new one")
            await eventually(lambda: new.received == b"for the new one")
            assert old.events == ["connection_made"]
            tls.abort()
            await new.lost
            assert old.events == ["connection_made"]

    loop.run_until_complete(main())


def test_data_that_comes_with_the_end_of_the_handshake_is_delivered(loop, authority):
    async def main():
        async with connected() as (plain, protocol, sock):
            peer = peer_for(authority, sock, server_side=True)

            async def hurry():
                # In TLS 1.3 the client's last step and its first data go out together.
                await peer.handshake()
                await peer.send(b"at once")

            tls, _ = await asyncio.gather(upgrade(loop, authority, plain, protocol, True), hurry())
            await eventually(lambda: protocol.received == b"at once")
            tls.abort()
            await protocol.lost

    loop.run_until_complete(main())


def test_a_handshake_that_the_peer_begins_before_start_tls_is_not_lost(loop, authority):
    class Pausing(Recorder):
        def data_received(self, data):
            super().data_received(data)
            self.transport.pause_reading()

    async def main():
        async with connected(Pausing) as (plain, protocol, sock):
            sock.send(b"STARTTLS")
            await eventually(lambda: protocol.received == b"STARTTLS")
            peer = peer_for(authority, sock, server_side=True)
            shaking = loop.create_task(peer.handshake())
            await turns(5)
            tls = await upgrade(loop, authority, plain, protocol, True)
            await shaking
            assert protocol.received == b"STARTTLS"
            tls.write(b"go ahead")
            assert await peer.read() == b"go ahead"
            tls.abort()
            await protocol.lost

    loop.run_until_complete(main())


def test_what_was_written_before_start_tls_goes_first_and_plain(loop, authority):
    async def main():
        async with connected() as (plain, protocol, sock):
            plain.write(b"x" * (1 << 20))
            upgrading = loop.create_task(upgrade(loop, authority, plain, protocol, True))
            await turns(2)
            received = 0
            while received < 1 << 20:
                data = await loop.sock_recv(sock, (1 << 20) - received)
                assert data == b"x" * len(data)
                received += len(data)
            peer = peer_for(authority, sock, server_side=True)
            await peer.handshake()
            tls = await upgrading
            tls.abort()
            await protocol.lost

    loop.run_until_complete(main())


async def echo(reader, writer):
    while data := await reader.read(100_000):
        writer.write(data)
        await writer.drain()
    writer.close()
    await writer.wait_closed()


def test_streams_are_upgraded_on_both_sides(loop, errors, server_context, client_context):
    async def handle(reader, writer):
        assert await reader.readline() == b"STARTTLS\n"
        writer.write(b"go ahead\n")
        await writer.drain()
        plain = writer.transport
        await writer.start_tls(server_context)
        assert writer.transport is not plain
        await echo(reader, writer)

    async def main():
        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("localhost", port)
        assert writer.get_extra_info("cipher") is None
        writer.write(b"STARTTLS\n")
        assert await reader.readline() == b"go ahead\n"
        await writer.start_tls(client_context, server_hostname="localhost")
        assert writer.get_extra_info("cipher")
        assert writer.get_extra_info("peercert")["subject"] == ((("commonName", "localhost"),),)
        writer.write(b"secret\n")
        assert await reader.readline() == b"secret\n"
        data = os.urandom(1 << 20)
        writer.write(data)
        assert await reader.readexactly(1 << 20) == data
        writer.close()
        await writer.wait_closed()
        server.close()
        await server.wait_closed()

    loop.run_until_complete(main())
    assert errors == []


def test_many_connections_are_upgraded_at_once(loop, errors, server_context, client_context):
    async def handle(reader, writer):
        await writer.start_tls(server_context)
        await echo(reader, writer)

    async def one(port, number):
        reader, writer = await asyncio.open_connection("localhost", port)
        await writer.start_tls(client_context, server_hostname="localhost")
        writer.write(b"%d\n" % number)
        line = await reader.readline()
        writer.close()
        await writer.wait_closed()
        return int(line)

    async def main():
        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        assert await asyncio.gather(*(one(port, number) for number in range(40))) == list(range(40))
        server.close()
        await server.wait_closed()

    loop.run_until_complete(main())
    assert errors == []


async def tell(loop, awaitable):
    """The type and the text of the error that comes."""
    try:
        await awaitable
    except Exception as error:
        return type(error), normalised(str(error))
    return "no error"


BAD_ARGUMENTS = {
    "True for a context": ((True,), {}),
    "None for a context": ((None,), {}),
    "text for a context": (("context",), {}),
    "no handshake timeout": ((ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),), {"ssl_handshake_timeout": 0}),
    "a negative handshake timeout": ((ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),), {"ssl_handshake_timeout": -1}),
    "no shutdown timeout": ((ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),), {"ssl_shutdown_timeout": 0}),
    "a client's context": ((ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),), {"server_side": True}),
    "a server's context": ((ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER),), {"server_hostname": "localhost"}),
}


@pytest.mark.parametrize(("positions", "keywords"), BAD_ARGUMENTS.values(), ids=BAD_ARGUMENTS.keys())
def test_wrong_arguments_are_the_same_error_and_leave_the_connection_alone(positions, keywords):
    def scenario(loop):
        async def main():
            async with connected() as (transport, protocol, sock):
                told = await tell(loop, loop.start_tls(transport, protocol, *positions, **keywords))
                sock.send(b"still plain")
                await eventually(lambda: protocol.received)
                return told, bytes(protocol.received), transport.get_protocol() is protocol

        return loop.run_until_complete(main())

    (kind, text), received, unchanged = compare(scenario)
    assert issubclass(kind, Exception)
    assert text
    assert received == b"still plain"
    assert unchanged


async def a_pipe(loop, contexts):
    read_end, write_end = os.pipe()
    transport, protocol = await loop.connect_write_pipe(asyncio.Protocol, os.fdopen(write_end, "wb", 0))
    os.close(read_end)
    return transport, protocol


async def a_datagram_endpoint(loop, contexts):
    return await loop.create_datagram_endpoint(asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0))


@pytest.mark.parametrize("make", [a_pipe, a_datagram_endpoint])
def test_other_transports_are_refused(make, authority):
    def scenario(loop):
        async def main():
            transport, protocol = await make(loop, None)
            told = await tell(loop, upgrade(loop, authority, transport, protocol, False))
            transport.close()
            await turns(3)
            return told[0], told[1].split("<")[0], told[1].split(">")[-1]

        return loop.run_until_complete(main())

    kind, before, after = compare(scenario)
    assert (kind, before) == (TypeError, "transport ")
    assert after == " is not supported by start_tls()"


def test_a_transport_that_is_no_transport_is_refused(authority):
    def scenario(loop):
        return outcome(loop.run_until_complete, upgrade(loop, authority, None, asyncio.Protocol(), False))

    assert compare(scenario) == (TypeError, "transport None is not supported by start_tls()")


def test_a_failed_verification_closes_the_connection(stranger, authority):
    def scenario(loop):
        async def main():
            errors = collect_errors(loop)
            async with connected() as (transport, protocol, sock):
                peer = TlsPeer(sock, stranger.server_context(), server_side=True)
                shaking = loop.create_task(tell(loop, peer.handshake()))
                told = await tell(loop, upgrade(loop, authority, transport, protocol, False))
                await turns(5)
                return told, await shaking, transport.is_closing(), list(protocol.events), errors

        return loop.run_until_complete(main())

    (kind, text), _, closing, events, errors = compare(scenario)
    assert kind is ssl.SSLCertVerificationError
    assert "unable to get local issuer certificate" in text
    assert closing
    assert events == ["connection_made", "connection_lost"]
    assert errors == []


def test_a_peer_that_leaves_is_the_same_error(authority):
    def scenario(loop, server_side):
        async def main():
            errors = collect_errors(loop)
            async with connected() as (transport, protocol, sock):
                upgrading = loop.create_task(tell(loop, upgrade(loop, authority, transport, protocol, server_side)))
                if not server_side:
                    # The greeting is read, so that closing does not mean a reset.
                    await loop.sock_recv(sock, 10_000)
                else:
                    await turns(3)
                sock.close()
                told = await upgrading
                await turns(5)
                return told, transport.is_closing(), list(protocol.events), errors

        return loop.run_until_complete(main())

    for server_side in (False, True):
        told, closing, events, errors = compare(scenario, server_side)
        assert told == (ConnectionResetError, "")
        assert closing
        assert events == ["connection_made", "connection_lost"]
        assert errors == []


def test_cancelling_start_tls_closes_the_connection(loop, errors, authority):
    async def main():
        async with connected() as (transport, protocol, _):
            upgrading = loop.create_task(upgrade(loop, authority, transport, protocol, True))
            await turns(5)
            upgrading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await upgrading
            assert transport.is_closing()
            await turns(5)
            assert protocol.events == ["connection_made"]

    loop.run_until_complete(main())
    assert errors == []


def test_the_plain_transport_knows_its_socket_until_the_end_and_after(loop, authority):
    async def main():
        async with connected() as (plain, protocol, sock):
            peer = peer_for(authority, sock, True)
            tls, _ = await asyncio.gather(upgrade(loop, authority, plain, protocol, True), peer.handshake())
            tls.abort()
            await protocol.lost
            await turns(3)
            assert plain.get_extra_info("socket").fileno() == -1

    loop.run_until_complete(main())


def test_a_closed_transport_waits_for_the_timeout_as_by_default(authority):
    def scenario(loop):
        async def main():
            async with connected() as (transport, protocol, _):
                transport.close()
                await protocol.lost
                await turns(2)
                return await tell(loop, asyncio.wait_for(upgrade(loop, authority, transport, protocol, False), 0.05))

        return loop.run_until_complete(main())

    # Nobody notices, and the handshake would time out.
    assert compare(scenario) == (TimeoutError, "")


@pytest.mark.skipif(not TAKES_SHUTDOWN_TIMEOUT, reason="StreamWriter.start_tls takes it since Python 3.12")
def test_streams_pass_both_timeouts_on(authority):
    def scenario(loop, name):
        async def main():
            ours, theirs = tcp_pair()
            _, writer = await asyncio.open_connection(sock=ours)
            told = await tell(loop, writer.start_tls(authority.client_context(), server_hostname="x", **{name: -1}))
            writer.close()
            await writer.wait_closed()
            theirs.close()
            return told

        return loop.run_until_complete(main())

    for name in ("ssl_handshake_timeout", "ssl_shutdown_timeout"):
        kind, text = compare(scenario, name)
        assert kind is ValueError
        assert text.startswith(name)
