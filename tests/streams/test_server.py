"""Server: sockets, serving, serve_forever, closing with and without its clients."""

import asyncio
import contextlib
import errno
import gc
import os
import socket

import pytest
from helpers import Recorder, compare, eventually, outcome, run_program, serving, turns

HAS_CLOSE_CLIENTS = hasattr(asyncio.Server, "close_clients")


def test_its_sockets_and_its_loop(loop):
    async def main():
        server = await loop.create_server(Recorder, "127.0.0.1", 0)
        assert isinstance(server, asyncio.AbstractServer)
        assert server.get_loop() is loop
        (sock,) = server.sockets
        assert isinstance(sock, asyncio.trsock.TransportSocket)
        assert sock.getsockname()[0] == "127.0.0.1"
        assert server.is_serving()
        server.close()
        assert not server.is_serving()
        assert server.sockets == ()
        server.close()
        await server.wait_closed()

    loop.run_until_complete(main())


def test_it_refuses_after_close(loop):
    async def main():
        server = await loop.create_server(Recorder, "127.0.0.1", 0)
        address = server.sockets[0].getsockname()
        server.close()
        await server.wait_closed()
        with pytest.raises(ConnectionRefusedError):
            await loop.create_connection(Recorder, *address)

    loop.run_until_complete(main())


def test_start_serving_later(loop):
    async def main():
        async with serving(Recorder, start_serving=False) as (server, address, made):
            assert not server.is_serving()
            with pytest.raises(ConnectionRefusedError):
                await loop.create_connection(Recorder, *address)
            await server.start_serving()
            await server.start_serving()
            assert server.is_serving()
            transport, _ = await loop.create_connection(Recorder, *address)
            await eventually(lambda: made)
            transport.abort()

    loop.run_until_complete(main())


def test_serve_forever_until_it_is_cancelled(loop):
    async def main():
        async with serving(Recorder, start_serving=False) as (server, address, made):
            task = loop.create_task(server.serve_forever())
            await eventually(server.is_serving)
            with pytest.raises(RuntimeError, match="already being awaited on serve_forever"):
                await server.serve_forever()
            transport, protocol = await loop.create_connection(Recorder, *address)
            await eventually(lambda: made)
            transport.close()
            await protocol.lost
            await eventually(lambda: made[0].lost.done())
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert not server.is_serving()

    loop.run_until_complete(main())


def test_async_with_closes_it(loop):
    async def main():
        async with await loop.create_server(Recorder, "127.0.0.1", 0) as server:
            assert server.is_serving()
        assert not server.is_serving()

    loop.run_until_complete(main())


def test_repr():
    def scenario(loop):
        async def main():
            async with serving(Recorder) as (server, _, _):
                text = repr(server)
                server.close()
                return text.split("laddr")[0].replace(str(server.sockets), "").split("fd=")[0], repr(server)

        return loop.run_until_complete(main())

    text, closed = compare(scenario)
    assert text.startswith("<Server sockets=(<asyncio.TransportSocket")
    assert closed == "<Server sockets=()>"


def test_connections_outlive_their_server(loop):
    async def main():
        async with serving(Recorder) as (server, address, made):
            transport, protocol = await loop.create_connection(Recorder, *address)
            await eventually(lambda: made)
            server.close()
            made[0].transport.write(b"still open")
            await eventually(lambda: protocol.received == b"still open")
            transport.close()
            await eventually(lambda: made[0].lost.done())
            await asyncio.wait_for(server.wait_closed(), 10)

    loop.run_until_complete(main())


@pytest.mark.skipif(not HAS_CLOSE_CLIENTS, reason="Server.close_clients came with Python 3.13")
@pytest.mark.parametrize("method", ["close_clients", "abort_clients"])
def test_clients_are_closed_with_the_server(loop, method):
    async def main():
        async with serving(Recorder) as (server, address, made):
            clients = [await loop.create_connection(Recorder, *address) for _ in range(5)]
            await eventually(lambda: len(made) == 5)
            made[0].transport.close()
            await clients[0][1].lost
            await eventually(lambda: made[0].lost.done())
            server.close()
            getattr(server, method)()
            for _, protocol in clients:
                await asyncio.wait_for(protocol.lost, 10)
            await asyncio.wait_for(server.wait_closed(), 10)
            assert all("connection_lost" in protocol.events for protocol in made)

    loop.run_until_complete(main())


