"""Virtual time and real sockets: a server and its clients in one loop, and peers outside of it."""

import asyncio
import contextlib
import socket
import threading
import time

import pytest
from helpers import needs_linux
from helpers.virtual import now, run

# A peer outside answers within this time; where both ends are in the loop nobody may wait so long for an answer.
LONG = 600


async def slow_echo(reader, writer):
    """Answers each line a second later."""
    with contextlib.suppress(ConnectionError):
        while line := await reader.readline():
            await asyncio.sleep(1)
            writer.write(line)
    writer.close()


@contextlib.asynccontextmanager
async def served(kind, tmp_path, handler=slow_echo):
    """A server in this loop; gives what opens connections to it."""
    if kind == "unix":
        path = str(tmp_path / "socket")
        server = await asyncio.start_unix_server(handler, path)
        connect = lambda: asyncio.open_unix_connection(path)  # noqa: E731
    else:
        host = {"tcp": "127.0.0.1", "tcp6": "::1"}[kind]
        try:
            server = await asyncio.start_server(handler, host, 0)
        except OSError as error:
            if kind == "tcp":
                raise
            pytest.skip(f"no IPv6 here: {error}")
        port = server.sockets[0].getsockname()[1]
        connect = lambda: asyncio.open_connection(host, port)  # noqa: E731
    async with server:
        yield connect


KINDS = ["tcp", "tcp6", "unix"]
knows_tcp = needs_linux("what TCP has under way is not known, so that each answer may take the grace in real time")


@pytest.mark.parametrize("kind", [kind if kind == "unix" else pytest.param(kind, marks=knows_tcp) for kind in KINDS])
def test_a_server_and_a_client_in_one_loop(kind, tmp_path):
    async def main():
        async with served(kind, tmp_path) as connect:
            reader, writer = await connect()
            times = []
            for _ in range(600):
                writer.write(b"line\n")
                async with asyncio.timeout(1.001):
                    assert await reader.readline() == b"line\n"
                times.append(now())
                await asyncio.sleep(0.5)
            writer.close()
            await writer.wait_closed()
        return times

    # Nothing waits in real time: with this grace the test would not end.
    assert run(main(), grace=LONG) == [1 + 1.5 * i for i in range(600)]


@pytest.mark.parametrize("kind", KINDS)
def test_many_clients_and_sleeps_between(kind, tmp_path):
    async def client(connect, number):
        await asyncio.sleep(number / 4)
        reader, writer = await connect()
        writer.write(b"%d\n" % number)
        assert await reader.readline() == b"%d\n" % number
        writer.close()
        await writer.wait_closed()
        return now()

    async def main():
        async with served(kind, tmp_path) as connect:
            return await asyncio.gather(*(client(connect, number) for number in range(20)))

    expected = [1 + number / 4 for number in range(20)]
    assert [run(main()) for _ in range(3)] == [expected] * 3


def test_much_data_passes_before_the_next_timer(tmp_path):
    async def send_much(reader, writer):
        writer.write(bytes(8_000_000))
        await writer.drain()
        writer.close()

    async def main():
        async with served("tcp", tmp_path, send_much) as connect:
            reader, writer = await connect()
            async with asyncio.timeout(0.000001):
                assert len(await reader.read(-1)) == 8_000_000
            writer.close()
            await writer.wait_closed()
        return now()

    assert run(main()) == 0


def test_a_client_that_does_not_read_holds_nobody(tmp_path):
    """The server's data wait in the kernel for a client that sleeps: no answer is to be expected."""

    async def send_much(reader, writer):
        writer.write(bytes(8_000_000))
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        writer.close()

    async def main():
        async with served("tcp", tmp_path, send_much) as connect:
            reader, writer = await connect()
            await asyncio.sleep(3600)
            assert now() == 3600
            assert len(await reader.read(-1)) == 8_000_000
            writer.close()
            await writer.wait_closed()
        return now()

    assert run(main()) == 3600


def test_half_closing(tmp_path):
    async def answer_the_end(reader, writer):
        data = await reader.read(-1)
        await asyncio.sleep(2)
        writer.write(data)
        writer.close()

    async def main():
        async with served("tcp", tmp_path, answer_the_end) as connect:
            reader, writer = await connect()
            await asyncio.sleep(1)
            writer.write(b"all")
            writer.write_eof()
            assert await reader.read(-1) == b"all"
            writer.close()
            await writer.wait_closed()
        return now()

    assert run(main()) == 3


