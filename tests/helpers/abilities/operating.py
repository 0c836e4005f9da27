"""What helps to operate and to test a program."""

import asyncio
import importlib
import sys
import time

from helpers.abilities import KINDS, ability


@ability("Says which line blocks the loop, while it does")
def watchdog(new_loop):
    package = importlib.import_module(KINDS[sys.argv[1]][0])
    blocks = []

    async def block():
        with package.Watchdog(0.05, report=blocks.append):
            deadline = time.monotonic() + 10
            while not blocks and time.monotonic() < deadline:
                time.sleep(0.01)

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(block())
    assert blocks[0].stack[-1].name == "block"


@ability("Metrics as a snapshot")
async def metrics():
    assert asyncio.get_running_loop().metrics().callbacks > 0


@ability("Virtual time for tests")
def virtual_time(new_loop):
    package = importlib.import_module(KINDS[sys.argv[1]][0])
    with asyncio.Runner(loop_factory=lambda: new_loop(clock=package.VirtualClock())) as runner:
        runner.run(asyncio.sleep(3600))


@ability("A shutdown that lets running requests finish")
def shutdown(new_loop):
    package = importlib.import_module(KINDS[sys.argv[1]][0])
    coroutine = asyncio.sleep(0)
    try:
        package.run(coroutine, shutdown_timeout=1)
    finally:
        coroutine.close()
