"""TLS connections that are given up during the handshake, and what finished ones leave behind: nothing."""

import asyncio
import gc
import socket
import weakref

import pytest
from helpers import (
    Recorder,
    TlsPeer,
    collect_errors,
    connected,
    eventually,
    open_descriptors,
    tcp_pair,
    tls_connected,
    tls_serving,
    tls_with_peer,
    turns,
)


def connect(loop, authority, factory, address):
    return loop.create_connection(
        factory, *address, ssl=authority.client_context(), server_hostname="localhost", ssl_handshake_timeout=60
    )


async def accepted_greeting(loop, listener):
    """Accept a connection and read what the client begins with."""
    sock, _ = await loop.sock_accept(listener)
    assert (await loop.sock_recv(sock, 10_000))[:1] == b"\x16"
    return sock


def silent_listener():
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    return listener


@pytest.mark.parametrize("way", ["cancel", "wait_for", "TaskGroup"])
def test_a_handshake_that_is_given_up_leaves_nothing_behind(loop, errors, authority, way):
    made = []

    def make():
        protocol = Recorder()
        made.append(weakref.ref(protocol))
        return protocol

    async def give_up(listener):
        connecting = connect(loop, authority, make, listener.getsockname())
        if way == "wait_for":
            task = loop.create_task(asyncio.wait_for(connecting, 0.03))
            expected = TimeoutError
        else:
            task = loop.create_task(connecting)
            expected = asyncio.CancelledError
        sock = await accepted_greeting(loop, listener)
        if way == "TaskGroup":
            with pytest.raises(ExceptionGroup):
                async with asyncio.TaskGroup() as group:
                    group.create_task(asyncio.wait_for(task, 60))
                    await turns(2)
                    group.create_task(connect(loop, authority, make, ("127.0.0.1", 1)))
        elif way == "cancel":
            task.cancel()
        with pytest.raises(expected):
            await task
        # The client has closed its socket.
        assert await loop.sock_recv(sock, 100) == b""
        sock.close()

    async def main():
        with silent_listener() as listener:
            # A loop may open descriptors of its own for its first connection.
            await give_up(listener)
            await turns(3)
            before = open_descriptors()
            for _ in range(3):
                await give_up(listener)
            await turns(3)
            assert open_descriptors() == before

    loop.run_until_complete(main())
    gc.collect()
    assert [ref() for ref in made] == [None] * len(made)
    assert len(made) >= 3
    assert errors == []


