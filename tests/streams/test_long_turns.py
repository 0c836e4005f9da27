"""What is written in a turn with much to do leaves before the turn ends."""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from helpers import connected, drain_socket, eventually

SIZE = 10_240


@asynccontextmanager
async def connections(count):
    """So many transports and the sockets at their other ends."""
    async with AsyncExitStack() as stack:
        yield [(await stack.enter_async_context(connected()))[::2] for _ in range(count)]


def test_much_output_does_not_wait_for_the_end_of_the_turn(loop):
    async def main():
        async with connections(20) as pairs:
            for transport, _ in pairs:
                loop.call_soon(transport.write, bytes(SIZE))
            # The task goes on in the turn of these callbacks, after the last of them.
            await asyncio.sleep(0)
            assert drain_socket(pairs[0][1]) == SIZE
            assert [transport.get_write_buffer_size() for transport, _ in pairs] == [0] * 20

    loop.run_until_complete(main())


def test_what_is_written_before_and_after_much_output_arrives_in_order(loop):
    async def main():
        async with connections(20) as pairs:
            received = [b""] * len(pairs)

            def receive():
                for number, (_, peer) in enumerate(pairs):
                    with suppress(BlockingIOError):
                        received[number] += peer.recv(1 << 20)
                return all(len(data) >= 4 * SIZE for data in received)

            for part in b"abcd":
                for transport, _ in pairs:
                    loop.call_soon(transport.write, bytes([part]) * SIZE)
            await eventually(receive)
            assert received == [b"".join(bytes([part]) * SIZE for part in b"abcd")] * len(pairs)

    loop.run_until_complete(main())
