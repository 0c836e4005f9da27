"""A loop in virtual time, for tests: sleeps, timeouts and retries take no time and repeat exactly.

The clock and the jumps are native (``src/loop/loop_virtual_time.cpp``). Here is what the timers wait for in real time:
calls in executors and child processes.
"""

from __future__ import annotations

import asyncio
from asyncio.log import logger
from collections.abc import Callable
from typing import Any

from mainspring._core import VirtualClock
from mainspring._loop import Loop


class VirtualTimeLoop(Loop):
    """A loop that goes by a :class:`mainspring.VirtualClock`: when nothing is ready, it moves it to the next timer.

    Made by ``mainspring.new_event_loop(clock=mainspring.VirtualClock())``.
    """

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__()
        self._use_clock(clock)

    @property
    def clock(self) -> VirtualClock:
        """The clock that ``time()`` reads."""
        return self._get_clock()

    def run_in_executor(  # type: ignore[override]  # what it is given it hands on
        self, executor: Any, func: Any, *args: Any
    ) -> asyncio.Future[Any]:
        """As always; timers wait until the call has ended or its future has been cancelled."""
        future = super().run_in_executor(executor, func, *args)
        number = self._begin_work()
        future.add_done_callback(lambda _: self._end_work(number))
        return future

    async def shutdown_default_executor(self, *args: Any, **kwargs: Any) -> None:
        """As always; its timeout does not pass while the threads end."""
        number = self._begin_work()
        try:
            await super().shutdown_default_executor(*args, **kwargs)
        finally:
            self._end_work(number)

    def _exit_reporter(self, transport: Any) -> Callable[[int], None]:
        number = self._begin_work()
        report = super()._exit_reporter(transport)

        def ended(returncode: int) -> None:
            self._end_work(number)
            report(returncode)

        return ended

    def _report_outlasted(self, count: int, patience: float) -> None:
        logger.warning(
            "Virtual time goes on without %d call(s) in executors or child process(es) that have not ended for %g s of "
            "real time: they may wait for this loop's timers (VirtualClock(patience=...))",
            count,
            patience,
        )
