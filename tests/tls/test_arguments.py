"""Arguments about TLS that do not go together, are of the wrong type, or belong to the other side."""

import asyncio
import socket
import ssl
import sys

import pytest
from helpers import (
    Recorder,
    collect_errors,
    compare,
    eventually,
    normalised,
    outcome,
    tcp_pair,
    tls_serving,
)


class Upper(Recorder):
    """Answers in capitals."""

    def data_received(self, data):
        super().data_received(data)
        self.transport.write(data.upper())


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
