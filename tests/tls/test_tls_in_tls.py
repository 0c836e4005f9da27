"""TLS inside of TLS: start_tls over a transport that speaks it already."""

import asyncio
import hashlib
import os
import ssl

import pytest
from helpers import compare, eventually, tls_connected, turns


async def both_upgraded(loop, authority, client, server, versions=(None, None)):
    """start_tls() on both ends of a connection of Recorders: the new transports."""
    return await asyncio.gather(
        loop.start_tls(
            client.transport, client, authority.client_context(version=versions[0]), server_hostname="localhost"
        ),
        loop.start_tls(server.transport, server, authority.server_context(version=versions[1]), server_side=True),
    )


def test_data_goes_both_ways(loop, errors, authority, server_context, client_context):
    async def main():
        async with tls_connected(server_context, client_context) as (client, server):
            inner, other = await both_upgraded(loop, authority, client, server)
            assert inner.get_extra_info("ssl_object") is not client.transport.get_extra_info("ssl_object")
            inner.write(b"question")
            await eventually(lambda: server.received == b"question")
            other.write(b"answer")
            await eventually(lambda: client.received == b"answer")
            inner.close()
            assert await client.lost is None
            assert await server.lost is None
            assert client.events == ["connection_made", "data_received", "eof_received", "connection_lost"]
            assert server.events == client.events

    loop.run_until_complete(main())
    assert errors == []


def test_large_data_goes_both_ways_at_once(loop, errors, authority, server_context, client_context):
    data = os.urandom(1 << 20)

    async def main():
        async with tls_connected(server_context, client_context) as (client, server):
            ends = await both_upgraded(loop, authority, client, server)
            for end in ends:
                end.write(data)
            await eventually(lambda: len(client.received) == len(server.received) == len(data))
            for protocol in (client, server):
                assert hashlib.sha256(protocol.received).digest() == hashlib.sha256(data).digest()
            for end in ends:
                end.abort()
            await asyncio.gather(client.lost, server.lost)

    loop.run_until_complete(main())
    assert errors == []


def test_what_was_written_before_close_arrives(loop, errors, authority, server_context, client_context):
    async def main():
        async with tls_connected(server_context, client_context) as (client, server):
            _, other = await both_upgraded(loop, authority, client, server)
            other.write(b"x" * (2 << 20))
            other.close()
            assert await client.lost is None
            assert client.received == b"x" * (2 << 20)
            await server.lost

    loop.run_until_complete(main())
    assert errors == []


VERSIONS = [(outer, inner) for outer in ssl.TLSVersion for inner in ssl.TLSVersion if outer.name != inner.name]
VERSIONS = [pair for pair in VERSIONS if all(version.name in ("TLSv1_2", "TLSv1_3") for version in pair)]


@pytest.mark.parametrize("versions", VERSIONS, ids=lambda pair: f"{pair[1].name} in {pair[0].name}")
def test_versions_are_mixed(loop, authority, versions):
    outer, inner = versions

    async def main():
        contexts = authority.server_context(version=outer), authority.client_context(version=outer)
        async with tls_connected(*contexts) as (client, server):
            ends = await both_upgraded(loop, authority, client, server, (inner, inner))
            for end in ends:
                assert end.get_extra_info("ssl_object").version() == inner.name.replace("_", ".")
            ends[0].write(b"hello")
            await eventually(lambda: server.received == b"hello")
            for end in ends:
                end.abort()
            await asyncio.gather(client.lost, server.lost)

    loop.run_until_complete(main())


@pytest.mark.parametrize("ending", ["close", "abort", "peer"])
def test_every_ending_is_told_as_by_default(authority, ending):
    def scenario(loop):
        async def main():
            contexts = authority.server_context(), authority.client_context()
            async with tls_connected(*contexts) as (client, server):
                inner, other = await both_upgraded(loop, authority, client, server)
                if ending == "close":
                    inner.close()
                elif ending == "abort":
                    inner.abort()
                else:
                    server.transport.abort()
                told = [repr(await client.lost), repr(await server.lost)]
                return told, list(client.events), list(server.events), inner.is_closing(), other.is_closing()

        return loop.run_until_complete(main())

    told, events, _, *closing = compare(scenario)
    assert told[0] == "None" or ending == "peer"
    assert events[-1] == "connection_lost"
    assert closing == [True, True]


def test_an_inner_handshake_that_fails_closes_the_outer_connection(authority, stranger):
    def scenario(loop):
        async def main():
            contexts = authority.server_context(), authority.client_context()
            async with tls_connected(*contexts) as (client, server):
                upgrading = loop.start_tls(
                    server.transport, server, stranger.server_context(), server_side=True, ssl_handshake_timeout=10
                )
                upgrading = loop.create_task(upgrading)
                trusting = loop.start_tls(
                    client.transport, client, authority.client_context(), server_hostname="localhost"
                )
                results = await asyncio.gather(trusting, upgrading, return_exceptions=True)
                await eventually(lambda: client.transport.is_closing() and server.transport.is_closing())
                await turns(5)
                return [(type(result), str(result)) for result in results], client.events, server.events

        return loop.run_until_complete(main())

    (first, _), client_events, server_events = compare(scenario)
    # Before Python 3.13 the outer transport could not be closed with an error, which is the error then.
    assert first[0] in (ssl.SSLCertVerificationError, TypeError)
    assert client_events == server_events == ["connection_made", "connection_lost"]


def test_through_a_proxy_that_speaks_tls_itself(loop, errors, authority, server_context, client_context):
    """As with an https proxy: the outer TLS ends at the proxy, the inner one at the server behind it."""

    async def proxy(reader, writer):
        _, target = (await reader.readline()).split()
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", int(target))
        writer.write(b"connected\n")

        async def relay(source, sink):
            while data := await source.read(1 << 16):
                sink.write(data)
                await sink.drain()
            sink.close()

        await asyncio.gather(relay(reader, inner_writer), relay(inner_reader, writer))
        await inner_writer.wait_closed()
        await writer.wait_closed()

    async def behind(reader, writer):
        while data := await reader.read(1 << 16):
            writer.write(data[::-1])
        writer.close()
        await writer.wait_closed()

    async def main():
        server = await asyncio.start_server(behind, "127.0.0.1", 0, ssl=authority.server_context("behind.example"))
        middle = await asyncio.start_server(proxy, "127.0.0.1", 0, ssl=server_context)
        ports = [one.sockets[0].getsockname()[1] for one in (server, middle)]
        reader, writer = await asyncio.open_connection("localhost", ports[1], ssl=client_context)
        writer.write(b"CONNECT %d\n" % ports[0])
        assert await reader.readline() == b"connected\n"
        await writer.start_tls(authority.client_context(), server_hostname="behind.example")
        assert writer.get_extra_info("peercert")["subject"] == ((("commonName", "behind.example"),),)
        writer.write(b"drawer")
        assert await reader.readexactly(6) == b"reward"
        writer.close()
        await writer.wait_closed()
        for one in (server, middle):
            one.close()
            await one.wait_closed()

    loop.run_until_complete(main())
    assert errors == []
