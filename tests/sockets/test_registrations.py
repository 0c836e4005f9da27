"""Descriptors between and during sock_* operations: used again, closed, inherited by others, shared with readers."""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys

import mainspring
import pytest
from helpers import compare, drain_socket, eventually, fill_socket, idle, needs_linux, tcp_pair, turns


@pytest.fixture
def pair():
    one, other = tcp_pair()
    with one, other:
        yield one, other


async def waiting(loop, coroutine):
    """A task of the coroutine, which has begun to wait."""
    task = loop.create_task(coroutine)
    await asyncio.sleep(0)
    assert not task.done()
    return task


def same_number(old_number, make):
    """A pair of sockets one of which has the number."""
    one, other = make()
    if other.fileno() == old_number:
        return other, one
    if one.fileno() != old_number:
        os.dup2(one.fileno(), old_number)
        one.close()
        one = socket.socket(fileno=old_number)
        one.setblocking(False)
    return one, other


def test_many_requests_and_answers(loop, pair):
    one, other = pair

    async def main():
        for i in range(200):
            request = b"%d" % i
            task = await waiting(loop, loop.sock_recv(other, 100))
            await loop.sock_sendall(one, request)
            assert await task == request
            await loop.sock_sendall(other, request * 2)
            assert await loop.sock_recv(one, 100) == request * 2

    loop.run_until_complete(main())


def test_receiving_and_sending_wait_on_one_socket_at_once(loop, pair):
    one, other = pair
    data = os.urandom(5_000_000)

    async def main():
        receiving = await waiting(loop, loop.sock_recv(one, 100))
        sending = await waiting(loop, loop.sock_sendall(one, data))
        received = bytearray(await loop.sock_recv(other, 65536))
        other.send(b"back")
        assert await receiving == b"back"
        while len(received) < len(data):
            received += await loop.sock_recv(other, 65536)
        await sending
        assert received == data
        receiving = await waiting(loop, loop.sock_recv(one, 100))
        other.send(b"again")
        assert await receiving == b"again"

    loop.run_until_complete(main())


def test_the_second_operation_replaces_the_first(loop, pair):
    one, other = pair

    async def main():
        first = await waiting(loop, loop.sock_recv(other, 100))
        second = await waiting(loop, loop.sock_recv(other, 100))
        one.send(b"data")
        assert await second == b"data"
        one.send(b"more")
        await asyncio.sleep(0.01)
        assert not first.done()
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert await loop.sock_recv(other, 100) == b"more"

    loop.run_until_complete(main())


def test_a_reader_of_the_programs_replaces_an_operation_and_the_other_way_round(loop, pair):
    one, other = pair

    async def main():
        calls = []
        operation = await waiting(loop, loop.sock_recv(other, 100))
        loop.add_reader(other, lambda: calls.append(other.recv(100)))
        one.send(b"for the reader")
        await eventually(lambda: calls)
        assert calls == [b"for the reader"]
        assert not operation.done()
        second = await waiting(loop, loop.sock_recv(other, 100))
        one.send(b"for the operation")
        assert await second == b"for the operation"
        assert loop.remove_reader(other) is False
        one.send(b"for nobody")
        await asyncio.sleep(0.005)
        assert len(calls) == 1
        operation.cancel()
        with pytest.raises(asyncio.CancelledError):
            await operation

    loop.run_until_complete(main())


@pytest.mark.parametrize("direction", ["reader", "writer"])
def test_a_removed_operation_is_not_completed(loop, pair, direction):
    one, other = pair

    async def main():
        if direction == "reader":
            operation = await waiting(loop, loop.sock_recv(one, 100))
        else:
            operation = await waiting(loop, loop.sock_sendall(one, bytes(10_000_000)))
        assert getattr(loop, f"remove_{direction}")(one) is True
        assert getattr(loop, f"remove_{direction}")(one) is False
        with contextlib.suppress(BlockingIOError):
            while other.recv(1 << 20):
                pass
        other.send(b"data")
        await asyncio.sleep(0.005)
        assert not operation.done()
        operation.cancel()
        with pytest.raises(asyncio.CancelledError):
            await operation

    loop.run_until_complete(main())


@pytest.mark.parametrize("make", [tcp_pair, socket.socketpair], ids=["tcp", "unix"])
def test_a_socket_closed_between_operations_gives_nothing_to_the_next_of_its_number(loop, make):
    def nonblocking():
        one, other = make()
        one.setblocking(False)
        other.setblocking(False)
        return one, other

    async def main():
        for i in range(20):
            one, other = nonblocking()
            number = other.fileno()
            receiving = await waiting(loop, loop.sock_recv(other, 100))
            one.send(b"old")
            assert await receiving == b"old"
            other.close()
            fresh, peer = same_number(number, nonblocking)
            with one, fresh, peer:
                receiving = await waiting(loop, loop.sock_recv(fresh, 100))
                await turns(5)
                assert not receiving.done()
                peer.send(b"new %d" % i)
                assert await asyncio.wait_for(receiving, 10) == b"new %d" % i

    loop.run_until_complete(main())


