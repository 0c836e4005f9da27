"""Connections for tests: recording protocols, a transport with a plain socket as its peer, a server."""

import asyncio
import contextlib

from helpers.sockets import tcp_pair


class Recorder(asyncio.Protocol):
    """Records what the transport calls, in order; data is also put together in `received`."""

    def __init__(self, keep_open_at_eof=False):
        self.events = []
        self.received = bytearray()
        self.transport = None
        self.keep_open_at_eof = keep_open_at_eof
        self.lost = None

    def connection_made(self, transport):
        self.transport = transport
        self.lost = asyncio.get_running_loop().create_future()
        self.events.append("connection_made")

    def data_received(self, data):
        assert type(data) is bytes
        self.received += data
        self.events.append("data_received")

    def eof_received(self):
        self.events.append("eof_received")
        return self.keep_open_at_eof

    def connection_lost(self, error):
        self.events.append("connection_lost")
        if not self.lost.done():
            self.lost.set_result(error)

    def pause_writing(self):
        self.events.append("pause_writing")

    def resume_writing(self):
        self.events.append("resume_writing")


def end(transport):
    """abort(), which on the default loop is an AttributeError when close() has sent what was queued."""
    if transport.get_protocol() is not None:
        transport.abort()


@contextlib.asynccontextmanager
async def connected(factory=Recorder):
    """A transport and its protocol with a plain non-blocking socket as the peer, all closed afterwards."""
    loop = asyncio.get_running_loop()
    ours, peer = tcp_pair()
    transport, protocol = await loop.create_connection(factory, sock=ours)
    try:
        yield transport, protocol, peer
    finally:
        peer.close()
        end(transport)
        for _ in range(3):
            await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def serving(factory, **keywords):
    """A server on a free port of the loopback interface, closed afterwards with its connections."""
    loop = asyncio.get_running_loop()
    made = []

    def make():
        protocol = factory()
        made.append(protocol)
        return protocol

    server = await loop.create_server(make, "127.0.0.1", 0, **keywords)
    try:
        yield server, server.sockets[0].getsockname(), made
    finally:
        server.close()
        for protocol in made:
            transport = getattr(protocol, "transport", None)
            if transport is not None:
                end(transport)
        for _ in range(3):
            await asyncio.sleep(0)
