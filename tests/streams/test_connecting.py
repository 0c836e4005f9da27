"""create_connection: addresses tried in turn and at once, errors, cancellation, sockets of the program's own."""

import asyncio
import errno
import gc
import inspect
import socket

import pytest
from helpers import (
    Recorder,
    closed_port,
    compare,
    connected,
    eventually,
    full_listener,
    open_descriptors,
    outcome,
    serving,
    tcp_pair,
    turns,
)

HAS_ALL_ERRORS = "all_errors" in inspect.signature(asyncio.BaseEventLoop.create_connection).parameters


def resolve_to(loop, monkeypatch, *addresses):
    """Let the loop resolve every name to these IPv4 addresses."""

    async def getaddrinfo(host, port, **_):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in addresses]

    monkeypatch.setattr(loop, "getaddrinfo", getaddrinfo)


def test_by_host_name(loop):
    async def main():
        async with serving(Recorder) as (_, (_, port), made):
            transport, protocol = await loop.create_connection(Recorder, "localhost", port)
            transport.write(b"hello")
            await eventually(lambda: made and made[0].received == b"hello")
            transport.close()
            assert await protocol.lost is None

    loop.run_until_complete(main())


def test_a_refused_connection_is_the_same_error():
    port = closed_port()

    def scenario(loop):
        return outcome(loop.run_until_complete, loop.create_connection(Recorder, "127.0.0.1", port))

    kind, text = compare(scenario)
    assert kind is ConnectionRefusedError
    assert text == f"[Errno {errno.ECONNREFUSED}] Connect call failed ('127.0.0.1', {port})"


@pytest.mark.parametrize("keywords", [{}, {"happy_eyeballs_delay": 0.25}], ids=["one by one", "happy eyeballs"])
def test_the_error_of_a_refused_connection_is_held_by_the_same_objects(keywords):
    port = closed_port()

    def scenario(loop):
        async def main():
            try:
                await loop.create_connection(asyncio.Protocol, "127.0.0.1", port, **keywords)
            except OSError as error:
                return sorted(type(holder).__name__ for holder in gc.get_referrers(error))

        return loop.run_until_complete(main())

    assert "Handle" not in compare(scenario)


def test_several_refused_addresses_are_the_same_error(monkeypatch):
    ports = closed_port(), closed_port()

    def scenario(loop):
        with monkeypatch.context() as patch:
            resolve_to(loop, patch, *(("127.0.0.1", port) for port in ports))
            return outcome(loop.run_until_complete, loop.create_connection(Recorder, "name", 1))

    kind, text = compare(scenario)
    assert issubclass(kind, OSError)
    assert all(str(port) in text for port in ports)


@pytest.mark.skipif(not HAS_ALL_ERRORS, reason="all_errors came with Python 3.12")
def test_all_errors_come_as_a_group(loop, monkeypatch):
    ports = closed_port(), closed_port()
    resolve_to(loop, monkeypatch, *(("127.0.0.1", port) for port in ports))
    with pytest.raises(ExceptionGroup) as failed:
        loop.run_until_complete(loop.create_connection(Recorder, "name", 1, all_errors=True))
    assert [type(error) for error in failed.value.exceptions] == [ConnectionRefusedError] * 2


def test_the_second_address_is_taken_when_the_first_refuses(loop, monkeypatch):
    async def main():
        async with serving(Recorder) as (_, address, _):
            resolve_to(loop, monkeypatch, ("127.0.0.1", closed_port()), address)
            transport, protocol = await loop.create_connection(Recorder, "name", 1)
            assert transport.get_extra_info("peername") == address
            transport.close()
            await protocol.lost

    loop.run_until_complete(main())


@pytest.mark.parametrize("keywords", [{}, {"interleave": 1}, {"interleave": 0}], ids=str)
def test_happy_eyeballs_go_on_at_once_when_the_first_address_fails(loop, monkeypatch, keywords):
    async def main():
        async with serving(Recorder) as (_, address, _):
            resolve_to(loop, monkeypatch, ("127.0.0.1", closed_port()), address)
            connecting = loop.create_connection(Recorder, "name", 1, happy_eyeballs_delay=60, **keywords)
            transport, protocol = await asyncio.wait_for(connecting, 20)
            assert transport.get_extra_info("peername") == address
            transport.close()
            await protocol.lost

    loop.run_until_complete(main())


def test_happy_eyeballs_do_not_wait_for_an_address_that_is_silent(loop, monkeypatch):
    async def main():
        listener, fill = full_listener()
        async with serving(Recorder) as (_, address, _):
            resolve_to(loop, monkeypatch, listener.getsockname(), address)
            connecting = loop.create_connection(Recorder, "name", 1, happy_eyeballs_delay=0.05)
            transport, protocol = await asyncio.wait_for(connecting, 20)
            assert transport.get_extra_info("peername") == address
            transport.close()
            await protocol.lost
        for sock in (listener, *fill):
            sock.close()

    loop.run_until_complete(main())


