"""``async with`` and ``async for``: a connection that is always closed, and results that arrive while they are made.

``contextlib.aclosing`` closes a generator that is left in the middle, at once and not when it is collected.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import mainspring


async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    last = int(await reader.readline())
    for number in range(1, last + 1):
        writer.write(b"%d\n" % number)
        await writer.drain()
    writer.close()


@contextlib.asynccontextmanager
async def connected(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    print("connected")
    try:
        yield reader, writer
    finally:
        writer.close()
        await writer.wait_closed()
        print("closed")


async def numbers(port: int, last: int) -> AsyncIterator[int]:
    async with connected(port) as (reader, writer):
        writer.write(b"%d\n" % last)
        async for line in reader:
            yield int(line)


async def main() -> None:
    async with await asyncio.start_server(count, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        print("sum:", sum([number async for number in numbers(port, 100)]))
        async with contextlib.aclosing(numbers(port, 100)) as some:
            async for number in some:
                if number == 3:
                    print("enough at", number)
                    break


if __name__ == "__main__":
    mainspring.run(main())
