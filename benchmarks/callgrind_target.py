"""The program that runs under callgrind: ``LOOP OPERATION COUNT``, with the garbage collector off."""

from __future__ import annotations

import asyncio
import gc
import sys
from typing import Any

from mainspring.benchmarks.callbacks import Operation
from mainspring.benchmarks.certificate import OPENSSL
from mainspring.benchmarks.generator import run_generator
from mainspring.benchmarks.loops import LOOPS
from mainspring.benchmarks.serving import StartServer, in_thread
from mainspring.benchmarks.workloads import echo_protocol, echo_sockets, echo_streams, echo_tls, queues, tasks
from mainspring.benchmarks.workloads.batched_call_soon import batches
from mainspring.benchmarks.workloads.chained_call_soon import chain
from mainspring.benchmarks.workloads.echo_sizes import KIB
from mainspring.benchmarks.workloads.future_wakeup import wake
from mainspring.benchmarks.workloads.sleep_zero import one_task
from mainspring.benchmarks.workloads.timeout import within
from mainspring.benchmarks.workloads.timers_cancelled import set_and_cancel
from mainspring.benchmarks.workloads.timers_fired import TOGETHER, firing

# Valgrind makes the server so slow that all connections are always ready when it polls, so the counts repeat.
CONNECTIONS = 64


def serving(start: StartServer, mode: str = "echo") -> Operation:
    """A server under a load of so many requests of 1 KiB."""

    async def operation(_: asyncio.AbstractEventLoop, count: int) -> None:
        async with start() as port:
            await in_thread(
                lambda: run_generator(mode, port, watch=False, connections=CONNECTIONS, size=KIB, requests=count)
            )

    return operation


def tls(start: StartServer, size: int) -> Operation:
    """A server under a load of so many requests through TLS."""

    async def operation(_: asyncio.AbstractEventLoop, count: int) -> None:
        async with start() as port:
            options: dict[str, Any] = {"connections": 16, "size": size, "requests": count, "tls": OPENSSL}
            await in_thread(lambda: run_generator("echo", port, watch=False, **options))

    return operation


OPERATIONS: dict[str, Operation] = {
    "chain": chain,
    "batch": batches,
    "sleep": one_task,
    "future": wake,
    "task": tasks.create_and_await,
    "gather": tasks.gather,
    "timeout": within,
    "queue": queues.pipeline(3, 100),
    "timer": set_and_cancel,
    "timer-fired": firing(TOGETHER),
    "echo": serving(echo_protocol.serve),
    "read": serving(echo_streams.serving(echo_streams.echo)),
    "readline": serving(echo_streams.serving(echo_streams.echo_lines), "lines"),
    "readexactly": serving(echo_streams.serving(echo_streams.echo_exactly(KIB))),
    "echo-sockets": serving(echo_sockets.serve),
    "tls": tls(echo_tls.serve_protocol, KIB),
    "tls-100k": tls(echo_tls.serve_protocol, 100 * KIB),
    "tls-streams": tls(echo_tls.serve_streams, KIB),
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
