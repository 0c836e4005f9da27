"""``mainspring.run``: ``asyncio.run`` on this loop."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from mainspring._loop import new_event_loop
from mainspring._shutdown import ShutdownRunner

_T = TypeVar("_T")


def run(
    main: Coroutine[Any, Any, _T],
    *,
    debug: bool | None = None,
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
    shutdown_timeout: float | None = None,
) -> _T:
    """Run ``main`` on a new loop and return its result, exactly as ``asyncio.run`` does (see its documentation).

    ``loop_factory`` makes the loop, :func:`mainspring.new_event_loop` by default. Raises RuntimeError when a loop is
    running in this thread already, and ValueError or TypeError as ``asyncio.run`` for what is no coroutine.

    With ``shutdown_timeout``, in seconds, SIGTERM and SIGINT end the program in order: servers stop accepting, ``main``
    is cancelled, other tasks may finish until the time is over and are then cancelled, and what is left after another
    second is named in a log record and cut. A second signal cuts at once. Ends with ``SystemExit(143)`` for SIGTERM and
    KeyboardInterrupt for SIGINT when ``main`` was cancelled, and with the result of a ``main`` that returns one.
    Signals that the program handles itself stay its own. ValueError for a negative time. See docs/shutdown.md.
    """
    factory = loop_factory or new_event_loop
    if shutdown_timeout is not None:
        if asyncio._get_running_loop() is not None:
            raise RuntimeError("mainspring.run() cannot be called from a running event loop")
        return ShutdownRunner[_T](shutdown_timeout, factory, debug).run(main)
    if sys.version_info >= (3, 12):
        return asyncio.run(main, debug=debug, loop_factory=factory)
    if asyncio._get_running_loop() is not None:
        raise RuntimeError("asyncio.run() cannot be called from a running event loop")
    with asyncio.Runner(debug=debug, loop_factory=factory) as runner:
        return runner.run(main)
