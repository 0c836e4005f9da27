"""A busy loop starves nobody: not I/O, not timers, not other threads, not signals; and short chains see their I/O."""

import asyncio
import signal
import socket
import threading

import pytest
from helpers import eventually


@pytest.fixture(params=["call_soon", "sleep(0)", "a hundred tasks"])
def busy(request, loop):
    """Keeps the loop busy without an end, by a chain of callbacks, by a task or by many of them."""
    going = True

    def again():
        if going:
            loop.call_soon(again)

    async def spin():
        while going:
            await asyncio.sleep(0)

    if request.param == "call_soon":
        loop.call_soon(again)
        tasks = []
    else:
        tasks = [loop.create_task(spin()) for _ in range(1 if request.param == "sleep(0)" else 100)]
    yield
    going = False
    for task in tasks:
        loop.run_until_complete(task)


@pytest.fixture
def limit(loop):
    """Ends a run that would never end otherwise, from another thread and by force."""
    timer = threading.Timer(10, lambda: loop.is_closed() or loop.call_soon_threadsafe(loop.stop))
    timer.start()
    yield
    timer.cancel()
    timer.join()


def test_a_reader_is_called(loop, busy, limit):
    one, other = socket.socketpair()
    received = []

    def read():
        received.append(one.recv(10))
        loop.stop()

    loop.add_reader(one, read)
    threading.Timer(0.02, other.send, [b"x"]).start()
    loop.run_forever()
    assert received == [b"x"]
    loop.remove_reader(one)
    one.close()
    other.close()


def test_timers_fire(loop, busy, limit):
    fired = []

    def fire(count):
        fired.append(count)
        if count == 20:
            loop.stop()
        else:
            loop.call_later(0.001, fire, count + 1)

    loop.call_later(0.001, fire, 1)
    loop.run_forever()
    assert fired == list(range(1, 21))


def test_calls_from_other_threads_run(loop, busy, limit):
    ran = []

    def done():
        ran.append("ran")
        loop.stop()

    threading.Timer(0.02, loop.call_soon_threadsafe, [done]).start()
    loop.run_forever()
    assert ran == ["ran"]


def test_signals_arrive(loop, busy, limit):
    calls = []

    def handler():
        calls.append("signal")
        loop.stop()

    loop.add_signal_handler(signal.SIGUSR1, handler)
    threading.Timer(0.02, signal.raise_signal, [signal.SIGUSR1]).start()
    loop.run_forever()
    assert calls == ["signal"]
    loop.remove_signal_handler(signal.SIGUSR1)


def test_a_connection_is_served(loop, busy, limit):
    class Echo(asyncio.Protocol):
        def connection_made(self, transport):
            self.transport = transport

        def data_received(self, data):
            self.transport.write(data)

    async def main():
        server = await loop.create_server(Echo, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        for number in range(100):
            writer.write(b"%d\n" % number)
            assert await reader.readline() == b"%d\n" % number
        writer.close()
        await writer.wait_closed()
        server.close()
        await server.wait_closed()

    loop.run_until_complete(main())


def test_a_short_chain_of_sleeps_sees_what_was_just_written(loop):
    async def main():
        one, other = socket.socketpair()
        received = []
        loop.add_reader(one, lambda: received.append(one.recv(10)))
        for round in range(200):
            # Quiet turns first, so that the loop has stopped expecting anything.
            for _ in range(100 if round % 20 == 0 else 0):
                await asyncio.sleep(0)
            transport_written = len(received)
            other.send(b"x")
            await asyncio.sleep(0.0001)
            for _ in range(8):
                await asyncio.sleep(0)
            assert len(received) > transport_written
        loop.remove_reader(one)
        one.close()
        other.close()

    loop.run_until_complete(main())


def test_an_answer_arrives_within_a_few_turns_of_the_own_write(loop):
    class Client(asyncio.Protocol):
        received = b""

        def data_received(self, data):
            self.received += data

    class Echo(asyncio.Protocol):
        def connection_made(self, transport):
            self.transport = transport

        def data_received(self, data):
            self.transport.write(data)

    async def main():
        server = await loop.create_server(Echo, "127.0.0.1", 0)
        transport, client = await loop.create_connection(Client, *server.sockets[0].getsockname())
        await asyncio.sleep(0.01)
        for round in range(1, 101):
            transport.write(b"x")
            for _ in range(8):
                await asyncio.sleep(0)
            assert len(client.received) == round
        transport.close()
        await asyncio.sleep(0.01)
        server.close()
        await server.wait_closed()

    loop.run_until_complete(main())


def test_one_loud_peer_does_not_silence_the_others(loop):
    class Sink(asyncio.Protocol):
        count = 0

        def data_received(self, data):
            Sink.count += len(data)

    async def main():
        pairs = [socket.socketpair() for _ in range(2)]
        loud, quiet = pairs
        sink, _ = await loop.connect_accepted_socket(Sink, loud[0])
        stop = threading.Event()

        def shout():
            try:
                while not stop.is_set():
                    loud[1].send(b"x" * 65536)
            except OSError:
                pass

        thread = threading.Thread(target=shout)
        thread.start()
        received = []
        quiet[0].setblocking(False)
        loop.add_reader(quiet[0], lambda: received.append(quiet[0].recv(10)))
        for number in range(1, 20):
            quiet[1].send(b"x")
            await eventually(lambda count=number: len(received) == count)
        stop.set()
        loop.remove_reader(quiet[0])
        sink.abort()
        await asyncio.sleep(0.01)
        thread.join()
        loud[1].close()
        for sock in quiet:
            sock.close()

    loop.run_until_complete(main())
