"""What a program does with a loop, small enough to be done once for each fault.

A scenario is a coroutine function that takes a Run. It returns what it came to, or raises. The Run keeps what the
program was told of errors, and what has to be closed whatever happened.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import ssl
import tempfile
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

from helpers.certificates import Authority

DATA = bytes(range(256)) * 400  # about 100 KB: more than one receive, more than the high water mark


def describe(error: BaseException | None) -> str:
    """An error without what differs from run to run."""
    if error is None:
        return "None"
    if isinstance(error, OSError) and error.errno is not None and not isinstance(error, ssl.SSLError):
        return f"{type(error).__name__}({error.errno})"
    return type(error).__name__


class Run:
    """One run of a scenario."""

    def __init__(self, loop: asyncio.AbstractEventLoop, folder: Path) -> None:
        self.loop = loop
        self.folder = folder
        self.told: list[str] = []
        self.problems: list[str] = []
        self.watched: list[weakref.ref[Any]] = []
        self._transports: list[Any] = []
        self._closers: list[Callable[[], object]] = []
        self._tasks: list[asyncio.Task[Any]] = []
        self._open: dict[int, str] = {}
        self.main: asyncio.Task[Any] | None = None
        loop.set_exception_handler(self._handle)

    def _handle(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        self.told.append(f"handler: {describe(error)}" if error else f"handler: {context['message']}")

    def watch(self, thing: Any) -> Any:
        """After the run this object has to be gone."""
        self.watched.append(weakref.ref(thing))
        return thing

    def made(self, protocol: Any, transport: Any) -> None:
        """connection_made() was called."""
        self._open[id(protocol)] = protocol.name
        self._transports.append(transport)
        self.watch(transport)
        self.watch(protocol)

    def lost(self, protocol: Any, error: BaseException | None) -> None:
        """connection_lost() was called."""
        if self._open.pop(id(protocol), None) is None:
            self.problems.append(f"connection_lost() of {protocol.name} without connection_made() before it")
        if error is not None:
            self.told.append(f"{protocol.name}: {describe(error)}")

    def later(self, close: Callable[[], object]) -> None:
        """Called at the end."""
        self._closers.append(close)

    def task(self, coroutine: Any) -> asyncio.Task[Any]:
        """A task that is cancelled at the end."""
        task = self.loop.create_task(coroutine)
        self._tasks.append(task)
        return task

    async def clean_up(self) -> None:
        """Close everything, and wait for every connection_lost()."""
        if self.main is not None and not self.main.done():
            self.main.cancel()
            for _ in range(5):
                await asyncio.sleep(0)
        self.main = None
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for close in reversed(self._closers):
            with contextlib.suppress(OSError):
                close()
        for transport in self._transports:
            # A transport of the default loop that sent its last bytes in close() cannot be aborted any more.
            with contextlib.suppress(AttributeError):
                transport.abort() if hasattr(transport, "abort") else transport.close()
        for _ in range(200):
            if not self._open:
                break
            await asyncio.sleep(0.001 if _ > 20 else 0)
        self.problems += [f"connection_lost() of {name} was not called" for name in self._open.values()]
        for _ in range(3):
            await asyncio.sleep(0)
        for things in (self._tasks, self._transports, self._closers):
            things.clear()


class Peer(asyncio.Protocol):
    """Echoes, or collects so many bytes."""

    def __init__(self, run: Run, name: str, expected: int = 0) -> None:
        self.run, self.name, self.expected = run, name, expected
        self.received = bytearray()
        self.done = run.loop.create_future()
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.run.made(self, transport)

    def data_received(self, data: bytes) -> None:
        if not self.expected:
            self.transport.write(data)
            return
        self.received += data
        if len(self.received) >= self.expected and not self.done.done():
            self.done.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        self.run.lost(self, error)
        if not self.done.done():
            self.done.set_result(error)


class BufferedPeer(Peer, asyncio.BufferedProtocol):
    """The same with a buffer of its own."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.buffer = bytearray(16384)

    def get_buffer(self, size: int) -> bytearray:
        return self.buffer

    def buffer_updated(self, count: int) -> None:
        self.data_received(bytes(self.buffer[:count]))


async def exchange(run: Run, client: Any, data: bytes = DATA) -> str:
    """Send, and wait for the echo."""
    client.transport.write(data[:10])
    client.transport.write(data[10:])
    await client.done
    return "echoed" if client.received == data else f"lost after {len(client.received) // 65536}"


async def _tcp(run: Run, kind: type[Peer], **tls: Any) -> str:
    server = await run.loop.create_server(lambda: kind(run, "server"), "127.0.0.1", 0, ssl=tls.get("server"))
    run.later(server.close)
    keywords = {"ssl": tls["client"], "server_hostname": "localhost"} if tls else {}
    _, client = await run.loop.create_connection(
        lambda: kind(run, "client", len(DATA)), *server.sockets[0].getsockname(), **keywords
    )
    return await exchange(run, client)


