"""Runs one module of ``test.test_asyncio`` on one loop and writes what became of each test, as JSON."""

from __future__ import annotations

import asyncio
import faulthandler
import json
import os
import sys
import unittest
from asyncio import unix_events

from exclusions import NOT_RUN


def use_mainspring() -> list[int]:
    """Make mainspring's loop the one that asyncio creates; returns the counter of the loops made."""
    import mainspring

    made = [0]

    class CountedLoop(mainspring.Loop):
        # Tests make loops with a selector; this loop has none.
        def __init__(self, selector: object = None) -> None:
            made[0] += 1
            super().__init__()

    CountedLoop.__name__ = CountedLoop.__qualname__ = "Loop"
    policy = getattr(unix_events, "_UnixDefaultEventLoopPolicy", None) or unix_events._DefaultEventLoopPolicy
    policy._loop_factory = CountedLoop
    for namespace in (asyncio, unix_events):
        for name in ("SelectorEventLoop", "EventLoop"):
            if hasattr(namespace, name):
                setattr(namespace, name, CountedLoop)
    return made


class Result(unittest.TestResult):
    """Keeps the outcome of each test; that of a failed subtest counts for its test."""

    def __init__(self) -> None:
        super().__init__()
        self.outcomes: dict[str, str] = {}

    def addSuccess(self, test: unittest.TestCase) -> None:
        self.outcomes.setdefault(test.id(), "passed")

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:
        self.outcomes[test.id()] = "skipped"

    def addExpectedFailure(self, test: unittest.TestCase, err: object) -> None:
        self.outcomes[test.id()] = "passed"

    def addFailure(self, test: unittest.TestCase, err: object) -> None:
        self.outcomes[test.id()] = "failed\n" + self._exc_info_to_string(err, test)

    addError = addFailure

    def addSubTest(self, test: unittest.TestCase, subtest: unittest.TestCase, err: object) -> None:
        if err is not None:
            self.addFailure(test, err)


def without(suite: unittest.TestSuite, names: tuple[str, ...]) -> unittest.TestSuite:
    """The suite without the tests whose names end like one of ``names``."""
    kept = unittest.TestSuite()
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            kept.addTest(without(test, names))
        elif not test.id().endswith(names):
            kept.addTest(test)
    return kept


def main() -> None:
    """``child.py MODULE LOOP REPORT``."""
    module, loop, report = sys.argv[1:]
    faulthandler.enable()
    faulthandler.dump_traceback_later(180, exit=True)
    made = use_mainspring() if loop == "mainspring" else [0]
    result = Result()
    suite = unittest.defaultTestLoader.loadTestsFromName(f"test.test_asyncio.{module}")
    (without(suite, NOT_RUN) if loop == "mainspring" else suite).run(result)
    faulthandler.cancel_dump_traceback_later()
    with open(report, "w") as file:
        json.dump({"loops": made[0], "outcomes": result.outcomes}, file)


if __name__ == "__main__":
    # See tests/sanitizers/leaks.py.
    if "ASAN_OPTIONS_OF_PROGRAMS" in os.environ:
        os.environ["ASAN_OPTIONS"] = os.environ["ASAN_OPTIONS_OF_PROGRAMS"]
        del os.environ["LSAN_OPTIONS"]
    main()
