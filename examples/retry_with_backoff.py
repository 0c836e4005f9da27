"""Trying again, later and later, with ``tenacity``: only for errors that may pass, and not for ever."""

import asyncio
import itertools

import mainspring
from tenacity import AsyncRetrying, RetryError, retry_if_exception_type, stop_after_attempt, wait_random_exponential

connections = itertools.count(1)


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Hang up on the first two clients, and answer the others."""
    await reader.readline()
    if next(connections) > 2:
        writer.write(b"at last\n")
    writer.close()


async def ask(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(b"hello\n")
        answer = await reader.readline()
        if not answer:
            raise ConnectionError("the server has hung up")
        return answer
    finally:
        writer.close()


def patiently(attempts: int) -> AsyncRetrying:
    return AsyncRetrying(
        retry=retry_if_exception_type(ConnectionError),
        # Random, so that the clients of a server that was down do not all come at the same moment.
        wait=wait_random_exponential(multiplier=0.01, max=1),
        stop=stop_after_attempt(attempts),
        before_sleep=lambda state: print(f"attempt {state.attempt_number}: {state.outcome.exception()}"),
    )


async def main() -> None:
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        print((await patiently(5)(ask, port)).decode().strip())
    # Nobody listens any more.
    try:
        await patiently(2)(ask, port)
    except RetryError as error:
        print(f"given up after {error.last_attempt.attempt_number}: {type(error.last_attempt.exception()).__name__}")


if __name__ == "__main__":
    mainspring.run(main())
