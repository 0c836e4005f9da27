"""ssl_handshake_timeout and ssl_shutdown_timeout."""

import asyncio
import socket

import pytest
from helpers import (
    Recorder,
    TlsPeer,
    collect_errors,
    compare,
    connected,
    eventually,
    normalised,
    tcp_pair,
    tls_connected,
    tls_serving,
    tls_with_peer,
    turns,
)

SOON = 0.03


async def connect(loop, authority, sock):
    await loop.create_connection(
        Recorder, sock=sock, ssl=authority.client_context(), server_hostname="localhost", ssl_handshake_timeout=SOON
    )


async def accept(loop, authority, sock):
    await loop.connect_accepted_socket(Recorder, sock, ssl=authority.server_context(), ssl_handshake_timeout=SOON)


async def open_streams(loop, authority, sock):
    await asyncio.open_connection(
        sock=sock, ssl=authority.client_context(), server_hostname="localhost", ssl_handshake_timeout=SOON
    )


async def start_tls(loop, authority, sock):
    transport, protocol = await loop.create_connection(Recorder, sock=sock)
    await loop.start_tls(
        transport, protocol, authority.client_context(), server_hostname="localhost", ssl_handshake_timeout=SOON
    )


@pytest.mark.parametrize("way", [connect, accept, open_streams, start_tls], ids=lambda way: way.__name__)
def test_a_handshake_with_a_silent_peer_times_out_as_by_default(authority, way):
    def scenario(loop):
        async def main():
            errors = collect_errors(loop)
            ours, theirs = tcp_pair()
            with theirs:
                try:
                    await way(loop, authority, ours)
                except Exception as error:
                    await turns(3)
                    # The connection has been closed after what we sent.
                    while await loop.sock_recv(theirs, 10_000):
                        pass
                    return type(error), str(error), errors

        return loop.run_until_complete(main())

    kind, text, errors = compare(scenario)
    assert kind is ConnectionAbortedError
    assert text == f"SSL handshake is taking longer than {SOON} seconds: aborting the connection"
    assert errors == []


@pytest.mark.parametrize("debug", [False, True], ids=["", "debug"])
@pytest.mark.parametrize("greeting", [b"", b"\x16\x03\x01\x02\x00\x01"], ids=["silent", "half a record"])
def test_a_server_drops_who_does_not_finish_the_handshake(authority, greeting, debug):
    def scenario(loop):
        async def main():
            errors = collect_errors(loop)
            loop.set_debug(debug)
            async with tls_serving(authority.server_context(), ssl_handshake_timeout=SOON) as (address, made):
                sock = socket.create_connection(address)
                sock.setblocking(False)
                with sock:
                    await loop.sock_sendall(sock, greeting)
                    assert await loop.sock_recv(sock, 100) == b""
                await turns(3)
                told = [
                    (sorted(context), context["message"], type(context["exception"]), str(context["exception"]))
                    for context in errors
                ]
                return told, [protocol.events for protocol in made]

        return loop.run_until_complete(main())

    told, events = compare(scenario)
    assert bool(told) == debug
    assert events == [[]]


@pytest.mark.parametrize("written", [0, 10, 8 << 20])
@pytest.mark.parametrize("side", ["client", "server"])
def test_a_shutdown_that_the_peer_does_not_answer_times_out_as_by_default(authority, side, written):
    def scenario(loop):
        async def main():
            errors = collect_errors(loop)
            async with tls_with_peer(authority, side=side, ssl_shutdown_timeout=SOON) as (transport, protocol, _):
                transport.write(b"x" * written)
                transport.close()
                closing = transport.is_closing()
                error = await protocol.lost
                return type(error), str(error), closing, protocol.events, errors

        return loop.run_until_complete(main())

    kind, text, closing, events, errors = compare(scenario)
    assert kind is TimeoutError
    assert text == "SSL shutdown timed out"
    assert closing
    assert events[0] == "connection_made"
    assert events[-1] == "connection_lost"
    assert errors == []


