"""The kinds of races: each uses the loop in one way, and may be cancelled at any step."""

import asyncio
import contextlib
import os
import socket
import tempfile

from identity import Checker, Sender, header, stream
from peers import Client, end


async def _finish(protocol, rng):
    # Wait for the connection's end, or bring it about; whatever happens, nothing stays open.
    try:
        if rng.random() < 0.7:
            await asyncio.wait_for(asyncio.shield(protocol.lost), rng.choice((0.002, 0.05, 0.2)))
    except TimeoutError:
        pass
    finally:
        protocol.end()
        protocol.transport.abort()


async def _connect(field, rng, number, making):
    # A connection by one of the loop's methods; its protocol is kept, so that what was begun is ended.
    protocol = Client(field, rng, number)
    try:
        await making(lambda: protocol)
    except BaseException:
        field.squat()
        raise
    await _finish(protocol, rng)


async def plain(field, rng, number):
    """create_connection to a server, by address and by name."""
    loop = asyncio.get_running_loop()
    host, port = field.address
    way = rng.choice(("address", "name", "happy", "local"))
    if way == "happy" and not field.has_happy_eyeballs:
        way = "name"
    options = {"happy": {"happy_eyeballs_delay": 0.001}, "local": {"local_addr": ("127.0.0.1", 0)}}.get(way, {})
    name = "localhost" if way in ("name", "happy") else host
    await _connect(
        field, rng, number, lambda make: loop.create_connection(make, name, port, family=socket.AF_INET, **options)
    )


async def _connected_socket(field):
    sock = socket.socket()
    sock.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(sock, field.address)
    except BaseException:
        sock.close()
        field.squat()
        raise
    return sock


async def given_socket(field, rng, number):
    """create_connection on a socket, which belongs to the transport from then on."""
    sock = await _connected_socket(field)
    loop = asyncio.get_running_loop()
    await _connect(field, rng, number, lambda make: loop.create_connection(make, sock=sock))


async def kept_socket(field, rng, number):
    """The same, but the program closes its socket too, as one does with what one has opened."""
    with await _connected_socket(field) as sock:
        loop = asyncio.get_running_loop()
        await _connect(field, rng, number, lambda make: loop.create_connection(make, sock=sock))


async def tls(field, rng, number):
    """create_connection with TLS: cancelled within connecting, handshake or data."""
    loop = asyncio.get_running_loop()
    await _connect(
        field,
        rng,
        number,
        lambda make: loop.create_connection(
            make, *field.tls_address, ssl=field.client_context, server_hostname="localhost"
        ),
    )


async def start_tls(field, rng, number):
    """A connection that is upgraded; each end may give up within the handshake."""
    loop = asyncio.get_running_loop()
    protocol = Client(field, rng, number, upgrading=True)
    transport, _ = await loop.create_connection(lambda: protocol, *field.upgrading_address)
    try:
        await protocol.go
        upgraded = await loop.start_tls(transport, protocol, field.client_context, server_hostname="localhost")
        if upgraded is not None:
            protocol.upgraded(upgraded)
            await _finish(protocol, rng)
    finally:
        transport.abort()
        field.squat()


async def unix(field, rng, number):
    """create_unix_connection."""
    loop = asyncio.get_running_loop()
    await _connect(field, rng, number, lambda make: loop.create_unix_connection(make, field.path))


async def _converse(field, rng, number, reader, writer):
    sender, checker = Sender(number, "there"), Checker(field, number, "back")
    writer.write(header(number))
    for _ in range(rng.randrange(1, 6)):
        writer.write(sender.next(rng.choice((1, 3000, 90_000))))
        if rng.random() < 0.5:
            await writer.drain()
        size = rng.choice((1, 500, 40_000))
        reading = reader.readexactly(size) if rng.random() < 0.3 else reader.read(size)
        try:
            data = await reading
        except asyncio.IncompleteReadError as error:
            data = error.partial
        checker.take(data)
        if not data:
            break
    if rng.random() < 0.5:
        writer.close()
        field.squat()
        await writer.wait_closed()


