"""``mainspring.run``: ``asyncio.run`` on this loop."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from mainspring._loop import new_event_loop

_T = TypeVar("_T")


def run(
    main: Coroutine[Any, Any, _T],
    *,
    debug: bool | None = None,
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> _T:
    """Run ``main`` on a new loop and return its result, exactly as ``asyncio.run`` does (see its documentation).

    ``loop_factory`` makes the loop, :func:`mainspring.new_event_loop` by default. Raises RuntimeError when a loop is
    running in this thread already, and ValueError or TypeError as ``asyncio.run`` for what is no coroutine.
    """
    factory = loop_factory or new_event_loop
    if sys.version_info >= (3, 12):
        return asyncio.run(main, debug=debug, loop_factory=factory)
    if asyncio._get_running_loop() is not None:
        raise RuntimeError("asyncio.run() cannot be called from a running event loop")
    with asyncio.Runner(debug=debug, loop_factory=factory) as runner:
        return runner.run(main)
