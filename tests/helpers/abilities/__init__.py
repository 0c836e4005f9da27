"""What an event loop can do, tried out: the rows of the table in docs/compatibility.md.

`python -m helpers.abilities LOOP` tries every row on one kind of loop and prints, as JSON, why each failed or null. It
runs in a process of its own, since a loop may not survive all of it.
"""

import asyncio
import functools
import inspect

KINDS = {
    "default": ("asyncio", "SelectorEventLoop"),
    "mainspring": ("mainspring", "new_event_loop"),
    "uvloop": ("uvloop", "new_event_loop"),
    "zuvloop": ("zuvloop", "new_event_loop"),
    "rloop": ("rloop", "new_event_loop"),
}
"""The module and the function that make a loop of each kind."""

PROBES = {}
"""Functions by the titles of their rows; one fails when a loop, made by its argument, cannot do that."""


def ability(title):
    """Register a probe. A coroutine function runs on a loop and takes no argument."""

    def register(probe):
        PROBES[title] = functools.partial(run, probe) if inspect.iscoroutinefunction(probe) else probe
        return probe

    return register


def run(probe, new_loop):
    """Run a coroutine function on a new loop; TimeoutError if it does not end."""
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(asyncio.wait_for(probe(), 10))
