"""Loops and transports that are abandoned in the middle of their work, over and over: nothing stays behind."""

import asyncio
import gc
import os
import socket
import sys
import warnings
import weakref

import pytest
from helpers import open_descriptors


class Protocol(asyncio.Protocol):
    """Part of a cycle with its transport and its loop."""

    def connection_made(self, transport):
        self.transport, self.loop = transport, asyncio.get_running_loop()


class Datagrams(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport, self.loop = transport, asyncio.get_running_loop()


async def serving(context=None):
    loop = asyncio.get_running_loop()
    return await loop.create_server(Protocol, "127.0.0.1", 0, ssl=context)


async def tcp(authority):
    loop = asyncio.get_running_loop()
    server = await serving()
    transport, protocol = await loop.create_connection(Protocol, *server.sockets[0].getsockname())
    transport.write(b"x" * 100_000)
    return [server, transport, protocol]


async def unix(authority):
    one, other = socket.socketpair()
    loop = asyncio.get_running_loop()
    pairs = [await loop.create_unix_connection(Protocol, sock=sock) for sock in (one, other)]
    pairs[0][0].write(b"x" * 1_000_000)
    return [*pairs[0], *pairs[1]]


async def tls(authority):
    server = await serving(authority.server_context())
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_connection(
        Protocol, *server.sockets[0].getsockname(), ssl=authority.client_context()
    )
    transport.write(b"x" * 100_000)
    return [server, transport, protocol]


async def datagrams(authority):
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(Datagrams, local_addr=("127.0.0.1", 0))
    transport.sendto(b"datagram", transport.get_extra_info("sockname"))
    return [transport, protocol]


async def pipes(authority):
    loop = asyncio.get_running_loop()
    reading, writing = os.pipe()
    reader = await loop.connect_read_pipe(Protocol, open(reading, "rb", 0))
    writer = await loop.connect_write_pipe(Protocol, open(writing, "wb", 0))
    writer[0].write(b"x" * 1_000_000)
    return [*reader, *writer]


async def streams(authority):
    accepted = []
    server = await asyncio.start_server(lambda *ends: accepted.extend(ends), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(b"hello")
    task = asyncio.ensure_future(reader.readline())
    while not accepted:
        await asyncio.sleep(0)
    return [server, reader, writer, task, *accepted]


async def waiting(authority):
    loop = asyncio.get_running_loop()
    one, other = socket.socketpair()
    one.setblocking(False)
    task = asyncio.ensure_future(loop.sock_recv(one, 10))
    await asyncio.sleep(0)
    future = loop.create_future()
    future.add_done_callback(lambda done, keeps=(loop, future): None)
    loop.call_later(100, lambda: (task, future))
    loop.add_writer(other, lambda: task)
    return [task, future]


# Rounds after which the caches of the interpreter are filled.
WARM_UP = 7

KINDS = [tcp, unix, tls, datagrams, pipes, streams, waiting]


def abandon(loop_factory, kind, authority, debug):
    """Weak references to a loop and to what lived on it."""
    loop = loop_factory()
    loop.set_debug(debug)
    loop.set_exception_handler(lambda loop, context: None)
    things = loop.run_until_complete(kind(authority))
    references = [weakref.ref(loop)]
    for thing in things:
        try:
            references.append(weakref.ref(thing))
        except TypeError:
            continue
    return references


@pytest.mark.parametrize("debug", [False, True], ids=["", "debug"])
@pytest.mark.parametrize("kind", KINDS)
def test_abandoned_loops_leave_nothing(loop_factory, kind, authority, debug):
    rounds = int(os.environ.get("MAINSPRING_LIFE_ROUNDS", "13")) - WARM_UP
    # Caches of the interpreter's may still grow a little; a loop with a connection is some hundred blocks.
    blocks, objects = 60 * rounds, 2 * rounds

    def held_after(rounds):
        for _ in range(rounds):
            references = abandon(loop_factory, kind, authority, debug)
            gc.collect()
            gc.collect()
            assert [reference() for reference in references if reference() is not None] == []
        return sys.getallocatedblocks(), len(gc.get_objects()), len(open_descriptors())

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        before = held_after(WARM_UP)
        after = held_after(rounds)
        if after[0] - before[0] >= blocks or after[1] - before[1] >= objects:
            # A cache has grown, which it does once; what each loop leaves is left again.
            before, after = after, held_after(rounds)
    assert after[0] - before[0] < blocks
    assert after[1] - before[1] < objects
    assert after[2] == before[2]
