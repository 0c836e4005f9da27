"""Accepted TLS connections: what happens until the handshake is done, and when it is not."""

import asyncio
import contextlib
import gc
import socket
import ssl
import sys
import warnings
import weakref

import mainspring
import pytest
from helpers import Recorder, TlsPeer, collect_errors, compare, eventually, is_mainspring, open_descriptors, turns


@contextlib.asynccontextmanager
async def listening(authority, factory=Recorder, **keywords):
    """The address of a TLS server."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(factory, "127.0.0.1", 0, ssl=authority.server_context(), **keywords)
    try:
        yield server.sockets[0].getsockname()
    finally:
        server.close()


def silent_client(address):
    """A connection on which nobody begins a handshake."""
    client = socket.create_connection(address)
    client.settimeout(10)
    return client


def closed(client):
    """Whether the other end has closed the connection, by whichever means."""
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True


def test_a_pending_handshake_ends_with_the_program(loop_factory, authority):
    """``asyncio.run`` cancels what waits for the handshake, which closes the connection."""
    made, clients = [], []

    def make():
        made.append(weakref.ref(protocol := Recorder()))
        return protocol

    async def main():
        server = await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0, ssl=authority.server_context())
        clients.extend(silent_client(server.sockets[0].getsockname()) for _ in range(3))
        await eventually(lambda: len(made) == 3)
        await turns(5)
        server.close()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(main())
        gc.collect()
    for client in clients:
        with client:
            assert closed(client)
    assert [protocol() for protocol in made] == [None] * 3


def test_tasks_appear_only_when_the_loop_stops(mainspring_loop, authority):
    async def main(address, client):
        await eventually(lambda: made)
        await turns(5)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    made = []

    def make():
        made.append(Recorder())
        return made[-1]

    async def serve():
        stack = contextlib.AsyncExitStack()
        address = await stack.enter_async_context(listening(authority, make))
        return stack, address

    stack, address = mainspring_loop.run_until_complete(serve())
    with silent_client(address) as client:
        mainspring_loop.run_until_complete(main(address, client))
        [task] = asyncio.all_tasks(mainspring_loop)
        # It goes on waiting when the loop runs again, and is not made twice.
        mainspring_loop.run_until_complete(turns(5))
        assert asyncio.all_tasks(mainspring_loop) == {task}
        task.cancel()
        mainspring_loop.run_until_complete(turns(5))
        assert task.done()
        assert closed(client)
    mainspring_loop.run_until_complete(stack.aclose())


def test_a_handshake_goes_on_when_the_loop_runs_again(loop, authority):
    made = []

    def make():
        made.append(Recorder())
        return made[-1]

    async def serve():
        return await loop.create_server(make, "127.0.0.1", 0, ssl=authority.server_context())

    async def until_accepted():
        await eventually(lambda: made)
        await turns(5)

    async def shake_hands(client):
        client.setblocking(False)
        peer = TlsPeer(client, authority.client_context(), server_side=False)
        await peer.handshake()
        await peer.send(b"after all")
        await eventually(lambda: made[0].received == b"after all")
        made[0].transport.abort()
        await made[0].lost

    server = loop.run_until_complete(serve())
    with silent_client(server.sockets[0].getsockname()) as client:
        loop.run_until_complete(until_accepted())
        loop.run_until_complete(shake_hands(client))
    loop.run_until_complete(turns(3))
    assert asyncio.all_tasks(loop) == set()
    server.close()


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("what", ["garbage", "end", "reset", "alert"])
def test_a_handshake_that_fails_is_told_as_by_default(authority, stranger, what, debug):
    def scenario(loop):
        async def main():
            loop.set_debug(debug)
            loop.slow_callback_duration = 60
            errors = collect_errors(loop)
            made = []

            def make():
                made.append(Recorder())
                return made[-1]

            async with listening(authority, make) as address:
                with silent_client(address) as client:
                    client.setblocking(False)
                    await eventually(lambda: made)
                    if what == "garbage":
                        await loop.sock_sendall(client, b"GET / HTTP/1.1\r\n\r\n")
                    elif what == "end":
                        client.shutdown(socket.SHUT_WR)
                    elif what == "reset":
                        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                        client.close()
                    else:
                        # The client does not know who has signed, and says so.
                        peer = TlsPeer(client, stranger.client_context(), server_side=False)
                        with pytest.raises(ssl.SSLCertVerificationError):
                            await peer.handshake()
                        await peer._send_records()
                    if client.fileno() >= 0:
                        await eventually(lambda: _ended(client))
                await eventually(lambda: len(errors) >= 1 if debug else True)
                await turns(10)
            return [
                (
                    context["message"],
                    type(context["exception"]).__name__,
                    sorted(set(context) - {"message", "exception"}),
                    getattr(context["exception"], "reason", None),
                )
                for context in errors
            ]

        return loop.run_until_complete(main())

    errors = compare(scenario)
    messages = [message for message, *_ in errors]
    assert ("Error on transport creation for incoming connection" in messages) == debug


def _ended(client):
    try:
        return client.recv(1 << 16) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("debug", [False, True])
def test_a_connection_that_cannot_be_secured_is_closed(authority, monkeypatch, debug):
    """Whatever keeps the TLS protocol from being made costs only its connection."""

    def scenario(loop):
        async def main():
            loop.set_debug(debug)
            loop.slow_callback_duration = 60
            errors = collect_errors(loop)
            context = authority.server_context()
            good = Recorder()
            server = await loop.create_server(lambda: good, "127.0.0.1", 0, ssl=context)
            address = server.sockets[0].getsockname()

            def refuse(*arguments, **keywords):
                raise ValueError("on purpose")

            with warnings.catch_warnings():
                # The default loop leaves the socket to the collector.
                warnings.simplefilter("ignore", ResourceWarning)
                with monkeypatch.context() as patch:
                    patch.setattr(ssl.SSLContext, "wrap_bio", refuse)
                    with silent_client(address) as client:
                        client.setblocking(False)
                        await turns(5)
                        for each in errors:
                            each["exception"].__traceback__ = None
                        gc.collect()
                        await eventually(lambda: _ended(client))
            transport, protocol = await loop.create_connection(
                Recorder, *address, ssl=authority.client_context(), server_hostname="localhost"
            )
            transport.write(b"good")
            await eventually(lambda: good.received == b"good")
            transport.abort()
            await protocol.lost
            await good.lost
            server.close()
            return [(each["message"], str(each["exception"]), sorted(each)) for each in errors]

        return loop.run_until_complete(main())

    errors = compare(scenario)
    assert [error for _, error, _ in errors] == ["on purpose"] * debug


def test_failed_handshakes_leave_nothing_behind(mainspring_loop, authority):
    async def main():
        async with listening(authority) as address:
            for _ in range(10):
                with silent_client(address) as client:
                    client.setblocking(False)
                    await mainspring_loop.sock_sendall(client, b"no handshake at all")
                    await eventually(lambda client=client: _ended(client))
        await turns(10)

    def count():
        gc.collect()
        names = {"SSLProtocol", "_SSLProtocolTransport", "SocketTransport", "Recorder", "PendingHandshake"}
        return sum(type(item).__name__ in names for item in gc.get_objects()), len(mainspring_loop._handshakes)

    assert is_mainspring(mainspring_loop)
    mainspring_loop.run_until_complete(main())
    before, descriptors = count(), open_descriptors()
    mainspring_loop.run_until_complete(main())
    assert count() == before
    assert before[1] == 0
    assert open_descriptors() == descriptors


def test_a_loop_that_is_closed_meanwhile_forgets_its_handshakes(mainspring_loop, authority):
    made = []

    def make():
        protocol = Recorder()
        made.append(weakref.ref(protocol))
        return protocol

    async def main():
        server = await mainspring_loop.create_server(make, "127.0.0.1", 0, ssl=authority.server_context())
        client = silent_client(server.sockets[0].getsockname())
        await eventually(lambda: made)
        server.close()
        return client

    with mainspring_loop.run_until_complete(main()) as client:
        for task in asyncio.all_tasks(mainspring_loop):
            task.cancel()
        mainspring_loop.run_until_complete(turns(3))
        mainspring_loop.close()
        assert closed(client)
    gc.collect()
    assert [reference() for reference in made] == [None]


def test_the_socket_is_the_same_as_by_default(authority):
    def scenario(loop):
        async def main():
            made = []

            def make():
                made.append(Recorder())
                return made[-1]

            async with listening(authority, make) as address:
                transport, _ = await loop.create_connection(
                    Recorder, *address, ssl=authority.client_context(), server_hostname="localhost"
                )
                await eventually(lambda: made and made[0].transport)
                sock = made[0].transport.get_extra_info("socket")
                found = sock.family, sock.type, sock.proto, sock.gettimeout()
                nodelay = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
                transport.abort()
                await made[0].lost
                return found, nodelay

        return loop.run_until_complete(main())

    assert compare(scenario)[0][2] == socket.IPPROTO_TCP


@pytest.mark.skipif(
    sys.version_info >= (3, 15), reason="the default loop gives the connection's context to the factory"
)
def test_a_pending_handshake_and_a_task_factory_that_takes_no_context(authority):
    """What the loop has done comes back, whatever the factory takes."""

    async def main(loop):
        loop.set_task_factory(lambda loop, coro: asyncio.Task(coro, loop=loop))
        async with listening(authority) as address:
            client = silent_client(address)
            await turns(10)
        return client

    def scenario(loop):
        client = loop.run_until_complete(main(loop))
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0.01))
        with client:
            return closed(client)

    assert compare(scenario) is True


def test_a_task_factory_that_fails_over_a_pending_handshake(authority):
    def refuse(loop, coro, **keywords):
        coro.close()
        raise LookupError("no tasks")

    async def main(loop):
        async with listening(authority) as address:
            client = silent_client(address)
            await turns(10)
            loop.set_task_factory(refuse)
        return client

    loop = mainspring.new_event_loop()
    errors = collect_errors(loop)
    client = loop.run_until_complete(main(loop))
    loop.set_task_factory(None)
    loop.run_until_complete(asyncio.sleep(0.01))
    with client:
        assert closed(client)
    assert [str(error["exception"]) for error in errors] == ["no tasks"]
    loop.close()
