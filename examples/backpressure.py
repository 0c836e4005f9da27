"""A fast producer and a slow consumer: a bounded queue in a program, and ``drain`` on a connection.

Both make the producer wait, so that what is under way stays small however slow the consumer is.
"""

import asyncio

import mainspring

CHUNK = b"x" * 65536
CHUNKS = 200


async def through_a_queue() -> None:
    queue: asyncio.Queue[int | None] = asyncio.Queue(maxsize=5)
    longest = 0

    async def produce() -> None:
        nonlocal longest
        for number in range(100):
            await queue.put(number)
            longest = max(longest, queue.qsize())
        await queue.put(None)

    async def consume() -> int:
        count = 0
        while await queue.get() is not None:
            count += 1
            await asyncio.sleep(0)
        return count

    async with asyncio.TaskGroup() as group:
        group.create_task(produce())
        consumer = group.create_task(consume())
    print(f"{consumer.result()} items through a queue that never held more than {longest}")


async def through_a_connection() -> None:
    waiting = 0

    async def produce(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal waiting
        for _ in range(CHUNKS):
            writer.write(CHUNK)
            await writer.drain()
            waiting = max(waiting, writer.transport.get_write_buffer_size())
        writer.close()

    server = await asyncio.start_server(produce, "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        received = 0
        while data := await reader.read(65536):
            received += len(data)
            await asyncio.sleep(0)
        writer.close()
        await writer.wait_closed()
    high_water_mark = 65536
    print(f"{received} bytes through a connection, within the water mark: {waiting <= high_water_mark}")


async def main() -> None:
    await through_a_queue()
    await through_a_connection()


if __name__ == "__main__":
    mainspring.run(main())
