"""The loops under comparison."""

import asyncio

import mainspring

LOOPS = {"default": asyncio.SelectorEventLoop, "mainspring": mainspring.new_event_loop}


def is_mainspring(loop):
    """Whether this is mainspring's loop."""
    return type(loop) is mainspring.Loop