async def streams(field, rng, number):
    """open_connection, read in several ways, and close."""
    context = rng.choice((None, field.client_context))
    options = {"ssl": context, "server_hostname": "localhost"} if context else {}
    reader, writer = await asyncio.open_connection(*(field.tls_address if context else field.address), **options)
    try:
        # Both ends may have more to send than the other reads.
        async with asyncio.timeout(0.3):
            await _converse(field, rng, number, reader, writer)
    finally:
        writer.transport.abort()
        field.squat()


async def _receive(loop, rng, sock, size):
    if rng.random() < 0.5:
        return await loop.sock_recv(sock, size)
    buffer = bytearray(size)
    return buffer[: await loop.sock_recv_into(sock, buffer)]


async def sockets(field, rng, number):
    """The sock_ methods, on a socket that is closed at once when anything ends."""
    loop = asyncio.get_running_loop()
    sock = socket.socket()
    sock.setblocking(False)
    try:
        await loop.sock_connect(sock, field.address)
        sender, checker = Sender(number, "there"), Checker(field, number, "back")
        await loop.sock_sendall(sock, header(number))
        for _ in range(rng.randrange(1, 8)):
            sending = loop.create_task(loop.sock_sendall(sock, sender.next(rng.choice((1, 5000, 300_000)))))
            try:
                data = await asyncio.wait_for(_receive(loop, rng, sock, rng.choice((1, 5000, 100_000))), 0.2)
                if not data:
                    break
                checker.take(data)
                if rng.random() < 0.7:
                    await asyncio.wait_for(sending, 0.2)
            finally:
                if not sending.done():
                    sending.cancel()
                    if rng.random() < 0.5:
                        # Closed before the cancellation has reached the operation.
                        sock.close()
                        field.squat()
                with contextlib.suppress(OSError, asyncio.CancelledError, TimeoutError):
                    await sending
            if sending.cancelled():
                # Nobody knows how much of it has been sent.
                break
    finally:
        sock.close()
        field.squat()


async def accepting(field, rng, number):
    """sock_accept on a listener of its own."""
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as client:
        listener.setblocking(False)
        client.setblocking(False)
        accepting = loop.create_task(loop.sock_accept(listener))
        connected = None
        try:
            if rng.random() < 0.5:
                await asyncio.sleep(0)
            if rng.random() < 0.8:
                await loop.sock_connect(client, listener.getsockname())
                await loop.sock_sendall(client, stream(number, "there", 0, 1000))
            else:
                accepting.cancel()
            connected, _ = await asyncio.wait_for(accepting, 0.2)
            with connected:
                checker = Checker(field, number, "there")
                while checker.position < 1000:
                    checker.take(await loop.sock_recv(connected, 600))
        finally:
            accepting.cancel()
            listener.close()
            field.squat()


async def servers(field, rng, number):
    """A server that is closed while clients arrive."""
    loop = asyncio.get_running_loop()
    # Started in a second step: a create_server that is cancelled while it starts leaves, on the default loop too, a
    # server that listens and that nobody has.
    server = await loop.create_server(field.answering, "127.0.0.1", 0, start_serving=False)
    address = server.sockets[0].getsockname()
    protocols = [Client(field, rng, number + i * field.clients) for i in range(1, 4)]
    connecting = []
    try:
        await server.start_serving()
        connecting += [loop.create_task(loop.create_connection(lambda p=p: p, *address)) for p in protocols]
        for _ in range(rng.randrange(8)):
            await asyncio.sleep(0)
        server.close()
        field.squat()
        await asyncio.gather(*connecting, return_exceptions=True)
    finally:
        server.close()
        for task in connecting:
            task.cancel()
        for protocol in protocols:
            if protocol.transport is not None:
                protocol.transport.abort()
        field.squat()


