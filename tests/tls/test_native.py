"""TLS by calls to OpenSSL: when it is used, what it leaves to asyncio.sslproto, and what it keeps alive."""

import array
import asyncio
import gc
import ssl
import sys
import weakref

import pytest
from helpers import Recorder, compare, eventually, normalised, outcome, run_program, tls_connected, tls_with_peer
from mainspring import _tls


@pytest.fixture
def reads(monkeypatch):
    """The calls of ssl.SSLObject.read, which the native way makes only for ends and errors."""
    calls = []
    read = ssl.SSLObject.read

    def counted(self, *arguments):
        calls.append(arguments)
        return read(self, *arguments)

    monkeypatch.setattr(ssl.SSLObject, "read", counted)
    return calls


async def exchange(transport, protocol, peer, data=b"there and back"):
    transport.write(data)
    received = b""
    while len(received) < len(data):
        received += await peer.read()
    await peer.send(data)
    await eventually(lambda: len(protocol.received) >= len(data))
    assert received == data
    assert protocol.received == data


@pytest.mark.parametrize("side", ["client", "server"])
def test_openssl_is_called_directly(mainspring_loop, authority, side, reads, tls_way):
    async def main():
        async with tls_with_peer(authority, side=side) as (transport, protocol, peer):
            peer.tls = PeerWithoutCount(peer.tls)
            reads.clear()
            await exchange(transport, protocol, peer)
            assert (reads == []) == (tls_way == "native")

    mainspring_loop.run_until_complete(main())


class PeerWithoutCount:
    """A peer's ssl.SSLObject whose reads are not counted."""

    def __init__(self, tls):
        self._tls = tls

    def read(self, size):
        return self._tls._sslobj.read(size)

    def __getattr__(self, name):
        return getattr(self._tls, name)


def test_an_environment_variable_chooses_the_way():
    program = "from mainspring import _tls; print(_tls.native)"
    assert run_program(program, env={"MAINSPRING_TLS": "python"}).stdout.strip() == "False"
    assert run_program(program).stdout.strip() == "True"


# --- the layout of _ssl's objects ------------------------------------------------------------------------------------


def wrapped_bio():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    return context.wrap_bio(incoming, outgoing, server_side=True)._sslobj, context, incoming, outgoing


def test_the_pointers_are_found(mainspring_loop):
    assert mainspring_loop._finds_tls_pointers(*wrapped_bio())


class Words:
    """An object with words where an _ssl._SSLSocket has its socket, its SSL* and its context."""

    __slots__ = ("a_socket", "b_ssl", "c_context", "d_more", "e_more", "f_more")


@pytest.mark.parametrize("difference", ["socket", "context", "SSL*", "size", "incoming", "outgoing", "both", "BIO"])
def test_another_layout_is_noticed(mainspring_loop, difference):
    raw, context, incoming, outgoing = wrapped_bio()
    if difference in {"socket", "context", "SSL*", "size"}:
        raw = Words() if difference != "size" else object()
    if difference == "socket":
        raw.a_socket, raw.b_ssl, raw.c_context = context, context, context
    elif difference == "context":
        raw.b_ssl, raw.c_context = context, incoming
    elif difference == "SSL*":
        raw.c_context = context
    elif difference == "incoming":
        incoming = ssl.MemoryBIO()
    elif difference == "outgoing":
        outgoing = ssl.MemoryBIO()
    elif difference == "both":
        incoming, outgoing = outgoing, incoming
    elif difference == "BIO":
        incoming = object()
    assert mainspring_loop._finds_tls_pointers(raw, context, incoming, outgoing) is False


def test_only_a_tls_protocol_is_driven(mainspring_loop):
    with pytest.raises(TypeError, match="TlsProtocol is required"):
        mainspring_loop._drive_tls(object())


# --- what is left to Python ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["messages", "keys"])
def test_contexts_with_callbacks_are_left_to_python(mainspring_loop, authority, tmp_path, reads, what, monkeypatch):
    seen = []
    original = authority.client_context

    def client_context(**keywords):
        context = original(**keywords)
        if what == "messages":
            context._msg_callback = lambda *arguments: seen.append(arguments)
        else:
            context.keylog_filename = str(tmp_path / "keys")
        return context

    monkeypatch.setattr(authority, "client_context", client_context)

    async def main():
        async with tls_with_peer(authority) as (transport, protocol, peer):
            peer.tls = PeerWithoutCount(peer.tls)
            reads.clear()
            before = len(seen)
            await exchange(transport, protocol, peer)
            assert reads
            assert (len(seen) > before) == (what == "messages")

    mainspring_loop.run_until_complete(main())


