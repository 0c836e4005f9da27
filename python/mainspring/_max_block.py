"""``pytest --mainspring-max-block=50ms``: a test in which something blocks a mainspring loop for longer fails."""

from __future__ import annotations

import argparse
import contextlib
import math
import traceback
from collections.abc import Generator
from typing import Any

import pytest

from mainspring import _watchdog


def seconds(text: str) -> float:
    """A time as it is written in the option: seconds, or with a unit."""
    number, unit = (text.removesuffix("ms"), 0.001) if text.endswith("ms") else (text.removesuffix("s"), 1.0)
    with contextlib.suppress(ValueError):
        value = float(number) * unit
        if 0 < value < math.inf:
            return value
    raise argparse.ArgumentTypeError(f"not a time such as 50ms or 0.5s: {text!r}")


class MaxBlock:
    """Watches every loop, and fails the test, or its fixtures, during which one was blocked."""

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._blocks: list[Any] = []
        _watchdog.watch_every_loop(threshold, self._blocks.append)

    def pytest_unconfigure(self) -> None:
        _watchdog.watch_every_loop(None)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self) -> Generator[None, Any, Any]:
        return (yield from self._checked())

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self) -> Generator[None, Any, Any]:
        return (yield from self._checked())

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self) -> Generator[None, Any, Any]:
        return (yield from self._checked())

    def _checked(self) -> Generator[None, Any, Any]:
        self._blocks.clear()
        result = yield
        # The watchdog of a loop that has stopped has said everything.
        blocks = [block for block in self._blocks if block.over]
        if blocks:
            texts = [f"{block}\n{''.join(traceback.format_list(list(block.stack)))}" for block in blocks]
            pytest.fail(f"a loop was blocked for more than {self._threshold:g} s\n" + "".join(texts), pytrace=False)
        return result
