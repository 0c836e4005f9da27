"""The program that runs under callgrind: ``LOOP OPERATION COUNT``, with the garbage collector off."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Awaitable, Callable

from mainspring.benchmarks.generator import run_generator
from mainspring.benchmarks.loops import LOOPS
from mainspring.benchmarks.serving import StartServer, in_thread
from mainspring.benchmarks.workloads import echo_protocol, echo_sockets
from mainspring.benchmarks.workloads.chained_call_soon import chain
from mainspring.benchmarks.workloads.timers_cancelled import set_and_cancel

# Valgrind makes the server so slow that all connections are always ready when it polls, so the counts repeat.
CONNECTIONS = 64


def echo(start: StartServer) -> Callable[[asyncio.AbstractEventLoop, int], Awaitable[None]]:
    async def serve(loop: asyncio.AbstractEventLoop, count: int) -> None:
        async with start() as port:
            await in_thread(
                lambda: run_generator("echo", port, watch=False, connections=CONNECTIONS, size=1024, requests=count)
            )

    return serve


OPERATIONS = {
    "chain": chain,
    "timer": set_and_cancel,
    "echo": echo(echo_protocol.serve),
    "echo-sockets": echo(echo_sockets.serve),
}


async def run(loop_name: str, operation: str, count: int) -> None:
    loop = asyncio.get_running_loop()
    LOOPS[loop_name].check(loop)
    await OPERATIONS[operation](loop, count)


def main(loop_name: str, operation: str, count: str) -> None:
    gc.disable()
    with asyncio.Runner(loop_factory=LOOPS[loop_name].factory()) as runner:
        runner.run(run(loop_name, operation, int(count)))


if __name__ == "__main__":
    main(*sys.argv[1:])