def test_a_file_that_lives_on_elsewhere_disturbs_nobody(loop):
    async def main():
        one, other = tcp_pair()
        number = other.fileno()
        receiving = await waiting(loop, loop.sock_recv(other, 100))
        one.send(b"old")
        assert await receiving == b"old"
        # As when a child process inherits it: the file stays open although the socket is closed.
        elsewhere = other.dup()
        other.close()
        fresh, peer = same_number(number, tcp_pair)
        with one, fresh, peer, elsewhere:
            receiving = await waiting(loop, loop.sock_recv(fresh, 100))
            for _ in range(100):
                one.send(b"for somebody else")
                await asyncio.sleep(0)
            # And the loop sleeps, though data is there that nobody of this process reads.
            await idle()
            assert not receiving.done()
            peer.send(b"new")
            assert await asyncio.wait_for(receiving, 10) == b"new"
            assert elsewhere.recv(4) == b"for "

    loop.run_until_complete(main())


@needs_linux("libuv goes on asking for a closed file")
# On the default loop the first spins for as long as the file is open, and the second cannot wait.
@pytest.mark.parametrize("again", [False, True], ids=["nobody", "another"])
def test_a_send_whose_socket_was_closed_does_not_keep_the_loop_busy(again):
    async def main():
        loop = asyncio.get_running_loop()
        one, other = tcp_pair()
        fill_socket(one)
        number = one.fileno()
        sending = await waiting(loop, loop.sock_sendall(one, b"x"))
        # As when a child process inherits it.
        elsewhere = one.dup()
        one.close()
        with contextlib.ExitStack() as sockets:
            for each in (other, elsewhere):
                sockets.enter_context(each)
            if again:
                fresh, peer = same_number(number, tcp_pair)
                for each in (fresh, peer):
                    sockets.enter_context(each)
                receiving = await waiting(loop, loop.sock_recv(fresh, 100))
            sending.cancel()
            await asyncio.wait([sending])
            # The file takes more again, for which nobody waits.
            drain_socket(other)
            await idle()
            if again:
                peer.send(b"new")
                assert await asyncio.wait_for(receiving, 10) == b"new"

    mainspring.run(main())


def test_data_that_nobody_waits_for_does_not_keep_the_loop_busy(loop, pair):
    one, other = pair

    async def main():
        receiving = await waiting(loop, loop.sock_recv(other, 1))
        one.send(b"abc")
        assert await receiving == b"a"
        await idle()
        for _ in range(50):
            one.send(b"x")
            await asyncio.sleep(0)
        assert await loop.sock_recv(other, 1) == b"b"
        received = b""
        while len(received) < 51:
            received += await loop.sock_recv(other, 1000)
        assert received == b"c" + b"x" * 50
        receiving = await waiting(loop, loop.sock_recv(other, 1))
        one.send(b"y")
        assert await asyncio.wait_for(receiving, 10) == b"y"

    loop.run_until_complete(main())


def test_a_detached_socket_is_a_new_one(loop, pair):
    one, other = pair

    async def main():
        nonlocal other
        for i in range(5):
            receiving = await waiting(loop, loop.sock_recv(other, 100))
            one.send(b"%d" % i)
            assert await receiving == b"%d" % i
            other = socket.socket(fileno=other.detach())
            other.setblocking(False)
        other.close()

    loop.run_until_complete(main())


def test_a_transport_takes_a_socket_over_after_operations(loop):
    class Protocol(asyncio.Protocol):
        received = b""

        def data_received(self, data):
            self.received += data

    async def main():
        one, other = tcp_pair()
        with one:
            receiving = await waiting(loop, loop.sock_recv(other, 100))
            one.send(b"hello")
            assert await receiving == b"hello"
            transport, protocol = await loop.create_connection(Protocol, sock=other)
            one.send(b"to the protocol")
            await eventually(lambda: protocol.received == b"to the protocol")
            transport.close()
            await turns(3)

    loop.run_until_complete(main())