def test_an_object_in_the_place_of_the_ssl_object_is_used(mainspring_loop, authority):
    class Shouting:
        def __init__(self, tls):
            self._tls = tls

        def read(self, *arguments):
            return self._tls.read(*arguments).upper()

        def write(self, data):
            return self._tls.write(bytes(data).upper())

        def __getattr__(self, name):
            return getattr(self._tls, name)

    async def main():
        async with tls_with_peer(authority) as (transport, protocol, peer):
            transport._ssl_protocol._sslobj = Shouting(transport._ssl_protocol._sslobj)
            transport.write(b"out")
            assert await peer.read() == b"OUT"
            await peer.send(b"in")
            await eventually(lambda: protocol.received)
            assert protocol.received == b"IN"

    mainspring_loop.run_until_complete(main())


class OddlyBuffered(Recorder, asyncio.BufferedProtocol):
    """Receives into whatever `make_buffer` makes of 40 KiB, once the handshake is done and it is armed."""

    def __init__(self, make_buffer):
        super().__init__()
        self.memory = bytearray(40 * 1024)
        self.make_buffer = make_buffer
        self.counts = []
        self.armed = False

    def get_buffer(self, sizehint):
        return (self.make_buffer if self.armed else memoryview)(self.memory)

    def buffer_updated(self, count):
        self.counts.append(count)
        self.received += self.memory[:count]
        self.memory[:] = bytes(len(self.memory))


BUFFERS = {
    "memoryview": memoryview,
    "bytearray": lambda memory: memory,
    "small": lambda memory: memoryview(memory)[:100],
    "exactly full": lambda memory: memoryview(memory)[:3000],
    "empty": lambda memory: memoryview(memory)[:0],
    "wide items": lambda memory: memoryview(memory).cast("I"),
    "read-only": lambda memory: memoryview(bytes(memory)),
    "with gaps": lambda memory: memoryview(memory)[::2],
    "array": lambda memory: array.array("B", memory),
    "no buffer": lambda memory: 5,
}


@pytest.mark.parametrize("kind", BUFFERS)
def test_odd_buffers_are_filled_as_by_default(authority, kind):
    def scenario(loop):
        errors = []
        loop.set_exception_handler(lambda _, context: errors.append((context["message"], repr(context["exception"]))))

        async def main():
            async with tls_with_peer(authority, lambda: OddlyBuffered(BUFFERS[kind])) as (_, protocol, peer):
                protocol.armed = True
                await peer.send(b"a" * 1000 + b"b" * 1000 + b"c" * 1000)
                await peer.send(b"d" * 500)
                for _ in range(60):
                    await asyncio.sleep(0)
                return protocol.counts, bytes(protocol.received), protocol.events

        return loop.run_until_complete(main()), errors

    compare(scenario)


def test_a_buffer_that_is_released_in_buffer_updated(loop, errors, authority):
    class Releasing(OddlyBuffered):
        def get_buffer(self, sizehint):
            self.view = memoryview(self.memory)
            return self.view

        def buffer_updated(self, count):
            self.view.release()
            super().buffer_updated(count)
            self.memory.extend(b"more")

    async def main():
        async with tls_with_peer(authority, lambda: Releasing(None)) as (_, protocol, peer):
            await peer.send(b"once")
            await eventually(lambda: len(protocol.received) == 4)
            await peer.send(b"again")
            await eventually(lambda: len(protocol.received) == 9)

    loop.run_until_complete(main())
    assert errors == []


WRITES = {
    "keyword": lambda transport: transport.write(data=b"data"),
    "no argument": lambda transport: transport.write(),
    "two arguments": lambda transport: transport.write(b"data", b"more"),
    "a subclass": lambda transport: transport.write(type("Bytes", (bytes,), {})(b"data")),
    "wide items": lambda transport: transport.write(memoryview(b"four" * 5).cast("I")),
    "gaps": lambda transport: transport.write(memoryview(b"d.a.t.a.")[::2]),
    "rows": lambda transport: transport.write(memoryview(b"datadata").cast("B", (2, 4))),
    "nothing": lambda transport: transport.write(b""),
    "a text": lambda transport: transport.write("text"),
    "lines": lambda transport: transport.writelines([b"one", bytearray(b"two"), memoryview(b"three")]),
    "lines of a generator": lambda transport: transport.writelines(bytes([65 + i]) for i in range(5)),
    "lines by keyword": lambda transport: transport.writelines(list_of_data=[b"one"]),
    "lines with nothing in one": lambda transport: transport.writelines([b"one", b"", b"two"]),
    "no lines": lambda transport: transport.writelines([]),
    "lines with a text": lambda transport: transport.writelines([b"one", "two", b"three"]),
    "lines with a number": lambda transport: transport.writelines([b"one", 2]),
    "lines that are none": lambda transport: transport.writelines(None),
}


