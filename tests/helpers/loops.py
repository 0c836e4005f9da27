"""The loops under comparison."""

import asyncio
import importlib

import mainspring

LOOPS = {"default": asyncio.SelectorEventLoop, "mainspring": mainspring.new_event_loop}


def factory_of(name):
    """What makes loops of this name: one of LOOPS, or a module with new_event_loop()."""
    return LOOPS[name] if name in LOOPS else importlib.import_module(name).new_event_loop


def plain_loop():
    """A loop with the standard library's own streams."""
    loop = mainspring.new_event_loop()
    loop._native_streams = False
    return loop


STREAM_LOOPS = {"default": asyncio.SelectorEventLoop, "native": mainspring.new_event_loop, "plain": plain_loop}


def is_native(stream):
    """Whether a reader or writer is one of mainspring's own."""
    return type(stream) not in (asyncio.StreamReader, asyncio.StreamWriter)


def finish(loop):
    """Cancel what still runs, let transports say goodbye, close."""
    if loop.is_closed():
        return
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


def is_mainspring(loop):
    """Whether this is mainspring's loop."""
    return type(loop) is mainspring.Loop
