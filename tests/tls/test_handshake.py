"""The argument ssl= wherever connections are made, and what a handshake agrees on."""

import asyncio
import socket
import ssl
import sys

import pytest
from helpers import (
    Recorder,
    TlsPeer,
    collect_errors,
    compare,
    eventually,
    normalised,
    outcome,
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


def without_ssl(method, *positions, **keywords):
    return lambda loop, _: getattr(loop, method)(Recorder, *positions, **keywords)


REFUSED = {
    f"{method}({', '.join(f'{name}={value!r}' for name, value in keywords.items())})": without_ssl(
        method, *positions, **keywords
    )
    for method, positions, choices in [
        (
            "create_connection",
            ("127.0.0.1", 1),
            [
                {"server_hostname": "localhost"},
                {"server_hostname": ""},
                {"ssl": False, "server_hostname": "localhost"},
                {"ssl_handshake_timeout": 1},
                {"ssl_shutdown_timeout": 1},
                {"ssl": 0, "ssl_handshake_timeout": 1},
            ],
        ),
        ("create_connection", (), [{"ssl": True}, {"host": "", "port": 1, "ssl": True}]),
        (
            "create_server",
            ("127.0.0.1", 0),
            [
                {"ssl": True},
                {"ssl": False},
                {"ssl_handshake_timeout": 1},
                {"ssl_shutdown_timeout": 1},
            ],
        ),
        (
            "create_unix_connection",
            ("/nowhere",),
            [
                {"ssl": True},
                {"server_hostname": "localhost"},
                {"ssl_handshake_timeout": 1},
                {"ssl_shutdown_timeout": 1},
                {"ssl": True, "server_hostname": 1},
            ],
        ),
        (
            "create_unix_server",
            ("/nowhere/at/all",),
            [
                {"ssl": True},
                {"ssl": False},
                {"ssl_handshake_timeout": 1},
                {"ssl_shutdown_timeout": 1},
                {"ssl": 0, "ssl_handshake_timeout": 1},
            ],
        ),
    ]
    for keywords in choices
}


@pytest.mark.parametrize("call", REFUSED.values(), ids=REFUSED.keys())
def test_arguments_that_do_not_go_together_are_the_same_error(call):
    def scenario(loop):
        async def main():
            return await call(loop, None)

        kind, text = outcome(loop.run_until_complete, main())
        # pytest rewrites the assertions of mainspring, which is a plugin.
        return kind, "" if kind is AssertionError else text

    assert compare(scenario)[0] in (TypeError, ValueError, AssertionError)


NOT_CONTEXTS = ["a text", 1, object]


@pytest.mark.parametrize("method", ["create_connection", "connect_accepted_socket"])
@pytest.mark.parametrize("value", NOT_CONTEXTS, ids=repr)
def test_what_is_no_context_is_the_same_error(method, value):
    def scenario(loop):
        async def main():
            ours, theirs = tcp_pair()
            names = {"server_hostname": "localhost"} if method == "create_connection" else {}
            try:
                await getattr(loop, method)(Recorder, sock=ours, ssl=value, **names)
            except Exception as error:
                return type(error), str(error)
            finally:
                ours.close()
                theirs.close()

        return loop.run_until_complete(main())

    assert compare(scenario)[0] in (AttributeError, TypeError)


def test_an_accepted_socket_needs_a_context_of_its_own():
    def scenario(loop):
        async def main():
            ours, theirs = tcp_pair()
            try:
                await loop.connect_accepted_socket(Recorder, ours, ssl=True)
            except Exception as error:
                return type(error), str(error)
            finally:
                ours.close()
                theirs.close()

        return loop.run_until_complete(main())

    assert compare(scenario) == (ValueError, "Server side SSL needs a valid SSLContext")


@pytest.mark.parametrize("value", [0, None, ""], ids=repr)
@pytest.mark.parametrize("method", ["create_server", "create_unix_server"])
def test_a_server_whose_context_is_false_speaks_plain(loop, method, value, tmp_path):
    async def main():
        if method == "create_server":
            server = await loop.create_server(Upper, "127.0.0.1", 0, ssl=value)
            transport, protocol = await loop.create_connection(Recorder, *server.sockets[0].getsockname())
        else:
            server = await loop.create_unix_server(Upper, tmp_path / "server", ssl=value)
            transport, protocol = await loop.create_unix_connection(Recorder, tmp_path / "server")
        transport.write(b"plain")
        await eventually(lambda: protocol.received or protocol.lost.done())
        transport.close()
        await protocol.lost
        server.close()
        await server.wait_closed()
        assert protocol.received == b"PLAIN"

    loop.run_until_complete(main())


def test_a_client_side_context_on_a_server_is_the_same_error(authority):
    def scenario(loop):
        async def main():
            loop.set_debug(True)
            errors = collect_errors(loop)
            async with tls_serving(authority.client_context()) as (address, made):
                with socket.create_connection(address):
                    await eventually(lambda: errors)
            (context,) = errors
            error = context.pop("exception")
            # Its traceback keeps the default loop's socket open.
            error.__traceback__ = None
            assert context.pop("protocol") is made[0]
            return type(error), str(error), context, made[0].events

        return loop.run_until_complete(main())

    kind, _, context, events = compare(scenario)
    # Since Python 3.14 it is a ValueError.
    assert kind in (ssl.SSLError, ValueError)
    assert context == {"message": "Error on transport creation for incoming connection"}
    assert events == []


USES_OF_SOCKETS = {
    "create_connection": lambda loop, sock: loop.create_connection(Recorder, sock=sock),
    "create_server": lambda loop, sock: loop.create_server(Recorder, sock=sock),
    "connect_accepted_socket": lambda loop, sock: loop.connect_accepted_socket(Recorder, sock),
    "sock_recv": lambda loop, sock: loop.sock_recv(sock, 10),
    "sock_recv_into": lambda loop, sock: loop.sock_recv_into(sock, bytearray(10)),
    "sock_recvfrom": lambda loop, sock: loop.sock_recvfrom(sock, 10),
    "sock_recvfrom_into": lambda loop, sock: loop.sock_recvfrom_into(sock, bytearray(10)),
    "sock_sendall": lambda loop, sock: loop.sock_sendall(sock, b"x"),
    "sock_sendto": lambda loop, sock: loop.sock_sendto(sock, b"x", ("127.0.0.1", 1)),
    "sock_connect": lambda loop, sock: loop.sock_connect(sock, ("127.0.0.1", 1)),
    "sock_accept": lambda loop, sock: loop.sock_accept(sock),
}


@pytest.mark.parametrize("use", USES_OF_SOCKETS.values(), ids=USES_OF_SOCKETS.keys())
def test_a_socket_that_speaks_tls_itself_is_refused(use, client_context):
    def scenario(loop):
        async def main():
            ours, theirs = tcp_pair()
            wrapped = client_context.wrap_socket(ours, server_hostname="localhost", do_handshake_on_connect=False)
            try:
                await use(loop, wrapped)
            except Exception as error:
                return type(error), str(error)
            finally:
                wrapped.close()
                theirs.close()

        return loop.run_until_complete(main())

    assert compare(scenario) == (TypeError, "Socket cannot be of type SSLSocket")


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the default loop looks for other transports since Python 3.12")
@pytest.mark.parametrize("method", ["create_connection", "connect_accepted_socket"])
@pytest.mark.parametrize("tls", [False, True])
def test_a_socket_that_has_a_transport_gets_no_second_one(method, tls, authority):
    def scenario(loop):
        async def main():
            ours, theirs = tcp_pair()
            transport, protocol = await loop.create_connection(Recorder, sock=ours)
            keywords = {}
            if tls:
                server = method == "connect_accepted_socket"
                keywords["ssl"] = authority.server_context() if server else authority.client_context()
                keywords |= {} if server else {"server_hostname": "localhost"}
            making = getattr(loop, method)(Recorder, sock=ours, **keywords)
            try:
                await asyncio.wait_for(making, 1)
            except Exception as error:
                return type(error), normalised(str(error)).split("<")[0], transport.is_closing()
            finally:
                transport.abort()
                theirs.close()
                await protocol.lost

        return loop.run_until_complete(main())

    assert compare(scenario) == (RuntimeError, "File descriptor ", False)
