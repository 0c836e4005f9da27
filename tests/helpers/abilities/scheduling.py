"""Callbacks, timers, watched descriptors and debug mode."""

import asyncio
import contextlib
import contextvars
import socket
import time

from helpers.abilities import ability


@ability("Timers never fire before their time")
async def timers():
    loop = asyncio.get_running_loop()
    for number in range(100):
        delay = 0.0005 + number * 0.000037
        due = loop.create_future()
        begin = time.monotonic()
        loop.call_later(delay, due.set_result, None)
        await due
        assert time.monotonic() - begin >= delay


@ability("`call_soon` returns an `asyncio.Handle`")
async def handles():
    assert isinstance(asyncio.get_running_loop().call_soon(int), asyncio.Handle)


@ability("`call_later` returns an `asyncio.TimerHandle`")
async def timer_handles():
    assert isinstance(asyncio.get_running_loop().call_later(0, int), asyncio.TimerHandle)


@ability("`Handle.get_context` (Python 3.12)")
async def contexts():
    context = contextvars.copy_context()
    assert asyncio.get_running_loop().call_soon(int, context=context).get_context() is context


@ability("The loop is an `asyncio.BaseEventLoop`")
async def base_class():
    assert isinstance(asyncio.get_running_loop(), asyncio.BaseEventLoop)


@ability("`add_reader` takes sockets, `remove_reader` tells whether there was one")
async def readers():
    loop = asyncio.get_running_loop()
    watched, other = socket.socketpair()
    with watched, other:
        loop.add_reader(watched, print)
        assert [loop.remove_reader(watched), loop.remove_reader(watched), loop.remove_writer(watched)] == [1, 0, 0]


@ability("Debug mode logs slow callbacks")
def debug_mode(new_loop):
    records = []
    logger = asyncio.log.logger
    logger.addFilter(keep := lambda record: records.append(record.getMessage()))

    async def block():
        time.sleep(0.15)

    try:
        with asyncio.Runner(loop_factory=new_loop, debug=True) as runner:
            runner.run(block())
    finally:
        logger.removeFilter(keep)
    assert any(message.startswith("Executing") for message in records)


@ability("Debug mode refuses calls from the wrong thread")
def wrong_thread(new_loop):
    async def call():
        loop = asyncio.get_running_loop()
        with contextlib.suppress(RuntimeError):
            await asyncio.to_thread(loop.call_soon, int)
            raise AssertionError

    with asyncio.Runner(loop_factory=new_loop, debug=True) as runner:
        runner.run(call())