def test_a_server_passes_its_shutdown_timeout_on(authority):
    def scenario(loop):
        async def main():
            contexts = authority.server_context(), authority.client_context()
            options = {"ssl_shutdown_timeout": SOON}
            async with tls_connected(*contexts, server_options=options) as (client, server):
                # Nothing is read any more, so the goodbye is not answered.
                client.transport.pause_reading()
                server.transport.write(b"x" * (16 << 20))
                server.transport.close()
                error = await server.lost
                return type(error), str(error)

        return loop.run_until_complete(main())

    assert compare(scenario) == (TimeoutError, "SSL shutdown timed out")


def test_start_tls_passes_its_shutdown_timeout_on(authority):
    def scenario(loop):
        async def main():
            async with connected() as (plain, protocol, sock):
                peer = TlsPeer(sock, authority.server_context(), server_side=True)
                upgrading = loop.start_tls(
                    plain,
                    protocol,
                    authority.client_context(),
                    server_hostname="localhost",
                    ssl_shutdown_timeout=SOON,
                )
                tls, _ = await asyncio.gather(upgrading, peer.handshake())
                tls.close()
                error = await protocol.lost
                return type(error), str(error)

        return loop.run_until_complete(main())

    assert compare(scenario) == (TimeoutError, "SSL shutdown timed out")


def test_wait_closed_tells_of_a_shutdown_that_timed_out(authority):
    def scenario(loop):
        async def main():
            async with tls_with_peer(authority, ssl_shutdown_timeout=SOON) as (transport, recorder, _):
                reader = asyncio.StreamReader()
                streams = asyncio.StreamReaderProtocol(reader)
                streams.connection_made(transport)
                transport.set_protocol(streams)
                writer = asyncio.StreamWriter(transport, streams, reader, loop)
                writer.close()
                try:
                    await writer.wait_closed()
                except Exception as error:
                    return type(error), str(error)
                finally:
                    recorder.lost.set_result(None)

        return loop.run_until_complete(main())

    assert compare(scenario) == (TimeoutError, "SSL shutdown timed out")


VALUES = [0, 0.0, -1, -0.5, "1", None]


@pytest.mark.parametrize("name", ["ssl_handshake_timeout", "ssl_shutdown_timeout"])
@pytest.mark.parametrize("value", VALUES, ids=repr)
@pytest.mark.parametrize("method", ["create_connection", "connect_accepted_socket"])
def test_timeouts_are_checked_as_by_default(authority, method, name, value):
    def scenario(loop):
        async def main():
            ours, theirs = tcp_pair()
            keywords = {name: value}
            if method == "create_connection":
                keywords |= {"ssl": authority.client_context(), "server_hostname": "localhost"}
            else:
                keywords |= {"ssl": authority.server_context()}
            # The peer has gone, so that good arguments end with an error, too.
            theirs.shutdown(socket.SHUT_WR)
            with theirs, ours:
                try:
                    await getattr(loop, method)(Recorder, sock=ours, **keywords)
                except Exception as error:
                    return type(error), normalised(str(error))

        return loop.run_until_complete(main())

    kind, text = compare(scenario)
    if value is None:
        assert kind is ConnectionResetError
    elif value == "1":
        assert kind is TypeError
    else:
        assert (kind, text) == (ValueError, f"{name} should be a positive number, got {value}")


@pytest.mark.parametrize("name", ["ssl_handshake_timeout", "ssl_shutdown_timeout"])
def test_a_servers_timeout_is_looked_at_when_a_client_comes(authority, name):
    def scenario(loop):
        async def main():
            loop.set_debug(True)
            errors = collect_errors(loop)
            async with tls_serving(authority.server_context(), **{name: 0}) as (address, made):
                with socket.create_connection(address):
                    await eventually(lambda: errors)
                (context,) = errors
                error = context.pop("exception")
                error.__traceback__ = None
                assert context.pop("protocol") is made[0]
                return type(error), str(error), context

        return loop.run_until_complete(main())

    kind, text, context = compare(scenario)
    assert (kind, text) == (ValueError, f"{name} should be a positive number, got 0")
    assert context == {"message": "Error on transport creation for incoming connection"}
