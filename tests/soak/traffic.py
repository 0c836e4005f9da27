"""Traffic of every kind; each function makes one round of it and leaves nothing behind."""

import asyncio
import contextlib
import os
import random
import signal
import socket
import sys

PAYLOADS = [random.Random(size).randbytes(size) for size in (1, 1000, 70_000, 300_000)]


class Site:
    """The servers that the traffic goes to."""

    async def start(self, folder, authority):
        """Start them all."""
        loop = asyncio.get_running_loop()
        self.path = str(folder / "socket")
        self.client_context = authority.client_context()
        context = authority.server_context()
        self._servers = [
            await loop.create_server(_Echo, "127.0.0.1", 0),
            await loop.create_server(_Echo, "127.0.0.1", 0, ssl=context),
            await asyncio.start_server(_echo_stream, "127.0.0.1", 0),
            await asyncio.start_unix_server(_echo_stream, self.path),
        ]
        self.address, self.tls_address, self.stream_address = (
            server.sockets[0].getsockname() for server in self._servers[:3]
        )
        self._datagrams, _ = await loop.create_datagram_endpoint(_EchoDatagrams, ("127.0.0.1", 0))
        self.datagram_address = self._datagrams.get_extra_info("sockname")

    def stop(self):
        """Stop them."""
        for server in self._servers:
            server.close()
        self._datagrams.close()


class _Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)


async def _echo_stream(reader, writer):
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


class _EchoDatagrams(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, address):
        self.transport.sendto(data, address)


class _Expecting(asyncio.Protocol):
    # Sends something and waits until it has come back.
    def __init__(self, payload):
        self.payload, self.received = payload, bytearray()
        self.done = asyncio.get_running_loop().create_future()
        self.lost = asyncio.get_running_loop().create_future()

    def connection_made(self, transport):
        self.transport = transport
        transport.write(self.payload)

    def data_received(self, data):
        self.received += data
        if len(self.received) >= len(self.payload) and not self.done.done():
            self.done.set_result(bytes(self.received) == self.payload)

    def connection_lost(self, error):
        if not self.done.done():
            self.done.cancel()
        self.lost.set_result(None)


async def _exchange(making, rng):
    protocol = _Expecting(rng.choice(PAYLOADS))
    transport, _ = await making(lambda: protocol)
    assert await protocol.done, "other data came back than were sent"
    rng.choice((transport.close, transport.abort))()
    await protocol.lost


async def tcp(site, rng):
    """A connection with a protocol at both ends."""
    loop = asyncio.get_running_loop()
    await _exchange(lambda make: loop.create_connection(make, *site.address), rng)


async def tls(site, rng):
    """The same with TLS."""
    loop = asyncio.get_running_loop()
    await _exchange(
        lambda make: loop.create_connection(
            make, *site.tls_address, ssl=site.client_context, server_hostname="localhost"
        ),
        rng,
    )


async def _converse(reader, writer, rng):
    for _ in range(3):
        payload = rng.choice(PAYLOADS)
        sending = asyncio.ensure_future(_send(writer, payload))
        assert await reader.readexactly(len(payload)) == payload, "other data came back than were sent"
        await sending
    writer.close()
    await writer.wait_closed()


async def _send(writer, payload):
    writer.write(payload)
    await writer.drain()


async def streams(site, rng):
    """Streams over TCP and over TLS."""
    await _converse(*await asyncio.open_connection(*site.stream_address), rng)
    reader, writer = await asyncio.open_connection(
        *site.tls_address, ssl=site.client_context, server_hostname="localhost"
    )
    await _converse(reader, writer, rng)


async def unix(site, rng):
    """Streams over a UNIX socket."""
    await _converse(*await asyncio.open_unix_connection(site.path), rng)


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self):
        self.arrived = asyncio.Queue()

    def datagram_received(self, data, address):
        self.arrived.put_nowait(data)


async def udp(site, rng):
    """Datagrams, one at a time."""
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(_Datagrams, remote_addr=site.datagram_address)
    try:
        for i in range(10):
            transport.sendto(b"%d" % i)
            # A datagram may be lost, though hardly on the loopback interface.
            with contextlib.suppress(TimeoutError):
                assert await asyncio.wait_for(protocol.arrived.get(), 2) == b"%d" % i
    finally:
        transport.close()
        await asyncio.sleep(0)


async def subprocesses(site, rng):
    """A child that answers, and one that is killed."""
    child = await asyncio.create_subprocess_exec("cat", stdin=-1, stdout=-1)
    output, _ = await child.communicate(b"hello" * 1000)
    assert output == b"hello" * 1000
    child = await asyncio.create_subprocess_exec("sleep", "60")
    child.kill()
    assert await child.wait() == -signal.SIGKILL


async def executor(site, rng):
    """Calls in threads, one of which raises and one of which is cancelled."""
    loop = asyncio.get_running_loop()
    calls = [loop.run_in_executor(None, sum, range(100)) for _ in range(20)]
    failing = loop.run_in_executor(None, int, "x")
    calls[3].cancel()
    await asyncio.gather(failing, *calls, return_exceptions=True)
    await loop.getaddrinfo("localhost", 80)


async def cancellations(site, rng):
    """Connections and reads that are cancelled at a random step."""

    async def conversation():
        secure = rng.random() < 0.5
        options = {"ssl": site.client_context, "server_hostname": "localhost"} if secure else {}
        address = site.tls_address if secure else site.stream_address
        reader, writer = await asyncio.open_connection(*address, **options)
        try:
            await reader.read(1)
        finally:
            writer.transport.abort()

    for _ in range(5):
        task = asyncio.ensure_future(conversation())
        for _ in range(rng.randrange(30)):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.001):
            await asyncio.sleep(10)


async def signals(site, rng):
    """A signal to ourselves."""
    loop = asyncio.get_running_loop()
    arrived = asyncio.Event()
    loop.add_signal_handler(signal.SIGUSR1, arrived.set)
    os.kill(os.getpid(), signal.SIGUSR1)
    await arrived.wait()
    loop.remove_signal_handler(signal.SIGUSR1)


async def sockets(site, rng):
    """The sock_ methods."""
    loop = asyncio.get_running_loop()
    with socket.socket() as sock:
        sock.setblocking(False)
        await loop.sock_connect(sock, site.address)
        payload = rng.choice(PAYLOADS)
        sending = asyncio.ensure_future(loop.sock_sendall(sock, payload))
        received = bytearray()
        while len(received) < len(payload):
            received += await loop.sock_recv(sock, 65536)
        await sending
        assert received == payload, "other data came back than were sent"
        receiving = asyncio.ensure_future(loop.sock_recv(sock, 1))
        await asyncio.sleep(0)
        receiving.cancel()
        await asyncio.gather(receiving, return_exceptions=True)


async def timers(site, rng):
    """Timers that fire, and more that are cancelled."""
    loop = asyncio.get_running_loop()
    fired = asyncio.Event()
    handles = [loop.call_later(rng.random() * 100, int) for _ in range(500)]
    loop.call_later(rng.random() * 0.01, fired.set)
    await fired.wait()
    for handle in handles:
        handle.cancel()
    loop.call_soon_threadsafe(fired.clear)
    await asyncio.gather(*(asyncio.sleep(rng.random() * 0.01) for _ in range(20)))


async def failures(site, rng):
    """Connections that nobody accepts."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        with contextlib.suppress(ConnectionRefusedError):
            await asyncio.open_connection(*sock.getsockname())
            sys.exit("somebody accepts where nobody listens")


KINDS = (tcp, tls, streams, unix, udp, subprocesses, executor, cancellations, signals, sockets, timers, failures)
