"""A pipelined client as database drivers are: framed requests in flight, answers matched in order."""

import asyncio
import random
import struct
from collections import deque


class Frames(asyncio.Protocol):
    """Frames with a length in front; parses whatever pieces arrive."""

    def __init__(self):
        self.buffer = bytearray()

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.buffer += data
        while len(self.buffer) >= 4:
            (size,) = struct.unpack_from("!I", self.buffer)
            if len(self.buffer) < 4 + size:
                return
            frame = bytes(self.buffer[4 : 4 + size])
            del self.buffer[: 4 + size]
            self.frame_received(frame)

    def send(self, frame):
        self.transport.write(struct.pack("!I", len(frame)))
        self.transport.write(frame)


class Server(Frames):
    def frame_received(self, frame):
        self.send(frame[::-1])


class Client(Frames):
    def __init__(self):
        super().__init__()
        self.waiting = deque()
        self.lost = asyncio.get_running_loop().create_future()

    def request(self, frame):
        answer = asyncio.get_running_loop().create_future()
        self.waiting.append(answer)
        self.send(frame)
        return answer

    def frame_received(self, frame):
        answer = self.waiting.popleft()
        if not answer.done():
            answer.set_result(frame)

    def connection_lost(self, error):
        self.lost.set_result(error)


def test_answers_match_requests_in_order(loop):
    generator = random.Random(11)

    async def work(client, results):
        for _ in range(50):
            frame = generator.randbytes(generator.choice([0, 1, 100, 5000, 100_000]))
            results.append(await client.request(frame) == frame[::-1])

    async def main():
        server = await loop.create_server(Server, "127.0.0.1", 0)
        transport, client = await loop.create_connection(Client, *server.sockets[0].getsockname())
        results = []
        await asyncio.gather(*(work(client, results) for _ in range(20)))
        assert results == [True] * 1000
        transport.close()
        assert await client.lost is None
        server.close()
        await server.wait_closed()

    loop.run_until_complete(main())


def test_a_cancelled_request_does_not_shift_the_answers(loop):
    async def main():
        server = await loop.create_server(Server, "127.0.0.1", 0)
        transport, client = await loop.create_connection(Client, *server.sockets[0].getsockname())
        answers = [client.request(b"%d" % number) for number in range(100, 200)]
        for answer in answers[::3]:
            answer.cancel()
        for number, answer in enumerate(answers):
            if number % 3:
                assert await answer == str(100 + number)[::-1].encode()
        transport.close()
        await client.lost
        server.close()
        await server.wait_closed()

    loop.run_until_complete(main())
