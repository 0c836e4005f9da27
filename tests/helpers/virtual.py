"""Runs in virtual time."""

import asyncio

import mainspring


def run(main, **clock):
    """The result of a coroutine on a loop of its own; keywords are VirtualClock's."""
    factory = lambda: mainspring.new_event_loop(clock=mainspring.VirtualClock(**clock))  # noqa: E731
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(main)


def now():
    """The running loop's time."""
    return asyncio.get_running_loop().time()