class _PipeReader(asyncio.Protocol):
    def __init__(self, checker):
        self.data_received = checker.take
        self.lost = asyncio.get_running_loop().create_future()

    def connection_lost(self, error):
        if not self.lost.done():
            self.lost.set_result(None)


async def pipes(field, rng, number):
    """connect_read_pipe and connect_write_pipe on the two ends of a pipe."""
    loop = asyncio.get_running_loop()
    source, sink = (os.fdopen(fd, mode, 0) for fd, mode in zip(os.pipe(), ("rb", "wb"), strict=True))
    transports = []
    try:
        reader = _PipeReader(Checker(field, number, "there"))
        transports.append((await loop.connect_read_pipe(lambda: reader, source))[0])
        transports.append((await loop.connect_write_pipe(asyncio.Protocol, sink))[0])
        sender = Sender(number, "there")
        for _ in range(rng.randrange(1, 5)):
            transports[1].write(sender.next(rng.choice((1, 4000, 100_000))))
            if rng.random() < 0.5:
                await asyncio.sleep(0)
        if rng.random() < 0.5:
            transports[1].close()
            await asyncio.wait_for(reader.lost, 0.2)
    finally:
        for transport in transports:
            # asyncio's pipes do not bear to be closed once more.
            if not transport.is_closing():
                getattr(transport, rng.choice(("close", "abort")), transport.close)()
        if len(transports) < 2:
            sink.close()
        if not transports:
            source.close()
        field.squat()


async def readers(field, rng, number):
    """add_reader and add_writer, removed, and the descriptor closed at once."""
    loop = asyncio.get_running_loop()
    one, other = socket.socketpair()
    one.setblocking(False)
    other.setblocking(False)
    checker, sender = Checker(field, number, "there"), Sender(number, "there")
    done = loop.create_future()
    left = rng.randrange(1, 20)

    def read():
        nonlocal left
        checker.take(one.recv(rng.choice((1, 3000))))
        left -= 1
        if left == 0 and not done.done():
            done.set_result(None)

    def write():
        with contextlib.suppress(BlockingIOError):
            # What a send does not take is lost, so it is so little that it takes all.
            other.send(sender.next(1))

    try:
        loop.add_reader(one, read)
        loop.add_writer(other, write)
        await done
    finally:
        loop.remove_reader(one)
        loop.remove_writer(other)
        one.close()
        other.close()
        field.squat()


def _in_thread(field, number):
    one, other = socket.socketpair()
    with one, other:
        sent = stream(number, "there", 0, 5000)
        one.sendall(sent)
        received = other.recv(5000, socket.MSG_WAITALL)
    if received != sent:
        field.violation(f"race {number}: foreign bytes in a thread")


async def threads(field, rng, number):
    """Calls in threads that open descriptors, and look-ups of names."""
    loop = asyncio.get_running_loop()
    calls = [
        loop.run_in_executor(None, _in_thread, field, number),
        loop.getaddrinfo("localhost", 80),
        loop.getnameinfo(("127.0.0.1", 80)),
        asyncio.to_thread(_in_thread, field, number),
    ]
    try:
        await asyncio.gather(*rng.sample(calls, len(calls)))
    finally:
        calls[-1].close()
        field.squat()


async def sendfile(field, rng, number):
    """A file that is sent through a transport, or a socket, by the kernel."""
    loop = asyncio.get_running_loop()
    protocol = Client(field, rng, number)
    protocol.answer = lambda: None
    with tempfile.TemporaryFile() as file:
        file.write(stream(number, "there", 0, 500_000))
        file.seek(0)
        transport, _ = await loop.create_connection(lambda: protocol, *field.address)
        try:
            await asyncio.wait_for(loop.sendfile(transport, file), 0.2)
        finally:
            end(rng, transport)
            transport.abort()
            field.squat()


KINDS = {
    kind.__name__: kind
    for kind in (
        plain,
        given_socket,
        kept_socket,
        tls,
        start_tls,
        unix,
        streams,
        sockets,
        accepting,
        servers,
        pipes,
        readers,
        threads,
        sendfile,
    )
}
