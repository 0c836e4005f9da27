"""The argument ssl= wherever connections are made, and what a handshake agrees on."""

import asyncio
import socket
import ssl

import pytest
from helpers import (
    Recorder,
    TlsPeer,
    compare,
    eventually,
    tcp_pair,
    tls_connected,
    tls_serving,
)


class Upper(Recorder):
    """Answers in capitals."""

    def data_received(self, data):
        super().data_received(data)
        self.transport.write(data.upper())


async def by_host_and_port(loop, contexts, tmp_path):
    server = await loop.create_server(Upper, "127.0.0.1", 0, ssl=contexts[0])
    port = server.sockets[0].getsockname()[1]
    return server, await loop.create_connection(Recorder, "localhost", port, ssl=contexts[1])


async def by_host_and_another_name(loop, contexts, tmp_path):
    server = await loop.create_server(Upper, "127.0.0.1", 0, ssl=contexts[0])
    address = server.sockets[0].getsockname()
    connecting = loop.create_connection(Recorder, *address, ssl=contexts[1], server_hostname="localhost")
    return server, await connecting


async def by_address(loop, contexts, tmp_path):
    server = await loop.create_server(Upper, "127.0.0.1", 0, ssl=contexts[0])
    return server, await loop.create_connection(Recorder, *server.sockets[0].getsockname(), ssl=contexts[1])


async def by_sockets_of_the_program(loop, contexts, tmp_path):
    listener = socket.create_server(("127.0.0.1", 0))
    server = await loop.create_server(Upper, sock=listener, ssl=contexts[0])
    sock = socket.create_connection(listener.getsockname())
    sock.setblocking(False)
    connecting = loop.create_connection(Recorder, sock=sock, ssl=contexts[1], server_hostname="localhost")
    return server, await connecting


async def by_an_accepted_socket(loop, contexts, tmp_path):
    ours, theirs = tcp_pair()
    connecting = loop.create_connection(Recorder, sock=ours, ssl=contexts[1], server_hostname="localhost")
    accepting = loop.connect_accepted_socket(Upper, theirs, ssl=contexts[0])
    connection, _ = await asyncio.gather(connecting, accepting)
    return None, connection


async def by_a_unix_path(loop, contexts, tmp_path):
    path = str(tmp_path / "server")
    server = await loop.create_unix_server(Upper, path, ssl=contexts[0])
    return server, await loop.create_unix_connection(Recorder, path, ssl=contexts[1], server_hostname="localhost")


async def by_unix_sockets_of_the_program(loop, contexts, tmp_path):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "server"))
    server = await loop.create_unix_server(Upper, sock=listener, ssl=contexts[0])
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(str(tmp_path / "server"))
    connecting = loop.create_unix_connection(Recorder, sock=sock, ssl=contexts[1], server_hostname="localhost")
    return server, await connecting


