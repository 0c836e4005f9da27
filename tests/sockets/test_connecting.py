"""sock_connect(): how it ends, and what it leaves."""

import asyncio
import gc
import socket
import sys

import pytest
from helpers import closed_port, compare, full_listener, outcome

LOCAL = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}


def socket_of(family, kind=socket.SOCK_STREAM):
    sock = socket.socket(family, kind)
    sock.setblocking(False)
    return sock


@pytest.mark.parametrize("family", LOCAL, ids=["IPv4", "IPv6"])
def test_data_flows_afterwards(loop, family):
    async def main():
        with socket.create_server((LOCAL[family], 0), family=family) as listener, socket_of(family) as sock:
            assert await loop.sock_connect(sock, listener.getsockname()[:2]) is None
            connection, peer = listener.accept()
            with connection:
                assert peer == sock.getsockname()
                connection.send(b"hello")
                assert await loop.sock_recv(sock, 10) == b"hello"
                await loop.sock_sendall(sock, b"answer")
                assert connection.recv(10) == b"answer"

    loop.run_until_complete(main())


@pytest.mark.parametrize(
    ("family", "host"),
    [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"), (socket.AF_INET6, "0:0::1")],
)
def test_a_refusal_names_the_address(family, host):
    port = closed_port(family)

    def scenario(loop):
        with socket_of(family) as sock:
            return outcome(loop.run_until_complete, loop.sock_connect(sock, (host, port)))

    kind, text, *_ = compare(scenario)
    assert kind is ConnectionRefusedError
    assert f"Connect call failed ('{host}', {port}" in str(text)


def test_a_datagram_socket_is_connected_at_once(loop):
    with socket_of(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        loop.run_until_complete(loop.sock_connect(sock, ("127.0.0.1", 9)))
        assert sock.getpeername() == ("127.0.0.1", 9)


def test_a_socket_that_is_connected_already():
    def scenario(loop):
        with socket.create_server(("127.0.0.1", 0)) as listener, socket_of(socket.AF_INET) as sock:
            address = listener.getsockname()
            # Linux says so to the second who asks.
            for _ in range(2):
                loop.run_until_complete(loop.sock_connect(sock, address))
            return outcome(loop.run_until_complete, loop.sock_connect(sock, address))

    assert compare(scenario)[0] is OSError


def test_what_waits_for_an_answer_can_be_cancelled(loop):
    async def main():
        listener, fill = full_listener()
        with socket_of(socket.AF_INET) as sock, pytest.raises(TimeoutError):
            await asyncio.wait_for(loop.sock_connect(sock, listener.getsockname()), 0.02)
        for sock in (listener, *fill):
            sock.close()
        # The number of the descriptor is free for another.
        with socket_of(socket.AF_INET) as other, socket.create_server(("127.0.0.1", 0)) as listener:
            await loop.sock_connect(other, listener.getsockname())

    loop.run_until_complete(main())


def test_many_at_once(loop):
    async def connected(address):
        sock = socket_of(socket.AF_INET)
        await loop.sock_connect(sock, address)
        return sock

    async def main():
        with socket.create_server(("127.0.0.1", 0), backlog=1000) as listener:
            socks = await asyncio.gather(*(connected(listener.getsockname()) for _ in range(300)))
            assert len({sock.getsockname() for sock in socks}) == 300
            for sock in socks:
                sock.close()

    loop.run_until_complete(main())


def test_the_audit_event_is_that_of_the_socket(loop):
    events = []
    listening = True

    def hook(event, args):
        if listening and event == "socket.connect":
            events.append(args[1])

    sys.addaudithook(hook)
    try:
        with socket.create_server(("127.0.0.1", 0)) as listener, socket_of(socket.AF_INET) as sock:
            address = listener.getsockname()
            loop.run_until_complete(loop.sock_connect(sock, address))
    finally:
        listening = False
    assert events == [address]


def test_nothing_keeps_the_socket(loop):
    async def main(address):
        sock = socket_of(socket.AF_INET)
        before = sys.getrefcount(sock)
        await loop.sock_connect(sock, address)
        await asyncio.sleep(0)
        gc.collect()
        assert sys.getrefcount(sock) == before
        sock.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        loop.run_until_complete(main(listener.getsockname()))