async def tcp(run: Run) -> str:
    """An echo between two protocols."""
    return await _tcp(run, Peer)


async def tcp_buffered(run: Run) -> str:
    """An echo between two buffered protocols."""
    return await _tcp(run, BufferedPeer)


async def tls(run: Run) -> str:
    """The same, encrypted."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(run.folder / "localhost.pem")
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(run.folder / "authority.pem")
    return await _tcp(run, Peer, server=server, client=client)


async def _echo_stream(run: Run, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    run.watch(writer.transport)
    run.later(writer.transport.abort)
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


async def _streams(run: Run, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
    run.watch(writer.transport)
    run.later(writer.transport.abort)
    sending = run.task(_send(writer))
    line = await reader.readuntil(b"\xff")
    received = line + await reader.readexactly(len(DATA) - len(line))
    await sending
    writer.close()
    await writer.wait_closed()
    return "echoed" if received == DATA else "garbled"


async def _send(writer: asyncio.StreamWriter) -> None:
    writer.write(DATA)
    with contextlib.suppress(OSError):
        await writer.drain()


async def streams(run: Run) -> str:
    """An echo between two pairs of streams."""
    server = await asyncio.start_server(lambda r, w: _echo_stream(run, r, w), "127.0.0.1", 0)
    run.later(server.close)
    return await _streams(run, *await asyncio.open_connection(*server.sockets[0].getsockname()))


async def unix(run: Run) -> str:
    """An echo through a UNIX socket."""
    path = str(run.folder / "socket")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    server = await run.loop.create_unix_server(lambda: Peer(run, "server"), path)
    run.later(server.close)
    _, client = await run.loop.create_unix_connection(lambda: Peer(run, "client", len(DATA)), path)
    return await exchange(run, client)


class DatagramPeer(asyncio.DatagramProtocol):
    """Echoes, or waits for so many datagrams."""

    def __init__(self, run: Run, name: str, expected: int = 0) -> None:
        self.run, self.name, self.expected = run, name, expected
        self.received: list[bytes] = []
        self.done = run.loop.create_future()
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.run.made(self, transport)

    def datagram_received(self, data: bytes, address: Any) -> None:
        if not self.expected:
            self.transport.sendto(data, address)
            return
        self.received.append(data)
        if len(self.received) == self.expected and not self.done.done():
            self.done.set_result(None)

    def error_received(self, error: Exception) -> None:
        self.run.told.append(f"{self.name}.error_received: {describe(error)}")

    def connection_lost(self, error: Exception | None) -> None:
        self.run.lost(self, error)
        if not self.done.done():
            self.done.set_result(None)


async def udp(run: Run) -> str:
    """Datagrams there and back; one that was lost is not sent again."""
    _, server = await run.loop.create_datagram_endpoint(lambda: DatagramPeer(run, "server"), ("127.0.0.1", 0))
    address = server.transport.get_extra_info("sockname")
    _, client = await run.loop.create_datagram_endpoint(lambda: DatagramPeer(run, "client", 6), remote_addr=address)
    for i in range(6):
        client.transport.sendto(b"%d" % i)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(asyncio.shield(client.done), 0.05)
    return "echoed" if len(client.received) == 6 else "a datagram was lost"


async def pipes(run: Run) -> str:
    """Through a pipe from one transport to another."""
    read, write = os.pipe()
    source, sink = os.fdopen(read, "rb", 0), os.fdopen(write, "wb", 0)
    run.later(source.close)
    run.later(sink.close)
    receiving, reader = await run.loop.connect_read_pipe(lambda: Peer(run, "reader", len(DATA)), source)
    run.later(receiving.close)
    sending, _ = await run.loop.connect_write_pipe(lambda: Peer(run, "writer"), sink)
    run.later(sending.abort)
    sending.write(DATA[:10])
    sending.write(DATA[10:])
    await reader.done
    return "arrived" if reader.received == DATA else "lost"


async def subprocess(run: Run) -> str:
    """A program with three pipes."""
    process = await asyncio.create_subprocess_exec("/bin/cat", stdin=-1, stdout=-1, stderr=-1, limit=1 << 20)
    run.watch(process._transport)  # type: ignore[attr-defined]
    run.later(process._transport.close)  # type: ignore[attr-defined]
    out, _ = await process.communicate(DATA)
    return f"{'echoed' if out == DATA else 'lost'} {process.returncode}"


async def sockets(run: Run) -> str:
    """sock_connect(), sock_accept(), sock_sendall(), sock_recv(), sock_recv_into()."""
    loop = run.loop
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.setblocking(False)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        client = stack.enter_context(socket.socket())
        client.setblocking(False)
        accepting = run.task(loop.sock_accept(listener))
        await loop.sock_connect(client, listener.getsockname())
        peer, _ = await accepting
        stack.enter_context(peer)
        data = DATA * 40
        # With the first error of either, or the other would wait for nobody.
        receiving, sending = run.task(_receive(loop, peer, len(data))), run.task(_send_all(loop, client, data))
        received, _ = await asyncio.gather(receiving, sending)
        return "arrived" if received == data else "lost"


async def _send_all(loop: asyncio.AbstractEventLoop, sock: socket.socket, data: bytes) -> None:
    await loop.sock_sendall(sock, data)


async def _receive(loop: asyncio.AbstractEventLoop, sock: socket.socket, size: int) -> bytes:
    received = bytearray(await loop.sock_recv(sock, 1000))
    buffer = bytearray(1 << 20)
    while len(received) < size:
        count = await loop.sock_recv_into(sock, buffer)
        if not count:
            break
        received += buffer[:count]
    return bytes(received)


async def sendfile(run: Run) -> str:
    """loop.sendfile() to a protocol that collects."""
    file = run.folder / "file"
    file.write_bytes(DATA)
    collected: list[Peer] = []

    def make() -> Peer:
        collected.append(Peer(run, "server", len(DATA)))
        return collected[0]

    server = await run.loop.create_server(make, "127.0.0.1", 0)
    run.later(server.close)
    transport, _ = await run.loop.create_connection(lambda: Peer(run, "client"), *server.sockets[0].getsockname())
    with open(file, "rb") as opened:
        sent = await run.loop.sendfile(transport, opened)
    transport.close()
    while not collected:
        await asyncio.sleep(0.001)
    await collected[0].done
    return f"{sent} {'arrived' if collected[0].received == DATA else 'lost'}"


async def executor(run: Run) -> str:
    """Calls in threads."""
    results = await asyncio.gather(*(asyncio.to_thread(pow, 2, i) for i in range(3)), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return str(results)


async def readers(run: Run) -> str:
    """add_reader() and add_writer()."""
    loop = run.loop
    one, other = socket.socketpair()
    with one, other:
        one.setblocking(False)
        other.setblocking(False)
        readable, writable = loop.create_future(), loop.create_future()
        try:
            loop.add_reader(one, lambda: readable.done() or readable.set_result(None))
            loop.add_writer(other, lambda: writable.done() or writable.set_result(None))
            await writable
            os.write(other.fileno(), b"x")
            await readable
        finally:
            # A program that closes what it still watches gets what it deserves, on every loop.
            for remove, sock in ((loop.remove_reader, one), (loop.remove_writer, other)) * 2:
                with contextlib.suppress(MemoryError):
                    remove(sock)
    return "ready"


async def timers(run: Run) -> str:
    """Timeouts near and far."""
    for delay in (0, 0.0005, 0.004):
        await asyncio.sleep(delay)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.002):
            await asyncio.sleep(10)
    woken = asyncio.Event()
    run.loop.call_soon_threadsafe(woken.set)
    await woken.wait()
    return "slept"


async def signals(run: Run) -> str:
    """A signal handler of the loop's."""
    caught = asyncio.Event()
    run.loop.add_signal_handler(signal.SIGUSR1, caught.set)
    try:
        os.kill(os.getpid(), signal.SIGUSR1)
        for _ in range(20):
            if caught.is_set():
                return "caught"
            await asyncio.sleep(0.001)
        # CPython could not write to the loop; a user presses the keys again.
        os.kill(os.getpid(), signal.SIGUSR1)
        await caught.wait()
    finally:
        run.loop.remove_signal_handler(signal.SIGUSR1)
    return "caught at the second time"


