"""What get_extra_info() tells about a TLS connection."""

import asyncio
import socket
import ssl

import pytest
from helpers import Recorder, compare, eventually, tls_connected, tls_with_peer

NAMES = [
    "ssl_object",
    "sslcontext",
    "peercert",
    "cipher",
    "compression",
    "socket",
    "sockname",
    "peername",
    "subprocess",
    "pipe",
    "no such thing",
]


def kind(value):
    """The value's type, and with a tuple or a dictionary the same of what is in it."""
    if isinstance(value, tuple):
        return tuple(kind(one) for one in value)
    if isinstance(value, dict):
        return {name: kind(one) for name, one in value.items()}
    return type(value)


@pytest.mark.parametrize("name", NAMES)
def test_every_value_is_of_the_same_kind_on_both_sides(authority, name):
    def scenario(loop):
        async def main():
            contexts = authority.server_context(asks_client=True), authority.client_context(name="somebody")
            async with tls_connected(*contexts) as (client, server):
                return [kind(end.transport.get_extra_info(name)) for end in (client, server)]

        return loop.run_until_complete(main())

    kinds = compare(scenario)
    assert len(kinds) == 2
    absent = name in ("compression", "subprocess", "pipe", "no such thing")
    assert (kinds == [type(None)] * 2) == absent


def test_the_values_describe_the_connection(loop, authority, version):
    async def main():
        server_context = authority.server_context(asks_client=True, version=version)
        client_context = authority.client_context(name="somebody")
        async with tls_connected(server_context, client_context) as (client, server):
            ends = {
                client: (client_context, "localhost", server),
                server: (server_context, "somebody", client),
            }
            for end, (context, name, other) in ends.items():
                info = end.transport.get_extra_info
                assert type(info("ssl_object")) is ssl.SSLObject
                assert info("ssl_object").server_side is (end is server)
                assert info("ssl_object").version() == version.name.replace("_", ".")
                assert info("sslcontext") is context
                assert info("ssl_object").context is context
                assert info("peercert") == info("ssl_object").getpeercert()
                assert info("peercert")["subject"] == ((("commonName", name),),)
                assert info("peercert")["issuer"] == ((("commonName", "Authority"),),)
                assert info("cipher") == info("ssl_object").cipher()
                assert info("compression") is None
                assert info("sockname") == other.transport.get_extra_info("peername")
                assert info("socket").getsockname() == info("sockname")
                assert info("socket").family == socket.AF_INET
                assert info("no such thing") is None
                assert info("no such thing", "default") == "default"

    loop.run_until_complete(main())


def test_the_values_are_there_in_connection_made(loop, server_context, client_context):
    class Looking(Recorder):
        def connection_made(self, transport):
            super().connection_made(transport)
            self.seen = {
                name: transport.get_extra_info(name) for name in ("cipher", "peername", "ssl_object", "socket")
            }

    async def main():
        async with tls_connected(server_context, client_context, Looking, Looking) as ends:
            for end in ends:
                assert None not in end.seen.values()

    loop.run_until_complete(main())


def test_the_values_in_connection_lost_are_as_by_default(authority):
    class Looking(Recorder):
        seen = None

        def connection_lost(self, error):
            super().connection_lost(error)
            self.seen = {name: kind(self.transport.get_extra_info(name)) for name in NAMES}

    def scenario(loop):
        async def main():
            async with tls_with_peer(authority, Looking) as (transport, protocol, _):
                transport.abort()
                await protocol.lost
                return protocol.seen

        return loop.run_until_complete(main())

    seen = compare(scenario)
    assert seen["sslcontext"] is ssl.SSLContext
    assert seen["peername"] is type(None)


def test_a_stream_tells_the_same(loop, authority):
    async def main():
        async with tls_with_peer(authority) as (transport, protocol, _):
            writer = asyncio.StreamWriter(transport, protocol, None, loop)
            for name in NAMES:
                assert writer.get_extra_info(name) == transport.get_extra_info(name)

    loop.run_until_complete(main())


@pytest.mark.parametrize("family", ["tcp", "unix"])
def test_names_of_unix_and_tcp_sockets(authority, tmp_path, family):
    def scenario(loop):
        async def main():
            made = []

            def make():
                made.append(Recorder())
                return made[-1]

            path = str(tmp_path / "server")
            context = authority.server_context()
            keywords = {"ssl": authority.client_context(), "server_hostname": "localhost"}
            if family == "unix":
                server = await loop.create_unix_server(make, path, ssl=context)
                transport, protocol = await loop.create_unix_connection(Recorder, path, **keywords)
            else:
                server = await loop.create_server(make, "127.0.0.1", 0, ssl=context)
                address = server.sockets[0].getsockname()
                transport, protocol = await loop.create_connection(Recorder, *address, **keywords)
            await eventually(lambda: made and made[0].transport is not None)
            names = [
                end.get_extra_info(name) for end in (transport, made[0].transport) for name in ("sockname", "peername")
            ]
            transport.close()
            await protocol.lost
            await made[0].lost
            server.close()
            await server.wait_closed()
            return names if family == "unix" else [name[0] for name in names]

        return loop.run_until_complete(main())

    names = compare(scenario)
    path = str(tmp_path / "server")
    assert names == (["127.0.0.1"] * 4 if family == "tcp" else ["", path, path, ""])


def test_the_socket_is_only_to_look_at(authority):
    def scenario(loop):
        async def main():
            async with tls_with_peer(authority) as (transport, _, _):
                sock = transport.get_extra_info("socket")
                return type(sock).__name__, hasattr(sock, "recv"), sock.gettimeout()

        return loop.run_until_complete(main())

    assert compare(scenario) == ("TransportSocket", False, 0.0)


def test_a_new_transport_is_in_the_same_state(authority):
    def scenario(loop):
        async def main():
            async with tls_with_peer(authority) as (transport, protocol, _):
                return (
                    transport.get_protocol() is protocol,
                    type(transport).__name__,
                    transport.get_write_buffer_limits(),
                    transport.get_read_buffer_limits(),
                    transport.is_reading(),
                    transport.is_closing(),
                )

        return loop.run_until_complete(main())

    same, _, *_, reading, closing = compare(scenario)
    assert same
    assert reading
    assert not closing
