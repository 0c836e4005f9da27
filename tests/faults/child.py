"""Runs one scenario on one loop with each fault in turn; a line of JSON before and after each run.

Arguments: the loop, the scenario, a folder, how many runs to leave out at the start, and one in how many calls fails.
"""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import json
import logging
import os
import signal
import sys
import threading
from asyncio import constants
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import scenarios
from helpers.loops import factory_of
from injection import SHORT, Faults, fault_name

TIMEOUT = float(os.environ.get("FAULTS_TIMEOUT", "2"))  # seconds in which a scenario has to come to an end
HANG = 30  # seconds after which the process shows where it is and exits


class Stuck(BaseException):
    """Raised by the alarm."""


def stop_waiting(*_: Any) -> None:
    """Leave a loop in which nothing happens any more."""
    raise Stuck


def run_limited(loop: Any, coroutine: Any) -> Any:
    """run_until_complete() that ends after a while, whatever the loop's own timers do."""
    signal.setitimer(signal.ITIMER_REAL, TIMEOUT)
    try:
        return loop.run_until_complete(coroutine)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


class Campaign:
    """The runs of one scenario."""

    def __init__(self, loop: str, scenario: str, folder: Path) -> None:
        self.factory = factory_of(loop)
        self.name = scenario
        self.scenario = scenarios.SCENARIOS[scenario]
        self.folder = folder
        self.faults = Faults()

    def once(self, begin: Any, end: Any) -> dict[str, Any]:
        """One run. What may fail happens between begin() and end()."""
        result: dict[str, Any] = {"problems": [], "told": []}
        # Without the one that lists them.
        before = {fd for fd in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{fd}")}
        whole = self.name == "loop"
        loop = run = None
        try:
            if whole:
                begin()
            try:
                loop = self.factory()
            except Exception as error:
                result["outcome"] = f"not made: {scenarios.describe(error)}"
            if loop is not None:
                run = scenarios.Run(loop, self.folder)
                if not whole:
                    begin()
                try:
                    result["outcome"] = run_limited(loop, self.main(run))
                except Stuck:
                    result["outcome"] = "stuck"
                except Exception as error:
                    result["outcome"] = scenarios.describe(error)
                if not whole:
                    result["hit"] = end()
                if whole:
                    self.close(loop, result)
                else:
                    result["problems"] += self.aftermath(loop, run)
        finally:
            if whole:
                result["hit"] = end()
        if run is not None and loop is not None:
            if not loop.is_closed():
                self.close(loop, result)
            result["told"] = run.told
            result["problems"] += run.problems
            watched = [*run.watched, run.watch(loop) and run.watched[-1]]
            run = loop = None
            # A thread that waited for a process lets go of the loop after it has told it.
            for thread in threading.enumerate():
                if thread is not threading.current_thread():
                    thread.join(TIMEOUT)
            # What a finalizer saw goes with the second collection.
            gc.collect()
            gc.collect()
            left = [type(thing).__name__ for reference in watched if (thing := reference()) is not None]
            if left:
                result["problems"].append(f"objects left: {left}")
        else:
            gc.collect()
        after = set(os.listdir("/proc/self/fd"))
        if left_open := sorted(fd for fd in after if fd not in before):
            names = []
            for fd in left_open:
                try:
                    names.append(os.readlink(f"/proc/self/fd/{fd}").split(":")[0])
                    os.close(int(fd))
                except OSError:
                    pass
            if names:
                result["problems"].append(f"descriptors left: {names}")
        return result

    def close(self, loop: Any, result: dict[str, Any]) -> None:
        try:
            run_limited(loop, loop.shutdown_default_executor())
            loop.close()
        except (OSError, MemoryError, Stuck) as error:
            # A program would hear of it.
            result["told"].append(f"close(): {scenarios.describe(error)}")

    async def main(self, run: Any) -> Any:
        run.main = asyncio.current_task()
        return await self.scenario(run)

    def aftermath(self, loop: Any, run: Any) -> list[str]:
        """What is wrong with a loop that has seen a fault."""
        problems = []
        try:
            run_limited(loop, run.clean_up())
            told, lost = list(run.told), list(run.problems)
            again = scenarios.Run(loop, self.folder)
            value = run_limited(loop, scenarios.tcp(again))
            run_limited(loop, again.clean_up())
            if value != "echoed" or again.told or again.problems:
                problems.append(f"afterwards an echo came to {value} {again.told} {again.problems}")
            run.watched += again.watched
            run.told[:], run.problems[:] = told, lost
        except (Exception, Stuck) as error:
            problems.append(f"afterwards the loop failed: {error!r}")
        return problems

    def plain(self) -> dict[str, Any]:
        """A run without a fault."""
        return self.once(self.faults.start, self.faults.stop)

    def with_fault(self, function: int, fault: int, nth: int) -> dict[str, Any]:
        return self.once(lambda: self.faults.start(function, fault, nth), self.faults.stop)


def tell(**line: Any) -> None:
    """A line for the parent."""
    os.write(1, json.dumps(line).encode() + b"\n")


def main() -> None:
    """See the module."""
    loop, scenario, folder, left_out, stride = sys.argv[1:6]
    constants.ACCEPT_RETRY_DELAY = 0.01  # type: ignore[misc]
    logging.disable(logging.CRITICAL)
    sys.unraisablehook = lambda unraisable: None
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, stop_waiting)
    campaign = Campaign(loop, scenario, Path(folder))
    if sys.argv[6:] == ["memory"]:
        from memory import run_memory

        run_memory(campaign, int(left_out), int(stride), tell)
        return
    for _ in range(3):
        plain = campaign.plain()
    gc.collect()
    gc.freeze()
    plain = campaign.plain()
    tell(plain=plain)
    todo = []
    for function, name, errnos in campaign.faults.table:
        for fault, number in enumerate(errnos):
            count = campaign.faults.seen(function, fault)
            todo += [(function, name, fault, number, nth) for nth in range(1, count + 1)]
    if int(stride) > 1:
        todo = [row for i, row in enumerate(todo) if row[4] == 1 or i % int(stride) == 0]
    for i, (function, name, fault, number, nth) in enumerate(todo):
        if i < int(left_out):
            continue
        tell(begin=i, call=name, fault=fault_name(number), nth=nth)
        faulthandler.dump_traceback_later(HANG, exit=True)
        result = campaign.with_fault(function, fault, nth)
        faulthandler.cancel_dump_traceback_later()
        tell(end=i, where=campaign.faults.where(), absorbed=number == SHORT, **result)
    tell(done=len(todo))


if __name__ == "__main__":
    main()
