"""Not calling what is known to be down, with ``purgatory``: after three failures the breaker answers for the server.

It spares the server, which may be down because of its load, and the caller, who would wait for each failure. After a
while calls are let through again: the breaker closes when one succeeds, and opens again when one fails.
"""

import asyncio

import mainspring
from purgatory import AsyncCircuitBreakerFactory
from purgatory.domain.model import OpenedState

FAILURES = 3
OPEN_SECONDS = 0.5


class Server:
    """Answers when it is up; hangs up on its clients when it is not."""

    def __init__(self) -> None:
        self.up = False
        self.calls = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.calls += 1
        await reader.readline()
        if self.up:
            writer.write(b"42\n")
        writer.close()


async def ask(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(b"how much?\n")
        answer = await reader.readline()
        if not answer:
            raise ConnectionError("the server has hung up")
        return answer
    finally:
        writer.close()


def tell(circuit: str, event: str, details: object) -> None:
    """Somebody should hear of it: a log, a metric, an alarm."""
    if event == "state_changed":
        print(f"the breaker of the {circuit} is {getattr(details, 'state', '')}")


async def main() -> None:
    breakers = AsyncCircuitBreakerFactory(
        default_threshold=FAILURES,
        default_ttl=OPEN_SECONDS,
        # What the server does not know is no failure of the server.
        exclude=[LookupError],
    )
    breakers.add_listener(tell)

    @breakers("price list")
    async def price(port: int) -> int:
        async with asyncio.timeout(1):
            return int(await ask(port))

    backend = Server()
    async with await asyncio.start_server(backend.serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]

        async def try_it() -> None:
            try:
                print("price:", await price(port))
            except OpenedState:
                print("not asked")
            except ConnectionError as error:
                print("failed:", error)

        for _ in range(5):
            await try_it()
        print(backend.calls, "calls reached the server")
        backend.up = True
        await asyncio.sleep(1.1 * OPEN_SECONDS)
        for _ in range(2):
            await try_it()


if __name__ == "__main__":
    mainspring.run(main())