@pytest.mark.parametrize("what", WRITES)
def test_what_is_written_goes_out_as_by_default(authority, what):
    def scenario(loop):
        errors = []
        loop.set_exception_handler(lambda _, context: errors.append((context["message"], repr(context["exception"]))))

        async def main():
            async with tls_with_peer(authority) as (transport, protocol, peer):
                result = outcome(WRITES[what], transport)
                size = transport.get_write_buffer_size()
                transport.write(b"!")
                received = b""
                if not transport.is_closing() and not errors:
                    while not received.endswith(b"!"):
                        received += await peer.read()
                await asyncio.sleep(0)
                return result, size, received, protocol.events

        return loop.run_until_complete(main()), errors

    compare(scenario)


@pytest.mark.parametrize("high", [1 << 80, 70_000.5, True])
def test_any_number_is_a_water_mark(authority, high):
    def scenario(loop):
        async def main():
            async with tls_with_peer(authority) as (transport, protocol, peer):
                transport.set_write_buffer_limits(high)
                transport.set_read_buffer_limits(high)
                limits = transport.get_write_buffer_limits(), transport.get_read_buffer_limits()
                transport.write(b"data" * 1000)
                received = b""
                while len(received) < 4000:
                    received += await peer.read()
                return limits, protocol.events

        return loop.run_until_complete(main())

    compare(scenario)


def test_names_and_attributes_are_as_by_default(authority):
    def scenario(loop):
        async def main():
            async with tls_with_peer(authority) as (transport, _, _):
                protocol = transport._ssl_protocol
                assert isinstance(protocol, asyncio.sslproto.SSLProtocol)
                assert isinstance(transport, asyncio.sslproto._SSLProtocolTransport)
                names = {name for name in dir(protocol) if hasattr(protocol, name) and not name.startswith("_python")}
                return normalised(repr(transport)), normalised(repr(protocol)), sorted(names), protocol.max_size

        return loop.run_until_complete(main())

    compare(scenario)


# --- what lives how long ---------------------------------------------------------------------------------------------


def lives_of_a_connection(loop, authority):
    """How a client's objects are freed: by themselves when it has been closed, or only by the collector."""
    watched = {}

    async def main():
        async with tls_with_peer(authority) as (transport, protocol, peer):
            await exchange(transport, protocol, peer)
            tls = transport._ssl_protocol
            watched.update(protocol=weakref.ref(protocol), tls=weakref.ref(tls), transport=weakref.ref(transport))
            del tls

    gc.collect()
    gc.disable()
    try:
        loop.run_until_complete(main())
        loop.run_until_complete(asyncio.sleep(0))
        by_itself = {name: watched[name]() is None for name in watched}
    finally:
        gc.enable()
    gc.collect()
    assert all(reference() is None for reference in watched.values())
    return by_itself


def test_the_objects_of_a_connection_are_freed_as_by_default(authority):
    compare(lives_of_a_connection, authority)


def test_references_do_not_add_up(mainspring_loop, server_context, client_context):
    names = {"SSLProtocol", "_SSLProtocolTransport", "SocketTransport", "Recorder", "SSLObject"}

    async def connect():
        async with tls_connected(server_context, client_context) as (client, server):
            client.transport.write(b"x" * 100_000)
            client.transport.writelines([b"x", bytearray(b"y")])
            await eventually(lambda: len(server.received) == 100_002)

    def count():
        gc.collect()
        objects = sum(type(item).__name__ in names for item in gc.get_objects())
        return objects, [sys.getrefcount(kind) for kind in (_tls.TlsProtocol, _tls.TlsTransport, ssl.MemoryBIO)]

    for _ in range(2):
        mainspring_loop.run_until_complete(connect())
    before = count()
    for _ in range(5):
        mainspring_loop.run_until_complete(connect())
    assert count() == before


def test_a_connection_in_a_cycle_is_collected(mainspring_loop, authority):
    async def main():
        async with tls_with_peer(authority) as (transport, protocol, peer):
            await exchange(transport, protocol, peer)
            tls = transport._ssl_protocol
            tls.itself = tls
            tls._write_backlog.append(tls)
            return weakref.ref(tls)

    reference = mainspring_loop.run_until_complete(main())
    gc.collect()
    assert reference() is None
