"""A server that finishes its requests when it is told to end: ``shutdown_timeout`` (docs/shutdown.md).

Run it, connect to it (``nc 127.0.0.1 PORT``), send a line, and stop it with Ctrl-C or ``kill`` before it has answered.
"""

import asyncio
import contextlib
import logging

import mainspring


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    request = await reader.readline()
    print("request", request.decode().strip(), flush=True)
    await asyncio.sleep(1)
    writer.write(b"answer to " + request)
    writer.close()


async def refresh() -> None:
    """A background task: it never ends by itself, so it belongs to main."""
    while True:
        await asyncio.sleep(60)


async def main() -> None:
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    background = asyncio.create_task(refresh(), name="refresh")
    print("port", server.sockets[0].getsockname()[1], flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        # No new requests from here on; those that run may finish.
        background.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await background
        print("state saved", flush=True)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    mainspring.run(main(), shutdown_timeout=10)
