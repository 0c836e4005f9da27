"""``pytest --mainspring``: a pytest-asyncio suite on this loop.

The loop is put in through pytest-asyncio's own hook, ``pytest_asyncio_loop_factories`` (pytest-asyncio 1.4 or newer).
Nothing happens without the option.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--mainspring``."""
    group = parser.getgroup("mainspring")
    group.addoption("--mainspring", action="store_true", help="run pytest-asyncio tests on mainspring's event loop")


def pytest_configure(config: pytest.Config) -> None:
    """Put the loop in, or say what is missing."""
    if not config.getoption("--mainspring"):
        return
    if not hasattr(config.pluginmanager.hook, "pytest_asyncio_loop_factories"):
        raise pytest.UsageError("--mainspring needs pytest-asyncio 1.4 or newer")
    config.pluginmanager.register(_LoopFactories(), "mainspring-loop-factories")


class _LoopFactories:
    @pytest.hookimpl(tryfirst=True)
    def pytest_asyncio_loop_factories(self, config: Any, item: Any) -> Mapping[str, Callable[[], Any]]:
        from mainspring import new_event_loop

        return {"mainspring": new_event_loop}
