"""Waiting inside a running loop."""

import asyncio
import time


async def eventually(condition, timeout=10):
    """Let the loop run until the condition holds; AssertionError when it does not within the timeout."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        await asyncio.sleep(0.001)


async def turns(count):
    """Let the loop make so many turns."""
    for _ in range(count):
        await asyncio.sleep(0)


async def idle():
    """Leave the loop with nothing to do, and make sure that it sleeps."""
    before = time.process_time()
    await asyncio.sleep(0.3)
    assert time.process_time() - before < 0.2
