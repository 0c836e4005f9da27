"""Datagram endpoints for tests."""

import asyncio
import contextlib


class DatagramRecorder(asyncio.DatagramProtocol):
    """Keeps the calls in order, what it receives and the errors it is told."""

    def __init__(self):
        self.events = []
        self.received = asyncio.Queue()
        self.errors = asyncio.Queue()
        self.lost = asyncio.get_running_loop().create_future()
        self.transport = None

    def connection_made(self, transport):
        self.events.append("connection_made")
        self.transport = transport

    def datagram_received(self, data, address):
        self.events.append("datagram_received")
        self.received.put_nowait((data, address))

    def error_received(self, error):
        self.events.append("error_received")
        self.errors.put_nowait(error)

    def connection_lost(self, error):
        self.events.append("connection_lost")
        self.lost.set_result(error)

    def pause_writing(self):
        self.events.append("pause_writing")

    def resume_writing(self):
        self.events.append("resume_writing")


@contextlib.asynccontextmanager
async def closed_endpoints(factory=DatagramRecorder):
    """A function that opens endpoints and returns their protocols; afterwards all are closed."""
    loop = asyncio.get_running_loop()
    protocols = []

    async def opened(**keywords):
        _, protocol = await loop.create_datagram_endpoint(factory, **keywords)
        protocols.append(protocol)
        return protocol

    try:
        yield opened
    finally:
        for protocol in protocols:
            if not protocol.lost.done():
                protocol.transport.abort()
                await protocol.lost
        # The descriptor is closed after connection_lost().
        await asyncio.sleep(0)