WAYS = [
    by_host_and_port,
    by_host_and_another_name,
    by_address,
    by_sockets_of_the_program,
    by_an_accepted_socket,
    by_a_unix_path,
    by_unix_sockets_of_the_program,
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_tls_is_spoken_on_every_way_to_connect(loop, errors, way, server_context, client_context, tmp_path):
    async def main():
        server, (transport, protocol) = await way(loop, (server_context, client_context), tmp_path)
        assert protocol.events == ["connection_made"]
        assert protocol.transport is transport
        assert transport.get_extra_info("ssl_object").version().startswith("TLS")
        transport.write(b"hello")
        await eventually(lambda: protocol.received == b"HELLO")
        transport.close()
        assert await protocol.lost is None
        if server is not None:
            server.close()
            await server.wait_closed()

    loop.run_until_complete(main())
    assert errors == []


async def echo(reader, writer):
    while data := await reader.read(100_000):
        writer.write(data)
        await writer.drain()
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize("size", [1, 100_000, 2 << 20])
@pytest.mark.parametrize("family", ["tcp", "unix"])
def test_an_echo_through_streams(loop, errors, family, size, server_context, client_context, tmp_path):
    async def main():
        if family == "unix":
            path = str(tmp_path / "server")
            server = await asyncio.start_unix_server(echo, path, ssl=server_context)
            connecting = asyncio.open_unix_connection(path, ssl=client_context, server_hostname="localhost")
        else:
            server = await asyncio.start_server(echo, "127.0.0.1", 0, ssl=server_context)
            port = server.sockets[0].getsockname()[1]
            connecting = asyncio.open_connection("localhost", port, ssl=client_context)
        reader, writer = await connecting
        data = bytes(range(256)) * (size // 256 + 1)
        writer.write(data[:size])
        assert await reader.readexactly(size) == data[:size]
        writer.close()
        await writer.wait_closed()
        server.close()
        await server.wait_closed()

    loop.run_until_complete(main())
    assert errors == []


def test_both_sides_agree_on_the_only_version_they_may_speak(loop, authority, version):
    async def main():
        contexts = authority.server_context(version=version), authority.client_context(version=version)
        async with tls_connected(*contexts) as (client, server):
            spoken = [end.transport.get_extra_info("ssl_object").version() for end in (client, server)]
            assert spoken == [version.name.replace("_", ".")] * 2
            client.transport.write(b"question")
            await eventually(lambda: server.received == b"question")
            server.transport.write(b"answer")
            await eventually(lambda: client.received == b"answer")

    loop.run_until_complete(main())


def test_no_version_in_common_is_the_same_error(authority):
    def scenario(loop):
        async def main():
            server_context = authority.server_context(version=ssl.TLSVersion.TLSv1_3)
            async with tls_serving(server_context) as (address, made):
                connecting = loop.create_connection(
                    Recorder, *address, ssl=authority.client_context(version=ssl.TLSVersion.TLSv1_2)
                )
                try:
                    await connecting
                except OSError as error:
                    return type(error), str(error), [protocol.events for protocol in made]

        return loop.run_until_complete(main())

    # The server's alert is not sent.
    assert compare(scenario) == (ConnectionResetError, "", [[]])


def test_an_application_protocol_is_negotiated(loop, server_context, client_context):
    server_context.set_alpn_protocols(["h2", "http/1.1"])
    client_context.set_alpn_protocols(["imap", "http/1.1"])

    async def main():
        async with tls_connected(server_context, client_context) as ends:
            for end in ends:
                assert end.transport.get_extra_info("ssl_object").selected_alpn_protocol() == "http/1.1"

    loop.run_until_complete(main())


def test_a_server_chooses_its_certificate_by_the_name_that_the_client_asks_for(loop, authority):
    default, special = authority.server_context("localhost"), authority.server_context("special.example")
    asked = []

    def choose(sslobject, name, context):
        asked.append(name)
        if name == "special.example":
            sslobject.context = special

    default.sni_callback = choose

    async def main():
        for name in ("localhost", "special.example"):
            context = authority.client_context()
            async with tls_connected(default, context, server_hostname=name) as (client, server):
                subject = client.transport.get_extra_info("peercert")["subject"]
                assert subject == ((("commonName", name),),)
                used = special if name == "special.example" else default
                assert server.transport.get_extra_info("ssl_object").context is used
                assert server.transport.get_extra_info("sslcontext") is default
        assert asked == ["localhost", "special.example"]

    loop.run_until_complete(main())


def test_a_name_that_the_server_does_not_want_is_the_same_error(authority):
    def scenario(loop):
        async def main():
            context = authority.server_context()
            context.sni_callback = lambda *_: ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
            async with tls_serving(context) as (address, made):
                connecting = loop.create_connection(
                    Recorder, *address, ssl=authority.client_context(), server_hostname="localhost"
                )
                try:
                    await connecting
                except OSError as error:
                    return type(error), str(error), [protocol.events for protocol in made]

        return loop.run_until_complete(main())

    kind, _, events = compare(scenario)
    assert issubclass(kind, OSError)
    assert events == [[]]


def test_a_handshake_in_pieces_of_one_byte(loop, server_context, client_context):
    async def main():
        ours, theirs = tcp_pair()
        peer = TlsPeer(theirs, client_context, server_side=False, piece=1)
        accepting = loop.create_task(loop.connect_accepted_socket(Recorder, ours, ssl=server_context))

        await peer.handshake()
        await peer.send(b"in pieces")
        transport, protocol = await accepting
        await eventually(lambda: protocol.received == b"in pieces")
        theirs.close()
        transport.abort()
        await protocol.lost

    loop.run_until_complete(main())