def test_several_accept_at_once_and_nothing_is_lost(loop):
    async def main():
        with socket.create_server(("127.0.0.1", 0), backlog=100) as listener, contextlib.ExitStack() as stack:
            listener.setblocking(False)
            accepting = await waiting(loop, loop.sock_accept(listener))
            clients = [stack.enter_context(socket.create_connection(listener.getsockname())) for _ in range(30)]
            names = set()
            connection, address = await accepting
            for _ in range(29):
                with connection:
                    assert connection.gettimeout() == 0
                    assert not connection.get_inheritable()
                    names.add(address)
                connection, address = await loop.sock_accept(listener)
            with connection:
                names.add(address)
            assert names == {client.getsockname() for client in clients}

    loop.run_until_complete(main())


FAMILIES = {
    "ipv4": (socket.AF_INET, "127.0.0.1"),
    "ipv6": (socket.AF_INET6, "::1"),
    "unix": (socket.AF_UNIX, None),
    "abstract": (socket.AF_UNIX, ""),
}


@pytest.mark.parametrize("family", list(FAMILIES))
@pytest.mark.parametrize("bound", [False, True])
def test_accepted_sockets_and_addresses_are_the_same(tmp_path, family, bound):
    kind, host = FAMILIES[family]

    def address(name, loop):
        if kind != socket.AF_UNIX:
            return (host, 0)
        path = f"{tmp_path}/{type(loop).__name__}-{name}"
        return f"\0{path}" if host == "" else path

    def told(value, loop, port):
        if isinstance(value, tuple):
            return tuple("port" if part == port else part for part in value)
        text = repr(value)
        return text.replace(type(loop).__name__, "LOOP")

    def scenario(loop):
        with socket.socket(kind) as listener, socket.socket(kind) as client:
            listener.bind(address("server", loop))
            listener.listen()
            listener.setblocking(False)
            if bound:
                client.bind(address("client", loop))
            client.connect(listener.getsockname())
            own = client.getsockname()
            connection, peer = loop.run_until_complete(loop.sock_accept(listener))
            with connection:
                return (
                    type(connection),
                    connection.family,
                    connection.type,
                    connection.proto,
                    connection.gettimeout(),
                    connection.getblocking(),
                    told(peer, loop, own[1] if isinstance(own, tuple) else None),
                )

    compare(scenario)


@pytest.mark.parametrize("family", list(FAMILIES))
@pytest.mark.parametrize("bound", [False, True])
def test_senders_addresses_are_the_same(tmp_path, family, bound):
    kind, host = FAMILIES[family]

    def scenario(loop):
        def address(name):
            if kind != socket.AF_UNIX:
                return (host, 0)
            path = f"{tmp_path}/{type(loop).__name__}-{name}"
            return f"\0{path}" if host == "" else path

        def told(value, own):
            return "its own" if value == own else value

        with socket.socket(kind, socket.SOCK_DGRAM) as one, socket.socket(kind, socket.SOCK_DGRAM) as other:
            one.setblocking(False)
            other.setblocking(False)
            other.bind(address("receiver"))
            if bound or kind != socket.AF_UNIX:
                one.bind(address("sender"))
            own = one.getsockname()

            async def main():
                buffer = bytearray(10)
                results = []
                for size in (0, 1, 5):
                    results.append(await loop.sock_sendto(one, b"x" * size, other.getsockname()))
                    data, sender = await loop.sock_recvfrom(other, 3)
                    results.append((data, told(sender, own)))
                    await loop.sock_sendto(one, bytearray(size), other.getsockname())
                    count, sender = await loop.sock_recvfrom_into(other, buffer, 3)
                    results.append((count, told(sender, own)))
                    await loop.sock_sendto(one, memoryview(b"y" * size), other.getsockname())
                    results.append(await loop.sock_recv(other, 2))
                return results

            return loop.run_until_complete(main())

    compare(scenario)


@pytest.mark.parametrize("size", [0, 1, 16 * 1024, 65536, 256 * 1024, 256 * 1024 + 1, 1 << 20, 1 << 28])
@pytest.mark.parametrize("sent", [1, 40_000, 200_000])
def test_sizes_of_receives(loop, size, sent):
    async def main():
        one, other = socket.socketpair()
        with one, other:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
            one.setblocking(False)
            other.setblocking(False)
            data = os.urandom(sent)
            for _ in range(3):
                sending = loop.create_task(loop.sock_sendall(one, data))
                await asyncio.sleep(0)
                if size == 0:
                    assert await loop.sock_recv(other, 0) == b""
                received = bytearray()
                while len(received) < sent:
                    part = await loop.sock_recv(other, size or 65536)
                    assert type(part) is bytes
                    assert 0 < len(part) <= (size or 65536)
                    received += part
                assert received == data
                await sending

    loop.run_until_complete(main())