@pytest.mark.parametrize("way", ["connect_accepted_socket", "start_tls", "open_connection", "sock="])
def test_other_handshakes_are_given_up_as_well(loop, errors, authority, way):
    async def main():
        before = open_descriptors()
        ours, theirs = tcp_pair()
        if way == "connect_accepted_socket":
            coroutine = loop.connect_accepted_socket(Recorder, ours, ssl=authority.server_context())
        elif way == "start_tls":
            transport, protocol = await loop.create_connection(Recorder, sock=ours)
            coroutine = loop.start_tls(transport, protocol, authority.client_context(), server_hostname="localhost")
        elif way == "open_connection":
            coroutine = asyncio.open_connection(sock=ours, ssl=authority.client_context(), server_hostname="localhost")
        else:
            coroutine = loop.create_connection(
                Recorder, sock=ours, ssl=authority.client_context(), server_hostname="localhost"
            )
        task = loop.create_task(coroutine)
        await turns(5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        while await loop.sock_recv(theirs, 10_000):
            pass
        theirs.close()
        await turns(3)
        assert open_descriptors() == before

    loop.run_until_complete(main())
    assert errors == []


def test_clients_that_leave_during_the_handshake_leave_nothing_on_the_server(loop, errors, server_context):
    async def main():
        async with tls_serving(server_context) as (address, made):
            before = open_descriptors().keys()
            for greeting in (b"", b"\x16\x03\x01"):
                for _ in range(10):
                    with socket.create_connection(address) as sock:
                        sock.sendall(greeting)
            await eventually(lambda: len(made) == 20 and open_descriptors().keys() == before)
            assert [protocol.events for protocol in made] == [[]] * 20
            refs = [weakref.ref(protocol) for protocol in made]
            made.clear()
        return refs

    refs = loop.run_until_complete(main())
    gc.collect()
    assert [ref() for ref in refs] == [None] * 20
    assert errors == []


def test_a_server_closed_during_a_handshake_lets_it_finish(loop, errors, server_context, client_context):
    async def main():
        made = Recorder()
        server = await loop.create_server(lambda: made, "127.0.0.1", 0, ssl=server_context)
        sock = socket.create_connection(server.sockets[0].getsockname())
        sock.setblocking(False)
        await turns(5)
        server.close()
        peer = TlsPeer(sock, client_context, server_side=False)
        await peer.handshake()
        await peer.send(b"late")
        await eventually(lambda: made.received == b"late")
        made.transport.abort()
        await made.lost
        sock.close()
        await server.wait_closed()

    loop.run_until_complete(main())
    assert errors == []


ENDINGS = ["close", "abort", "goodbye", "end of stream", "reset"]


@pytest.mark.parametrize("side", ["client", "server"])
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_finished_connection_is_freed(loop, errors, authority, ending, side):
    async def main():
        async with tls_with_peer(authority, side=side) as (transport, protocol, peer):
            await peer.send(b"hello")
            await eventually(lambda: protocol.received == b"hello")
            if ending in ("close", "abort"):
                getattr(transport, ending)()
            if ending in ("close", "goodbye"):
                await peer.say_goodbye()
            if ending == "reset":
                peer.reset()
            else:
                peer.end_stream()
            await protocol.lost
            await turns(3)
            protocol.transport = None
            ssl_object = transport.get_extra_info("ssl_object")
            return [weakref.ref(one) for one in (transport, protocol, ssl_object)]

    refs = loop.run_until_complete(main())
    gc.collect()
    assert [ref() for ref in refs] == [None] * 3
    assert errors == []


def test_a_finished_upgrade_is_freed(loop, errors, authority):
    async def main():
        async with connected() as (plain, protocol, sock):
            peer = TlsPeer(sock, authority.client_context(), server_side=False)
            upgrading = loop.start_tls(plain, protocol, authority.server_context(), server_side=True)
            tls, _ = await asyncio.gather(upgrading, peer.handshake())
            tls.close()
            await peer.say_goodbye()
            peer.end_stream()
            await protocol.lost
            await turns(3)
            protocol.transport = None
            return [weakref.ref(one) for one in (plain, tls, protocol)]

    refs = loop.run_until_complete(main())
    gc.collect()
    assert [ref() for ref in refs] == [None] * 3
    assert errors == []


def test_the_contexts_are_freed_with_the_server(loop, authority):
    async def main():
        contexts = authority.server_context(), authority.client_context()
        async with tls_connected(*contexts) as (client, server):
            client.transport.write(b"hello")
            await eventually(lambda: server.received == b"hello")
        await turns(5)
        return [weakref.ref(context) for context in contexts]

    refs = loop.run_until_complete(main())
    gc.collect()
    assert [ref() for ref in refs] == [None] * 2


def test_many_connections_one_after_the_other_leave_no_descriptor(loop, errors, server_context, client_context):
    async def main():
        async with tls_serving(server_context) as (address, made):
            before = open_descriptors().keys()
            for number in range(30):
                transport, client = await loop.create_connection(Recorder, *address, ssl=client_context)
                transport.write(b"hello")
                await eventually(lambda count=number: len(made) > count and made[count].received == b"hello")
                transport.close()
                await asyncio.gather(client.lost, made[number].lost)
            await turns(3)
            assert open_descriptors().keys() == before

    loop.run_until_complete(main())
    assert errors == []


def test_a_context_is_not_kept_by_a_failed_handshake(loop, stranger, authority):
    async def main():
        errors = collect_errors(loop)
        async with tls_serving(stranger.server_context()) as (address, made):
            context = authority.client_context()
            try:
                await loop.create_connection(Recorder, *address, ssl=context)
            except OSError:
                pass
            else:
                pytest.fail("the stranger was trusted")
            await turns(5)
            assert errors == []
            return weakref.ref(context), weakref.ref(made.pop())

    refs = loop.run_until_complete(main())
    gc.collect()
    assert [ref() for ref in refs] == [None, None]
