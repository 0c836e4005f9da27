"""What the picture of `mainspring top` shows: a server with clients of its own, timers and calls in threads."""

import asyncio
import time

import mainspring
from mainspring.prometheus import Collector
from prometheus_client import REGISTRY, start_http_server


async def answer(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def ask(address, size):
    reader, writer = await asyncio.open_connection(*address)
    while True:
        writer.write(b"x" * size)
        await reader.readexactly(size)
        await asyncio.sleep(0.002)


async def call():
    while True:
        await asyncio.to_thread(time.sleep, 0.01)


async def main():
    loop = asyncio.get_running_loop()
    loop.set_metrics(True)
    REGISTRY.register(Collector(loop))
    exporter, _ = start_http_server(0, "127.0.0.1")
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with asyncio.TaskGroup() as group:
        for number in range(20):
            group.create_task(ask(server.sockets[0].getsockname(), 1024 * (number + 1)))
            group.create_task(call())
        print(f"http://127.0.0.1:{exporter.server_port}/metrics", flush=True)


mainspring.run(main())
