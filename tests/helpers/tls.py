"""TLS connections for tests: between two protocols, and between a protocol and a peer that is driven by hand."""

import asyncio
import contextlib
import socket
import ssl
import struct

from helpers.protocols import Recorder
from helpers.sockets import tcp_pair
from helpers.waiting import eventually


class TlsPeer:
    """The other end of a TLS connection, without a transport: each step is taken when the test says so."""

    def __init__(self, sock, context, server_side, piece=None):
        self.sock, self._piece = sock, piece
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        name = None if server_side else "localhost"
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_side=server_side, server_hostname=name)

    async def _send_records(self):
        # With `piece` in so small pieces, for each of which the loop makes a turn.
        while records := self._outgoing.read(self._piece or -1):
            await asyncio.get_running_loop().sock_sendall(self.sock, records)
            await asyncio.sleep(0)

    async def _receive_records(self):
        data = await asyncio.get_running_loop().sock_recv(self.sock, 1 << 18)
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    async def _do(self, method, *arguments):
        while True:
            try:
                result = method(*arguments)
            except ssl.SSLWantReadError:
                await self._send_records()
                await self._receive_records()
            else:
                await self._send_records()
                return result

    async def handshake(self):
        """Take part in the handshake until it is done."""
        await self._do(self.tls.do_handshake)

    async def take(self):
        """Receive what is there and do nothing with it yet."""
        await self._receive_records()

    def next_step(self):
        """Take one step of the handshake: the records that it wants to send."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self.tls.do_handshake()
        return self._outgoing.read()

    def encrypted(self, data):
        """The records that carry these data."""
        self.tls.write(data)
        return self._outgoing.read()

    async def send(self, data):
        """Encrypt and send."""
        self.tls.write(data)
        await self._send_records()

    async def read(self):
        """What comes next, decrypted; empty at the end, be it a close_notify or the end of the stream."""
        try:
            return await self._do(self.tls.read, 1 << 18)
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""

    async def read_to_end(self):
        """Everything that comes, and how it ended: "close_notify" or "end of stream"."""
        received = bytearray()
        while True:
            try:
                data = await self._do(self.tls.read, 1 << 18)
            except ssl.SSLEOFError:
                return bytes(received), "end of stream"
            except ssl.SSLZeroReturnError:
                data = b""
            if not data:
                return bytes(received), "close_notify"
            received += data

    async def say_goodbye(self):
        """Send close_notify and wait for the answer."""
        await self._do(self.tls.unwrap)

    async def send_close_notify(self):
        """Send close_notify and wait for nothing."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self.tls.unwrap()
        await self._send_records()

    def end_stream(self):
        """End our side of the TCP connection, without close_notify."""
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self):
        """Reset the TCP connection."""
        reset(self.sock)


def reset(sock):
    """Close a TCP socket so that its peer gets a reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def tls_making(authority, factory, side, *, version=None, piece=None, **keywords):
    """A transport in the making, as "client" or "server": its socket, a TlsPeer that has done nothing yet, and a
    coroutine.
    """
    loop = asyncio.get_running_loop()
    ours, theirs = tcp_pair()
    contexts = authority.server_context(version=version), authority.client_context(version=version)
    if side == "server":
        peer = TlsPeer(theirs, contexts[1], server_side=False, piece=piece)
        return ours, peer, loop.connect_accepted_socket(factory, ours, ssl=contexts[0], **keywords)
    peer = TlsPeer(theirs, contexts[0], server_side=True, piece=piece)
    connecting = loop.create_connection(factory, sock=ours, ssl=contexts[1], server_hostname="localhost", **keywords)
    return ours, peer, connecting


@contextlib.asynccontextmanager
async def tls_with_peer(authority, factory=Recorder, *, side="client", **keywords):
    """A transport, as "client" or "server", and its protocol, with a TlsPeer that has done the handshake."""
    _, peer, making = tls_making(authority, factory, side, **keywords)
    (transport, protocol), _ = await asyncio.gather(making, peer.handshake())
    try:
        yield transport, protocol, peer
    finally:
        peer.sock.close()
        transport.abort()
        await eventually(protocol.lost.done)


@contextlib.asynccontextmanager
async def tls_serving(context, factory=Recorder, **keywords):
    """A TLS server on the loopback interface: its address and its protocols; all is closed afterwards."""
    loop = asyncio.get_running_loop()
    made = []

    def make():
        protocol = factory()
        made.append(protocol)
        return protocol

    server = await loop.create_server(make, "127.0.0.1", 0, ssl=context, **keywords)
    try:
        yield server.sockets[0].getsockname(), made
    finally:
        server.close()
        # A handshake may be in progress; it ends when the client has gone.
        for protocol in made:
            if protocol.transport is not None:
                protocol.transport.abort()
                await eventually(protocol.lost.done)
        await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def tls_connected(
    server_context, client_context, server_factory=Recorder, client_factory=Recorder, *, server_options=(), **keywords
):
    """A client's protocol and a server's, connected; both have the attribute `transport`."""
    loop = asyncio.get_running_loop()
    async with tls_serving(server_context, server_factory, **dict(server_options)) as (address, made):
        keywords.setdefault("server_hostname", "localhost")
        transport, client = await loop.create_connection(client_factory, *address, ssl=client_context, **keywords)
        try:
            await eventually(lambda: made and made[0].transport is not None)
            yield client, made[0]
        finally:
            transport.abort()
            await eventually(client.lost.done)