def test_a_large_datagram_is_not_cut(loop):
    async def main():
        one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        with one, other:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
            one.setblocking(False)
            other.setblocking(False)
            # As much as this machine lets through, if that is less.
            size = 300_000
            while True:
                try:
                    one.send(bytes(size))
                    break
                except OSError:
                    size //= 2
            assert len(await loop.sock_recv(other, 1 << 20)) == size

    loop.run_until_complete(main())


@pytest.mark.parametrize("limit", [None, 5])
def test_a_socket_with_a_timeout_of_its_own(limit):
    def scenario(loop):
        one, other = tcp_pair()
        with one, other:
            other.settimeout(limit)
            one.send(b"data")
            return loop.run_until_complete(loop.sock_recv(other, 10)), other.gettimeout()

    assert compare(scenario) == (b"data", limit)


def test_subclasses_and_replaced_methods_are_respected(loop, monkeypatch):
    class Shouting(socket.socket):
        def recv(self, size):
            return super().recv(size).upper()

    async def main():
        one, other = tcp_pair()
        with one, Shouting(fileno=other.detach()) as other:
            other.setblocking(False)
            receiving = await waiting(loop, loop.sock_recv(other, 10))
            one.send(b"data")
            assert await receiving == b"DATA"
        one, other = tcp_pair()
        with one, other:
            one.send(b"data")
            assert await loop.sock_recv(other, 2) == b"da"
            monkeypatch.setattr(socket.socket, "recv", lambda self, size: b"replaced")
            assert await loop.sock_recv(other, 2) == b"replaced"
            monkeypatch.undo()
            assert await loop.sock_recv(other, 2) == b"ta"

    loop.run_until_complete(main())


def test_the_loop_closes_while_operations_wait(loop_factory):
    loop = loop_factory()
    one, other = tcp_pair()
    with one, other:
        coroutine = loop.sock_recv(other, 10)
        coroutine.send(None)
        loop.close()
        coroutine.close()
        other.send(b"x")
        with pytest.raises(RuntimeError, match="Event loop is closed"):
            loop.sock_recv(other, 10).send(None)


def test_the_mutable_data_of_a_waiting_send_cannot_be_resized(loop, pair):
    async def main():
        data = bytearray(10_000_000)
        sending = await waiting(loop, loop.sock_sendall(pair[0], data))
        with pytest.raises(BufferError):
            data.append(1)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        del sending
        await asyncio.sleep(0)
        data.append(1)

    loop.run_until_complete(main())


def test_a_buffer_that_is_released_while_it_is_awaited():
    def scenario(loop):
        one, other = tcp_pair()
        with one, other:

            async def main():
                view = memoryview(bytearray(10))
                receiving = await waiting(loop, loop.sock_recv_into(other, view))
                view.release()
                one.send(b"data")
                with pytest.raises(TypeError) as caught:
                    await receiving
                return str(caught.value)

            return loop.run_until_complete(main())

    compare(scenario)


def test_waiting_for_the_socket_of_a_closing_transport_does_not_keep_it_open(loop):
    async def main():
        one, other = tcp_pair()
        transport, _ = await loop.create_connection(asyncio.Protocol, sock=one)
        # More than the kernel ever takes for a peer that does not read.
        transport.write(bytes(64 << 20) + b"the last")
        transport.close()
        receiving = await waiting(loop, loop.sock_recv(one, 10))
        with other:
            received = b""
            while data := await asyncio.wait_for(loop.sock_recv(other, 1 << 20), 10):
                received = (received + data)[-8:]
            assert received == b"the last"
            assert one.fileno() == -1
            receiving.cancel()

    loop.run_until_complete(main())


def test_waiting_for_the_socket_of_a_server_does_not_keep_it_open(loop):
    async def main():
        listening = socket.create_server(("127.0.0.1", 0))
        address = listening.getsockname()
        server = await loop.create_server(asyncio.Protocol, sock=listening)
        accepting = await waiting(loop, loop.sock_accept(listening))
        server.close()
        await asyncio.sleep(0.01)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address)
        accepting.cancel()

    loop.run_until_complete(main())


@pytest.mark.skipif(not hasattr(os, "fork") or sys.platform != "linux", reason="needs fork")
def test_a_connection_that_a_child_process_holds_does_not_keep_the_loop_busy(loop):
    async def main():
        one, other = tcp_pair()
        receiving = await waiting(loop, loop.sock_recv(other, 100))
        one.send(b"to the parent")
        assert await receiving == b"to the parent"
        command = [sys.executable, "-c", "import sys; sys.stdin.read()"]
        child = subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=[other.fileno()])
        other.close()
        with one:
            one.send(b"to the child, which does not read it")
            await idle()
        child.communicate()

    loop.run_until_complete(main())