@knows_tcp
def test_a_timeout_of_a_server_that_never_answers(tmp_path):
    async def say_nothing(reader, writer):
        await reader.read(-1)
        writer.close()

    async def main():
        async with served("tcp", tmp_path, say_nothing) as connect:
            reader, writer = await connect()
            for _ in range(3):
                writer.write(b"hello?")
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(reader.read(1), 30)
            writer.close()
            await writer.wait_closed()
        return now()

    assert run(main(), grace=LONG) == 90


def test_sock_methods_in_one_loop():
    async def main():
        loop = asyncio.get_running_loop()
        one, other = socket.socketpair()
        one.setblocking(False)
        other.setblocking(False)
        with one, other:

            async def answer():
                data = await loop.sock_recv(other, 100)
                await asyncio.sleep(5)
                await loop.sock_sendall(other, data[::-1])

            answering = asyncio.create_task(answer())
            await loop.sock_sendall(one, b"abc")
            async with asyncio.timeout(6):
                assert await loop.sock_recv(one, 100) == b"cba"
            await answering
        return now()

    assert run(main(), grace=0.01) == 5


def test_datagrams_in_one_loop():
    class Answering(asyncio.DatagramProtocol):
        def connection_made(self, transport):
            self.transport = transport

        def datagram_received(self, data, address):
            asyncio.get_running_loop().call_later(2, self.transport.sendto, data, address)

    class Asking(asyncio.DatagramProtocol):
        def __init__(self):
            self.answered = asyncio.get_running_loop().create_future()

        def datagram_received(self, data, address):
            self.answered.set_result((data, now()))

    async def main():
        loop = asyncio.get_running_loop()
        server, _ = await loop.create_datagram_endpoint(Answering, local_addr=("127.0.0.1", 0))
        client, protocol = await loop.create_datagram_endpoint(Asking, remote_addr=server.get_extra_info("sockname"))
        client.sendto(b"ping")
        async with asyncio.timeout(3):
            answer = await protocol.answered
        client.close()
        server.close()
        await asyncio.sleep(0)
        return answer

    assert run(main(), grace=0.2) == (b"ping", 2)


class SlowServer:
    """A server in another thread, without a loop, that calls `wait` before it answers each line."""

    def __init__(self, wait):
        self.wait = wait
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.address = self.listening.getsockname()
        self.thread = threading.Thread(target=self.serve)

    def serve(self):
        connection, _ = self.listening.accept()
        with connection, connection.makefile("rwb") as file:
            for line in file:
                self.wait()
                file.write(line)
                file.flush()

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.thread.join()
        self.listening.close()


def test_a_peer_outside_that_answers_within_the_grace_is_not_overtaken():
    async def main(address):
        reader, writer = await asyncio.open_connection(*address)
        for _ in range(3):
            writer.write(b"line\n")
            async with asyncio.timeout(0.001):
                assert await reader.readline() == b"line\n"
        writer.close()
        await writer.wait_closed()
        return now()

    with SlowServer(lambda: time.sleep(0.02)) as server:
        assert run(main(server.address), grace=LONG) == 0


def test_a_peer_outside_that_does_not_answer_within_the_grace_is_overtaken():
    async def main(address):
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"line\n")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.readline(), 60)
        overtaken = now()
        may_answer.set()
        answer = await reader.readline()
        writer.close()
        await writer.wait_closed()
        return overtaken, answer

    may_answer = threading.Event()
    with SlowServer(may_answer.wait) as server:
        assert run(main(server.address), grace=0.01) == (60, b"line\n")


def test_an_idle_connection_to_the_outside_is_waited_for_once():
    """Each of these sleeps would last the grace, and the test an hour."""

    async def main(address):
        _reader, writer = await asyncio.open_connection(*address)
        for _ in range(3600):
            await asyncio.sleep(1)
        writer.close()
        await writer.wait_closed()
        return now()

    with SlowServer(int) as server:
        assert run(main(server.address), grace=0.5) == 3600