def test_a_cancelled_connect_leaves_nothing_behind(loop):
    async def main():
        listener, fill = full_listener()
        before = open_descriptors()
        for _ in range(10):
            task = loop.create_task(loop.create_connection(Recorder, *listener.getsockname()))
            await asyncio.sleep(0.002)
            assert not task.done()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await turns(3)
        assert open_descriptors() == before
        for sock in (listener, *fill):
            sock.close()

    loop.run_until_complete(main())


def test_a_connect_that_times_out_leaves_nothing_behind(loop):
    async def main():
        listener, fill = full_listener()
        before = open_descriptors()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(loop.create_connection(Recorder, *listener.getsockname()), 0.02)
        await turns(3)
        assert open_descriptors() == before
        for sock in (listener, *fill):
            sock.close()

    loop.run_until_complete(main())


def test_local_addr(loop):
    async def main():
        async with serving(Recorder) as (_, address, _):
            port = closed_port()
            connecting = loop.create_connection(Recorder, *address, local_addr=("127.0.0.1", port))
            transport, protocol = await connecting
            assert transport.get_extra_info("sockname") == ("127.0.0.1", port)
            transport.abort()
            await protocol.lost

    loop.run_until_complete(main())


def test_a_local_address_in_use_is_the_same_error():
    def scenario(loop):
        async def main():
            async with serving(Recorder) as (_, address, _):
                connecting = loop.create_connection(Recorder, *address, local_addr=address)
                try:
                    await connecting
                except OSError as error:
                    return error.errno, str(error).replace(str(address[1]), "PORT")

        return loop.run_until_complete(main())

    number, text = compare(scenario)
    assert number == errno.EADDRINUSE
    assert "error while attempting to bind on address" in text


def test_a_socket_that_is_connected_already(loop):
    async def main():
        async with connected() as (transport, protocol, peer):
            peer.send(b"hello")
            await eventually(lambda: protocol.received == b"hello")
            assert transport.get_extra_info("socket").family == socket.AF_INET

    loop.run_until_complete(main())


def test_connect_accepted_socket(loop):
    async def main():
        for ours, peer in (tcp_pair(), socket.socketpair()):
            peer.setblocking(False)
            transport, protocol = await loop.connect_accepted_socket(Recorder, ours)
            peer.send(b"hello")
            await eventually(lambda p=protocol: p.received == b"hello")
            transport.close()
            assert await protocol.lost is None
            await turns(2)
            peer.close()

    loop.run_until_complete(main())


WRONG = [
    {},
    {"host": "127.0.0.1"},
    {"host": "127.0.0.1", "port": 1, "sock": "socket"},
    {"host": "127.0.0.1", "port": 1, "server_hostname": "name"},
    {"host": "127.0.0.1", "port": 1, "ssl_handshake_timeout": 1},
    {"sock": "datagram"},
    {"ssl": True, "sock": "socket"},
    {"host": "host.invalid.", "port": 80},
]


@pytest.mark.parametrize("keywords", WRONG, ids=str)
def test_wrong_arguments_are_the_same_errors(keywords):
    def scenario(loop):
        given = dict(keywords)
        kind = socket.SOCK_DGRAM if given.get("sock") == "datagram" else socket.SOCK_STREAM
        with socket.socket(type=kind) as sock:
            if "sock" in given:
                given["sock"] = sock
            result, text = outcome(loop.run_until_complete, loop.create_connection(Recorder, **given))
            return result, text.replace(f"fd={sock.fileno()}", "fd=")

    kind, _ = compare(scenario)
    assert issubclass(kind, (TypeError, ValueError, OSError))


def test_a_protocol_factory_that_raises_leaves_nothing_behind(loop):
    def factory():
        raise ValueError("on purpose")

    async def main():
        async with serving(Recorder) as (_, address, _):
            before = len(open_descriptors())
            for _ in range(3):
                with pytest.raises(ValueError, match="on purpose"):
                    await loop.create_connection(factory, *address)
            await asyncio.sleep(0.02)
            assert len(open_descriptors()) == before

    import gc

    loop.run_until_complete(main())
    gc.collect()


def test_hundreds_of_connections_opened_and_closed_leave_no_descriptor(loop):
    async def main():
        async with serving(Recorder) as (_, address, made):
            before = None
            for number in range(300):
                transport, protocol = await loop.create_connection(Recorder, *address)
                (transport.close if number % 2 else transport.abort)()
                await protocol.lost
                if number == 9:
                    await eventually(lambda: all(p.lost and p.lost.done() for p in made))
                    await turns(3)
                    before = open_descriptors().keys()
            await eventually(lambda: len(made) == 300 and all(p.lost and p.lost.done() for p in made))
            await turns(3)
            assert open_descriptors().keys() == before

    loop.run_until_complete(main())
