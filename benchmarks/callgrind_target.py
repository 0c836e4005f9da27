"""The program that runs under callgrind: ``LOOP OPERATION COUNT``, with the garbage collector off."""

from __future__ import annotations

import asyncio
import gc
import sys

from mainspring.benchmarks.generator import run_generator
from mainspring.benchmarks.loops import LOOPS
from mainspring.benchmarks.serving import in_thread
from mainspring.benchmarks.workloads import echo_protocol, echo_tls
from mainspring.benchmarks.workloads.chained_call_soon import chain
from mainspring.benchmarks.workloads.timers_cancelled import set_and_cancel

# Valgrind makes the server so slow that all connections are always ready when it polls, so the counts repeat.
CONNECTIONS = 64


async def echo(loop: asyncio.AbstractEventLoop, count: int) -> None:
    async with echo_protocol.serve() as port:
        await in_thread(
            lambda: run_generator("echo", port, watch=False, connections=CONNECTIONS, size=1024, requests=count)
        )


async def tls(loop: asyncio.AbstractEventLoop, count: int, size: int = 1024) -> None:
    async with echo_tls.serve_protocol() as port:
        options = {"connections": 16, "size": size, "requests": count, "tls": echo_tls.OPENSSL}
        await in_thread(lambda: run_generator("echo", port, watch=False, **options))


async def tls_large(loop: asyncio.AbstractEventLoop, count: int) -> None:
    await tls(loop, count, 100 * 1024)


OPERATIONS = {"chain": chain, "timer": set_and_cancel, "echo": echo, "tls": tls, "tls-100k": tls_large}


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