async def names(run: Run) -> str:
    """getaddrinfo() and getnameinfo()."""
    found = await run.loop.getaddrinfo("localhost", 80, type=socket.SOCK_STREAM)
    await run.loop.getaddrinfo("127.0.0.1", 80)
    name, _ = await run.loop.getnameinfo(("127.0.0.1", 80), socket.NI_NUMERICHOST)
    return f"{bool(found)} {name}"


async def nothing(run: Run) -> str:
    """For the scenario `loop`, in which making and closing the loop is what may fail."""
    await asyncio.sleep(0)
    return "ran"


SCENARIOS: dict[str, Callable[[Run], Any]] = {
    "loop": nothing,
    "tcp": tcp,
    "tcp_buffered": tcp_buffered,
    "streams": streams,
    "unix": unix,
    "tls": tls,
    "udp": udp,
    "pipes": pipes,
    "subprocess": subprocess,
    "sockets": sockets,
    "sendfile": sendfile,
    "executor": executor,
    "readers": readers,
    "timers": timers,
    "signals": signals,
    "names": names,
}


def certificates(folder: Path) -> None:
    """What the scenario `tls` needs, made by the openssl command."""
    Authority(folder).server_context()


def temporary_folder() -> tempfile.TemporaryDirectory[str]:
    """Where scenarios keep files."""
    return tempfile.TemporaryDirectory(prefix="faults")