@pytest.mark.skipif(not HAS_CLOSE_CLIENTS, reason="Server.close_clients came with Python 3.13")
def test_close_clients_sends_what_is_queued_and_abort_clients_does_not(loop):
    class Sender(Recorder):
        def connection_made(self, transport):
            super().connection_made(transport)
            transport.write(b"x" * (16 << 20))

    async def main():
        for method in ("close_clients", "abort_clients"):
            async with serving(Sender) as (server, address, made):
                transport, protocol = await loop.create_connection(Recorder, *address)
                transport.pause_reading()
                await eventually(lambda protocols=made: protocols)
                getattr(server, method)()
                await turns(3)
                transport.resume_reading()
                await asyncio.wait_for(protocol.lost, 10)
                assert (len(protocol.received) == 16 << 20) == (method == "close_clients")

    loop.run_until_complete(main())


def test_an_address_in_use_is_the_same_error():
    def scenario(loop):
        async def main():
            async with serving(Recorder) as (_, address, _):
                with pytest.raises(OSError) as failed:
                    await loop.create_server(Recorder, *address)
                return failed.value.errno, str(failed.value).replace(str(address[1]), "PORT")

        return loop.run_until_complete(main())

    number, text = compare(scenario)
    assert number == errno.EADDRINUSE
    assert "PORT" in text


def test_reuse_port_and_several_hosts(loop):
    async def main():
        server = await loop.create_server(Recorder, ["127.0.0.1", "127.0.0.2"], 0, reuse_port=True)
        assert sorted(sock.getsockname()[0] for sock in server.sockets) == ["127.0.0.1", "127.0.0.2"]
        for sock in server.sockets:
            transport, protocol = await loop.create_connection(Recorder, *sock.getsockname())
            transport.abort()
            await protocol.lost
        await turns(5)
        server.close()
        await server.wait_closed()

    loop.run_until_complete(main())


def test_a_listening_socket_of_the_programs_own(loop):
    async def main():
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            server = await loop.create_server(Recorder, sock=sock)
            transport, protocol = await loop.create_connection(Recorder, *sock.getsockname())
            transport.abort()
            await protocol.lost
            await turns(5)
            server.close()
            await server.wait_closed()
            assert sock.fileno() == -1

    loop.run_until_complete(main())


WRONG = [
    {},
    {"host": "127.0.0.1", "port": 0, "ssl": True},
    {"host": "127.0.0.1", "port": 0, "ssl_handshake_timeout": 1},
    {"host": "127.0.0.1", "port": "no such service"},
    {"host": "host.invalid.", "port": 0},
]


@pytest.mark.parametrize("keywords", WRONG, ids=str)
def test_wrong_arguments_are_the_same_errors(keywords):
    def scenario(loop):
        return outcome(loop.run_until_complete, loop.create_server(Recorder, **keywords))

    kind, _ = compare(scenario)
    assert issubclass(kind, (TypeError, ValueError, OSError))


def test_a_burst_of_connections_is_accepted_completely(loop):
    async def main():
        async with serving(Recorder, backlog=1000) as (_, address, made):
            sockets = []
            for _ in range(400):
                sock = socket.socket()
                sock.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    sock.connect(address)
                sockets.append(sock)
            await eventually(lambda: len(made) == 400 and all(protocol.events for protocol in made))
            for sock in sockets:
                sock.close()
            await eventually(lambda: all(protocol.lost.done() for protocol in made))

    loop.run_until_complete(main())


