"""Connections, datagrams, pipes and sockets."""

import asyncio
import contextlib
import os
import socket
import tempfile
from pathlib import Path

from helpers.abilities import ability
from helpers.certificates import Authority


class Collecting(asyncio.Protocol):
    """Keeps what arrives, and tells when the connection has ended."""

    def __init__(self):
        self.data = b""
        self.ended = asyncio.get_running_loop().create_future()

    def data_received(self, data):
        self.data += data

    def connection_lost(self, error):
        self.ended.set_result(self.data)


class Receiving(asyncio.DatagramProtocol):
    def __init__(self):
        self.received = asyncio.get_running_loop().create_future()

    def datagram_received(self, data, address):
        self.received.set_result(data)


async def echo(reader, writer):
    writer.write(await reader.readline())
    writer.close()


async def ask(reader, writer):
    writer.write(b"hello\n")
    assert await reader.readline() == b"hello\n"
    writer.close()
    await writer.wait_closed()


@contextlib.asynccontextmanager
async def collecting():
    """A transport and the protocol at the other end of its connection."""
    loop = asyncio.get_running_loop()
    accepted = loop.create_future()

    def accept():
        accepted.set_result(Collecting())
        return accepted.result()

    server = await loop.create_server(accept, "127.0.0.1", 0)
    transport, _ = await loop.create_connection(Collecting, *server.sockets[0].getsockname())
    try:
        yield transport, await accepted
    finally:
        transport.abort()
        server.close()
        await asyncio.sleep(0.01)


@contextlib.contextmanager
def tls():
    with tempfile.TemporaryDirectory() as folder:
        authority = Authority(Path(folder))
        yield authority.server_context(), authority.client_context()


@ability("TCP connections and servers")
async def tcp():
    async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
        await ask(*await asyncio.open_connection(*server.sockets[0].getsockname()))


@ability("UNIX sockets")
async def unix():
    with tempfile.TemporaryDirectory() as folder:
        async with await asyncio.start_unix_server(echo, f"{folder}/socket"):
            await ask(*await asyncio.open_unix_connection(f"{folder}/socket"))


@ability("TLS")
async def tls_streams():
    with tls() as (server_context, client_context):
        async with await asyncio.start_server(echo, "127.0.0.1", 0, ssl=server_context) as server:
            port = server.sockets[0].getsockname()[1]
            await ask(*await asyncio.open_connection("localhost", port, ssl=client_context, family=socket.AF_INET))


@ability("TLS on a connection that is open already (`start_tls`)")
async def start_tls():
    with tls() as (server_context, client_context):

        async def upgrade(reader, writer):
            await writer.start_tls(server_context)
            await echo(reader, writer)

        async with await asyncio.start_server(upgrade, "127.0.0.1", 0) as server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            await writer.start_tls(client_context, server_hostname="localhost")
            await ask(reader, writer)


@ability("Datagrams")
async def datagrams():
    loop = asyncio.get_running_loop()
    receiver, protocol = await loop.create_datagram_endpoint(Receiving, ("127.0.0.1", 0))
    sender, _ = await loop.create_datagram_endpoint(Receiving, remote_addr=receiver.get_extra_info("sockname"))
    sender.sendto(b"hello")
    assert await protocol.received == b"hello"
    sender.close()
    receiver.close()


@ability("Pipes (`connect_read_pipe`, `connect_write_pipe`)")
async def pipes():
    loop = asyncio.get_running_loop()
    read, write = os.pipe()
    _, protocol = await loop.connect_read_pipe(Collecting, os.fdopen(read, "rb", 0))
    transport, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, os.fdopen(write, "wb", 0))
    transport.write(b"hello")
    transport.close()
    assert await protocol.ended == b"hello"


@ability("`loop.sendfile`")
async def sendfile():
    async with collecting() as (transport, peer):
        with tempfile.TemporaryFile(buffering=0) as file:
            file.write(b"hello")
            assert await asyncio.get_running_loop().sendfile(transport, file) == 5
        transport.close()
        assert await peer.ended == b"hello"


@ability("`loop.sock_sendfile`")
async def sock_sendfile():
    sender, receiver = socket.socketpair()
    with sender, receiver, tempfile.TemporaryFile(buffering=0) as file:
        sender.setblocking(False)
        file.write(b"hello")
        assert await asyncio.get_running_loop().sock_sendfile(sender, file) == 5
        assert receiver.recv(100) == b"hello"


@ability("`loop.sock_recv`, `sock_sendall`, `sock_accept`, `sock_connect`")
async def sock_streams():
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as client:
        listener.setblocking(False)
        client.setblocking(False)
        accepting = asyncio.ensure_future(loop.sock_accept(listener))
        await loop.sock_connect(client, listener.getsockname())
        connection, _ = await accepting
        with connection:
            await loop.sock_sendall(client, b"hello")
            assert await loop.sock_recv(connection, 100) == b"hello"


@ability("`loop.sock_sendto`, `sock_recvfrom`, `sock_recvfrom_into`")
async def sock_datagrams():
    loop = asyncio.get_running_loop()
    with socket.socket(type=socket.SOCK_DGRAM) as sender, socket.socket(type=socket.SOCK_DGRAM) as receiver:
        sender.setblocking(False)
        receiver.setblocking(False)
        receiver.bind(("127.0.0.1", 0))
        await loop.sock_sendto(sender, b"hello", receiver.getsockname())
        await loop.sock_sendto(sender, b"hello", receiver.getsockname())
        assert (await loop.sock_recvfrom(receiver, 100))[0] == b"hello"
        assert (await loop.sock_recvfrom_into(receiver, bytearray(100)))[0] == 5


@ability("`BufferedProtocol`")
async def buffered():
    loop = asyncio.get_running_loop()
    buffer, received = bytearray(100), loop.create_future()

    class Buffered(asyncio.BufferedProtocol):
        def get_buffer(self, sizehint):
            return buffer

        def buffer_updated(self, size):
            received.set_result(bytes(buffer[:size]))

    server = await loop.create_server(Buffered, "127.0.0.1", 0)
    transport, _ = await loop.create_connection(Collecting, *server.sockets[0].getsockname())
    transport.write(b"hello")
    assert await received == b"hello"
    transport.close()
    server.close()


@ability("`get_extra_info('socket')` is asyncio's own kind of socket")
async def real_sockets():
    async with collecting() as (transport, _):
        sock = transport.get_extra_info("socket")
        assert sock.getpeername() == transport.get_extra_info("peername")
        assert isinstance(sock, (socket.socket, asyncio.trsock.TransportSocket))


@ability("Default water marks of asyncio: 16 and 64 KiB")
async def water_marks():
    async with collecting() as (transport, _):
        assert transport.get_write_buffer_limits() == (16384, 65536)


@ability("Happy eyeballs (`happy_eyeballs_delay`)")
async def happy_eyeballs():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Collecting, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    transport, _ = await loop.create_connection(Collecting, "127.0.0.1", port, happy_eyeballs_delay=0.25)
    transport.close()
    server.close()


@ability("`Server.close_clients`, `abort_clients` (Python 3.13)")
async def server_clients():
    loop = asyncio.get_running_loop()
    accepted = loop.create_future()

    class Accepting(asyncio.Protocol):
        def connection_made(self, transport):
            accepted.set_result(transport)

    server = await loop.create_server(Accepting, "127.0.0.1", 0)
    _, protocol = await loop.create_connection(Collecting, *server.sockets[0].getsockname())
    transport = await accepted
    server.close()
    server.close_clients()
    assert transport.is_closing()
    server.abort_clients()
    await protocol.ended
