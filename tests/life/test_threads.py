"""A loop in each of 32 threads at once, with mixed traffic that is checked byte by byte."""

import asyncio
import socket
import threading

THREADS = 32


async def echo(reader, writer):
    while line := await reader.readline():
        writer.write(line)
        await writer.drain()
    writer.close()


async def talk(number, server_context=None, client_context=None):
    server = await asyncio.start_server(echo, "127.0.0.1", 0, ssl=server_context)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname(), ssl=client_context)
    for turn in range(30):
        line = f"{number}:{turn}\n".encode() * 50
        writer.write(line)
        assert await reader.readexactly(len(line)) == line
    writer.close()
    server.close()


class Answering(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport, self.got = transport, asyncio.Queue()

    def datagram_received(self, data, address):
        self.got.put_nowait((data, address))


async def send_datagrams(number):
    loop = asyncio.get_running_loop()
    ends = [await loop.create_datagram_endpoint(Answering, local_addr=("127.0.0.1", 0)) for _ in range(2)]
    addresses = [transport.get_extra_info("sockname") for transport, _ in ends]
    for turn in range(20):
        data = f"{number}:{turn}".encode()
        ends[0][0].sendto(data, addresses[1])
        assert await ends[1][1].got.get() == (data, addresses[0])
    for transport, _ in ends:
        transport.close()


async def use_sockets(number):
    loop = asyncio.get_running_loop()
    one, other = socket.socketpair()
    with one, other:
        one.setblocking(False)
        other.setblocking(False)
        for turn in range(20):
            data = f"{number}:{turn}".encode()
            waiting = asyncio.ensure_future(loop.sock_recv(one, 100))
            await asyncio.sleep(0)
            await loop.sock_sendall(other, data)
            assert await waiting == data


async def call_threads(number):
    loop = asyncio.get_running_loop()
    for turn in range(10):
        assert await loop.run_in_executor(None, pow, number, turn) == number**turn


async def use_timers():
    loop = asyncio.get_running_loop()
    for turn in range(10):
        reached = loop.create_future()
        loop.call_later(turn / 10_000, reached.set_result, turn)
        assert await reached == turn


async def use_a_process():
    process = await asyncio.create_subprocess_exec("cat", stdin=-1, stdout=-1)
    assert await process.communicate(b"text") == (b"text", None)
    assert process.returncode == 0


def test_a_loop_in_each_of_32_threads(loop_factory, authority):
    both = authority.server_context(), authority.client_context()
    together = threading.Barrier(THREADS)
    loops, threadsafe, failures = [None] * THREADS, [0] * THREADS, []

    def count(number):
        threadsafe[number] += 1

    async def disturb_others(number):
        # The next thread's loop, which may be in any state but closed: both ends wait for each other.
        for _ in range(50):
            loops[(number + 1) % THREADS].call_soon_threadsafe(count, number)
            await asyncio.sleep(0)

    async def main(number):
        loops[number] = asyncio.get_running_loop()
        together.wait()
        work = [talk(number), talk(number, *both), send_datagrams(number), use_sockets(number), call_threads(number)]
        work += [use_timers(), disturb_others(number)]
        if number % 8 == 0:
            work.append(use_a_process())
        await asyncio.gather(*work)

    def run(number):
        try:
            with asyncio.Runner(loop_factory=loop_factory) as runner:
                runner.run(main(number))
                together.wait()
                runner.run(asyncio.sleep(0))
                together.wait()
        except BaseException as error:
            failures.append((number, error))
            together.abort()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert threadsafe == [50] * THREADS