@pytest.mark.parametrize("debug", [False, True])
def test_a_protocol_factory_that_raises_costs_only_its_connection(debug):
    def scenario(loop):
        loop.set_debug(debug)
        told = []
        # Kept as text, and collected below: the default loop closes the connection when the error is freed.
        loop.set_exception_handler(lambda _, context: told.append((context["message"], repr(context["exception"]))))
        fail = [True]

        def factory():
            if fail.pop():
                fail.append(False)
                raise ValueError("on purpose")
            fail.append(False)
            return Recorder()

        async def main():
            server = await loop.create_server(factory, "127.0.0.1", 0)
            address = server.sockets[0].getsockname()
            _, refused = await loop.create_connection(Recorder, *address)
            while not refused.lost.done():
                gc.collect()
                await asyncio.sleep(0.001)
            transport, protocol = await loop.create_connection(Recorder, *address)
            await turns(5)
            transport.close()
            await protocol.lost
            await turns(5)
            server.close()
            await server.wait_closed()
            return told

        return loop.run_until_complete(main())

    told = compare(scenario)
    expected = ("Error on transport creation for incoming connection", "ValueError('on purpose')")
    assert told == ([expected] if debug else [])


def test_closing_the_server_in_the_protocol_factory(mainspring_loop):
    # The default loop cannot attach the connection to the closed server, and tells nobody.
    loop = mainspring_loop

    async def main():
        def factory():
            server.close()
            return Recorder()

        server = await loop.create_server(factory, "127.0.0.1", 0)
        address = server.sockets[0].getsockname()
        transport, protocol = await loop.create_connection(Recorder, *address)
        await eventually(lambda: not server.is_serving())
        transport.abort()
        await protocol.lost
        await asyncio.wait_for(server.wait_closed(), 10)

    loop.run_until_complete(main())


EXHAUSTION = """
    import asyncio, resource, socket, sys
    import mainspring

    asyncio.constants.ACCEPT_RETRY_DELAY = 0.05
    loop = {"default": asyncio.SelectorEventLoop, "mainspring": mainspring.new_event_loop}[sys.argv[1]]()
    messages = []

    def handler(loop, context):
        assert isinstance(context["exception"], OSError), context
        assert context["socket"].fileno() > 0
        messages.append((context["message"], context["exception"].errno))

    loop.set_exception_handler(handler)

    class Echo(asyncio.Protocol):
        def connection_made(self, transport):
            self.transport = transport
        def data_received(self, data):
            self.transport.write(data)

    async def main():
        server = await loop.create_server(Echo, "127.0.0.1", 0)
        address = server.sockets[0].getsockname()
        clients = [socket.socket() for _ in range(20)]
        for client in clients:
            client.setblocking(False)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        used = max(map(int, __import__("os").listdir("/proc/self/fd")))
        resource.setrlimit(resource.RLIMIT_NOFILE, (used + 5, hard))
        for client in clients:
            try:
                client.connect(address)
            except BlockingIOError:
                pass
        async with asyncio.timeout(20):
            while not messages:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.15)
        assert set(messages) == {("socket.accept() out of system resource", 24)}, messages
        # The default loop reports once for each of the backlog's hundred.
        assert sys.argv[1] == "default" or len(messages) < 20, len(messages)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for client in clients:
            client.send(b"x")
        deadline = loop.time() + 10
        for client in clients:
            while True:
                try:
                    assert client.recv(10) == b"x"
                    break
                except BlockingIOError:
                    assert loop.time() < deadline
                    await asyncio.sleep(0.01)
        for client in clients:
            client.close()
        # A retry that comes after close() is an error on the default loop.
        await asyncio.sleep(asyncio.constants.ACCEPT_RETRY_DELAY + 0.2)
        server.close()
        await asyncio.sleep(0.05)
        print("all answered on", type(loop).__name__)

    loop.run_until_complete(main())
    loop.close()
"""


def test_accepting_survives_the_exhaustion_of_descriptors(loop_name):
    done = run_program(EXHAUSTION, loop_name)
    assert done.stderr == ""
    name = "Loop" if loop_name == "mainspring" else "_UnixSelectorEventLoop"
    assert done.stdout == f"all answered on {name}\n"


def test_accepted_descriptors_are_not_inherited(loop):
    async def main():
        async with serving(Recorder) as (_, address, made):
            with socket.create_connection(address):
                await eventually(lambda: made)
                assert os.get_inheritable(made[0].transport.get_extra_info("socket").fileno()) is False

    loop.run_until_complete(main())
